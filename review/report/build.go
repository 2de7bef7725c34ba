package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/review/audit"
)

// Meta is what the report needs besides the audit.
type Meta struct {
	Generated time.Time // when the report is made; needed
	Council   say.Text  // to whom; empty: the council of Nagano
	// Owners name who answers for the checks of a prefix ("CRL", "NTC"); a
	// missing one has the default of the role that does the work.
	Owners map[string]say.Text
	// DueDays are the days until an open item of a class is due; missing: D 7,
	// B 30, C 90.
	DueDays map[audit.Class]int
	// Previous is the report before, for ages and changes; nil: this is the first.
	Previous *Report
	// Steps are the verification steps; nil: the usual ones.
	Steps []Step
}

// maxFindings is how many findings of one check the report prints.
const maxFindings = 20

// Build makes the report of an audit.
func Build(r *audit.Result, m Meta) (*Report, error) {
	if m.Generated.IsZero() {
		return nil, errors.New("a report needs its time")
	}
	if m.Council == (say.Text{}) {
		m.Council = say.Text{JA: "長野県本人確認情報保護審議会", EN: "Nagano Prefecture Council for the Protection of Identity Information"}
	}
	b := &builder{r: r, m: m, rep: &Report{V: Version, Kind: kind,
		Title:     Text{JA: "公的個人認証サービスにおける本人確認情報の保護に関する検証報告書", EN: "Verification report on the protection of identity information in the public personal certification service"},
		Council:   from(m.Council),
		Generated: entry.At(m.Generated),
		Period:    Period{From: r.From, To: r.To, Entries: r.Size},
	}}
	b.log()
	b.items()
	b.referral()
	b.notices()
	b.times()
	b.counts()
	b.rest()
	if err := b.changes(); err != nil {
		return nil, err
	}
	b.open()
	return b.rep, nil
}

type builder struct {
	r   *audit.Result
	m   Meta
	rep *Report
}

func (b *builder) log() {
	l := Log{Origin: b.r.Origin, Size: b.r.Size, Root: b.r.Root, Witnesses: []Cosignature{}, Kinds: []KindCount{}}
	if cp := b.r.Checkpoint; cp != nil {
		l.Checkpoint = string(cp.Raw)
		for _, c := range cp.Cosigned {
			l.Witnesses = append(l.Witnesses, Cosignature{Witness: c.Witness, At: entry.At(c.Time)})
		}
	}
	for k, n := range b.r.Kinds {
		l.Kinds = append(l.Kinds, KindCount{Kind: string(k), Count: n})
	}
	sortCounts(l.Kinds)
	b.rep.Log = l
}

func sortCounts(s []KindCount) {
	slices.SortFunc(s, func(x, y KindCount) int { return cmp.Compare(x.Kind, y.Kind) })
}

func counts(m map[string]uint64) []KindCount {
	out := make([]KindCount, 0, len(m))
	for k, n := range m {
		out = append(out, KindCount{Kind: k, Count: n})
	}
	sortCounts(out)
	return out
}

func (b *builder) items() {
	for _, c := range b.r.Checks {
		it := Item{Point: c.Item, Check: c.Code, Promise: c.Promise, Title: from(c.Title), Class: string(c.Class), Verdict: string(c.Verdict),
			Basis: basis(c), Examined: c.Examined, Total: c.Total, Findings: []Finding{}}
		for _, f := range c.Findings[:min(len(c.Findings), maxFindings)] {
			entries := f.Entries
			if entries == nil {
				entries = []uint64{}
			}
			it.Findings = append(it.Findings, Finding{Class: string(f.Class), Text: from(f.Text), Entries: entries, File: f.File})
		}
		switch c.Class {
		case audit.ClassA:
			b.rep.Verdicts.A++
		case audit.ClassB:
			b.rep.Verdicts.B++
		case audit.ClassC:
			b.rep.Verdicts.C++
		default:
			b.rep.Verdicts.D++
		}
		b.rep.Items = append(b.rep.Items, it)
	}
	slices.SortStableFunc(b.rep.Items, func(x, y Item) int { return cmp.Compare(pointRank(x.Point), pointRank(y.Point)) })
}

// basis is the sentence in the column 根拠.
func basis(c audit.Check) Text {
	switch c.Verdict {
	case audit.Confirmed:
		return Text{JA: fmt.Sprintf("全 %s 件を確認、例外なし。", Number(c.Examined)), EN: fmt.Sprintf("All %s examined, no exception.", Number(c.Examined))}
	case audit.Empty:
		return Text{JA: "該当する記録なし。", EN: "No such record."}
	case audit.NotChecked:
		return Text{JA: "未確認。" + c.Reason.JA, EN: "Not checked. " + c.Reason.EN}
	}
	return Text{JA: fmt.Sprintf("%s 件を確認、指摘 %s 件。", Number(c.Examined), Number(c.Total)), EN: fmt.Sprintf("%s examined, %s findings.", Number(c.Examined), Number(c.Total))}
}

