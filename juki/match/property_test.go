package match_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
)

// truth is what matching cannot see: whose a certificate is and since when.
type truth struct {
	owner uint64
	since uint64 // size of the change sequence at its transfer file
}

// model is a small town where names, addresses and birth dates are so few that
// twins, returns and look-alikes are everyday.
type model struct {
	*world
	rt     *rapid.T
	people uint64
	certs  map[uint64]truth
	struck map[uint64]bool
}

var (
	names     = []string{"山田　一", "山田　二", "\U00020BB7田　一", "吉田　一"}
	addresses = []string{"長野県長野市大字鶴賀１", "長野県長野市大字鶴賀２", "長野県長野市鶴賀１", "長野県善光寺市鶴賀１"}
	births    = []string{"319620617", "000000000"}
)

// changed reports what must lead to a notice: a change of the owner's record,
// not a minor one, since the certificate's transfer file.
func (m *model) changed(ordinal uint64) bool {
	c := m.certs[ordinal]
	r, err := m.reg.Record(code(c.owner))
	if err != nil {
		m.rt.Fatal(err)
	}
	for _, v := range r.Versions {
		if v.Since > c.since && !v.Minor {
			return true
		}
	}
	return false
}

func (m *model) attrs() attr.Attributes {
	pick := func(from []string, label string) string { return rapid.SampledFrom(from).Draw(m.rt, label) }
	return attr.Attributes{Name: pick(names, "name"), BirthDate: pick(births, "birth"), Sex: attr.Male, Address: pick(addresses, "address")}
}

func (m *model) current() (uint64, register.Version) {
	n := rapid.Uint64Range(1, m.people).Draw(m.rt, "who")
	r, err := m.reg.Record(code(n))
	if err != nil {
		m.rt.Fatal(err)
	}
	return n, r.Current()
}

// move applies any change that the register takes; most draws are refused.
func (m *model) move(*rapid.T) {
	n, cur := m.current()
	e := register.Event{Kind: rapid.SampledFrom(register.Kinds).Draw(m.rt, "kind"), Code: code(n), Municipality: cur.Municipality, Attr: cur.Attr}
	switch {
	case e.Kind == register.Reversal:
		r, err := m.reg.Record(e.Code)
		if err != nil || len(r.Versions) < 2 {
			m.rt.Skip()
		}
		old := r.Versions[len(r.Versions)-2]
		e.Reverts, e.Attr, e.Municipality = cur.Since-1, old.Attr, old.Municipality
	case e.Kind.Deletes():
		e.Attr = attr.Attributes{}
	case cur.Deleted || e.Kind == register.MoveIn:
		e.Municipality = rapid.SampledFrom([]string{nagano, matsumoto}).Draw(m.rt, "town")
		e.Attr = m.attrs()
	default:
		a := m.attrs()
		switch e.Kind {
		case register.NameChange:
			e.Attr.Name = a.Name
		case register.BirthDateCorrection:
			e.Attr.BirthDate = a.BirthDate
		default:
			e.Attr.Address = a.Address
		}
	}
	if _, err := m.reg.Apply(e); err != nil {
		m.rt.Skip("refused")
	}
}

// issueOne makes a transfer file now and a certificate from it.
func (m *model) issueOne(*rapid.T) {
	n, cur := m.current()
	if cur.Deleted {
		m.rt.Skip()
	}
	m.export(n)
	since := m.reg.Size()
	designated := ""
	if cur.Attr.Name == names[2] {
		designated = names[3]
	}
	m.certs[m.issue(cur.Attr, designated)] = truth{owner: n, since: since}
}

// abandon makes a transfer file that leads to nothing.
func (m *model) abandon(*rapid.T) {
	n, cur := m.current()
	if cur.Deleted {
		m.rt.Skip()
	}
	m.export(n)
}

func (m *model) matchNow(*rapid.T) { m.match() }

