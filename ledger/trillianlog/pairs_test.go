package trillianlog

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// TestAllCheckpointsAreConsistent grows a log by random batches, publishing and
// opening it anew now and then, and proves every pair of checkpoints that it
// ever signed. SUKASHI_CHECKPOINTS is their number.
func TestAllCheckpointsAreConsistent(t *testing.T) {
	want := 120
	if n, err := strconv.Atoi(os.Getenv("SUKASHI_CHECKPOINTS")); err == nil && n > 0 {
		want = n
	}
	rng := rand.New(rand.NewPCG(3, 4))
	c := config(t, kv.NewMemFS())
	e := mustOpen(t, c)
	seq := uint64(0)
	var cps []*proof.Checkpoint
	add := func(note []byte) {
		cp, err := e.Policy().VerifyCheckpoint(note)
		if err != nil {
			t.Fatal(err)
		}
		cps = append(cps, cp)
	}
	for len(cps) < want {
		switch rng.IntN(10) {
		case 0:
			e.Close()
			e = mustOpen(t, c)
		case 1:
			note, err := e.Publish(ctx)
			if err != nil {
				t.Fatal(err)
			}
			add(note)
		default:
			var batch [][]byte
			for range 1 + rng.IntN(1<<rng.IntN(9)) {
				batch = append(batch, event(t, entry.ByCA, seq))
				seq++
			}
			rs, err := e.Append(ctx, batch...)
			if err != nil {
				t.Fatal(err)
			}
			add(rs[rng.IntN(len(rs))].Checkpoint)
		}
	}
	for i, old := range cps {
		for _, new := range cps[i:] {
			hashes, err := e.Consistency(ctx, old.Size, new.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.CheckConsistency(old, new, hashes); err != nil {
				t.Fatalf("%d to %d: %v", old.Size, new.Size, err)
			}
		}
	}
	t.Logf("%d pairs up to %d entries", len(cps)*(len(cps)+1)/2, cps[len(cps)-1].Size)
}
