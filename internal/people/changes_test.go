package people

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/municipality"
)

// New names and addresses stand in nobody else's attributes.
func TestNewContentIsUnique(t *testing.T) {
	rs := generate(t, 5, 3000)
	cs := Changes(5, rs, 0.5)
	var all strings.Builder
	for _, r := range rs {
		all.WriteString(r.Attr.Name + "\n" + r.Attr.Address + "\n" + r.SubstituteName + "\n" + r.SubstituteAddress + "\n" + r.NameKana + "\n")
	}
	var fresh []string
	for _, c := range cs {
		if c.Kind != Merger {
			fresh = append(fresh, c.NewContent()...)
		}
	}
	old, joined := all.String(), strings.Join(fresh, "\n")
	if len(fresh) < 1000 {
		t.Fatalf("only %d new strings", len(fresh))
	}
	for _, s := range fresh {
		if strings.Contains(old, s) {
			t.Errorf("%s stands in a resident's attributes", s)
		}
		if strings.Count(joined, s) != 1 {
			t.Errorf("%s stands in another new value", s)
		}
	}
	for _, c := range cs {
		if c.Kind == Merger && strings.Contains(old, c.After.Attr.Address) {
			t.Errorf("%s was there before the merger", c.After.Attr.Address)
		}
	}
}

// Each change starts from what the last one left and does what its kind says.
func TestChangesAreConsistent(t *testing.T) {
	rs := generate(t, 2, 5000)
	cs := Changes(2, rs, 0.3)
	now, day, gone := append([]Resident{}, rs...), 0, map[int]bool{}
	kinds := map[Kind]int{}
	for _, c := range cs {
		kinds[c.Kind]++
		if c.Day < day || c.Day >= Days || gone[c.Resident] {
			t.Fatalf("%v: day %d after %d, gone %v", c.Kind, c.Day, day, gone[c.Resident])
		}
		if c.Before != now[c.Resident] || c.After.Code != c.Before.Code {
			t.Fatalf("%v of %d does not continue from the record", c.Kind, c.Resident)
		}
		if err := c.After.Attr.Validate(); err != nil {
			t.Fatal(err)
		}
		if m, ok := municipality.Of(c.After.Attr.Address); !ok || m.Code != c.After.Municipality {
			t.Fatalf("%v: municipality %s does not go with the address", c.Kind, c.After.Municipality)
		}
		for _, v := range [][2]string{{c.After.Attr.Name, c.After.SubstituteName}, {c.After.Attr.Address, c.After.SubstituteAddress}} {
			if _, _, err := jtext.Substitute(v[0], v[1]); err != nil {
				t.Fatal(err)
			}
		}
		checkKind(t, c)
		day, gone[c.Resident], now[c.Resident] = c.Day, c.Kind.Deletes(), c.After
	}
	for k := MoveWithin; k <= ClericalCorrectionReverted; k++ {
		if kinds[k] == 0 {
			t.Errorf("no %v", k)
		}
	}
	t.Log(kinds)
}

func checkKind(t *testing.T, c Change) {
	t.Helper()
	name, address := c.Before.Attr.Name != c.After.Attr.Name, c.Before.Attr.Address != c.After.Attr.Address
	town, born := c.Before.Municipality != c.After.Municipality, c.Before.Attr.BirthDate != c.After.Attr.BirthDate
	var ok bool
	switch c.Kind {
	case MoveWithin:
		ok = address && !name && !town && !born
	case MoveOut:
		ok = address && !name && town && !born && c.Arrival >= c.Day
	case NameChange, ClericalCorrection, ClericalCorrectionReverted:
		ok = name && !address && !born
	case Merger:
		ok = address && town && !name && !born && c.After.Municipality == municipality.MergedInto && !c.Kind.Revokes()
	case BirthDateCorrection:
		ok = born && !name && !address
	default:
		ok = c.Kind.Deletes() && c.Before == c.After && len(c.NewContent()) == 0
	}
	if !ok {
		t.Errorf("%v: before %+v after %+v", c.Kind, c.Before, c.After)
	}
	if c.Kind != Merger && !c.Kind.Revokes() {
		t.Errorf("%v must revoke", c.Kind)
	}
}

// The hard stories of DOMAIN 11.4 are there in a small demo.
func TestHardStories(t *testing.T) {
	rs := generate(t, 1, 200)
	cs := Changes(1, rs, 0.1)
	got := map[string]bool{}
	last := map[int]Change{}
	for _, c := range cs {
		i := c.Resident
		got["twin"] = got["twin"] || i > 0 && rs[i].Attr == rs[i-1].Attr
		got["substitute in the name"] = got["substitute in the name"] || c.Before.SubstituteName != ""
		got["substitute in the address"] = got["substitute in the address"] || c.Before.SubstituteAddress != ""
		p, again := last[i]
		got["two corrections on one day"] = got["two corrections on one day"] || again && p.Day == c.Day && p.Kind == NameChange && c.Kind == MoveWithin
		got["move after the merger"] = got["move after the merger"] || again && p.Kind == Merger && c.Kind == MoveWithin
		got["reverted"] = got["reverted"] || again && c.Kind == ClericalCorrectionReverted && c.After == rs[i]
		last[i] = c
	}
	for _, w := range []string{"twin", "substitute in the name", "substitute in the address", "two corrections on one day", "move after the merger", "reverted"} {
		if !got[w] {
			t.Errorf("no %s", w)
		}
	}
}

func TestChangesEdges(t *testing.T) {
	rs := generate(t, 1, 300)
	if !reflect.DeepEqual(Changes(9, rs, 0.4), Changes(9, rs, 0.4)) {
		t.Error("not the same for the same seed")
	}
	for _, share := range []float64{0, -1} {
		if cs := Changes(1, rs, share); cs != nil {
			t.Errorf("share %v: %d changes", share, len(cs))
		}
	}
	if len(Changes(1, nil, 1)) != 0 || len(Changes(1, rs[:1], 1)) != 1 {
		t.Error("few residents")
	}
	if cs := Changes(1, rs, 5); len(cs) < 290 {
		t.Errorf("everybody: %d changes", len(cs))
	}
	if Kind(-1).String() != "unknown" || Death.String() != "death" {
		t.Error("names of kinds")
	}
}

func BenchmarkChanges(b *testing.B) {
	rs := generate(b, 1, 100_000)
	for b.Loop() {
		Changes(1, rs, 0.1)
	}
}
