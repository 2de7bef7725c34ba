package match_test

import (
	"context"
	"testing"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
)

// The scenarios of DOMAIN 11.4, by number, as far as matching decides them.

// holder gives the world one resident (1) with a certificate (0) that has arrived.
func holder(t testing.TB) *world {
	w := newWorld(t)
	w.resident(1, base)
	w.export(1)
	w.issue(base, "")
	w.daily()
	w.want(w.arrival(0), match.InForce)
	return w
}

func TestScenario02Substitutes(t *testing.T) {
	w := newWorld(t)
	was := named("\U00020BB7田　葛\U000E0100子") // 𠮷田, and a glyph chosen by a selector
	w.resident(1, was)
	w.resident(2, named("吉田　葛子")) // lives there too, but carries other characters
	w.issue(was, "吉田　葛子")
	w.daily()
	w.want(w.arrival(0), match.InForce)
	w.want(w.outcomeOf(1, register.MoveWithin, with(func(a *attr.Attributes) { a.Name, a.Address = was.Name, "長野県長野市南千歳１" })), match.Person)
	w.want(w.openCases()[0].Why, match.Twins) // resident 2 matches the substituted certificate too
}

// outcomeOf applies and matches one change.
func (w *world) outcomeOf(n uint64, k register.Kind, a attr.Attributes) match.Reason {
	w.t.Helper()
	pos := w.change(n, k, a)
	w.match()
	return w.outcome(pos)
}

func TestScenario02SubstitutesAlone(t *testing.T) {
	w := newWorld(t)
	was := named("\U00020BB7田　葛\U000E0100子")
	w.resident(1, was)
	w.issue(was, "吉田　葛子")
	w.daily()
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
	w.want(w.notices(), "[0]")
}

func TestScenario03MoveWithin(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.MoveWithin, at("長野県長野市南千歳１")), match.Notice)
	w.want(w.notices(), "[0]")
}

func TestScenario04MoveOutAndInOnDifferentDays(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.MoveOut, attr.Attributes{}), match.Notice)
	w.daily()
	w.want(w.outcomeOf(1, register.MoveIn, at("長野県松本市丸の内３")), match.NewRecord)
	w.want(w.notices(), "[0]")
}

func TestScenario05MarriageAndMoveOnOneDay(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.NameChange, named("自治　太郎")), match.Notice)
	moved := with(func(a *attr.Attributes) { a.Name, a.Address = "自治　太郎", "長野県長野市南千歳１" })
	w.want(w.outcomeOf(1, register.MoveWithin, moved), match.NoCertificate)
	w.want(w.notices(), "[0]")
}

func TestScenario06Death(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
	w.want(w.notices(), "[0]")
}

func TestScenario07ChangeBeforeTheDailyList(t *testing.T) {
	for _, k := range []register.Kind{register.MoveWithin, register.Death} {
		w := newWorld(t)
		w.resident(1, base)
		w.export(1)
		n := w.issue(base, "")
		after := attr.Attributes{}
		if k == register.MoveWithin {
			after = at("長野県長野市南千歳１")
		}
		w.want(w.outcomeOf(1, k, after), match.NoCertificate)
		w.daily()
		w.want(w.arrival(n), match.Notice)
		w.want(w.notices(), "[0]")
	}
}

// Not matched yet when the list arrives: the list first matches what there is.
func TestScenario07UnmatchedChange(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.issue(base, "")
	w.change(1, register.NameChange, named("自治　太郎"))
	w.daily()
	w.match()
	w.want(w.outcome(0), match.NoCertificate)
	w.want(w.notices(), "[0]")
}

func TestScenario08Twins(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.resident(2, base)
	w.issue(base, "")
	w.issue(base, "")
	w.daily()
	w.want(w.arrival(1), match.InForce)
	w.want(w.outcomeOf(1, register.MoveWithin, at("長野県長野市南千歳１")), match.Person)
	c := w.openCases()[0]
	w.want(c.Why, match.SeveralCertificates)
	d, err := w.eng.Detail(c.ID)
	if err != nil || len(d.Holders) != 2 || len(d.Records) != 1 || d.Change == nil {
		t.Fatalf("detail %+v, %v", d, err)
	}
	w.want(w.notices(), "[]") // nothing goes on silently
	w.decide(c.ID, match.Identified, 1)
	w.want(w.notices(), "[1]")
	// The other twin is alone now: what is left is certain.
	w.want(w.outcomeOf(2, register.Death, attr.Attributes{}), match.Notice)
	w.want(w.notices(), "[1 0]")
}