// revoke strikes off any certificate that is in force, as on its owner's request.
func (m *model) revoke(*rapid.T) {
	var live []uint64
	for n := range m.live {
		if !m.struck[n] {
			live = append(live, n)
		}
	}
	if len(live) == 0 {
		m.rt.Skip()
	}
	slices.Sort(live)
	n := rapid.SampledFrom(live).Draw(m.rt, "certificate")
	m.struck[n] = true
	m.gone = append(m.gone, n)
	slices.Sort(m.gone)
}

func (m *model) listNow(*rapid.T) { m.daily() }

// people decide every open case by the truth.
func (m *model) decideAll(*rapid.T) {
	for _, c := range m.openCases() {
		var notify []uint64
		for _, n := range c.Ordinals {
			if _, held := m.live[n]; held && m.changed(n) && m.noticesOf(n) == 0 {
				notify = append(notify, n)
			}
		}
		b := match.NoChange
		if len(notify) > 0 {
			b = match.Identified
		}
		if err := m.eng.Decide(c.ID, match.Decision{Operator: "op-1", Basis: b, Notify: notify}); err != nil {
			m.rt.Fatalf("%+v: %v", c, err)
		}
	}
}

func (m *model) noticesOf(ordinal uint64) int {
	n := 0
	if err := m.eng.Intents(func(i match.Intent) error {
		if i.Ordinal == ordinal {
			n++
		}
		return nil
	}); err != nil {
		m.rt.Fatal(err)
	}
	return n
}

// waits reports whether an open case asks about the certificate.
func (m *model) waits(ordinal uint64) bool {
	for _, c := range m.openCases() {
		if slices.Contains(c.Ordinals, ordinal) {
			return true
		}
	}
	return false
}

// Every certificate whose record has changed gets exactly one notice, or is a
// person's question; no other certificate ever gets one.
func (m *model) check(done bool) {
	for ordinal := range m.certs {
		n := m.noticesOf(ordinal)
		if n > 1 {
			m.rt.Fatalf("certificate %d has %d notices", ordinal, n)
		}
		changed := m.changed(ordinal)
		if n == 1 && !changed {
			m.rt.Fatalf("certificate %d is right and has a notice", ordinal)
		}
		if done && changed && n == 0 && !m.struck[ordinal] && !m.waits(ordinal) {
			m.rt.Fatalf("certificate %d is wrong and nobody was told", ordinal)
		}
	}
}

// outcomes: every matched change has one.
func (m *model) outcomes() {
	for pos := range m.eng.Cursor() {
		if _, err := m.eng.Outcome(pos); err != nil {
			m.rt.Fatalf("change %d has no outcome: %v", pos, err)
		}
	}
}

func TestEveryChangeReachesItsCertificate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorldOn(rt, "/juki", kv.NewMemFS())
		defer w.close()
		m := &model{world: w, rt: rt, people: rapid.Uint64Range(1, 6).Draw(rt, "people"), certs: map[uint64]truth{}, struck: map[uint64]bool{}}
		for n := range m.people {
			m.resident(n+1, m.attrs())
		}
		rt.Repeat(map[string]func(*rapid.T){
			"change": m.move, "change again": m.move, "change too": m.move, "issue": m.issueOne, "issue again": m.issueOne,
			"abandon": m.abandon, "match": m.matchNow, "revoke": m.revoke, "list": m.listNow, "decide": m.decideAll,
			"": func(*rapid.T) { m.check(false) },
		})
		m.daily()
		m.match()
		m.check(true)
		m.outcomes()
		m.decideAll(rt)
		for ordinal := range m.certs {
			if m.changed(ordinal) != (m.noticesOf(ordinal) == 1) && !m.struck[ordinal] {
				rt.Fatalf("certificate %d after every case: changed %v, notices %d (%s)", ordinal, m.changed(ordinal), m.noticesOf(ordinal), fmt.Sprint(m.certs))
			}
		}
	})
}
