package clusterlog

import (
	"slices"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logtest"
)

// TestRotationAfterACrash: the cluster has the rotation's entries, and this
// machine is as a power cut left it at any moment of the rotation, its cache and
// head as old as that. The rotation run again ends it; the cluster gets no
// second one, and nothing after the retirement that the old key would sign.
func TestRotationAfterACrash(t *testing.T) {
	slow(t)
	p := newPlace(t, servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Preordered))
	s := logtest.Settings{Origin: logtest.Origin, Head: "head"}
	mem := kv.NewCrashableFS()
	c := p.config(t, s)
	c.FS, c.CacheDir, c.HeadDir = mem, "cache", "head"
	e, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Append(ctx, logtest.Event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var cuts []*kv.MemFS
	c.FS = kv.Wrap(mem, func(string) error {
		mu.Lock()
		defer mu.Unlock()
		cuts = append(cuts, kv.Crash(mem, 50, uint64(len(cuts))))
		return nil
	})
	next, vkey := logtest.NextKey(t, s.Origin, 1)
	want, err := Rotate(ctx, c, next, vkey, logtest.Record)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(cuts); i += 1 + len(cuts)/16 {
		c.FS = cuts[i]
		got, err := Rotate(ctx, c, next, vkey, logtest.Record)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("cut %d of %d: %v, %v; want %v", i, len(cuts), got, err, want)
		}
	}
	c.FS, c.Signer, c.VKey, c.Retired = mem, next, vkey, want
	if e, err = Open(ctx, c); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if n, _ := e.Size(ctx); n != want[0].Until {
		t.Errorf("%d entries, the old key signed %d", n, want[0].Until)
	}
	if _, err := e.Append(ctx, logtest.Event(t, entry.ByCA, 1)); err != nil {
		t.Error(err)
	}
}