func TestScenario08TwinWithoutCertificate(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.resident(2, base)
	w.issue(base, "")
	w.daily()
	w.want(w.outcomeOf(2, register.Death, attr.Attributes{}), match.Person)
	c := w.openCases()[0]
	w.want(c.Why, match.Twins)
	w.decide(c.ID, match.OtherPerson)
	w.want(len(w.openCases()), 0)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
}

func TestScenario08TwinChangedBeforeTheList(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.resident(2, base)
	n := w.issue(base, "")
	w.change(2, register.Death, attr.Attributes{})
	w.daily()
	w.want(w.arrival(n), match.Person)
	w.want(w.openCases()[0].Why, match.SomeChanged)
	// Both changed: whoever it was, the certificate is wrong.
	n = w.issue(base, "")
	w.change(1, register.Death, attr.Attributes{})
	w.daily()
	w.want(w.arrival(n), match.Notice)
}

func (w *world) decide(id uint64, b match.Basis, notify ...uint64) {
	w.t.Helper()
	if err := w.eng.Decide(id, match.Decision{Operator: "op-7", Basis: b, Notify: notify}); err != nil {
		w.t.Fatal(err)
	}
}

func TestScenario11NameOnly(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.NameChange, named("自治　太郎")), match.Notice)
}

func TestScenario12Merger(t *testing.T) {
	w := holder(t)
	merged := at("長野県善光寺市大字鶴賀１６１３番地")
	w.want(w.outcomeOf(1, register.Merger, merged), match.Minor)
	w.want(w.notices(), "[]")
	// The certificate keeps the old spelling; a real change still finds it.
	renumbered := at("長野県善光寺市鶴賀５")
	w.want(w.outcomeOf(1, register.Merger, renumbered), match.Minor)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
	w.want(w.notices(), "[0]")
}

func TestScenario12MergerBeforeTheList(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	n := w.issue(base, "")
	w.change(1, register.Merger, at("長野県善光寺市大字鶴賀１６１３番地"))
	w.daily()
	w.want(w.arrival(n), match.InForce)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
}

// Two residents whose addresses fall together by a merger of names.
func TestScenario12MergerMakesTwins(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.resident(2, at("長野県善光寺市大字鶴賀１６１３番地"))
	w.issue(base, "")
	w.daily()
	w.change(1, register.Merger, at("長野県善光寺市大字鶴賀１６１３番地"))
	w.want(w.outcomeOf(2, register.Death, attr.Attributes{}), match.NoCertificate)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
}

func TestScenario17RevertedIsFinal(t *testing.T) {
	w := holder(t)
	slip := named("総務　大郎")
	w.want(w.outcomeOf(1, register.NameChange, slip), match.Notice)
	w.want(w.outcomeOf(1, register.Reversal, base), match.NoCertificate)
	w.want(w.notices(), "[0]") // the notice stands
	// A new certificate with the old values is right, and lives until the next change.
	w.export(1)
	n := w.issue(base, "")
	w.strike(0)
	w.daily()
	w.want(w.arrival(n), match.InForce)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Notice)
	w.want(w.notices(), "[0 1]")
}

func TestScenario17RevertedBeforeTheList(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.export(1)
	n := w.issue(base, "") // issued before the slip
	w.change(1, register.NameChange, named("総務　大郎"))
	w.change(1, register.Reversal, base)
	w.daily()
	w.want(w.arrival(n), match.Notice) // values equal again, yet a change happened
}

func TestScenario17WithoutTransferFile(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	n := w.issue(base, "")
	w.change(1, register.NameChange, named("総務　大郎"))
	w.change(1, register.Reversal, base)
	w.daily()
	w.want(w.arrival(n), match.Person)
	w.want(w.openCases()[0].Why, match.WentBack)
}

// A certificate with the mistaken name, issued between slip and reversal.
func TestScenario17IssuedFromTheSlip(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.change(1, register.NameChange, named("総務　大郎"))
	w.export(1)
	w.issue(named("総務　大郎"), "")
	w.daily()
	w.want(w.outcomeOf(1, register.Reversal, base), match.Notice)
}

