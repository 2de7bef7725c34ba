package trillianlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// promise is what a caller holds: entries with their receipts, and published
// checkpoints.
type promise struct {
	entries  [][]byte
	receipts []*proof.Receipt
	note     []byte // newest published checkpoint
}

// point is one power cut: the disk as it was and what had been promised.
type point struct {
	fs   *kv.MemFS
	name string
	held promise
}

// sweep runs a workload on a disk that is copied before every operation that
// changes it, and calls found for each copy. What is appended and published,
// when the log is closed and opened again, and what a copy keeps of what was not
// synced, is chosen by the seed.
func sweep(t *testing.T, keep int, seed uint64, lie func(op string) bool, found func(point)) {
	mem := kv.NewCrashableFS()
	w := &workload{t: t, rng: rand.New(rand.NewPCG(seed, 3)), next: map[string]uint64{}}
	n := 0
	w.c = config(t, kv.Wrap(mem, func(op string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		n++
		found(point{kv.Crash(mem, keep, seed+uint64(n)), fmt.Sprintf("%d%% kept, seed %d, before operation %d (%s)", keep, seed, n, op), w.held})
		if lie != nil && lie(op) {
			return kv.ErrSkip
		}
		return nil
	}))
	w.run()
}

// workload is a log's life with what its callers were promised.
type workload struct {
	t       *testing.T
	rng     *rand.Rand
	c       Config
	e       *Engine
	next    map[string]uint64 // each writer's next number
	ordinal uint64

	mu   sync.Mutex
	held promise
}

func (w *workload) run() {
	var err error
	large, again := w.rng.IntN(12), 3+w.rng.IntN(8)
	for step := range 12 {
		if step == 0 || step == again {
			if w.e != nil {
				w.e.Close()
			}
			if w.e, err = Open(ctx, w.c); err != nil {
				w.t.Fatal(err)
			}
			defer w.e.Close()
		}
		switch {
		case step == large: // over a tile's edge; the larger ones don't fit into a head
			w.append(w.events(entry.ByCA, []int{70, 261, 420}[w.rng.IntN(3)]))
		case w.rng.IntN(3) == 0:
			seq := w.next[entry.ByCA]
			w.next[entry.ByCA] += 2
			w.append([][]byte{marshal(w.t, entry.ByCA, seq, intent(w.ordinal)), marshal(w.t, entry.ByCA, seq+1, issued(w.ordinal))})
			w.ordinal++
		case w.rng.IntN(2) == 0: // two writers at once
			a, b := w.events(entry.ByCA, 1), w.events(entry.ByOperator, 1+w.rng.IntN(3))
			var wg sync.WaitGroup
			wg.Go(func() { w.append(a) })
			wg.Go(func() { w.append(b) })
			wg.Wait()
		default:
			w.append(w.events(entry.ByCA, 1))
		}
		if step == 11 || w.rng.IntN(4) == 0 {
			note, err := w.e.Publish(ctx)
			if err != nil {
				w.t.Fatal(err)
			}
			w.mu.Lock()
			w.held.note = note
			w.mu.Unlock()
		}
	}
}

func (w *workload) events(by string, n int) (batch [][]byte) {
	for range n {
		batch = append(batch, event(w.t, by, w.next[by]))
		w.next[by]++
	}
	return batch
}

func (w *workload) append(batch [][]byte) {
	rs, err := w.e.Append(ctx, batch...)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held.entries = append(w.held.entries[:len(w.held.entries):len(w.held.entries)], batch...)
	w.held.receipts = append(w.held.receipts[:len(w.held.receipts):len(w.held.receipts)], rs...)
}

// verify opens the disk of a crash and says which promise is broken.
func (p point) verify(t *testing.T) error {
	e, err := Open(ctx, config(t, p.fs))
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	defer e.Close()
	for i, r := range p.held.receipts {
		b, err := e.Entry(ctx, r.Index)
		if err != nil || !bytes.Equal(b, p.held.entries[i]) {
			return fmt.Errorf("acknowledged entry %d is lost: %v", r.Index, err)
		}
		if i > 0 && i%50 != 0 && i != len(p.held.receipts)-1 {
			continue
		}
		if err := sameTree(e, r.Checkpoint); err != nil {
			return err
		}
	}
	if p.held.note != nil {
		if err := sameTree(e, p.held.note); err != nil {
			return err
		}
		cp, _ := proof.ParseUnverified(p.held.note)
		if e.PublishedSize() < cp.Size {
			return fmt.Errorf("published size went back from %d to %d", cp.Size, e.PublishedSize())
		}
	}
	next, err := e.NextSeq(ctx, entry.ByCA)
	if err != nil {
		return err
	}
	if _, err := e.Append(ctx, event(t, entry.ByCA, next)); err != nil {
		return fmt.Errorf("does not go on: %w", err)
	}
	if _, err := e.Publish(ctx); err != nil {
		return fmt.Errorf("does not publish: %w", err)
	}
	return nil
}

