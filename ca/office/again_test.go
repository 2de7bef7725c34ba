package office_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/office"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// issue gives one more invented resident a certificate and returns its ordinal.
func (h *house) issue() uint64 {
	h.t.Helper()
	h.issued++
	c, err := card.Generate(card.Config{Algorithm: card.P256, PIN: "SAMPLE01", Iterations: 1})
	must(h.t, err)
	must(h.t, c.Verify("SAMPLE01"))
	request, err := c.Request()
	must(h.t, err)
	letters := []rune("春夏秋冬東西南北山川海空花月風雪")
	name := "総務　" + string([]rune{letters[h.issued/len(letters)%len(letters)], letters[h.issued%len(letters)]})
	out, err := h.ca.Issue(ctx, &counter.Application{ID: fmt.Sprintf("%s%05d%s", h.now.In(profile.JST).Format("20060102150405"), h.issued, "202011A01"),
		Municipality: "202011", Request: request, Check: counter.Check{Authenticity: counter.DrivingLicence, Existence: true, Officer: "op-7"},
		Certified: attr.Certified{Name: name, NameMap: strings.Repeat("0", len([]rune(name))), BirthDate: "319620617", Sex: attr.Male,
			Address: "長野県長野市大字鶴賀", AddressMap: "0000000000"}}, "counter-terminal")
	must(h.t, err)
	return out.Ordinal
}

var errFault = errors.New("broken on purpose")

// fault breaks one operation of log and store: before it, so that it does not
// happen, or after it, so that its answer is lost. With kill everything after it
// fails too.
type fault struct {
	mu    sync.Mutex
	at, n int // the at-th operation from now; 0: none
	after bool
	kill  bool
	hit   bool
	lost  string // entries whose answer is lost
}

func (f *fault) arm(at int, after, kill bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.n, f.after, f.kill, f.hit, f.lost = at, 0, after, kill, false, ""
}

// do does op, or not.
func (f *fault) do(op func() error) error {
	f.mu.Lock()
	f.n++
	here := f.at > 0 && f.n == f.at
	dead := f.hit && f.kill && f.at > 0
	f.hit = f.hit || here
	after := f.after
	f.mu.Unlock()
	if dead || here && !after {
		return errFault
	}
	err := op()
	if here {
		return errFault
	}
	return err
}

// brittleLog is the log with a fault at appends and questions for the next
// number. A lost answer stays lost for the writer's own repetitions.
type brittleLog struct {
	ledger.Log
	f *fault
}

func (l *brittleLog) Append(ctx context.Context, entries ...[]byte) (r []*proof.Receipt, err error) {
	l.f.mu.Lock()
	lost := l.f.lost == string(entries[0])
	l.f.mu.Unlock()
	if lost {
		return nil, errFault
	}
	err = l.f.do(func() error {
		r, err = l.Log.Append(ctx, entries...)
		return err
	})
	if errors.Is(err, errFault) {
		l.f.mu.Lock()
		l.f.lost, r = string(entries[0]), nil
		l.f.mu.Unlock()
	}
	return r, err
}

func (l *brittleLog) NextSeq(ctx context.Context, by string) (n uint64, err error) {
	err = l.f.do(func() error {
		n, err = l.Log.NextSeq(ctx, by)
		return err
	})
	return n, err
}

// brittleStore is the office's store with the same fault.
type brittleStore struct {
	office.Store
	f *fault
}

func (s brittleStore) SetProposal(id string, b []byte) error {
	return s.f.do(func() error { return s.Store.SetProposal(id, b) })
}

func (s brittleStore) DropProposal(id string) error {
	return s.f.do(func() error { return s.Store.DropProposal(id) })
}

// kinds counts the entries of a kind.
func (h *house) kinds() map[entry.Kind]int {
	h.t.Helper()
	out := map[entry.Kind]int{}
	size, err := h.engine.Size(ctx)
	must(h.t, err)
	must(h.t, h.engine.Entries(ctx, 0, size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err == nil {
			out[e.Body.Kind()]++
		}
		return err
	}))
	return out
}

