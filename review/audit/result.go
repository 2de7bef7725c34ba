package audit

import (
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Class is the council's own verdict class (判定区分, DOMAIN 5.4).
type Class string

// The four classes.
const (
	ClassA Class = "A" // 安全であることが確認されたもの: confirmed safe
	ClassB Class = "B" // 運用状況により確認が必要なもの: to be confirmed from how it is operated
	ClassC Class = "C" // 独自の対策・支援により安全が保たれるもの: safe given the prefecture's own measures
	ClassD Class = "D" // 安全性が確認できていないもの: safety not confirmed
)

// Worse returns the class that weighs more, in the order A, C, B, D.
func (c Class) Worse(d Class) Class {
	if weight[d] > weight[c] {
		return d
	}
	return c
}

var weight = map[Class]int{ClassA: 0, ClassC: 1, ClassB: 2, ClassD: 3}

// Verdict of one check.
type Verdict string

// Verdicts.
const (
	Confirmed  Verdict = "confirmed"   // looked at everything, nothing wrong
	Empty      Verdict = "empty"       // nothing of the kind is in the log
	Found      Verdict = "found"       // there are findings
	NotChecked Verdict = "not-checked" // the material for it was not handed over
)

// Severity of a finding.
type Severity string

// Severities.
const (
	Grave Severity = "grave" // a promise is broken
	Warn  Severity = "warn"  // must be explained by whoever operates the system
	Note  Severity = "note"  // told for completeness
)

// Finding is one thing that is not as promised.
type Finding struct {
	Check    string   // code of the check, such as "REV-1"
	Class    Class    //
	Severity Severity //
	Entries  []uint64 // indexes of the log entries that show it
	File     string   // name of the file that shows it, if any
	Text     say.Text // one sentence in both languages; never personal data
}

// Check is the outcome of one check.
type Check struct {
	Code     string   // stable, such as "LOG-4"
	Promise  string   // promise of the design that it tests: "P1" to "P9"
	Item     string   // review item (DOMAIN 5.3): "A-1" to "B-3", or "L" for the log itself
	Title    say.Text // what was checked
	Verdict  Verdict  //
	Class    Class    // A when confirmed or empty; else the worst of the findings
	Examined uint64   // how many things were looked at
	Total    uint64   // exact number of findings; Findings may hold fewer
	Findings []Finding
	Reason   say.Text // why it was not checked
}

// Spread are the figures of a set of durations in whole seconds.
type Spread struct {
	N                     uint64
	Min, Median, P99, Max int64
}

// Result is the outcome of an audit.
type Result struct {
	Origin     string
	Size       uint64       // entries read
	Root       entry.Digest // recomputed
	Checkpoint *proof.Checkpoint
	Now        time.Time
	From, To   entry.Time // times of the first and the last entry
	Kinds      map[entry.Kind]uint64
	Checks     []Check // all checks, in a fixed order
	Limits     Options // the limits that were applied, defaults filled in

	Certificates CertificateFigures
	Notices      NoticeFigures
	Holders      HolderFigures
	Times        TimeFigures
	Lists        []ListFigure // newest revocation list of each partition
	Policies     []PolicyFigure
	Security     []SecurityFigure
	Counts       []CountsFigure
	Openings     []OpenedNotice // what was disclosed and proved
	Draws        []Draw         // samples drawn by the council
	ReportsSeen  []uint64       // indexes of review.report entries
}

// CertificateFigures count certificates.
type CertificateFigures struct {
	Intents, Issued, Aborted, Pending, Revoked uint64
	Files                                      uint64            // certificate files examined
	Grounds                                    map[string]uint64 // revocations by ground class
}

// NoticeFigures count change notices (異動等失効情報).
type NoticeFigures struct {
	Sent, Received, Refused, Waiting uint64
	Modes                            map[string]uint64 // notices sent by mode
	Codes                            map[string]uint64 // refusals by rule code
	Requests                         uint64            // revocation.requested entries
}

// HolderFigures count the daily lists (M1).
type HolderFigures struct {
	Sent, Received, New, Gone, Total uint64
}

// TimeFigures are the measured timeliness (失効の適時性).
type TimeFigures struct {
	Answer    Spread // notice.sent → notice.received or notice.refused
	Record    Spread // notice.received → revocation
	Publish   Spread // revocation → status.root
	List      Spread // revocation → revocation list
	WholePath Spread // notice.sent → status.root
}

// ListFigure is the newest crl.published of one partition.
type ListFigure struct {
	Partition string
	Number    uint64
	Entries   uint64
	Index     uint64
	At        entry.Time
}

// PolicyFigure is one policy.approved entry.
type PolicyFigure struct {
	Index     uint64
	At        entry.Time
	Bundle    entry.Digest
	Approvals int    // valid approvals by known council keys
	Decisions uint64 // decisions that name it
	Proof     entry.Digest
	Proved    *ProofFigure // nil: the certificate is not at hand or can't be read
}

// SecurityFigure is one security.event entry.
type SecurityFigure struct {
	Index uint64
	By    string
	Code  string
	Count uint64
	From  entry.Time
	To    entry.Time

	Announced bool   // within a test that was announced before
	Test      uint64 // index of the announcement
}

// CountsFigure is one counter-signed statement of the daily counts.
type CountsFigure struct {
	Sent, Received uint64 // indexes of counts.sent and counts.received
	Counts         entry.Counts
}

// OpenedNotice is a disclosed notice whose commitment was opened and matched.
type OpenedNotice struct {
	Notice, Ordinal, Index uint64
}

// Draw is one review.draw entry with the sample that follows from it.
type Draw struct {
	Index   uint64   // of the review.draw entry
	Among   uint64   // notices received before Covers
	Notices []uint64 // notice numbers drawn, ascending
	Opened  uint64   // how many of them were disclosed and match
}

// Class of the whole audit: the worst of its checks.
func (r *Result) Class() Class {
	c := ClassA
	for _, k := range r.Checks {
		c = c.Worse(k.Class)
	}
	return c
}

// Findings returns the findings of all checks, in the order of the checks.
func (r *Result) Findings() []Finding {
	var out []Finding
	for _, c := range r.Checks {
		out = append(out, c.Findings...)
	}
	return out
}

// Check returns the outcome with this code.
func (r *Result) Check(code string) (Check, bool) {
	for _, c := range r.Checks {
		if c.Code == code {
			return c, true
		}
	}
	return Check{}, false
}
