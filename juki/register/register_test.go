package register_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
)

const nagano, matsumoto = "202011", "202029"

var base = attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀１６１３番地"}

func clock() time.Time { return time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) }

func code(t testing.TB, n uint64) string {
	t.Helper()
	c, err := jtext.MakeResidentCode(n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// backend opens an empty register; TestOnPostgres puts another one here.
var backend = func(t testing.TB) (*register.Register, error) {
	return register.Open(t.TempDir(), register.Config{Now: clock})
}

func open(t testing.TB) *register.Register {
	t.Helper()
	r, err := backend(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// with returns base with some fields replaced.
func with(f func(*attr.Attributes)) attr.Attributes {
	a := base
	f(&a)
	return a
}

func moved(address string) attr.Attributes {
	return with(func(a *attr.Attributes) { a.Address = address })
}

func renamed(name string) attr.Attributes {
	return with(func(a *attr.Attributes) { a.Name = name })
}

func TestApplyKinds(t *testing.T) {
	deleted := attr.Attributes{}
	born := with(func(a *attr.Attributes) { a.BirthDate = "319620618" })
	woman := with(func(a *attr.Attributes) { a.Sex = attr.Female })
	for _, c := range []struct {
		name  string
		event register.Event
		code  string // "" for accepted
	}{
		{"move within", register.Event{Kind: register.MoveWithin, Municipality: nagano, Attr: moved("長野県長野市南千歳１")}, ""},
		{"move within without moving", register.Event{Kind: register.MoveWithin, Municipality: nagano, Attr: base}, register.CodeContent},
		{"move within with a name", register.Event{Kind: register.MoveWithin, Municipality: nagano, Attr: renamed("総務　花")}, register.CodeContent},
		{"move within to another town", register.Event{Kind: register.MoveWithin, Municipality: matsumoto, Attr: moved("長野県松本市丸の内３")}, register.CodeContent},
		{"move in straight away", register.Event{Kind: register.MoveIn, Municipality: matsumoto, Attr: moved("長野県松本市丸の内３")}, ""},
		{"move in to the same town", register.Event{Kind: register.MoveIn, Municipality: nagano, Attr: moved("長野県長野市南千歳１")}, register.CodeContent},
		{"move out", register.Event{Kind: register.MoveOut, Municipality: nagano, Attr: deleted}, ""},
		{"move out with values", register.Event{Kind: register.MoveOut, Municipality: nagano, Attr: base}, register.CodeContent},
		{"move out of a town one is not in", register.Event{Kind: register.MoveOut, Municipality: matsumoto}, register.CodeMunicipality},
		{"name", register.Event{Kind: register.NameChange, Municipality: nagano, Attr: renamed("自治　太郎")}, ""},
		{"name and address in one", register.Event{Kind: register.NameChange, Municipality: nagano,
			Attr: with(func(a *attr.Attributes) { a.Name, a.Address = "自治　太郎", "長野県長野市南千歳１" })}, register.CodeContent},
		{"death", register.Event{Kind: register.Death, Municipality: nagano}, ""},
		{"abroad", register.Event{Kind: register.MoveAbroad, Municipality: nagano}, ""},
		{"ex officio", register.Event{Kind: register.ExOfficioDeletion, Municipality: nagano}, ""},
		{"clerical correction", register.Event{Kind: register.Correction, Municipality: nagano,
			Attr: with(func(a *attr.Attributes) {
				a.Name, a.Address = "総務　大郎", "長野県長野市鶴賀１６１３番地"
			})}, ""},
		{"correction of nothing", register.Event{Kind: register.Correction, Municipality: nagano, Attr: base}, register.CodeContent},
		{"birth date", register.Event{Kind: register.BirthDateCorrection, Municipality: nagano, Attr: born}, ""},
		{"birth date that is none", register.Event{Kind: register.BirthDateCorrection, Municipality: nagano,
			Attr: with(func(a *attr.Attributes) { a.BirthDate = "3196206" })}, register.CodeForm},
		{"sex", register.Event{Kind: register.SexCorrection, Municipality: nagano, Attr: woman}, ""},
		{"merger", register.Event{Kind: register.Merger, Municipality: matsumoto, Attr: moved("長野県松本市大字鶴賀１６１３番地")}, ""},
		{"merger that renames", register.Event{Kind: register.Merger, Municipality: nagano, Attr: renamed("自治　太郎")}, register.CodeContent},
		{"entry of a taken code", register.Event{Kind: register.Entry, Municipality: nagano, Attr: base}, register.CodeExists},
		{"load is no change", register.Event{Kind: register.Load, Municipality: nagano, Attr: base}, register.CodeKind},
		{"unknown kind", register.Event{Kind: "promotion", Municipality: nagano, Attr: base}, register.CodeKind},
		{"bad municipality", register.Event{Kind: register.Death, Municipality: "202012"}, register.CodeMunicipality},
		{"unknown code", register.Event{Kind: register.Death, Code: code(t, 9), Municipality: nagano}, register.CodeUnknown},
		{"bad code", register.Event{Kind: register.Death, Code: "99999000010", Municipality: nagano}, register.CodeResidentCode},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t)
			if _, err := r.Import([]register.Resident{{Code: code(t, 1), Municipality: nagano, Attr: base}}); err != nil {
				t.Fatal(err)
			}
			if c.event.Code == "" {
				c.event.Code = code(t, 1)
			}
			got, err := r.Apply(c.event)
			if c.code != "" {
				if say.Code(err) != c.code {
					t.Fatalf("error %v, want code %s", err, c.code)
				}
				if strings.Contains(err.Error(), "総務") || strings.Contains(err.Error(), "99999") {
					t.Errorf("error quotes a value: %v", err)
				}
				if r.Size() != 0 {
					t.Error("a refused change has a position")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Pos != 0 || got[0].Before == nil || *got[0].Before != base || (got[0].After == nil) != c.event.Kind.Deletes() {
				t.Errorf("change %+v", got[0])
			}
		})
	}
}

func TestHistory(t *testing.T) {
	r := open(t)
	a := code(t, 1)
	must(t, r, register.Event{Kind: register.Entry, Code: a, Municipality: nagano, Attr: base})
	must(t, r, register.Event{Kind: register.MoveOut, Code: a, Municipality: nagano})
	if _, err := r.Apply(register.Event{Kind: register.NameChange, Code: a, Municipality: nagano, Attr: renamed("自治　太郎")}); say.Code(err) != register.CodeDeleted {
		t.Errorf("change of a deleted record: %v", err)
	}
	if _, err := r.Apply(register.Event{Kind: register.MoveIn, Code: a, Municipality: matsumoto, Attr: renamed("自治　太郎")}); say.Code(err) != register.CodeContent {
		t.Errorf("arrival under another name: %v", err)
	}
	there := moved("長野県松本市丸の内３")
	must(t, r, register.Event{Kind: register.MoveIn, Code: a, Municipality: matsumoto, Attr: there})
	must(t, r, register.Event{Kind: register.Merger, Code: a, Municipality: matsumoto, Attr: moved("長野県松本市丸ノ内３")})
	must(t, r, register.Event{Kind: register.Death, Code: a, Municipality: matsumoto})
	if _, err := r.Apply(register.Event{Kind: register.MoveIn, Code: a, Municipality: nagano, Attr: base}); say.Code(err) != register.CodeDeleted {
		t.Errorf("the dead moved in: %v", err)
	}
	rec, err := r.Record(a)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Versions) != 5 || rec.Live() != nil {
		t.Fatalf("%d versions, live %v", len(rec.Versions), rec.Live())
	}
	was, _ := rec.AsOf(4)
	if live := was.Live(); len(live) != 2 || live[0].Attr != there {
		t.Errorf("run before death has %d spellings", len(live))
	}
	if _, ok := rec.AsOf(0); ok {
		t.Error("record exists before its entry")
	}
	var kinds []register.Kind
	if err := r.Changes(0, r.Size(), func(c register.Change) error {
		kinds = append(kinds, c.Kind)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := "[entry move-out move-in merger death]"; fmt.Sprint(kinds) != want {
		t.Errorf("sequence %v, want %s", kinds, want)
	}
	if err := r.Changes(0, 6, func(register.Change) error { return nil }); err == nil {
		t.Error("a missing change was not noticed")
	}
	c, err := r.Counts()
	if err != nil || c.Residents != 1 || c.Deleted != 1 || c.ByKind[register.Merger] != 1 {
		t.Errorf("counts %+v, %v", c, err)
	}
}

func TestReversal(t *testing.T) {
	r := open(t)
	a := code(t, 1)
	if _, err := r.Import([]register.Resident{{Code: a, Municipality: nagano, Attr: base}}); err != nil {
		t.Fatal(err)
	}
	must(t, r, register.Event{Kind: register.NameChange, Code: a, Municipality: nagano, Attr: renamed("総務　大郎")})
	for name, e := range map[string]register.Event{
		"another change": {Reverts: 7, Attr: base},
		"other values":   {Reverts: 0, Attr: renamed("総務　次郎")},
	} {
		e.Kind, e.Code, e.Municipality = register.Reversal, a, nagano
		if _, err := r.Apply(e); say.Code(err) != register.CodeReverts {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, r, register.Event{Kind: register.Reversal, Code: a, Municipality: nagano, Attr: base})
	must(t, r, register.Event{Kind: register.Death, Code: a, Municipality: nagano})
	back := must(t, r, register.Event{Kind: register.Reversal, Code: a, Municipality: nagano, Attr: base, Reverts: 2})
	if back.Before != nil || back.After == nil || *back.After != base || back.Minor {
		t.Errorf("reversal of a death: %+v", back)
	}
	must(t, r, register.Event{Kind: register.Merger, Code: a, Municipality: nagano, Attr: moved("長野県長野市鶴賀１６１３番地")})
	minor := must(t, r, register.Event{Kind: register.Reversal, Code: a, Municipality: nagano, Attr: base, Reverts: 4})
	if !minor.Minor {
		t.Error("taking back a minor correction is one itself")
	}
	rec, err := r.Record(a)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rec.Runs()); n != 5 {
		t.Errorf("%d runs, want 5", n)
	}
}

func TestBatchIsAllOrNone(t *testing.T) {
	r := open(t)
	a, b := code(t, 1), code(t, 2)
	_, err := r.Apply(
		register.Event{Kind: register.Entry, Code: a, Municipality: nagano, Attr: base},
		register.Event{Kind: register.MoveWithin, Code: a, Municipality: nagano, Attr: moved("長野県長野市南千歳１")},
		register.Event{Kind: register.Death, Code: b, Municipality: nagano})
	var row *register.RowError
	if !errors.As(err, &row) || row.Row != 2 || say.Code(err) != register.CodeUnknown {
		t.Fatalf("error %v", err)
	}
	if _, err := r.Record(a); say.Code(err) != register.CodeUnknown || r.Size() != 0 {
		t.Errorf("half a batch was applied: %v", err)
	}
}

func TestImportRefusesTwice(t *testing.T) {
	r := open(t)
	rs := []register.Resident{{Code: code(t, 1), Municipality: nagano, Attr: base}, {Code: code(t, 1), Municipality: nagano, Attr: base}}
	n, err := r.Import(rs)
	var row *register.RowError
	if n != 0 || !errors.As(err, &row) || row.Row != 1 || say.Code(err) != register.CodeExists {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestExport(t *testing.T) {
	r := open(t)
	a := code(t, 1)
	if _, err := r.Import([]register.Resident{{Code: a, Municipality: nagano, Attr: base}}); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]func() error{
		register.CodeOperator:     func() error { _, err := r.RecordExport(a, nagano, "山田", nil); return err },
		register.CodeMunicipality: func() error { _, err := r.RecordExport(a, matsumoto, "op-1", nil); return err },
		register.CodeUnknown:      func() error { _, err := r.RecordExport(code(t, 5), nagano, "op-1", nil); return err },
		register.CodeResidentCode: func() error { _, err := r.RecordExport("1", nagano, "op-1", nil); return err },
	} {
		if err := f(); say.Code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	x, err := r.RecordExport(a, nagano, "op-1", nil)
	if err != nil || x.Attr != base || x.N != 0 || x.Size != 0 {
		t.Fatalf("%+v %v", x, err)
	}
	must(t, r, register.Event{Kind: register.MoveWithin, Code: a, Municipality: nagano, Attr: moved("長野県長野市南千歳１")})
	if x, err = r.RecordExport(a, nagano, "op-1", nil); err != nil || x.N != 1 || x.Size != 1 {
		t.Fatalf("%+v %v", x, err)
	}
	xs, err := r.ExportsOf(a)
	if err != nil || len(xs) != 2 || xs[0].Attr != base {
		t.Fatalf("%+v %v", xs, err)
	}
	must(t, r, register.Event{Kind: register.Death, Code: a, Municipality: nagano})
	if _, err := r.RecordExport(a, nagano, "op-1", nil); say.Code(err) != register.CodeDeleted {
		t.Errorf("export of a deleted record: %v", err)
	}
	n := 0
	if err := r.Exports(func(register.Export) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d exports, %v", n, err)
	}
}

func TestReopenAndBuckets(t *testing.T) {
	dir := t.TempDir()
	r, err := register.Open(dir, register.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	a := code(t, 1)
	must(t, r, register.Event{Kind: register.Entry, Code: a, Municipality: nagano, Attr: base})
	must(t, r, register.Event{Kind: register.NameChange, Code: a, Municipality: nagano, Attr: renamed("髙\U000E0100木　太郎")})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = register.Open(dir, register.Config{Now: clock}); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Size() != 2 {
		t.Errorf("size %d after opening again", r.Size())
	}
	for _, bucket := range []string{register.Bucket(base), register.Bucket(renamed("高木　太郎")), register.Person(base)} {
		n := 0
		if err := r.ByBucket(bucket, func(rec register.Record) error {
			n++
			return nil
		}); err != nil || n != 1 {
			t.Errorf("bucket %q has %d records, %v", bucket, n, err)
		}
	}
	var values []string
	if err := r.NewValues(func(v string) { values = append(values, v) }); err != nil || len(values) != 3 {
		t.Errorf("new values %d, %v", len(values), err)
	}
	n := 0
	if err := r.Records(func(register.Record) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
	if c, err := r.Change(1); err != nil || c.Kind != register.NameChange {
		t.Errorf("change 1: %+v, %v", c, err)
	}
	if _, err := r.Change(2); err == nil {
		t.Error("change 2 does not exist")
	}
}

func TestConfig(t *testing.T) {
	if _, err := register.Open(t.TempDir(), register.Config{}); err == nil {
		t.Error("a register without a clock was opened")
	}
}

func must(t testing.TB, r *register.Register, e register.Event) register.Change {
	t.Helper()
	cs, err := r.Apply(e)
	if err != nil {
		t.Fatalf("%s: %v", e.Kind, err)
	}
	return cs[0]
}