// TestApprovedOnce: the approver's answer is lost, or the process dies, at every
// step of an approval and of the act. The same officer asks again until there is
// an answer, and gets what was done: one approval in the log, the act done once,
// and the same answer for ever after; another officer comes too late.
func TestApprovedOnce(t *testing.T) {
	h := newHouse(t)
	f := new(fault)
	h.log = &brittleLog{Log: h.engine, f: f}
	h.keeps = func(s office.Store) office.Store { return brittleStore{s, f} }
	h.restart()
	acts := []struct {
		wish   func() office.Wish
		effect entry.Kind
	}{
		{func() office.Wish {
			return office.Wish{Act: entry.ActRevoke, Ground: entry.GroundError, Ordinals: []uint64{h.issue()}, V: 1}
		}, entry.KindRevocation},
		{func() office.Wish {
			h.issue()
			return office.Wish{Act: entry.ActRevokeAll, Ground: entry.GroundIssuerKey, V: 1}
		}, entry.KindRevocation},
		{func() office.Wish { // of one who is out of force
			o := h.issue()
			p := h.proposeThat(office.Wish{Act: entry.ActRevoke, Ground: entry.GroundError, Ordinals: []uint64{o}, V: 1})
			if status, m := h.call("ca-officer-2", "POST", p+"/approval", nil); status != http.StatusOK {
				t.Fatalf("%d %v", status, m)
			}
			return office.Wish{Act: entry.ActErase, Basis: entry.BasisLawfulRequest, Ordinals: []uint64{o}, V: 1}
		}, entry.KindErasure},
		{func() office.Wish {
			return office.Wish{Act: entry.ActDisclose, Basis: entry.BasisCouncilSample, Ordinals: []uint64{h.issue()}, V: 1}
		}, entry.KindDisclosure},
	}
	steps := 0
	for _, act := range acts {
		for _, way := range []struct{ after, kill bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			for at := 1; ; at++ {
				if testing.Short() && at%3 != 1 {
					at++
				}
				steps++
				if !h.onceDespite(f, act.wish(), act.effect, at, way.after, way.kill) {
					break
				}
			}
		}
	}
	if steps < 40 {
		t.Errorf("only %d steps were broken", steps)
	}
	t.Logf("%d approvals", steps)
}

// onceDespite reports whether the fault came.
func (h *house) onceDespite(f *fault, w office.Wish, effect entry.Kind, at int, after, kill bool) bool {
	h.t.Helper()
	where := fmt.Sprintf("%s, operation %d, after %v, kill %v", w.Act, at, after, kill)
	path := h.proposeThat(w) + "/approval"
	before := h.kinds()
	f.arm(at, after, kill)
	status, first := h.call("ca-officer-2", "POST", path, nil)
	f.mu.Lock()
	hit := f.hit
	f.mu.Unlock()
	if kill && hit {
		f.arm(at, after, kill)
		f.hit = true // nothing more reaches the disk on the way down
		h.restartWith(func() { f.arm(0, false, false) })
	}
	f.arm(0, false, false)
	for try := 0; status != http.StatusOK || kill && hit; try++ {
		if status, first = h.call("ca-officer-2", "POST", path, nil); status == http.StatusOK {
			break
		}
		if try == 3 {
			h.t.Fatalf("%s: no answer: %d %v", where, status, first)
		}
	}
	late, _ := h.call("ca-officer-3", "POST", path, nil)
	status, again := h.call("ca-officer-2", "POST", path, nil)
	if late != http.StatusNotFound || status != http.StatusOK || !reflect.DeepEqual(first, again) {
		h.t.Errorf("%s: another officer %d; %d %v, before %v", where, late, status, again, first)
	}
	done := h.kinds()
	if acts, effects := done[entry.KindOperatorAct]-before[entry.KindOperatorAct], done[effect]-before[effect]; acts != 1 || effects != 1 {
		h.t.Errorf("%s: %d entries of the act and %d of its effect, want 1 and 1", where, acts, effects)
	}
	return hit
}

// A withdrawal is no different, and an approval that got lost can't be withdrawn.
func TestWithdrawnOnce(t *testing.T) {
	h := newHouse(t)
	f := new(fault)
	h.log = &brittleLog{Log: h.engine, f: f}
	h.keeps = func(s office.Store) office.Store { return brittleStore{s, f} }
	h.restart()
	for at, hit := 1, true; hit; at++ {
		path := h.propose()
		before := len(h.phases())
		f.arm(at, true, false)
		h.call("ca-officer-1", "DELETE", path, nil)
		hit = f.hit
		f.arm(0, false, false)
		for range 2 {
			if status, m := h.call("ca-officer-1", "DELETE", path, nil); status != http.StatusNoContent {
				t.Errorf("operation %d: %d %v", at, status, m)
			}
		}
		if status, _ := h.call("ca-officer-2", "POST", path+"/approval", nil); status != http.StatusNotFound {
			t.Errorf("operation %d: a withdrawn proposal was approved: %d", at, status)
		}
		if got := h.phases()[before:]; !slices.Equal(got, []string{entry.PhaseWithdrawn}) {
			t.Errorf("operation %d: the log has %v", at, got)
		}
	}
	for at, hit := 1, true; hit; at++ {
		path := h.propose()
		f.arm(at, true, true)
		h.call("ca-officer-2", "POST", path+"/approval", nil)
		hit = f.hit
		h.restartWith(func() { f.arm(0, false, false) })
		phases := h.phases()
		approved := phases[len(phases)-1] == entry.PhaseApproved
		want := http.StatusNoContent
		if approved {
			want = http.StatusNotFound
		}
		if status, _ := h.call("ca-officer-1", "DELETE", path, nil); status != want {
			t.Errorf("operation %d: withdrawn after an approval (logged: %v): %d", at, approved, status)
		}
	}
}
