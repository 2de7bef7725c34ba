package link_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// outside is everything that a crash of the register side leaves alone: the
// ledger, the CA side, and how far the town halls and the CA side have come.
type outside struct {
	entries [][]byte
	at      map[string][]int
	taken   [][]byte
	step    int
}

// moment is a crash: the disk and the world around it at one operation.
type moment struct {
	op   string
	disk *kv.MemFS
	outside
}

// week is the story that is interrupted: each step may be done again.
type week struct {
	*world
	lists []holders.List
}

func story() []func(*week) {
	die := func(n uint64) func(*week) {
		return func(w *week) {
			r, err := w.reg.Record(code(n))
			if err != nil {
				w.t.Fatal(err)
			}
			if !r.Current().Deleted {
				w.die(n)
			}
			if _, err := w.eng.Match(context.Background()); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	list := func(k int) func(*week) { return func(w *week) { w.mustReceive(w.lists[k]) } }
	flush := func(w *week) { w.mustFlush() }
	return []func(*week){func(w *week) { w.importAll(8) }, list(0), die(0), die(7), flush, die(3), flush, list(1), die(1),
		die(4), list(2), die(2), flush, die(5), flush, die(6), flush}
}

func (w *week) importAll(n uint64) {
	for i := range n {
		if _, err := w.reg.Record(code(i)); err == nil {
			continue
		}
		if _, err := w.reg.Import([]register.Resident{{Code: code(i), Municipality: nagano, Attr: person(i)}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// newWeek makes the CA side's part beforehand: three lists, of which the last
// strikes off a holder whose notice is due or sent.
func newWeek(t testing.TB, fs kv.FS) *week {
	w := &week{world: newWorldOn(t, "", "/juki", fs)}
	for i := range uint64(7) {
		w.issue(person(i))
	}
	w.lists = append(w.lists, w.daily())
	w.issue(person(7))
	w.lists = append(w.lists, w.daily())
	w.gone = []uint64{0}
	w.lists = append(w.lists, w.daily())
	return w
}

// TestCrashAnywhere cuts the power at every operation of the two stores, with
// none, half or all of what was not synced kept, and lets the story go on from
// there: nothing is lost, nothing is said twice.
func TestCrashAnywhere(t *testing.T) {
	mem := kv.NewCrashableFS()
	var mu sync.Mutex // external state and the disk are looked at together
	var moments []moment
	var w *week
	step := -1
	fs := kv.Wrap(mem, func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		if step >= 0 {
			for _, keep := range []int{0, 50, 100} {
				moments = append(moments, moment{op: op, disk: kv.Crash(mem, keep, uint64(len(moments))), outside: w.look(step)})
			}
		}
		return nil
	})
	w = newWeek(t, fs)
	w.gate(&mu)
	for k, f := range story() {
		mu.Lock()
		step = k
		mu.Unlock()
		f(w)
	}
	mu.Lock()
	step = -1
	mu.Unlock()
	w.check("no crash")
	if len(moments) < 200 {
		t.Fatalf("only %d crash points", len(moments))
	}
	every := 1
	if testing.Short() {
		every = 5
	}
	t.Logf("%d crash points, every %d.", len(moments), every)
	for n, m := range moments {
		if n%every != 0 {
			continue
		}
		name := fmt.Sprintf("point %d, before %s in step %d", n, m.op, m.step)
		again := newWeek(t, m.disk)
		again.restore(m.outside)
		for _, f := range story()[m.step:] {
			f(again)
		}
		again.check(name)
		again.close()
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// gate makes every change of the outside wait while a moment is taken.
func (w *week) gate(mu *sync.Mutex) {
	w.log.gate, w.ca.gate = mu, mu
}

func (w *week) look(step int) outside {
	o := outside{entries: slices.Clone(w.log.entries), at: map[string][]int{}, taken: slices.Clone(w.ca.taken), step: step}
	for by, ps := range w.log.at {
		o.at[by] = slices.Clone(ps)
	}
	return o
}

func (w *week) restore(o outside) {
	w.log.entries, w.log.at = slices.Clone(o.entries), maps.Clone(o.at)
	w.ca.taken = slices.Clone(o.taken)
}

// check: all eight died and each certificate got exactly one notice. Three lists are in force.
func (w *week) check(name string) {
	w.t.Helper()
	var got []string
	for _, b := range w.ca.taken {
		got = append(got, string(b))
	}
	for n := range uint64(8) {
		times := 0
		for _, b := range w.ca.taken {
			if bytes.Contains(b, fmt.Appendf(nil, `"ordinal":%d,`, n)) {
				times++
			}
		}
		if times != 1 {
			w.t.Errorf("%s: %d notices for holder %d in %q", name, times, n, got)
		}
	}
	w.settled()
	if n := len(w.log.of(entry.KindHoldersReceived)); n != 3 {
		w.t.Errorf("%s: %d holders.received", name, n)
	}
	c, err := w.eng.Counts()
	if err != nil || c.Holders != 7 || c.Matched != 8 {
		w.t.Errorf("%s: counts %+v, %v", name, c, err)
	}
}

// The register side's disk comes back as it was before notices were logged and
// sent: they are made again from the ledger's commitments, byte for byte.
func TestOldCopyOfTheOutbox(t *testing.T) {
	for name, died := range map[string][]uint64{"before matching": {0, 1, 2}, "after matching": {0}} {
		t.Run(name, func(t *testing.T) {
			mem := kv.NewCrashableFS()
			w := newWeek(t, mem)
			w.importAll(8)
			w.mustReceive(w.lists[0])
			if len(died) == 1 {
				w.die(0)
			}
			old := kv.Crash(mem, 100, 1)
			for _, n := range died {
				if len(died) > 1 {
					w.die(n)
				}
			}
			w.mustFlush()
			now := w.look(0)

			again := newWeek(t, old)
			again.restore(now)
			for _, n := range died {
				if len(died) > 1 {
					again.die(n) // the town halls report again
				}
			}
			again.mustFlush()
			again.settledCopies(len(died))
			again.die(5)
			again.mustFlush()
			want := append(append([]uint64{}, died...), 5)
			again.want(again.ca.ordinals(), fmt.Sprint(want))
		})
	}
}

// Without the changes reported again the ledger still explains its notices.
func TestOldCopyWithoutTheChanges(t *testing.T) {
	mem := kv.NewCrashableFS()
	w := newWeek(t, mem)
	w.importAll(8)
	w.mustReceive(w.lists[0])
	old := kv.Crash(mem, 100, 1)
	w.die(3)
	w.mustFlush()
	again := newWeek(t, old)
	again.restore(w.look(0))
	again.mustFlush()
	again.settledCopies(1)
	// The change comes again and finds the notice that is there.
	again.die(3)
	again.mustFlush()
	again.want(again.ca.ordinals(), "[3]")
	o, err := again.eng.Outcome(0)
	if err != nil || o.Reason != match.AlreadyNotified {
		t.Errorf("outcome %+v, %v", o, err)
	}
}

// settledCopies: n notices in the ledger, all delivered again and known.
func (w *week) settledCopies(n int) {
	w.t.Helper()
	w.want(len(w.log.of(entry.KindNoticeSent)), n)
	w.want(len(w.ca.taken), n)
	w.want(w.ca.copies, n)
	w.settled()
}
