// Package verify answers one question about one file: does it hold? The file is
// a tlog-proof of an entry, a status receipt or a council report. It is what
// an outsider runs, offline, with nothing but the files and a trust policy.
//
// Check is pure and works on bytes, also in a browser. File finds the files
// that belong together in a directory of outputs and says which it used. Every
// step is a sentence in Japanese and English, the failing one too.
//
// The package never asks the network, never changes a file, and believes no
// key that the trust policy doesn't list.
//
//	r := verify.File(ctx, "out/entries/7.tlog-proof", verify.Options{})
//	r.Print(os.Stdout, say.Japanese)
//	os.Exit(int(r.Exit))
package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Exit is the outcome as a process exit code.
type Exit int

// The three outcomes.
const (
	Holds   Exit = 0 // every step was checked and is true
	Untold  Exit = 1 // it could not be told: a file is missing or unreadable
	IsFalse Exit = 2 // it was checked and is false
)

// Kind is what a file is.
type Kind string

// Kinds of files.
const (
	KindUnknown Kind = ""
	KindProof   Kind = "tlog-proof"
	KindStatus  Kind = "status-receipt"
	KindReport  Kind = "report"
	KindEntry   Kind = "entry" // an entry file; its proof is looked for beside it
)

// Step is one thing that was checked or noticed.
type Step struct {
	Code string   // stable, for programs
	Text say.Text // one sentence
	OK   bool     // false only for the step that failed
	Note bool     // a remark: it neither proves nor disproves
}

// Result is what was found out about one file.
type Result struct {
	Path  string // as given; "" for Check
	Kind  Kind
	Exit  Exit
	Steps []Step // in order; the failing step is the last one
	Hint  say.Text
	Err   error // why it doesn't hold; nil when Exit is Holds
}

func (r *Result) ok(code, ja, en string, args ...any) {
	r.Steps = append(r.Steps, Step{Code: code, OK: true, Text: say.Text{JA: fmt.Sprintf(ja, args...), EN: fmt.Sprintf(en, args...)}})
}

func (r *Result) note(code, ja, en string, args ...any) {
	r.ok(code, ja, en, args...)
	r.Steps[len(r.Steps)-1].Note = true
}

// fail ends the result with the step that failed.
func (r *Result) fail(err error) *Result {
	r.Err, r.Exit = err, Untold
	if errors.Is(err, proof.ErrFalse) {
		r.Exit = IsFalse
	}
	s := Step{Code: say.Code(err)}
	s.Text.JA, r.Hint.JA = say.For(err, say.Japanese)
	s.Text.EN, r.Hint.EN = say.For(err, say.English)
	r.Steps = append(r.Steps, s)
	return r
}

// wrong is an error that means "checked and false".
func wrong(code, ja, en string) error { return say.New(code, ja, en).Because(proof.ErrFalse) }

var verdicts = map[Exit]say.Text{
	Holds:   {JA: "成立: すべての段階を確かめました。", EN: "HOLDS: every step was checked."},
	Untold:  {JA: "判定できません: ファイルが足りないか、読み取れません。", EN: "COULD NOT TELL: a file is missing or can't be read."},
	IsFalse: {JA: "不成立: 確かめた結果、正しくありません。", EN: "FALSE: it was checked and is not true."},
}

// Verdict is the outcome as a sentence.
func (e Exit) Verdict() say.Text { return verdicts[e] }

// Print writes the steps and the verdict in one language.
func (r *Result) Print(w io.Writer, l say.Lang) error {
	out := ""
	if r.Path != "" {
		out = r.Path + "\n"
	}
	for _, s := range r.Steps {
		mark := "✗"
		switch {
		case s.Note:
			mark = "・"
		case s.OK:
			mark = "✓"
		}
		out += "  " + mark + " " + s.Text.In(l) + "\n"
	}
	if h := r.Hint.In(l); h != "" {
		out += "    → " + h + "\n"
	}
	_, err := io.WriteString(w, out+"  "+r.Exit.Verdict().In(l)+"\n")
	return err
}

// Worst is the exit code for several files: false before could-not-tell before
// holds.
func Worst(exits ...Exit) Exit {
	worst := Holds
	for _, e := range exits {
		worst = max(worst, e)
	}
	return worst
}

// MarshalJSON gives the result for programs: path, kind, exit, verdict and the
// steps with their sentences in both languages.
func (r *Result) MarshalJSON() ([]byte, error) {
	type sentence struct {
		JA string `json:"ja"`
		EN string `json:"en"`
	}
	type step struct {
		Code string `json:"code"`
		Mark string `json:"mark"` // "ok", "note" or "failed"
		sentence
	}
	out := struct {
		Path    string   `json:"path,omitempty"`
		Kind    Kind     `json:"kind"`
		Exit    Exit     `json:"exit"`
		Verdict sentence `json:"verdict"`
		Steps   []step   `json:"steps"`
		Hint    sentence `json:"hint"`
	}{Path: r.Path, Kind: r.Kind, Exit: r.Exit, Verdict: sentence(r.Exit.Verdict()), Steps: []step{}, Hint: sentence(r.Hint)}
	for _, s := range r.Steps {
		mark := "failed"
		switch {
		case s.Note:
			mark = "note"
		case s.OK:
			mark = "ok"
		}
		out.Steps = append(out.Steps, step{s.Code, mark, sentence(s.Text)})
	}
	return json.Marshal(out)
}