// sameTree checks that a checkpoint given out is part of this log.
func sameTree(e *Engine, note []byte) error {
	cp, err := e.Policy().VerifyCheckpoint(note)
	if err != nil {
		return err
	}
	root, err := e.RootAt(ctx, cp.Size)
	if err != nil || root != cp.Root {
		return fmt.Errorf("log forked from a checkpoint of size %d: %v", cp.Size, err)
	}
	return nil
}

// judges verifies points on two goroutines. add hands one over; end waits and
// returns points, failures and the first of these.
func judges(t *testing.T) (add func(point), end func() (points, failures int64, first error)) {
	var wg sync.WaitGroup
	work := make(chan point, 16)
	var count, bad atomic.Int64
	var mu sync.Mutex
	var first error
	for range 2 {
		wg.Go(func() {
			for p := range work {
				count.Add(1)
				if err := p.verify(t); err != nil {
					bad.Add(1)
					mu.Lock()
					if first == nil {
						first = fmt.Errorf("%s: %w", p.name, err)
					}
					mu.Unlock()
				}
			}
		})
	}
	return func(p point) { work <- p }, func() (int64, int64, error) {
		close(work)
		wg.Wait()
		return count.Load(), bad.Load(), first
	}
}

// keeps are the shares of unsynced data that power cuts leave, in percent.
var keeps = []int{0, 10, 50, 100}

// TestCrashSweep cuts the power before every change of the disk. The
// environment variable SUKASHI_SWEEP_SEEDS makes it longer.
func TestCrashSweep(t *testing.T) {
	add, end := judges(t)
	seeds := sweepSeeds(5)
	for _, keep := range keeps {
		for seed := range seeds {
			sweep(t, keep, seed*1_000_003, nil, add)
		}
	}
	points, failures, first := end()
	t.Logf("%d crash points of appends, heads, publishing and starts, %d broken promises", points, failures)
	if failures > 0 {
		t.Errorf("%d of %d crash points break a promise, the first: %v", failures, points, first)
	}
	if points < 400*int64(seeds) {
		t.Errorf("only %d crash points", points)
	}
}

// TestCrashWhileRecovering cuts the power a second time, before every change of
// the disk of the start after a power cut: when the last batch is written again
// from the head, and when the store puts its own files in order.
func TestCrashWhileRecovering(t *testing.T) {
	add, end := judges(t)
	every, seeds := 36, sweepSeeds(3)
	if testing.Short() {
		every = 180
	}
	for i, keep := range keeps {
		for seed := range seeds {
			n, again := 0, keeps[(uint64(i)+seed)%uint64(len(keeps))]
			var cuts []point
			sweep(t, keep, 77+seed*1_000_003, nil, func(p point) {
				if n++; n%every == i {
					cuts = append(cuts, p)
				}
			})
			for _, p := range cuts {
				recoverCut(t, p, again, add)
			}
		}
	}
	points, failures, first := end()
	t.Logf("%d crash points of starts after a crash, %d broken promises", points, failures)
	if failures > 0 {
		t.Errorf("%d of %d crash points break a promise, the first: %v", failures, points, first)
	}
	if points < 100*int64(seeds) {
		t.Errorf("only %d crash points", points)
	}
}

// recoverCut opens the log on the disk of a crash and cuts the power again.
func recoverCut(t *testing.T, p point, keep int, found func(point)) {
	var mu sync.Mutex
	n := 0
	e, err := Open(ctx, config(t, kv.Wrap(p.fs, func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		found(point{kv.Crash(p.fs, keep, uint64(n)), fmt.Sprintf("%s, then %d%% kept, before operation %d (%s) of the start", p.name, keep, n, op), p.held})
		return nil
	})))
	if err != nil {
		t.Errorf("%s: does not open: %v", p.name, err)
		return
	}
	e.Close()
}

// TestCrashSweepCanFail lets the disk lie about syncs: the sweep must notice.
func TestCrashSweepCanFail(t *testing.T) {
	for _, op := range []string{"sync", "sync-data"} {
		add, end := judges(t)
		sweep(t, 0, 0, func(o string) bool { return o == op }, add)
		if _, failures, _ := end(); failures == 0 {
			t.Errorf("a disk that skips %q breaks no promise: the sweep proves nothing", op)
		}
	}
}
