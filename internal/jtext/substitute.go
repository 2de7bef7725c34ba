package jtext

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Errors of Substitute. They name positions, never characters.
var (
	ErrSubstituteLength  = errors.New("the designated substitutes do not have one character per character of the record")
	ErrNoSubstitute      = errors.New("a character outside the repertoire has no designated substitute")
	ErrSubstituteOutside = errors.New("a designated substitute is itself outside the repertoire")
	ErrNotUTF8           = errors.New("the text is not valid UTF-8")
)

// IsVariationSelector reports whether r chooses a glyph of the character
// before it (U+FE00–FE0F, U+E0100–E01EF: the ideographic variation sequences
// of 辻, 葛 or 邉).
func IsVariationSelector(r rune) bool {
	return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef
}

// Characters splits a text of a record into characters: a code point with the
// variation selectors that follow it is one character, because it stands for
// one glyph on the record and gets one substitute. Joined together they give
// the text again.
func Characters(s string) []string {
	cs := make([]string, 0, utf8.RuneCountInString(s))
	start := 0
	for i, r := range s {
		if i > start && !IsVariationSelector(r) {
			cs = append(cs, s[start:i])
			start = i
		}
	}
	if start < len(s) {
		cs = append(cs, s[start:])
	}
	return cs
}

// certifiable reports whether one character (of Characters) is in the repertoire.
func certifiable(c string) bool {
	r, size := utf8.DecodeRuneInString(c)
	return size == len(c) && InRepertoire(r)
}

// Certifiable reports whether every character of s is in the repertoire, so
// that it needs no substitutes.
func Certifiable(s string) bool {
	for _, r := range s { // a variation selector is in no repertoire
		if !InRepertoire(r) {
			return false
		}
	}
	return true
}

// Substitute returns a value as a certificate states it, with its map of one
// digit per character, 1 where a substitute (代替文字) stands (DOMAIN 6.2, 10.6).
//
// designated is the applicant's own form of the whole value: the same number
// of characters (Characters), with the wanted substitute where the record's
// character is outside the repertoire; elsewhere it is not looked at, since a
// character inside the repertoire is never replaced. It may be empty when
// nothing needs a substitute. Nothing is normalised or guessed: without a
// designated substitute there is an error.
//
// Errors: ErrNotUTF8, ErrSubstituteLength, ErrNoSubstitute, ErrSubstituteOutside.
func Substitute(record, designated string) (certified, subs string, err error) {
	if !utf8.ValidString(record) || !utf8.ValidString(designated) {
		return "", "", ErrNotUTF8
	}
	from, to := Characters(record), Characters(designated)
	if designated != "" && len(from) != len(to) {
		return "", "", ErrSubstituteLength
	}
	var value, marks strings.Builder
	for i, c := range from {
		mark := byte('0')
		if !certifiable(c) {
			if designated == "" || to[i] == c {
				return "", "", fmt.Errorf("%w: character %d", ErrNoSubstitute, i+1)
			}
			if c, mark = to[i], '1'; !certifiable(c) {
				return "", "", fmt.Errorf("%w: character %d", ErrSubstituteOutside, i+1)
			}
		}
		value.WriteString(c)
		marks.WriteByte(mark)
	}
	return value.String(), marks.String(), nil
}

// MatchesCertified reports whether a record's text may be what a certified
// text and its map came from: the same characters, where a replaced one stands
// for any one character of the record, variation selectors included.
func MatchesCertified(certified, subs, record string) bool {
	c, r := []rune(certified), Characters(record)
	if len(c) != len(r) || len(subs) != len(c) {
		return false
	}
	for i := range c {
		if subs[i] == '0' && string(c[i]) != r[i] {
			return false
		}
	}
	return true
}