func TestScenario22BirthDateUnknown(t *testing.T) {
	w := newWorld(t)
	unknown := func(n string) attr.Attributes {
		return with(func(a *attr.Attributes) { a.BirthDate, a.Name = "000000000", n })
	}
	for i, n := range []string{"総務　太郎", "総務　次郎", "総務　三郎"} {
		w.resident(uint64(i+1), unknown(n))
		w.issue(unknown(n), "")
	}
	w.daily()
	w.want(w.outcomeOf(2, register.Death, attr.Attributes{}), match.Notice)
	w.want(w.notices(), "[1]")
	a := unknown("総務　三郎")
	a.BirthDate = "319500000" // year found out
	w.want(w.outcomeOf(3, register.BirthDateCorrection, a), match.Notice)
	w.want(w.notices(), "[1 2]")
}

func TestScenario23LeapDay(t *testing.T) {
	w := newWorld(t)
	leap := with(func(a *attr.Attributes) { a.BirthDate = "320000229" })
	w.resident(1, leap)
	w.issue(leap, "")
	w.daily()
	fixed := leap
	fixed.BirthDate = "420000229" // the era was wrong, the day stays
	w.want(w.outcomeOf(1, register.BirthDateCorrection, fixed), match.Notice)
}

// IN-08: the record changes while the application is processed.
func TestChangeDuringIssuance(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.export(1)
	w.want(w.outcomeOf(1, register.MoveWithin, at("長野県長野市南千歳１")), match.NoCertificate)
	n := w.issue(base, "") // from the old transfer file
	w.daily()
	w.want(w.arrival(n), match.Notice)
}

func TestMovedAwayAndBack(t *testing.T) {
	w := holder(t)
	there := at("長野県松本市丸の内３")
	w.want(w.outcomeOf(1, register.MoveIn, there), match.Notice)
	w.export(1)
	n := w.issue(there, "")
	w.strike(0)
	w.daily()
	w.want(w.arrival(n), match.InForce)
	w.want(w.outcomeOf(1, register.MoveIn, base), match.Notice)
	w.export(1)
	n = w.issue(base, "")
	w.strike(1)
	w.daily()
	w.want(w.arrival(n), match.InForce) // the first file is accounted for
	w.want(w.notices(), "[0 1]")
	// A certificate that no newer file accounts for is unclear.
	n = w.issue(base, "")
	w.daily()
	w.want(w.arrival(n), match.Person)
}

func TestNearMiss(t *testing.T) {
	w := newWorld(t)
	w.resident(1, at("長野県長野市大字鶴賀1613番地"))
	n := w.issue(base, "") // full-width digits
	m := w.issue(named("誰か　他人"), "")
	w.daily()
	w.want(w.arrival(n), match.Person)
	w.want(w.arrival(m), match.Person)
	cs := w.openCases()
	w.want(cs[0].Why, match.NearMiss)
	w.want(cs[1].Why, match.NoRecord)
	w.decide(cs[0].ID, match.NoChange)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Person)
	last := w.openCases()[1]
	w.want(last.Why, match.NearMiss)
	w.decide(last.ID, match.Identified, n)
	w.want(w.notices(), "[0]")
}

