// Package report writes the council's report (DOMAIN 11.5) from the result of
// an audit.
//
// The report has one canonical form: report.json, RFC 8785 (JCS) bytes of a
// closed shape. Its digest is what a review.report entry holds, so a report
// that was changed by one byte is not the logged one. The page that people
// read (package review/report/page) is made from it and adds nothing.
//
// Everything in it comes from the audit and from Meta; the same input gives
// the same bytes. It holds no personal data: entry indexes, ordinals, counts,
// seconds, digests and fixed sentences only.
//
//	rep, err := report.Build(result, report.Meta{Generated: now})
//	b, err := rep.Marshal()
//	digest := entry.Sum(b)          // body of review.report
//
// The package does no I/O and has no clock.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gowebpki/jcs"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Version is the format version in "v".
const Version = 1

// MaxSize is the largest report in bytes.
const MaxSize = 16 << 20

// Text is one sentence in Japanese and English.
type Text struct {
	JA string `json:"ja"`
	EN string `json:"en"`
}

func from(t say.Text) Text { return Text{JA: t.JA, EN: t.EN} }

// In returns the sentence in a language.
func (t Text) In(l say.Lang) string { return say.Text{JA: t.JA, EN: t.EN}.In(l) }

// Report is the council report. Sections are in the order of DOMAIN 11.5.
type Report struct {
	V         int        `json:"v"`
	Kind      string     `json:"kind"` // "council-report"
	Title     Text       `json:"title"`
	Council   Text       `json:"council"`
	Generated entry.Time `json:"generated"`
	Referral  []Point    `json:"referral"` // 審議事項
	Period    Period     `json:"period"`   // 対象期間
	Log       Log        `json:"log"`      // ログの状態
	Verdicts  Verdicts   `json:"verdicts"` // how many checks fell into each class
	Items     []Item     `json:"items"`    // 判定一覧
	Notices   Notices    `json:"notices"`  // 異動等失効情報の検査結果
	Times     []Timing   `json:"times"`    // 失効の適時性
	Counts    []Count    `json:"counts"`   // 件数の突合
	Lists     []List     `json:"lists"`    // newest revocation lists
	Policies  []Policy   `json:"policies"`
	Security  []Security `json:"security"` // 保安事象
	Sample    Sample     `json:"sample"`   // 抜取検査
	Changes   Changes    `json:"changes"`  // 前回からの変更
	Open      []Open     `json:"open"`     // 未解決事項
	Limits    []Text     `json:"limits"`   // what this report can't prove
	Steps     []Step     `json:"steps"`    // 検証手順
	Terms     []Term     `json:"terms"`    // 用語
}

// Point is one review item of the referral (DOMAIN 5.3).
type Point struct {
	Code  string `json:"code"`
	Class string `json:"class"` // worst class of its checks
	Text  Text   `json:"text"`
}

// Period is what the report covers.
type Period struct {
	From    entry.Time `json:"from"`
	To      entry.Time `json:"to"`
	Entries uint64     `json:"entries"`
}

// Log is the state of the log.
type Log struct {
	Origin     string        `json:"origin"`
	Size       uint64        `json:"size"`
	Root       entry.Digest  `json:"root"`       // recomputed
	Checkpoint string        `json:"checkpoint"` // the signed note, verbatim
	Witnesses  []Cosignature `json:"witnesses"`
	Kinds      []KindCount   `json:"kinds"`
}

// Cosignature is one witness's signature time.
type Cosignature struct {
	Witness string     `json:"witness"`
	At      entry.Time `json:"at"`
}

// KindCount is the number of entries of one kind.
type KindCount struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
}

// Verdicts count the checks by class (判定区分, DOMAIN 5.4).
type Verdicts struct {
	A uint64 `json:"a"`
	B uint64 `json:"b"`
	C uint64 `json:"c"`
	D uint64 `json:"d"`
}

// Items returns the counts as the body of a review.report entry wants them.
func (v Verdicts) Items() entry.Items { return entry.Items{A: v.A, B: v.B, C: v.C, D: v.D} }

// Item is one line of the list of verdicts: one check.
type Item struct {
	Point    string    `json:"point"` // review item
	Check    string    `json:"check"`
	Promise  string    `json:"promise"`
	Title    Text      `json:"title"`
	Class    string    `json:"class"`
	Verdict  string    `json:"verdict"`
	Basis    Text      `json:"basis"` // 根拠
	Examined uint64    `json:"examined"`
	Total    uint64    `json:"total"`    // number of findings
	Findings []Finding `json:"findings"` // the first of them
}

// Finding is one thing that is not as promised.
type Finding struct {
	Class   string   `json:"class"`
	Text    Text     `json:"text"`
	Entries []uint64 `json:"entries"` // 証跡: log entries
	File    string   `json:"file"`    // 証跡: file name, or ""
}

// Notices are the figures of the change notices.
type Notices struct {
	Sent     uint64      `json:"sent"`
	Received uint64      `json:"received"`
	Refused  uint64      `json:"refused"`
	Waiting  uint64      `json:"waiting"`
	Requests uint64      `json:"requests"`
	Modes    []KindCount `json:"modes"`
	Codes    []CodeCount `json:"codes"`
	Grounds  []KindCount `json:"grounds"`
}

