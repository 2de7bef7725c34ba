package match_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// One notice per certificate, however often the record changes before it is
// struck off.
func TestAlreadyNotified(t *testing.T) {
	w := holder(t)
	w.want(w.outcomeOf(1, register.Correction, named("総務　大郎")), match.Notice)
	w.want(w.outcomeOf(1, register.Reversal, base), match.NoCertificate)
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.AlreadyNotified)
	w.want(w.notices(), "[0]")
}

func TestListsAreGapless(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.resident(1, base)
	w.issue(base, "")
	first := w.daily()
	good := holders.List{Day: "2026-12-24", Seq: 1, Total: 1}
	for name, l := range map[string]holders.List{
		"gap":       {Day: "2026-12-24", Seq: 2, Total: 1},
		"total":     {Day: "2026-12-24", Seq: 1, Total: 2},
		"same day":  {Day: first.Day, Seq: 1, Total: 1},
		"stranger":  {Day: "2026-12-24", Seq: 1, Gone: []uint64{5}, Total: 0},
		"again new": {Day: "2026-12-24", Seq: 1, New: first.New, Total: 2},
	} {
		if err := w.eng.ApplyList(ctx, l, 0); say.Code(err) != match.CodeList {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.eng.ApplyList(ctx, first, 0); err != nil {
		t.Errorf("the same list again: %v", err)
	}
	if err := w.eng.ApplyList(ctx, good, 0); err != nil {
		t.Fatal(err)
	}
	other := first
	other.Day = "2026-11-30"
	c, err := w.eng.CheckList(other)
	if err != nil || !c.Conflict || c.Known || c.NextSeq != 2 || c.Held != 1 || c.LastDay != good.Day {
		t.Errorf("check %+v, %v", c, err)
	}
}

// What is struck off leaves neither key nor attributes, only that it was.
func TestStruckOffIsErased(t *testing.T) {
	w := holder(t)
	w.strike(0)
	w.daily()
	n := 0
	if err := w.eng.Holders(func(holders.Holder) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("%d holders, %v", n, err)
	}
	if gone, err := w.eng.Gone(0); err != nil || !gone {
		t.Errorf("gone %v, %v", gone, err)
	}
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.NoCertificate)
	values := 0
	if err := w.eng.Crossed(func(string) { values++ }); err != nil || values != 2 {
		t.Errorf("%d crossed values, %v", values, err)
	}
}

// After a holder is struck off, neither its key nor its attributes are in any
// file of the store; its bare name and address go when the CA side can't have
// them any more.
func TestStruckOffLeavesTheFiles(t *testing.T) {
	dir := t.TempDir()
	reg, err := register.Open(filepath.Join(dir, "register"), register.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	e, err := match.Open(filepath.Join(dir, "match"), match.Config{Now: time.Now, Register: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	apply := func(l holders.List) {
		t.Helper()
		if err := e.ApplyList(context.Background(), l, l.Seq); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(secret string) (found bool) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "match", "*"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if errors.Is(err, os.ErrNotExist) { // the store deletes old files beside its work
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(b, []byte(secret))
		}
		return found
	}
	h := holders.Holder{Key: commitment.Key{1, 2, 3, 4, 5, 6, 7, 8, 9}, Certified: attr.Certified{Name: "総務　太郎", NameMap: "00000",
		BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市", AddressMap: "000000"}}
	apply(holders.List{Day: "2026-11-23", New: []holders.Holder{h}, Total: 1})
	if !raw(h.Key.Hex()) {
		t.Fatal("the search doesn't find a key that is there")
	}
	apply(holders.List{Day: "2031-06-17", Seq: 1, Gone: []uint64{0}})
	if err := e.Close(); err != nil { // a log file that is kept for reuse goes with the next start
		t.Fatal(err)
	}
	e, err = match.Open(filepath.Join(dir, "match"), match.Config{Now: time.Now, Register: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	gone := false
	for deadline := time.Now().Add(20 * time.Second); !gone && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		gone = !raw(h.Key.Hex()) && !raw(h.Certified.BirthDate)
	}
	if !gone {
		t.Error("key or birth date of a holder who was struck off are in the files")
	}
	crossed := func() (n int) {
		if err := e.Crossed(func(string) { n++ }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	apply(holders.List{Day: "2048-06-17", Seq: 2})
	if crossed() != 2 {
		t.Error("forgotten while the CA side may have it")
	}
	apply(holders.List{Day: "2048-06-18", Seq: 3})
	if crossed() != 0 {
		t.Error("a name or address is kept for good")
	}
}

func TestReopen(t *testing.T) {
	w := holder(t)
	w.change(1, register.Death, attr.Attributes{})
	if err := w.eng.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.match()
	w.want(w.notices(), "[0]")
	if ls, err := w.eng.Lists(); err != nil || len(ls) != 1 || ls[0].Index != 100 {
		t.Errorf("lists %+v, %v", ls, err)
	}
}

// smaller is a register that was restored from an older copy.
type smaller struct{ *register.Register }

func (smaller) Size() uint64 { return 0 }

func TestOpenRefuses(t *testing.T) {
	if _, err := match.Open(t.TempDir(), match.Config{}); err == nil {
		t.Error("opened without a register")
	}
	w := holder(t)
	w.outcomeOf(1, register.Death, attr.Attributes{})
	if err := w.eng.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := match.Open(w.dir+"/holders", match.Config{Now: w.now, Register: smaller{w.reg}, KV: w.small()})
	if say.Code(err) != match.CodeBehind {
		t.Errorf("error %v", err)
	}
	s, err := kv.Open(w.dir+"/holders", w.small())
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	b.Set([]byte("m"), []byte(`{"format":9}`))
	if err := errors.Join(b.Commit(true), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err = match.Open(w.dir+"/holders", match.Config{Now: w.now, Register: w.reg, KV: w.small()}); say.Code(err) != match.CodeVersion {
		t.Errorf("error %v", err)
	}
	w.dir = "/again"
	w.reg = emptyRegister(t, w)
	w.open()
}

func emptyRegister(t *testing.T, w *world) *register.Register {
	t.Helper()
	if err := w.reg.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := register.Open(w.dir+"/identity", register.Config{Now: w.now, KV: w.small()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A step that fails changes nothing; a cancelled context stops between steps.
func TestMatchStops(t *testing.T) {
	w := holder(t)
	w.change(1, register.Death, attr.Attributes{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := w.eng.Match(ctx); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
	w.want(w.eng.Cursor(), uint64(0))
	w.match()
	w.want(w.eng.Cursor(), uint64(1))
}

func TestOutboxStates(t *testing.T) {
	w := holder(t)
	w.outcomeOf(1, register.Death, attr.Attributes{})
	if err := w.eng.Deliver(0); err == nil {
		t.Error("delivered before it was logged")
	}
	if err := w.eng.Log(map[uint64]uint64{0: 9}); err == nil {
		t.Error("logged before it was fixed")
	}
	if err := w.eng.Prepare(match.Fixed{ID: 0, Seq: 0, Bytes: []byte("b"), Entry: []byte("e")}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := w.eng.NextToSend(); ok || err != nil {
		t.Error("something to send before it is logged")
	}
	if err := w.eng.Log(map[uint64]uint64{0: 9}); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"prepare":  func() error { return w.eng.Prepare(match.Fixed{ID: 0}) },
		"stop":     func() error { return w.eng.Stop(0, nil) },
		"withdraw": func() error { return w.eng.Withdraw(0) },
		"unknown":  func() error { return w.eng.Deliver(4) },
	} {
		if err := f(); err == nil {
			t.Errorf("%s of a logged notice", name)
		}
	}
	i, ok, err := w.eng.NextToSend()
	if err != nil || !ok || *i.Index != 9 || i.Entry != nil {
		t.Fatalf("%+v %v %v", i, ok, err)
	}
	if err := w.eng.Reject(i.ID, "N204"); err != nil {
		t.Fatal(err)
	}
	if i, err = w.eng.BySeq(0); err != nil || i.State != match.Rejected || i.Codes[0] != "N204" {
		t.Errorf("%+v %v", i, err)
	}
	if again, err := w.eng.Reopen(0); err != nil || !again {
		t.Errorf("reopen %v, %v", again, err)
	}
	if err := w.eng.Deliver(0); err != nil {
		t.Error(err)
	}
	if again, err := w.eng.Reopen(0); err != nil || again {
		t.Errorf("reopen of a delivered one %v, %v", again, err)
	}
	if i, err = w.eng.Intent(0); err != nil || i.Holder != nil || i.Case == nil {
		t.Errorf("%+v %v", i, err)
	}
	if _, err := i.HolderCopy(); err == nil {
		t.Error("a settled notice still has its holder")
	}
	if seq, err := w.eng.NextSeq(); err != nil || seq != 1 {
		t.Errorf("next %d, %v", seq, err)
	}
	days, err := w.eng.Daily()
	if err != nil || days["2026-11-24"].Delivered != 1 || days["2026-11-24"].Logged != 1 {
		t.Errorf("days %v, %v", days, err)
	}
}
