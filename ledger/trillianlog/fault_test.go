package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// restore puts the store of a backup beside the present head.
func restore(t *testing.T, now, backup *kv.MemFS) *kv.MemFS {
	t.Helper()
	out := kv.Crash(now, 100, 0)
	for _, name := range files(t, out, "/store") {
		if err := out.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range files(t, backup, "/store") {
		overwrite(t, out, name, content(t, backup, name))
	}
	return out
}

// TestRestoredBackupsCannotSignBackInTime puts back 100 backups taken at random
// moments: each is refused unless it holds all that was signed, or all but the
// last batch, which the head brings back.
func TestRestoredBackupsCannotSignBackInTime(t *testing.T) {
	mem := kv.NewCrashableFS()
	rng := rand.New(rand.NewPCG(1, 2))
	type backup struct {
		fs   *kv.MemFS
		size uint64
	}
	var backups []backup
	seq := uint64(0)
	for len(backups) < 100 {
		e := mustOpen(t, config(t, mem))
		for range rng.IntN(4) {
			appendAll(t, e, event(t, entry.ByCA, seq))
			seq++
		}
		size, _ := e.Size(ctx)
		e.Close()
		backups = append(backups, backup{kv.Crash(mem, 100, 0), size})
	}
	last := backups[len(backups)-1].size
	refused := 0
	for i, b := range backups {
		e, err := Open(ctx, config(t, restore(t, mem, b.fs)))
		switch {
		case b.size < last-1:
			if say.Code(err) != CodeBehind {
				t.Fatalf("backup %d of %d entries, signed for %d: %v", i, b.size, last, err)
			}
			if _, hint := say.For(err, say.Japanese); hint == "" {
				t.Error("no word about what to do")
			}
			refused++
		case err != nil:
			t.Fatalf("backup %d holds everything, but: %v", i, err)
		}
		if err == nil {
			if n, _ := e.Size(ctx); n != last {
				t.Errorf("backup %d opens with %d entries, signed for %d", i, n, last)
			}
			_, old, err := e.Lookup(ctx, entry.ByCA, seq-1)
			if err != nil || !bytes.Equal(old, event(t, entry.ByCA, seq-1)) {
				t.Errorf("backup %d opens without the last entry: %v", i, err)
			}
			e.Close()
		}
	}
	if refused < 80 {
		t.Errorf("only %d backups were old", refused)
	}
}

// TestFailingHeadStopsTheLog lets the head's disk fail.
func TestFailingHeadStopsTheLog(t *testing.T) {
	mem := kv.NewMemFS()
	var broken atomic.Bool
	gone := errors.New("disk is gone")
	c := config(t, mem)
	e := mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 0))
	e.Close()
	c.FS = kv.Wrap(mem, func(op string) error {
		if broken.Load() && op == "write-at" {
			return gone
		}
		return nil
	})
	e = mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 1))
	broken.Store(true)
	for range 2 {
		if rs, err := e.Append(ctx, event(t, entry.ByCA, 2)); !errors.Is(err, ledger.ErrBroken) || rs != nil {
			t.Fatalf("append on a broken head: %v", err)
		}
	}
	if _, err := e.Publish(ctx); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("publish: %v", err)
	}
	if n, _ := e.Size(ctx); n != 3 {
		t.Errorf("%d entries are signed for", n)
	}
	e.Close()
	broken.Store(false)
	e = mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 0), event(t, entry.ByCA, 1), event(t, entry.ByCA, 2))
}

// TestWitnessesAreAskedBeforeTheFirstSignature: the hook sees the store's size
// and roots, and its refusal is Open's.
func TestWitnessesAreAskedBeforeTheFirstSignature(t *testing.T) {
	c := config(t, kv.NewMemFS())
	e := mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 0), event(t, entry.ByCA, 1))
	root, err := e.RootAt(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	ahead := say.New("witness.ahead", "先", "ahead")
	asked := false
	c.CheckHead = func(ctx context.Context, size uint64, rootAt func(context.Context, uint64) (tlog.Hash, error)) error {
		asked = true
		if got, err := rootAt(ctx, 2); size != 3 || err != nil || got != root {
			return fmt.Errorf("size %d, root %v, %v", size, got, err)
		}
		return ahead
	}
	if _, err := Open(ctx, c); !errors.Is(err, ahead) || !asked {
		t.Errorf("%v", err)
	}
}