// Number writes a count with its thousands separated: 1,234,567.
func Number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (b *builder) referral() {
	for _, p := range points {
		worst := audit.ClassA
		for _, it := range b.rep.Items {
			if it.Point == p.Code {
				worst = worst.Worse(audit.Class(it.Class))
			}
		}
		p.Class = string(worst)
		b.rep.Referral = append(b.rep.Referral, p)
	}
}

func (b *builder) notices() {
	n := b.r.Notices
	b.rep.Notices = Notices{Sent: n.Sent, Received: n.Received, Refused: n.Refused, Waiting: n.Waiting, Requests: n.Requests,
		Modes: counts(n.Modes), Grounds: counts(b.r.Certificates.Grounds), Codes: []CodeCount{}}
	// The order of the Act's articles, not of letters: Article 9 before 10.
	slices.SortStableFunc(b.rep.Notices.Grounds, func(x, y KindCount) int {
		return cmp.Compare(slices.Index(entry.Grounds, x.Kind), slices.Index(entry.Grounds, y.Kind))
	})
	sentence := sentences()
	for _, c := range counts(n.Codes) {
		b.rep.Notices.Codes = append(b.rep.Notices.Codes, CodeCount{Code: c.Kind, Count: c.Count, Text: sentence[c.Kind]})
	}
	b.rep.Security = []Security{}
	for _, s := range b.r.Security {
		b.rep.Security = append(b.rep.Security, Security{Index: s.Index, By: s.By, Code: s.Code, Text: sentence[s.Code], Count: s.Count, From: s.From, To: s.To,
			Announced: s.Announced, Test: s.Test})
	}
}

// sentences are the rules' sentences by code.
func sentences() map[string]Text {
	out := map[string]Text{}
	for _, c := range catalogue.Codes() {
		out[c.Code] = Text{JA: c.JA, EN: c.EN}
	}
	return out
}

func (b *builder) times() {
	t, l := b.r.Times, b.r.Limits
	for _, x := range []struct {
		code, ja, en string
		s            audit.Spread
		limit        time.Duration
	}{
		{"answer", "通知の送信から受領または拒否まで", "Notice sent to received or refused", t.Answer, l.Pending},
		{"record", "通知の受領から失効の記録まで", "Notice received to revocation recorded", t.Record, l.Revoke},
		{"publish", "失効の記録から状態の公開まで", "Revocation recorded to status published", t.Publish, l.Status},
		{"list", "失効の記録から失効リストへの掲載まで", "Revocation recorded to revocation list", t.List, l.List},
		{"whole", "通知の送信から状態の公開まで(全体)", "Notice sent to status published (whole way)", t.WholePath, 0},
	} {
		b.rep.Times = append(b.rep.Times, Timing{Code: x.code, Title: Text{JA: x.ja, EN: x.en}, N: x.s.N, Min: x.s.Min, Median: x.s.Median, P99: x.s.P99, Max: x.s.Max, Limit: int64(x.limit.Seconds())})
	}
}

func (b *builder) counts() {
	n, h, c := b.r.Notices, b.r.Holders, b.r.Certificates
	answered := n.Sent - min(n.Waiting, n.Sent)
	add := func(ja, en string, left, right uint64) {
		b.rep.Counts = append(b.rep.Counts, Count{Title: Text{JA: ja, EN: en}, Left: left, Right: right, Equal: left == right})
	}
	add("異動通知: 送信件数と、受領または拒否の済んだ件数", "Change notices: sent, and received or refused", n.Sent, answered)
	add("利用者一覧: 送信回数と受信回数", "Lists of holders: sent, and received", h.Sent, h.Received)
	stated := b.r.Kinds[entry.KindCountsSent]
	add("件数の確認書: 登録側の署名と、認証局側の副署", "Statements of counts: signed by the register's end, and counter-signed by the CA's end", stated, uint64(len(b.r.Counts)))
	add("発行: 予告件数と、発行・中止・処理中の合計", "Issue: announced, and issued, aborted or pending", c.Intents, c.Issued+c.Aborted+c.Pending)
	var grounds uint64
	for _, k := range b.rep.Notices.Grounds {
		grounds += k.Count
	}
	add("失効: 失効件数と、事由別の合計", "Revocations: revoked, and the sum by ground", c.Revoked, grounds)
	for _, l := range b.r.Lists {
		if l.Partition == "full" {
			add("失効リスト: 失効件数と、最新の全体リストの件数", "Revocation list: revoked, and entries of the newest complete list", c.Revoked, l.Entries)
		}
	}
}