func TestDecideRefuses(t *testing.T) {
	w := newWorld(t)
	w.resident(1, base)
	w.resident(2, base)
	w.issue(base, "")
	w.issue(base, "")
	w.daily()
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.Person)
	for name, c := range map[string]struct {
		d    match.Decision
		code string
	}{
		"operator":  {match.Decision{Operator: "山田", Basis: match.NoChange}, register.CodeOperator},
		"basis":     {match.Decision{Operator: "op-1", Basis: "because"}, match.CodeDecide},
		"nothing":   {match.Decision{Operator: "op-1", Basis: match.Identified}, match.CodeDecide},
		"too much":  {match.Decision{Operator: "op-1", Basis: match.OtherPerson, Notify: []uint64{0}}, match.CodeDecide},
		"elsewhere": {match.Decision{Operator: "op-1", Basis: match.Identified, Notify: []uint64{7}}, match.CodeDecide},
		"twice":     {match.Decision{Operator: "op-1", Basis: match.Identified, Notify: []uint64{0, 0}}, match.CodeDecide},
	} {
		if err := w.eng.Decide(0, c.d); say.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.eng.Decide(3, match.Decision{Operator: "op-1", Basis: match.NoChange}); say.Code(err) != match.CodeCase {
		t.Errorf("no such case: %v", err)
	}
	w.want(w.notices(), "[]")
	w.decide(0, match.Identified, 0)
	if err := w.eng.Decide(0, match.Decision{Operator: "op-1", Basis: match.NoChange}); say.Code(err) != match.CodeCase {
		t.Errorf("decided twice: %v", err)
	}
	w.want(w.outcomeOf(2, register.Death, attr.Attributes{}), match.Notice)
	c, err := w.eng.Counts()
	if err != nil || c.Outcomes[match.Person] != 1 || c.Cases[match.SeveralCertificates] != 1 || c.CasesOpen != 0 || c.Holders != 2 {
		t.Errorf("counts %+v, %v", c, err)
	}
	if _, err := w.eng.Match(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// DOMAIN 8.4: every kind of change that may stand in the sequence, and what it
// means for a certificate issued before it.
func TestEveryKindOfChange(t *testing.T) {
	born := with(func(a *attr.Attributes) { a.BirthDate = "319620618" })
	sex := with(func(a *attr.Attributes) { a.Sex = attr.Female })
	moved := at("長野県長野市南千歳１")
	want := map[register.Kind]struct {
		after  attr.Attributes
		reason match.Reason
	}{
		register.MoveWithin:          {moved, match.Notice},
		register.MoveOut:             {attr.Attributes{}, match.Notice},
		register.MoveIn:              {at("長野県松本市丸の内３"), match.Notice},
		register.NameChange:          {named("自治　太郎"), match.Notice},
		register.Death:               {attr.Attributes{}, match.Notice},
		register.MoveAbroad:          {attr.Attributes{}, match.Notice},
		register.ExOfficioDeletion:   {attr.Attributes{}, match.Notice},
		register.Correction:          {named("総務　大郎"), match.Notice},
		register.BirthDateCorrection: {born, match.Notice},
		register.SexCorrection:       {sex, match.Notice},
		register.Merger:              {at("長野県善光寺市大字鶴賀１６１３番地"), match.Minor},
	}
	for _, k := range register.Kinds {
		t.Run(string(k), func(t *testing.T) {
			switch k {
			case register.Entry: // a new record: nothing can have been certified
				w := newWorld(t)
				cs, err := w.reg.Apply(register.Event{Kind: k, Code: code(1), Municipality: nagano, Attr: base})
				if err != nil {
					t.Fatal(err)
				}
				w.match()
				w.want(w.outcome(cs[0].Pos), match.NewRecord)
				return
			case register.Reversal: // takes back a change whose notice stands
				w := holder(t)
				w.want(w.outcomeOf(1, register.Correction, named("総務　大郎")), match.Notice)
				w.want(w.outcomeOf(1, k, base), match.NoCertificate)
				w.want(w.notices(), "[0]")
				return
			}
			c, ok := want[k]
			if !ok {
				t.Fatal("no expectation for this kind")
			}
			w := holder(t)
			w.want(w.outcomeOf(1, k, c.after), c.reason)
			if c.reason == match.Notice {
				w.want(w.notices(), "[0]")
			} else {
				w.want(w.notices(), "[]")
			}
		})
	}
}

// Several corrections on one day: one certificate gets one notice, whatever
// the order and the number.
func TestSeveralCorrectionsOnOneDay(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.BirthDateCorrection, with(func(a *attr.Attributes) { a.BirthDate = "319620618" })), match.Notice)
	w.want(w.outcomeOf(1, register.SexCorrection, with(func(a *attr.Attributes) { a.BirthDate, a.Sex = "319620618", attr.Female })), match.NoCertificate)
	w.want(w.outcomeOf(1, register.NameChange, with(func(a *attr.Attributes) { a.BirthDate, a.Sex, a.Name = "319620618", attr.Female, "自治　太郎" })), match.NoCertificate)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.NoCertificate)
	w.want(w.notices(), "[0]")
}
