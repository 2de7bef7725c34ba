package report

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/internal/testlog"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func result(t testing.TB) *audit.Result {
	t.Helper()
	l := testlog.Story(t, start)
	r, err := audit.Audit(context.Background(), audit.Source{Log: l, Checkpoint: l.Checkpoint(true), Policy: l.Policy(), Council: []ed25519.PublicKey{testlog.Council()}}, audit.Options{Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func build(t testing.TB, r *audit.Result, m Meta) *Report {
	t.Helper()
	if m.Generated.IsZero() {
		m.Generated = start.Add(24 * time.Hour)
	}
	rep, err := Build(r, m)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestBuildMarshalParse(t *testing.T) {
	rep := build(t, result(t), Meta{})
	b, err := rep.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := jcs.Transform(b)
	if err != nil || !bytes.Equal(canonical, b) {
		t.Error("report.json is not in JCS form")
	}
	again, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	b2, _ := again.Marshal()
	if !bytes.Equal(b, b2) {
		t.Error("report changes when it is read and written")
	}
	if rep.Verdicts.A+rep.Verdicts.B+rep.Verdicts.C+rep.Verdicts.D != uint64(len(rep.Items)) || rep.Verdicts.Items().A != rep.Verdicts.A {
		t.Errorf("verdicts %+v of %d items", rep.Verdicts, len(rep.Items))
	}
	if rep.Times[1].Limit != 3600 || rep.Times[3].Limit != 86400 {
		t.Errorf("limits of the audit are not printed: %+v", rep.Times)
	}
	if len(rep.Referral) != 7 || rep.Notices.Sent != 2 || rep.Notices.Refused != 1 || rep.Notices.Codes[0].Text.JA == "" {
		t.Errorf("referral %d, notices %+v", len(rep.Referral), rep.Notices)
	}
	body := &entry.ReviewReport{Covers: rep.Log.Size, Digest: entry.Sum(b), Items: rep.Verdicts.Items()}
	if err := body.Validate(); err != nil {
		t.Error(err)
	}
}

// TestDeterministic: the same input gives the same bytes.
func TestDeterministic(t *testing.T) {
	a, err := build(t, result(t), Meta{}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b, err := build(t, result(t), Meta{}).Marshal()
		if err != nil || !bytes.Equal(a, b) {
			t.Fatal("two reports of one audit differ")
		}
	}
}

func TestEveryTextInBothLanguages(t *testing.T) {
	rep := build(t, result(t), Meta{})
	var texts []Text
	for _, p := range rep.Referral {
		texts = append(texts, p.Text)
	}
	for _, it := range rep.Items {
		texts = append(texts, it.Title, it.Basis)
		for _, f := range it.Findings {
			texts = append(texts, f.Text)
		}
	}
	for _, o := range rep.Open {
		texts = append(texts, o.Owner, o.Title)
	}
	for _, s := range rep.Steps {
		texts = append(texts, s.Text)
	}
	texts = append(texts, rep.Limits...)
	for _, x := range texts {
		if x.JA == "" || x.EN == "" || x.In(say.Japanese) != x.JA || x.In(say.English) != x.EN {
			t.Errorf("text without both languages: %+v", x)
		}
	}
}

func TestOpenItemsGrowOld(t *testing.T) {
	r := result(t)
	first := build(t, r, Meta{})
	if len(first.Open) == 0 {
		t.Fatal("the story has open items")
	}
	for _, o := range first.Open {
		if o.AgeDays != 0 || o.Opened != first.Generated || !o.Due.Std().After(o.Opened.Std()) {
			t.Errorf("new item %+v", o)
		}
	}
	// One check gets better, the others stay open.
	better := *r
	better.Checks = append([]audit.Check(nil), r.Checks...)
	for i, c := range better.Checks {
		if c.Code == first.Open[0].Check {
			better.Checks[i].Class, better.Checks[i].Verdict, better.Checks[i].Findings, better.Checks[i].Total = audit.ClassA, audit.Confirmed, nil, 0
		}
	}
	better.Size += 10
	second := build(t, &better, Meta{Previous: first, Generated: first.Generated.Std().AddDate(0, 0, 9)})
	if len(second.Open) != len(first.Open)-1 {
		t.Fatalf("%d open items after %d", len(second.Open), len(first.Open))
	}
	for _, o := range second.Open {
		if o.AgeDays != 9 || o.Opened != first.Generated {
			t.Errorf("old item %+v", o)
		}
	}
	c := second.Changes
	if len(c.Classes) != 1 || c.Classes[0].To != "A" || c.Entries != 10 || len(c.Previous) != 64 {
		t.Errorf("changes %+v", c)
	}
}

func TestOwnersAndDueDays(t *testing.T) {
	rep := build(t, result(t), Meta{
		Owners:  map[string]say.Text{"NTC": {JA: "松本市 市民課長", EN: "Matsumoto residents' section"}},
		DueDays: map[audit.Class]int{audit.ClassB: 3},
	})
	found := false
	for _, o := range rep.Open {
		if o.Check == "NTC-5" {
			found = o.Owner.JA == "松本市 市民課長" && o.Due.Std().Sub(o.Opened.Std()) == 3*24*time.Hour
		}
	}
	if !found {
		t.Error("owner or due date is not the configured one")
	}
}

func TestRefuses(t *testing.T) {
	if _, err := Build(result(t), Meta{}); err == nil {
		t.Error("built without a time")
	}
	b, _ := build(t, result(t), Meta{}).Marshal()
	for name, bad := range map[string][]byte{
		"empty":          nil,
		"other kind":     bytes.Replace(b, []byte(`"council-report"`), []byte(`"council-rumour"`), 1),
		"other version":  bytes.Replace(b, []byte(`"v":1,"verdicts"`), []byte(`"v":2,"verdicts"`), 1),
		"unknown member": bytes.Replace(b, []byte(`"v":1,"verdicts"`), []byte(`"v":1,"vat":1,"verdicts"`), 1),
		"a space":        append([]byte(" "), b...),
		"two reports":    append(bytes.Clone(b), b...),
		"too large":      make([]byte, MaxSize+1),
	} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}

// TestNoPersonalData: the story's holders appear nowhere.
func TestNoPersonalData(t *testing.T) {
	b, _ := build(t, result(t), Meta{}).Marshal()
	for _, s := range []string{"総務", "霞が関", "19620617"} {
		if strings.Contains(string(b), s) {
			t.Errorf("the report holds an attribute")
		}
	}
}

func FuzzParse(f *testing.F) {
	b, _ := build(f, result(f), Meta{}).Marshal()
	f.Add(b)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := r.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Error("read a report that is not canonical")
		}
	})
}
