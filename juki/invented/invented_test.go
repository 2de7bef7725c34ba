package invented_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/canary"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/invented"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// town plays a month of invented residents: everybody with a certificate from
// the first day, so every change must find its certificate.
func town(t testing.TB, n int, share float64) (*juki.Office, []people.Resident, []people.Change, *invented.Player) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }
	o, err := juki.Open(juki.Config{Dir: t.TempDir(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	rs, err := people.Generate(7, n)
	if err != nil {
		t.Fatal(err)
	}
	cs := people.Changes(7, rs, share)
	p, err := invented.Load(o, rs, cs)
	if err != nil {
		t.Fatal(err)
	}
	return o, rs, cs, p
}

// list makes one M1 with a certificate for every resident.
func list(t testing.TB, rs []people.Resident) holders.List {
	t.Helper()
	l := holders.List{Day: "2026-11-01", Total: uint64(len(rs))}
	for i, r := range rs {
		c := attr.Certified{BirthDate: r.Attr.BirthDate, Sex: r.Attr.Sex}
		var err error
		if c.Name, c.NameMap, err = jtext.Substitute(r.Attr.Name, r.SubstituteName); err != nil {
			t.Fatal(err)
		}
		if c.Address, c.AddressMap, err = jtext.Substitute(r.Attr.Address, r.SubstituteAddress); err != nil {
			t.Fatal(err)
		}
		key := commitment.Key{1, byte(i), byte(i >> 8), byte(i >> 16)}
		l.New = append(l.New, holders.Holder{Ordinal: uint64(i), Key: key, Certified: c})
	}
	return l
}

func TestMonth(t *testing.T) {
	ctx := context.Background()
	o, rs, cs, p := town(t, 1000, 0.2)
	if err := o.Matching.ApplyList(ctx, list(t, rs), 1); err != nil {
		t.Fatal(err)
	}
	applied := 0
	for day := range p.Last() + 1 {
		done, err := p.Day(ctx, day)
		if err != nil {
			t.Fatal(err)
		}
		applied += len(done)
	}
	if applied < len(cs) {
		t.Errorf("%d changes applied, want at least %d", applied, len(cs))
	}
	changed := map[uint64]bool{}
	for _, c := range cs {
		if c.Kind.Revokes() {
			changed[uint64(c.Resident)] = true
		}
	}
	reached := map[uint64]int{}
	if err := o.Matching.Intents(func(i match.Intent) error {
		reached[i.Ordinal]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	cases, err := o.Matching.Cases(false)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[uint64]bool{}
	for _, c := range cases {
		for _, n := range c.Ordinals {
			asked[n] = true
		}
	}
	for n, times := range reached {
		if times > 1 || !changed[n] {
			t.Errorf("certificate %d got %d notices, changed: %v", n, times, changed[n])
		}
	}
	for n := range changed {
		if reached[n] == 0 && !asked[n] {
			t.Errorf("certificate %d: its record changed and nobody was told", n)
		}
	}
	s, err := o.Stats()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d changes: %v; queue %v", s.Register.Changes, s.Matching.Outcomes, s.Matching.Cases)
	if s.Matching.Outcomes[match.Minor] == 0 || s.Register.ByKind[register.Reversal] == 0 {
		t.Errorf("the month has no merger or no reversal: %+v", s)
	}
}

// Every new value is a canary, unless it is part of what lawfully crossed.
func TestCanaries(t *testing.T) {
	ctx := context.Background()
	o, rs, cs, p := town(t, 1000, 0.2)
	for _, r := range rs {
		if _, err := o.Register.RecordExport(r.Code, r.Municipality, "op-1", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Matching.ApplyList(ctx, list(t, rs), 1); err != nil {
		t.Fatal(err)
	}
	for day := range p.Last() + 1 {
		if _, err := p.Day(ctx, day); err != nil {
			t.Fatal(err)
		}
	}
	var buf bytes.Buffer
	if err := o.WriteCanaries(&buf); err != nil {
		t.Fatal(err)
	}
	lines := canary.Lines(buf.Bytes())
	have := map[string]bool{}
	for i, l := range lines {
		have[l] = true
		if i > 0 && lines[i-1] >= l {
			t.Fatalf("line %d is not in order", i)
		}
	}
	for _, r := range rs {
		if !have[r.Code] {
			t.Fatal("a resident code is missing")
		}
		if have[r.Attr.Name] || have[r.Attr.Address] {
			t.Fatal("a certified value is a canary")
		}
	}
	fresh := 0
	for _, c := range cs {
		for _, v := range c.NewContent() {
			fresh++
			if !have[v] {
				t.Errorf("a new value of a %s is missing", c.Kind)
			}
		}
	}
	if len(lines) <= len(rs) || fresh == 0 {
		t.Errorf("%d lines, %d new values", len(lines), fresh)
	}
}
