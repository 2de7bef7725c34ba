package trillianlog

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
)

// checkedLog makes a closed log of n entries besides genesis and status.root.
func checkedLog(t *testing.T, n uint64) (Config, FsckConfig, int64) {
	t.Helper()
	c := config(t, kv.NewMemFS())
	e := mustOpen(t, c)
	for from := uint64(0); from < n; from += 500 {
		var batch [][]byte
		for i := from; i < min(n, from+500); i++ {
			batch = append(batch, event(t, []string{entry.ByCA, entry.ByOperator}[i%2], i/2))
		}
		if _, err := e.Append(ctx, batch...); err != nil {
			t.Fatal(err)
		}
		if from == 500 {
			if _, err := e.Publish(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.Close()
	id := treeOf(t, c)
	return c, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey, FS: c.FS}, id
}

// treeOf reads which tree a closed store holds.
func treeOf(t *testing.T, c Config) int64 {
	t.Helper()
	s, err := kv.Open(c.Dir, kv.Options{FS: c.FS, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.Get(metaKey)
	if err != nil {
		t.Fatal(err)
	}
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m.Tree
}

// damage changes the store behind the log's back.
func damage(t *testing.T, c Config, f func(b *kv.Batch, s *pebblestore.Store)) {
	t.Helper()
	s, err := kv.Open(c.Dir, kv.Options{FS: c.FS})
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	f(b, pebblestore.New(s, pebblestore.Options{}))
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustFsck(t *testing.T, f FsckConfig) *FsckReport {
	t.Helper()
	r, err := Fsck(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFsckOfSoundLogs(t *testing.T) {
	for _, n := range []uint64{0, 1, 254, 255, 300, 1500, 66000} {
		c, f, _ := checkedLog(t, n)
		var seen uint64
		f.Workers, f.Progress = 1, func(n uint64) { seen += n }
		r := mustFsck(t, f)
		if !r.OK() || seen != r.Size || r.Size < n {
			t.Errorf("%d entries: %+v", n, r)
		}
		e := mustOpen(t, c)
		if root, err := e.RootAt(ctx, r.Size); err != nil || root != r.Root {
			t.Errorf("%d entries: fsck computes another root, %v", n, err)
		}
		e.Close()
	}
}

func TestFsckFindsAndRepairs(t *testing.T) {
	leaf := func(tree int64, i uint64) []byte {
		k := append([]byte{'l'}, binary.BigEndian.AppendUint64(nil, uint64(tree))...)
		return binary.BigEndian.AppendUint64(k, i)
	}
	flip := func(t *testing.T, b *kv.Batch, s *pebblestore.Store, key []byte, at int) {
		v, err := s.KV().Get(key)
		if err != nil {
			t.Fatal(err)
		}
		if at < 0 {
			at += len(v)
		}
		v[at] ^= 1
		b.Set(key, v)
	}
	for name, c := range map[string]struct {
		damage   func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store)
		what     string
		repaired bool
	}{
		"tile": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) {
			data, _ := s.Tile(tree, pebblestore.TileID{Index: 2})
			data[77] ^= 1
			s.PutTile(b, tree, pebblestore.TileID{Index: 2}, data)
		}, "tile", true},
		"upper tile": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) {
			data, _ := s.Tile(tree, pebblestore.TileID{Level: 1})
			data[0] ^= 1
			s.PutTile(b, tree, pebblestore.TileID{Level: 1}, data)
		}, "tile", true},
		"short tile": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) {
			data, _ := s.Tile(tree, pebblestore.TileID{Index: 3})
			s.PutTile(b, tree, pebblestore.TileID{Index: 3}, data[:32])
		}, "tile", true},
		"index": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) {
			s.PutIdentity(b, tree, identity(entry.ByCA, 7), 0, false)
			s.PutIdentity(b, tree, identity(entry.ByCA, 9), 3, true)
			s.PutIdentity(b, tree, identity(entry.ByCA, 1<<40), 3, true)
		}, "index", true},
		"entry": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) { flip(t, b, s, leaf(tree, 700), -30) }, "entry", false},
		"entry without end": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) { flip(t, b, s, leaf(tree, 700), -1) },
			"entry", false},
		"stored hash": {func(t *testing.T, tree int64, b *kv.Batch, s *pebblestore.Store) { flip(t, b, s, leaf(tree, 5), 20) }, "entry", false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, f, tree := checkedLog(t, 1500)
			damage(t, cfg, func(b *kv.Batch, s *pebblestore.Store) { c.damage(t, tree, b, s) })
			r := mustFsck(t, f)
			if r.OK() || r.Findings[0].What != c.what {
				t.Fatalf("found %+v", r.Findings)
			}
			f.Repair = true
			if r := mustFsck(t, f); r.OK() != c.repaired {
				t.Errorf("repair: %+v", r)
			}
			f.Repair = false
			if r := mustFsck(t, f); r.OK() != c.repaired || c.repaired && len(r.Findings) > 0 {
				t.Errorf("after repair: %+v", r)
			}
		})
	}
}

func TestFsckHoldsTheHeadAgainstTheStore(t *testing.T) {
	c, f, _ := checkedLog(t, 1500)
	// The head of another log with the same key.
	other := c
	other.FS = kv.NewMemFS()
	e := mustOpen(t, other)
	appendAll(t, e, event(t, entry.ByCALink, 0), event(t, entry.ByCALink, 1))
	note, _ := e.Committed(ctx)
	if err := replaceHead(c, note); err != nil {
		t.Fatal(err)
	}
	r := mustFsck(t, f)
	if r.OK() || r.Findings[0].What != "head" || r.Findings[0].Text.JA == "" {
		t.Errorf("forked head: %+v", r.Findings)
	}
	if _, err := Open(ctx, c); say.Code(err) != CodeForked {
		t.Errorf("open with a forked head: %v", err)
	}
	f.HeadDir = "/nowhere"
	if r := mustFsck(t, f); r.OK() {
		t.Error("a missing head was not noticed")
	}
	f.VKey = "nonsense"
	if _, err := Fsck(ctx, f); err == nil {
		t.Error("a key that is none was taken")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	f.VKey = c.VKey
	if _, err := Fsck(gone, f); err == nil {
		t.Error("a cancelled check gave a report")
	}
	_, f.VKey = keyPair(t, "log.test/2")
	if _, err := Fsck(ctx, f); say.Code(err) != CodeKey {
		t.Errorf("other key: %v", err)
	}
}

// replaceHead swaps the head behind the log's back.
func replaceHead(c Config, note []byte) error {
	h, err := head.Open(c.HeadDir, c.FS)
	if err != nil {
		return err
	}
	return errors.Join(h.Swap(h.Get(), note), h.Close())
}
