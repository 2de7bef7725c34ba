package audit

import (
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// tally gathers one check's outcome.
type tally struct {
	examined uint64
	total    uint64
	class    Class
	findings []Finding
	reason   say.Text // set: the material was missing
}

// count notes that one thing was looked at for a check.
func (a *auditor) count(c checkID) { a.tallies[c].examined++ }

// skip notes that a check could not be made.
func (a *auditor) skip(c checkID, ja, en string) { a.tallies[c].reason = say.Text{JA: ja, EN: en} }

// text builds a sentence in both languages from the same arguments, which are
// indexes, ordinals, counts, codes and seconds only.
func text(ja, en string, args ...any) say.Text {
	return say.Text{JA: fmt.Sprintf(ja, args...), EN: fmt.Sprintf(en, args...)}
}

// fail adds a finding of class D: a promise is broken.
func (a *auditor) fail(c checkID, t say.Text, entries ...uint64) {
	a.add(c, Finding{Class: ClassD, Severity: Grave, Text: t, Entries: entries})
}

// failFile adds a finding of class D about a file.
func (a *auditor) failFile(c checkID, name string, t say.Text, entries ...uint64) {
	a.add(c, Finding{Class: ClassD, Severity: Grave, Text: t, Entries: entries, File: name})
}

// warn adds a finding of class B: the operator must explain it.
func (a *auditor) warn(c checkID, t say.Text, entries ...uint64) {
	a.add(c, Finding{Class: ClassB, Severity: Warn, Text: t, Entries: entries})
}

// note adds a finding of class C or A that is told for completeness.
func (a *auditor) note(c checkID, class Class, t say.Text, entries ...uint64) {
	a.add(c, Finding{Class: class, Severity: Note, Text: t, Entries: entries})
}

func (a *auditor) add(c checkID, f Finding) {
	t := &a.tallies[c]
	t.total++
	if t.class == "" {
		t.class = ClassA
	}
	t.class = t.class.Worse(f.Class)
	if len(t.findings) < a.o.MaxFindings {
		f.Check = a.rules[c].code
		f.Entries = slices.Clone(f.Entries)
		t.findings = append(t.findings, f)
	}
}

// checks turns the tallies into outcomes.
func (a *auditor) checks() []Check {
	out := make([]Check, 0, len(a.tallies))
	for i, t := range a.tallies {
		r := a.rules[i]
		c := Check{Code: r.code, Promise: r.promise, Item: r.item, Title: r.title, Class: ClassA,
			Verdict: Confirmed, Examined: t.examined, Total: t.total, Findings: t.findings}
		switch {
		case t.total > 0:
			c.Verdict, c.Class = Found, t.class
		case t.reason != say.Text{}:
			c.Verdict, c.Class, c.Reason = NotChecked, ClassB, t.reason
		case t.examined == 0:
			c.Verdict = Empty
		}
		out = append(out, c)
	}
	return out
}

// spread computes the figures of durations in seconds and sorts them.
func spread(s []int64) Spread {
	if len(s) == 0 {
		return Spread{}
	}
	slices.Sort(s)
	at := func(p int) int64 { return s[(len(s)-1)*p/100] }
	return Spread{N: uint64(len(s)), Min: s[0], Median: at(50), P99: at(99), Max: s[len(s)-1]}
}

// seconds from one entry time to another.
func seconds(from, to entry.Time) int64 { return to.Std().Unix() - from.Std().Unix() }
