package trillianlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// nextKey is the n-th further key of the test log.
func nextKey(t testing.TB, n int) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{byte(n)}, 64)), origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s, vkey
}

var record = entry.Sum([]byte("record of the ceremony"))

func chainOf(t testing.TB, c Config) *proof.Policy {
	t.Helper()
	p, err := proof.LogKeys(append(slices.Clone(c.Retired), proof.LogKey{VKey: c.VKey})...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func forge(t testing.TB, s note.Signer, size uint64) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, size, "Nk/1kGiNkB73GRx1QAMaU0aV9AMzDgcn31C5vpsNF/0=")}, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Two rotations: what was proved before still holds, the log goes on, and a
// retired key signs nothing beyond its last size.
func TestRotation(t *testing.T) {
	c := config(t, kv.NewMemFS())
	c.MaxBatch, c.QueueBytes = 0, 0
	var receipts []*proof.Receipt
	var entries [][]byte
	var old []Config
	grow := func() {
		t.Helper()
		e := mustOpen(t, c)
		for range 3 {
			b := event(t, entry.ByCA, uint64(len(entries)))
			receipts, entries = append(receipts, appendAll(t, e, b)...), append(entries, b)
		}
		if _, err := e.Publish(ctx); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	grow()
	for n := 1; n <= 2; n++ {
		s, vkey := nextKey(t, n)
		retired, err := Rotate(ctx, c, s, vkey, record)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Rotate(ctx, c, s, vkey, record); err != nil || !slices.Equal(again, retired) {
			t.Fatalf("a second call: %+v %v", again, err)
		}
		old = append(old, c)
		c.Retired, c.Signer, c.VKey = retired, s, vkey
		grow()
	}
	p := chainOf(t, c)
	for i, r := range receipts {
		if _, err := p.VerifyReceipt(r, entries[i]); err != nil {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	for i, k := range c.Retired {
		if _, err := p.VerifyCheckpoint(forge(t, old[i].Signer, k.Until)); err != nil {
			t.Errorf("key %d at its last size: %v", i, err)
		}
		if _, err := p.VerifyCheckpoint(forge(t, old[i].Signer, k.Until+1)); say.Code(err) != "checkpoint.retired-key" {
			t.Errorf("key %d beyond its last size: %v", i, err)
		}
	}
	rep, err := Fsck(ctx, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey, Retired: c.Retired, FS: c.FS})
	if err != nil || !rep.OK() {
		t.Errorf("fsck: %+v %v", rep, err)
	}
	// No retired key opens the log, with a head or without.
	for i, o := range old {
		if _, err := Open(ctx, o); say.Code(err) != CodeHead {
			t.Errorf("key %d opens the log: %v", i, err)
		}
		o.HeadDir, o.AdoptHead = "/other-head", true
		if _, err := Open(ctx, o); say.Code(err) != "ledger.rotating" {
			t.Errorf("key %d adopts the log without its head: %v", i, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"another size":  func(c *Config) { c.Retired[0].Until-- },
		"a later size":  func(c *Config) { c.Retired[1].Until += 3 },
		"beyond":        func(c *Config) { c.Retired[1].Until = 1000 },
		"keys left out": func(c *Config) { c.Retired = c.Retired[1:] },
	} {
		bad := c
		bad.Retired = slices.Clone(c.Retired)
		change(&bad)
		e, err := Open(ctx, bad)
		if err == nil {
			e.Close()
			t.Errorf("%s: opened", name)
		}
	}
	mustOpen(t, c)
}

func TestRotationRefuses(t *testing.T) {
	c := config(t, kv.NewMemFS())
	e := mustOpen(t, c)
	// Nobody but the log writes about the log's key: the CA may write about its
	// own, and that changes nothing here.
	b := marshal(t, entry.ByLog, 1, &entry.KeyRetired{Role: "log", SPKI: record})
	if _, err := e.Append(ctx, b); !errors.Is(err, ledger.ErrWriter) {
		t.Errorf("somebody else retires the log's key: %v", err)
	}
	s, vkey := nextKey(t, 1)
	if _, err := Rotate(ctx, c, s, vkey, record); err == nil {
		t.Error("rotated a running log")
	}
	e.Close()
	if _, err := Rotate(ctx, c, c.Signer, c.VKey, record); say.Code(err) != "policy.key" {
		t.Errorf("to the same key: %v", err)
	}
	other, otherV := keyPair(t, "other.test/1")
	if _, err := Rotate(ctx, c, other, otherV, record); err == nil {
		t.Error("to another log's key")
	}
	if _, err := Rotate(ctx, c, nil, vkey, record); err == nil {
		t.Error("to no key")
	}
	if _, err := Open(ctx, c); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

// Power cuts before every change of the disk during a rotation: the log then
// opens with the old key as before, or with the new one, or with neither until
// the rotation was run again, which always works; nothing is lost, and once the
// rotation is in the log the old key is not taken any more.
func TestRotationCrashSweep(t *testing.T) {
	points, old, between, done := 0, 0, 0, 0
	next, nextV := nextKey(t, 1)
	third, thirdV := nextKey(t, 2)
	for _, keep := range keeps {
		for seed := range sweepSeeds(6) {
			mem := kv.NewCrashableFS()
			c := config(t, mem)
			e := mustOpen(t, c)
			var batch [][]byte
			for i := range []uint64{5, 253, 1, 80, 254, 300}[seed%6] { // also the rotation at a tile's edge
				batch = append(batch, event(t, entry.ByCA, i))
			}
			receipts := appendAll(t, e, batch...)
			if seed%3 != 2 {
				if _, err := e.Publish(ctx); err != nil {
					t.Fatal(err)
				}
			}
			e.Close()
			var mu sync.Mutex
			var cuts []*kv.MemFS
			c.FS = kv.Wrap(mem, func(string) error {
				mu.Lock()
				defer mu.Unlock()
				cuts = append(cuts, kv.Crash(mem, keep, seed*1_000_003+uint64(len(cuts))))
				return nil
			})
			if _, err := Rotate(ctx, c, next, nextV, record); err != nil {
				t.Fatal(err)
			}
			cuts = append(cuts, kv.Crash(mem, keep, seed))
			for i, cut := range cuts {
				points++
				what := fmt.Sprintf("%d%% kept, seed %d, cut %d of %d", keep, seed, i, len(cuts))
				c.FS = cut
				e, err := Open(ctx, c)
				switch {
				case err == nil:
					old++
					appendAll(t, e, event(t, entry.ByCA, uint64(len(batch))))
					e.Close()
				case say.Code(err) == CodeHead:
					done++
				case say.Code(err) == "ledger.rotating":
					between++
					if _, err := Rotate(ctx, c, third, thirdV, record); say.Code(err) != "ledger.rotating" {
						t.Fatalf("%s: a half rotation goes on to another key: %v", what, err)
					}
				default:
					t.Fatalf("%s: %v", what, err)
				}
				retired, err := Rotate(ctx, c, next, nextV, record)
				if err != nil {
					t.Fatalf("%s: the rotation can't be run again: %v", what, err)
				}
				n := c
				n.Retired, n.Signer, n.VKey = retired, next, nextV
				if e, err = Open(ctx, n); err != nil {
					t.Fatalf("%s: after the rotation: %v", what, err)
				}
				last := len(batch) - 1
				for _, i := range []int{0, last / 2, last} {
					check(t, e, receipts[i:i+1], batch[i:i+1])
				}
				seq, err := e.NextSeq(ctx, entry.ByCA)
				if err != nil {
					t.Fatal(err)
				}
				appendAll(t, e, event(t, entry.ByCA, seq))
				if _, err := e.Publish(ctx); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				e.Close()
				if _, err := Open(ctx, c); say.Code(err) != CodeHead {
					t.Fatalf("%s: the retired key opens the log: %v", what, err)
				}
			}
		}
	}
	t.Logf("%d crash points in rotations: %d before it, %d between, %d after", points, old, between, done)
	if points < 100 || old == 0 || between == 0 || done == 0 {
		t.Errorf("the sweep misses a part of the rotation")
	}
}

// sweepSeeds is how often a sweep is run with other random choices: once with
// -short, more often with SUKASHI_SWEEP_SEEDS.
func sweepSeeds(n uint64) uint64 {
	if s, err := strconv.ParseUint(os.Getenv("SUKASHI_SWEEP_SEEDS"), 10, 16); err == nil {
		return max(n, s)
	}
	if testing.Short() {
		return 1
	}
	return n
}