// CodeCount is the number of refusals under one rule.
type CodeCount struct {
	Code  string `json:"code"`
	Count uint64 `json:"count"`
	Text  Text   `json:"text"`
}

// Timing is one stretch of the way from notice to publication, in seconds.
type Timing struct {
	Code   string `json:"code"`
	Title  Text   `json:"title"`
	N      uint64 `json:"n"`
	Min    int64  `json:"min"`
	Median int64  `json:"median"`
	P99    int64  `json:"p99"`
	Max    int64  `json:"max"`
	Limit  int64  `json:"limit"` // 0: none
}

// Count is one reconciliation: what one side counted and the other.
type Count struct {
	Title Text   `json:"title"`
	Left  uint64 `json:"left"`
	Right uint64 `json:"right"`
	Equal bool   `json:"equal"`
}

// List is the newest revocation list of one partition.
type List struct {
	Partition string     `json:"partition"`
	Number    uint64     `json:"number"`
	Entries   uint64     `json:"entries"`
	Index     uint64     `json:"index"`
	At        entry.Time `json:"at"`
}

// Policy is one approved rule bundle.
type Policy struct {
	Index     uint64       `json:"index"`
	At        entry.Time   `json:"at"`
	Bundle    entry.Digest `json:"bundle"`
	Approvals uint64       `json:"approvals"`
	Decisions uint64       `json:"decisions"`
	Proof     entry.Digest `json:"proof"`  // digest of the proof certificate that the council approved with it
	Proved    Text         `json:"proved"` // what that certificate says
}

// Security is one security event in the log.
type Security struct {
	Index uint64     `json:"index"`
	By    string     `json:"by"` // role identifier
	Code  string     `json:"code"`
	Text  Text       `json:"text"` // the rule's sentence, where the code is a rule's
	Count uint64     `json:"count"`
	From  entry.Time `json:"from"`
	To    entry.Time `json:"to"`

	Announced bool   `json:"announced"` // within a test that was announced before
	Test      uint64 `json:"test"`      // entry that announced it, 0 if none did
}

// Sample is what was drawn and opened.
type Sample struct {
	Draws  []Draw   `json:"draws"`
	Opened []Opened `json:"opened"` // notices whose commitment was opened and matched
}

// Draw is one sample drawn by lot.
type Draw struct {
	Index   uint64   `json:"index"`   // of the review.draw entry
	Among   uint64   `json:"among"`   // notices that could be drawn
	Notices []uint64 `json:"notices"` // notice numbers drawn
	Opened  uint64   `json:"opened"`  // of these, disclosed and matching
}

// Opened is one opened notice.
type Opened struct {
	Notice  uint64 `json:"notice"`
	Ordinal uint64 `json:"ordinal"`
	Index   uint64 `json:"index"`
}

// Changes compare with the report before.
type Changes struct {
	Previous string   `json:"previous"` // SHA-256 of the earlier report.json, or ""
	Entries  uint64   `json:"entries"`  // entries since then
	Classes  []Change `json:"classes"`  // checks whose class changed
}

// Change is a check whose class changed since the report before.
type Change struct {
	Check string `json:"check"`
	From  string `json:"from"`
	To    string `json:"to"`
	Title Text   `json:"title"`
}

// Open is an open item: a check that is not class A, with owner, due date and
// age.
type Open struct {
	Check    string     `json:"check"`
	Class    string     `json:"class"`
	Title    Text       `json:"title"`
	Owner    Text       `json:"owner"`    // 責任者
	Opened   entry.Time `json:"opened"`   // first reported
	Due      entry.Time `json:"due"`      // 期限
	AgeDays  uint64     `json:"age_days"` // 経過日数
	Evidence []uint64   `json:"evidence"` // 証跡
}

// Step is one step that the reader can do on their own machine.
type Step struct {
	Text    Text   `json:"text"`
	Command string `json:"command"` // or ""
}

// Term explains one word.
type Term struct {
	JA   string `json:"ja"`
	EN   string `json:"en"`
	Text Text   `json:"text"`
}

// Marshal returns the report's canonical bytes.
func (r *Report) Marshal() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the report: %w", err)
	}
	if b, err = jcs.Transform(b); err != nil {
		return nil, fmt.Errorf("couldn't bring the report into canonical form: %w", err)
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("report of %d bytes is larger than %d", len(b), MaxSize)
	}
	return b, nil
}

// Parse reads a report from its exact canonical bytes and refuses everything
// else: unknown members, doubles, another order or version.
func Parse(b []byte) (*Report, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("report of %d bytes is larger than %d", len(b), MaxSize)
	}
	r := &Report{}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil || dec.More() {
		return nil, errors.New("not one JSON object of the report's closed shape")
	}
	if r.V != Version || r.Kind != kind {
		return nil, errors.New("not a council report of version 1")
	}
	again, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("report is not in canonical form")
	}
	return r, nil
}

const kind = "council-report"
