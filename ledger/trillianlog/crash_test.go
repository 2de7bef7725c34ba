package trillianlog

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
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

// sweep runs the workload on a disk that is copied before every operation that
// changes it, and calls found for each copy.
func sweep(t *testing.T, keep int, seed uint64, lie func(op string) bool, found func(point)) {
	mem := kv.NewCrashableFS()
	var mu sync.Mutex
	var held promise
	n := 0
	fs := kv.Wrap(mem, func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		found(point{kv.Crash(mem, keep, seed+uint64(n)), fmt.Sprintf("%d%% kept, seed %d, before operation %d (%s)", keep, seed, n, op), held})
		if lie != nil && lie(op) {
			return kv.ErrSkip
		}
		return nil
	})
	e, err := Open(ctx, config(t, fs))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	seq, ordinal := uint64(0), uint64(0)
	for step := range 12 {
		batch := [][]byte{event(t, entry.ByCA, seq)}
		if step%3 == 1 {
			batch = [][]byte{marshal(t, entry.ByCA, seq, intent(ordinal)), marshal(t, entry.ByCA, seq+1, issued(ordinal))}
			ordinal++
		}
		if step == 6 { // over a tile's edge
			for i := range uint64(260) {
				batch = append(batch, event(t, entry.ByCA, seq+1+i))
			}
		}
		seq += uint64(len(batch))
		rs, err := e.Append(ctx, batch...)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		held.entries = append(held.entries[:len(held.entries):len(held.entries)], batch...)
		held.receipts = append(held.receipts[:len(held.receipts):len(held.receipts)], rs...)
		mu.Unlock()
		if step%4 == 3 {
			note, err := e.Publish(ctx)
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			held.note = note
			mu.Unlock()
		}
	}
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

// sweepAll verifies every point on two goroutines and returns points and
// failures.
func sweepAll(t *testing.T, keeps []int, seeds uint64, lie func(string) bool) (points, failures int64, first error) {
	var wg sync.WaitGroup
	work := make(chan point, 16)
	var count, bad atomic.Int64
	var mu sync.Mutex
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
	for _, keep := range keeps {
		for seed := range seeds {
			sweep(t, keep, seed*1_000_003, lie, func(p point) { work <- p })
		}
	}
	close(work)
	wg.Wait()
	return count.Load(), bad.Load(), first
}

// TestCrashSweep cuts the power before every change of the disk. The
// environment variable SUKASHI_SWEEP_SEEDS makes it longer.
func TestCrashSweep(t *testing.T) {
	seeds := uint64(1)
	if s, err := strconv.ParseUint(os.Getenv("SUKASHI_SWEEP_SEEDS"), 10, 16); err == nil {
		seeds = s
	}
	points, failures, first := sweepAll(t, []int{0, 10, 50, 100}, seeds, nil)
	t.Logf("%d crash points, %d broken promises", points, failures)
	if failures > 0 {
		t.Errorf("%d of %d crash points break a promise, the first: %v", failures, points, first)
	}
	if points < 300*int64(seeds) {
		t.Errorf("only %d crash points", points)
	}
}

// TestCrashSweepCanFail lets the disk lie about syncs: the sweep must notice.
func TestCrashSweepCanFail(t *testing.T) {
	for _, op := range []string{"sync", "sync-data"} {
		_, failures, _ := sweepAll(t, []int{0}, 1, func(o string) bool { return o == op })
		if failures == 0 {
			t.Errorf("a disk that skips %q breaks no promise: the sweep proves nothing", op)
		}
	}
}
