package link_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// weather plays changes, issues, lists and every kind of outage in any order.
type weather struct {
	*world
	rt      *rapid.T
	people  uint64
	lots    int               // new addresses given away
	owner   map[uint64]uint64 // by ordinal
	since   map[uint64]uint64 // by ordinal: size of the change sequence at its transfer file
	revoked map[uint64]bool   // in a list already
	waiting []holders.List    // made by the CA side, not taken in yet
}

func (m *weather) record(n uint64) register.Record {
	r, err := m.reg.Record(code(n))
	if err != nil {
		m.rt.Fatal(err)
	}
	return r
}

func (m *weather) change(*rapid.T) {
	n := rapid.Uint64Range(0, m.people-1).Draw(m.rt, "who")
	cur := m.record(n).Current()
	m.lots++
	e := register.Event{Kind: register.MoveWithin, Code: code(n), Municipality: cur.Municipality, Attr: cur.Attr}
	switch {
	case cur.Deleted:
		e.Kind, e.Attr = register.MoveIn, person(n)
	case rapid.Bool().Draw(m.rt, "leaves"):
		e.Kind, e.Attr = register.MoveOut, attr.Attributes{}
	}
	if e.Kind != register.MoveOut {
		e.Attr.Address = fmt.Sprintf("長野県長野市南千歳%d番地%d", n, m.lots)
	}
	if _, err := m.reg.Apply(e); err != nil {
		m.rt.Fatal(err)
	}
}

// certificate issues one to a resident who has none.
func (m *weather) certificate(*rapid.T) {
	n := rapid.Uint64Range(0, m.people-1).Draw(m.rt, "who")
	cur := m.record(n).Current()
	taken := m.taken()
	for ordinal, owner := range m.owner {
		if owner == n && taken[ordinal] == 0 {
			m.rt.Skip("has one")
		}
	}
	if cur.Deleted {
		m.rt.Skip("is gone")
	}
	if _, err := m.reg.RecordExport(code(n), cur.Municipality, "op-1", nil); err != nil {
		m.rt.Fatal(err)
	}
	since := m.reg.Size()
	ordinal := m.issue(cur.Attr)
	m.owner[ordinal], m.since[ordinal] = n, since
}

// taken counts the notices that the CA side took, by ordinal.
func (m *weather) taken() map[uint64]int {
	out := map[uint64]int{}
	for _, b := range m.ca.taken {
		n, err := notice.Parse(b)
		if err != nil {
			m.rt.Fatal(err)
		}
		out[n.Ordinal]++
	}
	return out
}

// makeList is the CA side at the end of a day: what was revoked goes out of
// force, and what waits is sent, in order, until something fails.
func (m *weather) makeList(*rapid.T) {
	down, before, after := m.log.down, m.log.before, m.log.after
	m.log.down, m.log.before, m.log.after = false, nil, nil
	for ordinal := range m.taken() {
		if !m.revoked[ordinal] && !m.isNew(ordinal) {
			m.revoked[ordinal] = true
			m.gone = append(m.gone, ordinal)
		}
	}
	slices.Sort(m.gone)
	m.waiting = append(m.waiting, m.daily())
	m.log.down, m.log.before, m.log.after = down, before, after
	m.sendLists(m.rt)
}

func (m *weather) isNew(ordinal uint64) bool {
	return slices.ContainsFunc(m.new, func(h holders.Holder) bool { return h.Ordinal == ordinal })
}

func (m *weather) sendLists(*rapid.T) {
	for len(m.waiting) > 0 {
		b, err := m.waiting[0].Marshal()
		if err != nil {
			m.rt.Fatal(err)
		}
		status, code := m.post(b)
		if status == 409 {
			m.rt.Fatalf("list refused: %s", code)
		}
		if status != 204 {
			return
		}
		m.waiting = m.waiting[1:]
	}
}

func (m *weather) tryFlush(*rapid.T) {
	_, err := m.srv.Flush(context.Background())
	switch say.Code(err) {
	case link.CodeLedgerOld, link.CodeUnexplained, link.CodeStep:
		m.rt.Fatalf("an outage became a fault: %v", err)
	}
}

func (m *weather) storm(*rapid.T) {
	fail := func(label string) func() error {
		left := rapid.IntRange(0, 3).Draw(m.rt, label)
		return func() error {
			if left--; left >= 0 {
				return errOutage
			}
			return nil
		}
	}
	m.log.down = rapid.IntRange(0, 3).Draw(m.rt, "ledger") == 0
	m.ca.down = rapid.IntRange(0, 3).Draw(m.rt, "link") == 0
	m.log.before, m.log.after, m.ca.passing = fail("before"), fail("after"), nil
	lost := fail("lost")
	m.ca.lose = func() bool { return lost() != nil }
	if refuse := fail("refusals"); rapid.Bool().Draw(m.rt, "refuses") {
		m.ca.passing = func() error {
			if refuse() != nil {
				return say.New("N206", "見えない", "not seen")
			}
			return nil
		}
	}
}

func (m *weather) calm() {
	m.log.down, m.log.before, m.log.after = false, nil, nil
	m.ca.down, m.ca.lose, m.ca.passing = false, nil, nil
}

func (m *weather) die(*rapid.T) { m.restart() }

// verdict: a certificate whose record changed since its transfer file got
// exactly one notice, any other none.
func (m *weather) verdict() {
	taken := m.taken()
	for ordinal, owner := range m.owner {
		want := 0
		for _, v := range m.record(owner).Versions {
			if v.Since > m.since[ordinal] {
				want = 1
			}
		}
		if taken[ordinal] != want {
			m.rt.Fatalf("certificate %d got %d notices, want %d", ordinal, taken[ordinal], want)
		}
	}
}

// askPeople has every refused notice sent again. They are the only cases: no
// two residents are alike here.
func (m *weather) askPeople() {
	cs, err := m.eng.Cases(true)
	if err != nil {
		m.rt.Fatal(err)
	}
	for _, c := range cs {
		if c.Why != match.Refused {
			m.rt.Fatalf("case %+v", c)
		}
		m.decide(c.ID)
	}
	m.tryFlush(m.rt)
}

func TestAnyWeather(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorldOn(t, "", "/juki", kv.NewMemFS())
		defer w.close()
		m := &weather{world: w, rt: rt, people: 4, owner: map[uint64]uint64{}, since: map[uint64]uint64{}, revoked: map[uint64]bool{}}
		for n := range m.people {
			if _, err := w.reg.Import([]register.Resident{{Code: code(n), Municipality: nagano, Attr: person(n)}}); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"change": m.change, "change again": m.change, "issue": m.certificate, "issue again": m.certificate, "list": m.makeList,
			"send lists": m.sendLists, "flush": m.tryFlush, "flush again": m.tryFlush, "storm": m.storm,
			"calm": func(*rapid.T) { m.calm() }, "crash": m.die,
		})
		m.calm()
		m.sendLists(rt)
		m.makeList(rt)
		m.tryFlush(rt)
		m.tryFlush(rt) // a refusal that did not count needs a second round
		m.askPeople()
		m.verdict()
		w.settled()
	})
}
