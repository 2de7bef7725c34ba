package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// source is a log of n events and some certificates, published, as an import
// reads it. More entries may follow the published ones.
func source(t testing.TB, n int) (entries [][]byte, cp *proof.Checkpoint) {
	t.Helper()
	e := mustOpen(t, config(t, kv.NewMemFS()))
	var batch [][]byte
	for i := range uint64(n) {
		switch i % 50 {
		case 7:
			batch = append(batch, marshal(t, entry.ByCA, i, intent(i/50)))
		case 8:
			batch = append(batch, marshal(t, entry.ByCA, i, issued(i/50)))
		default:
			batch = append(batch, event(t, entry.ByCA, i))
		}
	}
	if _, err := e.Append(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	b, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if cp, err = proof.ParseUnverified(b); err != nil {
		t.Fatal(err)
	}
	err = e.Entries(ctx, 0, cp.Size, func(_ uint64, b []byte) error { entries = append(entries, bytes.Clone(b)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return entries, cp
}

func reading(entries [][]byte, cp *proof.Checkpoint) func(func(uint64, []byte) error) (*proof.Checkpoint, error) {
	return func(fn func(uint64, []byte) error) (*proof.Checkpoint, error) {
		for i, b := range entries {
			if err := fn(uint64(i), b); err != nil {
				return nil, err
			}
		}
		return cp, nil
	}
}

func importConfig(c Config) ImportConfig {
	return ImportConfig{Dir: c.Dir, HeadDir: c.HeadDir, Keys: []proof.LogKey{{VKey: c.VKey}}, Now: logtest.Now, FS: c.FS, CacheBytes: c.CacheBytes}
}

// An imported log is the log: it opens, proves, checks and goes on.
func TestImport(t *testing.T) {
	entries, cp := source(t, 700)
	c := config(t, kv.NewMemFS())
	got, err := Import(ctx, importConfig(c), reading(entries, cp))
	if err != nil || got.Size != cp.Size {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := Import(ctx, importConfig(c), reading(entries, cp)); err != nil || got.Size != cp.Size {
		t.Errorf("once more, for somebody who didn't hear of its end: %v", err)
	}
	rep, err := Fsck(ctx, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey, FS: c.FS})
	if err != nil || !rep.OK() || rep.Size != cp.Size {
		t.Errorf("fsck: %+v %v", rep, err)
	}
	v, err := OpenView(FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey, FS: c.FS})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := v.Checkpoint(ctx); err != nil || !bytes.Equal(b, cp.Raw) || v.Size != cp.Size || v.Head == nil {
		t.Errorf("view: %v %d", err, v.Size)
	}
	v.Close()
	e := mustOpen(t, c)
	if e.PublishedSize() != cp.Size {
		t.Errorf("published size %d", e.PublishedSize())
	}
	if s, err := e.Status(ctx, 3); err != nil || s == nil {
		t.Errorf("status: %v", err)
	}
	appendAll(t, e, event(t, entry.ByCA, 700))
	if _, err := e.Publish(ctx); err != nil {
		t.Error(err)
	}
	e.Close()
	small, smallCP := source(t, 10)
	for what, err := range map[string]error{
		"a log that has gone on": func() error { _, err := Import(ctx, importConfig(c), reading(entries, cp)); return err }(),
		"another log":            func() error { _, err := Import(ctx, importConfig(c), reading(small, smallCP)); return err }(),
	} {
		if say.Code(err) != "ledger.import.full" {
			t.Errorf("over %s: %v", what, err)
		}
	}
	if rep, err := Fsck(ctx, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey, FS: c.FS}); err != nil || !rep.OK() || rep.Size <= cp.Size {
		t.Errorf("the log that was in the way: %+v %v", rep, err)
	}
	// A head that knows more than the import ends it.
	older := c
	older.Dir = "/restored"
	if _, err := Import(ctx, importConfig(older), reading(small, smallCP)); say.Code(err) != CodeForked && say.Code(err) != CodeBehind {
		t.Errorf("an old export under a newer head: %v", err)
	}
	if _, err := Open(ctx, older); say.Code(err) != "ledger.importing" {
		t.Errorf("a half import opens: %v", err)
	}
	if _, err := Fsck(ctx, FsckConfig{Dir: older.Dir, HeadDir: c.HeadDir, VKey: c.VKey, FS: c.FS}); say.Code(err) != "ledger.importing" {
		t.Errorf("a half import is checked as a log: %v", err)
	}
}

func TestImportRefuses(t *testing.T) {
	entries, cp := source(t, 60)
	other := *cp
	other.Root[0] ^= 1
	for name, tc := range map[string]struct {
		entries func([][]byte) [][]byte
		cp      *proof.Checkpoint
	}{
		"an entry changed":   {func(e [][]byte) [][]byte { e[20] = event(t, entry.ByOperator, 0); return e }, cp},
		"two entries turned": {func(e [][]byte) [][]byte { e[20], e[21] = e[21], e[20]; return e }, cp},
		"an entry missing":   {func(e [][]byte) [][]byte { return append(e[:20:20], e[21:]...) }, cp},
		"the end missing":    {func(e [][]byte) [][]byte { return e[:len(e)-1] }, cp},
		"one too many":       {func(e [][]byte) [][]byte { return append(e, event(t, entry.ByCA, 60)) }, cp},
		"garbage":            {func(e [][]byte) [][]byte { e[5] = []byte("{}"); return e }, cp},
		"no genesis":         {func(e [][]byte) [][]byte { return e[1:] }, cp},
		"two geneses":        {func(e [][]byte) [][]byte { return append(e[:1:1], e...) }, cp},
		"another root":       {func(e [][]byte) [][]byte { return e }, &other},
	} {
		c := config(t, kv.NewMemFS())
		bad := tc.entries(append([][]byte(nil), entries...))
		if _, err := Import(ctx, importConfig(c), reading(bad, tc.cp)); say.Code(err) != "ledger.import" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Open(ctx, c); say.Code(err) != "ledger.importing" {
			t.Errorf("%s: what is left opens: %v", name, err)
		}
		if name == "the end missing" { // the same directory takes the right export
			if _, err := Import(ctx, importConfig(c), reading(entries, cp)); err != nil {
				t.Errorf("the right export afterwards: %v", err)
			}
		}
	}
	c := config(t, kv.NewMemFS())
	_, wrong := keyPair(t, "other.test/1")
	ic := importConfig(c)
	ic.Keys[0].VKey = wrong
	if _, err := Import(ctx, ic, reading(entries, cp)); err == nil {
		t.Error("imported under another log's key")
	}
	ic.HeadDir = ic.Dir
	if _, err := Import(ctx, ic, reading(entries, cp)); err == nil {
		t.Error("imported with the head in the store")
	}
	stop := errors.New("stop")
	c = config(t, kv.NewMemFS())
	if _, err := Import(ctx, importConfig(c), func(func(uint64, []byte) error) (*proof.Checkpoint, error) { return nil, stop }); !errors.Is(err, stop) {
		t.Errorf("the reader's error: %v", err)
	}
}

// Power cuts before every change of the disk during an import: what is left is
// no log until the import was run again, which always ends in the same log.
func TestImportCrashSweep(t *testing.T) {
	points, half, whole, every := 0, 0, 0, 1
	if testing.Short() {
		every = 3
	}
	for seed := range sweepSeeds(2) {
		entries, cp := source(t, []int{500, 120}[seed%2])
		for _, keep := range keeps {
			mem := kv.NewCrashableFS()
			var mu sync.Mutex
			var cuts []*kv.MemFS
			c := config(t, kv.Wrap(mem, func(string) error {
				mu.Lock()
				defer mu.Unlock()
				cuts = append(cuts, kv.Crash(mem, keep, seed*1_000_003+uint64(len(cuts))))
				return nil
			}))
			if _, err := Import(ctx, importConfig(c), reading(entries, cp)); err != nil {
				t.Fatal(err)
			}
			cuts = append(cuts, kv.Crash(mem, keep, seed))
			for i, cut := range cuts {
				if i%every != 0 && i < len(cuts)-1 {
					continue
				}
				points++
				c.FS = cut
				if err := afterImportCut(t, c, entries, cp, &half, &whole); err != nil {
					t.Fatalf("%d%% kept, seed %d, cut %d of %d: %v", keep, seed, i, len(cuts), err)
				}
			}
		}
	}
	t.Logf("%d crash points in imports: %d left half a log, %d the whole one", points, half, whole)
	if points < 100 || half == 0 || whole == 0 {
		t.Error("the sweep misses a part of the import")
	}
}

// ended tells whether an import has left a whole log.
func ended(t *testing.T, c Config) bool {
	t.Helper()
	k, err := kv.Open(c.Dir, kv.Options{FS: c.FS})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	_, err = k.Get(metaKey)
	return err == nil && importing(k) == nil
}

func afterImportCut(t *testing.T, c Config, entries [][]byte, cp *proof.Checkpoint, half, whole *int) error {
	if ended(t, c) {
		*whole++
	} else {
		*half++
	}
	if again, err := Import(context.Background(), importConfig(c), reading(entries, cp)); err != nil || again.Size != cp.Size {
		return fmt.Errorf("the import can't be run again: %w", err)
	}
	e, err := Open(ctx, c)
	if err != nil {
		return fmt.Errorf("doesn't open afterwards: %w", err)
	}
	defer e.Close()
	if b, err := e.Checkpoint(ctx); err != nil || !bytes.Equal(b, cp.Raw) {
		return fmt.Errorf("publishes something else: %v", err)
	}
	root, err := e.RootAt(ctx, cp.Size)
	if err != nil || root != cp.Root {
		return fmt.Errorf("another tree: %v", err)
	}
	next, err := e.NextSeq(ctx, entry.ByCA)
	if err != nil {
		return err
	}
	_, err = e.Append(ctx, event(t, entry.ByCA, next))
	return err
}
