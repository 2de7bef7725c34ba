package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// was is a log as it was under a checkpoint.
type was struct {
	Exporter
	note []byte
	size uint64
}

// Checkpoint implements Exporter.
func (w was) Checkpoint(context.Context) ([]byte, error) { return w.note, nil }

// history is a log that was published at some sizes: around a tile's edge,
// exactly at it, and beyond it.
func history(t *testing.T, sizes ...uint64) (states []was, policy *proof.Policy) {
	e, policy := engine(t)
	for next, i := uint64(0), 0; i < len(sizes); i++ {
		var batch [][]byte
		for ; next+2+uint64(i) < sizes[i]; next++ { // the genesis, a status.root each time
			batch = append(batch, event(t, entry.ByCA, next))
		}
		if _, err := e.Append(ctx, batch...); err != nil {
			t.Fatal(err)
		}
		note, err := e.Publish(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.PublishedSize() != sizes[i] {
			t.Fatalf("published at %d, not at %d", e.PublishedSize(), sizes[i])
		}
		states = append(states, was{e, note, sizes[i]})
	}
	return states, policy
}

// whole says what is wrong with an export on a disk: under its checkpoint,
// which must be one of those given, every entry is there and leads to the root,
// or, without entries, every tile does. A nil note allows that there is none.
func whole(fs kv.FS, policy *proof.Policy, bundles bool, notes ...[]byte) error {
	note, err := readFile(fs, "/out/log/checkpoint")
	if errors.Is(err, os.ErrNotExist) && notes[0] == nil {
		return nil
	}
	if err != nil {
		return err
	}
	known := false
	for _, n := range notes {
		known = known || bytes.Equal(n, note)
	}
	if !known {
		return fmt.Errorf("checkpoint is %q", note)
	}
	if bundles {
		if _, err = readExport(ctx, fs, "/out/log", policy, func(uint64, []byte) error { return nil }); err != nil {
			return err
		}
	}
	cp, err := policy.VerifyCheckpoint(note)
	if err != nil {
		return err
	}
	// A proof from each tile of hashes, which leads through those above it.
	for index := uint64(0); index < cp.Size; index += tileWidth {
		if _, _, err := proveExport(fs, "/out/log", policy, index); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	return nil
}

// keeps are the shares of unsynced data that power cuts leave, in percent.
var keeps = []int{0, 10, 50, 100}

// TestExportCrashSweep cuts the power before each change of the disk while a
// growing log is exported again and again into one directory: the checkpoint
// found there is the last one whose export returned or a newer one, with
// everything under it; and the next export is whole.
func TestExportCrashSweep(t *testing.T) {
	points := 0
	lives := [][]uint64{{3, 254, 256, 260}, {256, 300, 513}, {200, 600}, {2, 4, 6, 770}}
	if testing.Short() {
		lives = lives[:1]
	}
	for life, sizes := range lives {
		states, policy := history(t, sizes...)
		last := states[len(states)-1]
		for _, bundles := range []bool{true, false} {
			type cut struct {
				op        string
				fs        []*kv.MemFS
				done, now []byte
			}
			var cuts []cut
			var done, now []byte
			mem := kv.NewCrashableFS()
			look := func(op string) error {
				c := cut{op: op, done: done, now: now}
				for i, keep := range keeps {
					c.fs = append(c.fs, kv.Crash(mem, keep, uint64(life*1_000_003+len(cuts)*len(keeps)+i)))
				}
				cuts = append(cuts, c)
				return nil
			}
			fs := kv.Wrap(mem, look)
			for _, s := range states {
				now = s.note
				if err := export(ctx, fs, s, "/out/log", bundles); err != nil {
					t.Fatal(err)
				}
				done = s.note
			}
			_ = look("the end")
			for n, c := range cuts {
				for i, keep := range keeps {
					points++
					err := whole(c.fs[i], policy, bundles, c.done, c.now)
					if err == nil {
						err = export(ctx, c.fs[i], last, "/out/log", bundles)
					}
					if err == nil {
						err = whole(c.fs[i], policy, bundles, last.note)
					}
					if err != nil {
						t.Fatalf("%v, bundles %v, %d%% kept, before change %d (%s): %v", sizes, bundles, keep, n, c.op, err)
					}
				}
			}
		}
	}
	t.Logf("%d crash points in exports, 0 lost", points)
	if points < 400*len(lives) {
		t.Errorf("only %d crash points", points)
	}
}

// TestExportDiskErrors lets each change of the disk fail, once or from then on:
// the export says so, what was whole stays whole, and the next export is.
func TestExportDiskErrors(t *testing.T) {
	states, policy := history(t, 100, 300)
	errs := 0
	for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
		for _, forever := range []bool{false, true} {
			for at := 0; ; at++ {
				n := 0
				mem := kv.NewCrashableFS()
				fs := kv.Wrap(mem, func(string) error {
					if n++; n-1 == at || forever && n > at {
						return errno
					}
					return nil
				})
				var done []byte
				failed := false
				for _, s := range states {
					switch err := export(ctx, fs, s, "/out/log", true); {
					case errors.Is(err, errno):
						failed = true
					case err != nil:
						t.Fatalf("%v at change %d: %v", errno, at, err)
					default:
						done = s.note
					}
				}
				if n <= at {
					break
				}
				if errs++; !failed {
					t.Errorf("%v at change %d: not noticed", errno, at)
				}
				for _, keep := range keeps {
					after := kv.Crash(mem, keep, uint64(at))
					err := whole(after, policy, true, done, states[0].note, states[1].note)
					if err == nil {
						err = export(ctx, after, states[1], "/out/log", true)
					}
					if err == nil {
						err = whole(after, policy, true, states[1].note)
					}
					if err != nil {
						t.Errorf("%v at change %d, forever %v, %d%% kept: %v", errno, at, forever, keep, err)
					}
				}
			}
		}
	}
	t.Logf("%d disk errors in exports", errs)
	if errs < 4*30 {
		t.Errorf("only %d disk errors", errs)
	}
}
