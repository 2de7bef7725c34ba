// Package say holds sentences for people: every message in Japanese and
// English, with a hint what to do. A command prints the language that was
// asked for, Japanese first.
//
// A sentence never holds personal data; arguments are paths, counts, codes and
// times only.
//
//	return say.New("transfer.signature",
//		"転送ファイルの署名が正しくありません。", "The transfer file's signature is not valid.").
//		Hint("住基端末でもう一度書き出してください。", "Export it again at the JukiTerminal.").Because(err)
package say

import "errors"

// Lang is a language of the interface.
type Lang string

// Languages. Japanese is the default everywhere.
const (
	Japanese Lang = "ja"
	English  Lang = "en"
)

// ParseLang reads "ja" or "en".
func ParseLang(s string) (Lang, bool) {
	l := Lang(s)
	return l, l == Japanese || l == English
}

// Text is one sentence in both languages.
type Text struct{ JA, EN string }

// In returns the sentence in language l.
func (t Text) In(l Lang) string {
	if l == English {
		return t.EN
	}
	return t.JA
}

// Error is an error that a person reads. Code is stable and for programs
// (problem+json, tests); Cause is for operators' logs and never shown alone.
type Error struct {
	Code  string
	Text  Text
	Hints Text
	Cause error
}

// New returns an error with a stable code and its sentence in both languages.
func New(code, ja, en string) *Error { return &Error{Code: code, Text: Text{ja, en}} }

// Hint adds what the reader can do about it.
func (e *Error) Hint(ja, en string) *Error {
	c := *e
	c.Hints = Text{ja, en}
	return &c
}

// Because adds the error underneath.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Cause = err
	return &c
}

// Error is the English sentence with its cause, for logs.
func (e *Error) Error() string {
	s := e.Text.EN
	if e.Cause != nil {
		s += " (" + e.Cause.Error() + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors of one code equal for errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// For returns the sentence and the hint for err in language l. An error that
// was not made with New gets a general sentence around its text.
func For(err error, l Lang) (sentence, hint string) {
	var e *Error
	if !errors.As(err, &e) {
		return Text{"処理できませんでした: " + err.Error(), "It didn't work: " + err.Error()}.In(l), ""
	}
	return e.Text.In(l), e.Hints.In(l)
}

// Code returns the stable code of err, or "internal".
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "internal"
}