func (b *builder) rest() {
	rep := b.rep
	rep.Lists, rep.Policies = []List{}, []Policy{}
	for _, l := range b.r.Lists {
		rep.Lists = append(rep.Lists, List{Partition: l.Partition, Number: l.Number, Entries: l.Entries, Index: l.Index, At: l.At})
	}
	slices.SortStableFunc(rep.Lists, func(x, y List) int { // the complete list first
		return cmp.Compare(b2i(x.Partition != "full"), b2i(y.Partition != "full"))
	})
	for _, p := range b.r.Policies {
		rep.Policies = append(rep.Policies, Policy{Index: p.Index, At: p.At, Bundle: p.Bundle, Approvals: uint64(p.Approvals), Decisions: p.Decisions, Proof: p.Proof, Proved: provedText(p.Proved)})
	}
	rep.Sample = Sample{Draws: []Draw{}, Opened: []Opened{}}
	for _, d := range b.r.Draws {
		rep.Sample.Draws = append(rep.Sample.Draws, Draw{Index: d.Index, Among: d.Among, Notices: append([]uint64{}, d.Notices...), Opened: d.Opened})
	}
	for _, o := range b.r.Openings {
		rep.Sample.Opened = append(rep.Sample.Opened, Opened{Notice: o.Notice, Ordinal: o.Ordinal, Index: o.Index})
	}
	rep.Limits, rep.Steps, rep.Terms = slices.Clone(limits), slices.Clone(steps), slices.Clone(terms)
	if b.m.Steps != nil {
		rep.Steps = slices.Clone(b.m.Steps)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (b *builder) changes() error {
	c := Changes{Classes: []Change{}}
	if p := b.m.Previous; p != nil {
		raw, err := p.Marshal()
		if err != nil {
			return err
		}
		c.Previous = entry.Sum(raw).String()
		c.Entries = b.rep.Log.Size - min(p.Log.Size, b.rep.Log.Size)
		was := map[string]string{}
		for _, it := range p.Items {
			was[it.Check] = it.Class
		}
		for _, it := range b.rep.Items {
			if w, ok := was[it.Check]; ok && w != it.Class {
				c.Classes = append(c.Classes, Change{Check: it.Check, From: w, To: it.Class, Title: it.Title})
			}
		}
	}
	b.rep.Changes = c
	return nil
}

func (b *builder) open() {
	opened := map[string]entry.Time{}
	due := map[string]entry.Time{}
	if b.m.Previous != nil {
		for _, o := range b.m.Previous.Open {
			opened[o.Check], due[o.Check] = o.Opened, o.Due
		}
	}
	b.rep.Open = []Open{}
	for _, it := range b.rep.Items {
		if it.Class == string(audit.ClassA) {
			continue
		}
		o := Open{Check: it.Check, Class: it.Class, Title: it.Title, Owner: b.owner(it.Check), Opened: b.rep.Generated, Evidence: []uint64{}}
		if t, ok := opened[it.Check]; ok {
			o.Opened = t
		}
		if o.Due = due[it.Check]; o.Due == (entry.Time{}) {
			o.Due = entry.At(o.Opened.Std().AddDate(0, 0, b.dueDays(audit.Class(it.Class))))
		}
		o.AgeDays = uint64(max(0, b.rep.Generated.Std().Sub(o.Opened.Std()))) / uint64(24*time.Hour)
		for _, f := range it.Findings {
			o.Evidence = append(o.Evidence, f.Entries...)
		}
		slices.Sort(o.Evidence)
		o.Evidence = slices.Compact(o.Evidence)
		b.rep.Open = append(b.rep.Open, o)
	}
	slices.SortStableFunc(b.rep.Open, func(x, y Open) int { return cmp.Compare(classRank(x.Class), classRank(y.Class)) })
}

// classRank puts the gravest class first.
func classRank(c string) int { return slices.Index([]string{"D", "B", "C", "A"}, c) }

func (b *builder) dueDays(c audit.Class) int {
	if d, ok := b.m.DueDays[c]; ok {
		return d
	}
	return map[audit.Class]int{audit.ClassD: 7, audit.ClassB: 30, audit.ClassC: 90}[c]
}

func (b *builder) owner(check string) Text {
	prefix := check[:3]
	if t, ok := b.m.Owners[prefix]; ok {
		return from(t)
	}
	return owners[prefix]
}
