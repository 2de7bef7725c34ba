package match_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy/holders"
)

const nagano, matsumoto = "202011", "202029"

var base = attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀１６１３番地"}

// world is a register and its matching, with a hand-made CA side.
type world struct {
	t    tb
	dir  string
	fs   kv.FS // nil: the disk
	at   time.Time
	reg  *register.Register
	eng  *match.Engine
	live map[uint64]holders.Holder
	next uint64 // ordinal
	list uint64 // M1 sequence
	new  []holders.Holder
	gone []uint64
}

// tb is what testing.TB and rapid.T have in common.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := newWorldOn(t, "/juki", kv.NewMemFS())
	t.Cleanup(w.close)
	return w
}

func newWorldOn(t tb, dir string, fs kv.FS) *world {
	t.Helper()
	w := &world{t: t, dir: dir, fs: fs, at: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), live: map[uint64]holders.Holder{}}
	reg, err := register.Open(w.dir+"/identity", register.Config{Now: w.now, KV: w.small()})
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	w.open()
	return w
}

func (w *world) small() kv.Options {
	return kv.Options{CacheBytes: 1 << 20, MemTable: 1 << 20, FS: w.fs}
}

func (w *world) close() {
	if err := errors.Join(w.eng.Close(), w.reg.Close()); err != nil {
		w.t.Errorf("close: %v", err)
	}
}

func (w *world) now() time.Time { return w.at }

func (w *world) open() {
	w.t.Helper()
	eng, err := match.Open(w.dir+"/holders", match.Config{Now: w.now, Register: w.reg, KV: w.small()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.eng = eng
}

func code(n uint64) string {
	c, err := jtext.MakeResidentCode(n)
	if err != nil {
		panic(err)
	}
	return c
}

func with(f func(*attr.Attributes)) attr.Attributes {
	a := base
	f(&a)
	return a
}

func at(address string) attr.Attributes {
	return with(func(a *attr.Attributes) { a.Address = address })
}

func named(name string) attr.Attributes {
	return with(func(a *attr.Attributes) { a.Name = name })
}

// resident takes over resident n with these attributes.
func (w *world) resident(n uint64, a attr.Attributes) {
	w.t.Helper()
	if _, err := w.reg.Import([]register.Resident{{Code: code(n), Municipality: nagano, Attr: a}}); err != nil {
		w.t.Fatal(err)
	}
}

// change applies one change to resident n and returns its position.
func (w *world) change(n uint64, k register.Kind, a attr.Attributes) uint64 {
	w.t.Helper()
	rec, err := w.reg.Record(code(n))
	if err != nil {
		w.t.Fatal(err)
	}
	town := rec.Current().Municipality
	if k == register.MoveIn {
		if town == nagano {
			town = matsumoto
		} else {
			town = nagano
		}
	}
	e := register.Event{Kind: k, Code: code(n), Municipality: town, Attr: a}
	if k == register.Reversal {
		e.Reverts = rec.Current().Since - 1
		e.Municipality = rec.Versions[len(rec.Versions)-2].Municipality
	}
	cs, err := w.reg.Apply(e)
	if err != nil {
		w.t.Fatalf("%s: %v", k, err)
	}
	return cs[0].Pos
}

func (w *world) export(n uint64) {
	w.t.Helper()
	rec, err := w.reg.Record(code(n))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.reg.RecordExport(code(n), rec.Current().Municipality, "op-1", nil); err != nil {
		w.t.Fatal(err)
	}
}

// issue makes a certificate from these attributes; designated names the
// substitute form of the name, "" for none. It goes into the next list.
func (w *world) issue(a attr.Attributes, designated string) uint64 {
	w.t.Helper()
	name, nameMap, err := jtext.Substitute(a.Name, designated)
	if err != nil {
		w.t.Fatal(err)
	}
	address, addressMap, err := jtext.Substitute(a.Address, "")
	if err != nil {
		w.t.Fatal(err)
	}
	h := holders.Holder{Ordinal: w.next, Certified: attr.Certified{Name: name, NameMap: nameMap,
		BirthDate: a.BirthDate, Sex: a.Sex, Address: address, AddressMap: addressMap}}
	h.Key = commitment.Key{1, byte(w.next), byte(w.next >> 8)}
	w.next++
	w.new = append(w.new, h)
	return h.Ordinal
}

func (w *world) strike(ordinal uint64) { w.gone = append(w.gone, ordinal) }

// daily sends the day's list.
func (w *world) daily() holders.List {
	w.t.Helper()
	w.at = w.at.Add(24 * time.Hour)
	for _, h := range w.new {
		w.live[h.Ordinal] = h
	}
	for _, n := range w.gone {
		delete(w.live, n)
	}
	l := holders.List{Day: match.DayOf(w.at), Seq: w.list, New: w.new, Gone: w.gone, Total: uint64(len(w.live))}
	w.list++
	w.new, w.gone = nil, nil
	if err := w.eng.ApplyList(context.Background(), l, 100+l.Seq); err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) match() {
	w.t.Helper()
	if _, err := w.eng.Match(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) outcome(pos uint64) match.Reason {
	w.t.Helper()
	o, err := w.eng.Outcome(pos)
	if err != nil {
		w.t.Fatal(err)
	}
	if (o.Reason == match.Notice) != (o.Intent != nil) || (o.Reason == match.Person) != (o.Case != nil) {
		w.t.Errorf("outcome %+v", o)
	}
	return o.Reason
}

func (w *world) arrival(ordinal uint64) match.Reason {
	w.t.Helper()
	a, err := w.eng.Arrival(ordinal)
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Reason
}

// notices returns the ordinals of the outbox, in order.
func (w *world) notices() string {
	w.t.Helper()
	var out []uint64
	if err := w.eng.Intents(func(i match.Intent) error {
		out = append(out, i.Ordinal)
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprint(out)
}

func (w *world) openCases() []match.Case {
	w.t.Helper()
	cs, err := w.eng.Cases(true)
	if err != nil {
		w.t.Fatal(err)
	}
	return cs
}

func (w *world) want(got, want any) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("got %v, want %v", got, want)
	}
}
