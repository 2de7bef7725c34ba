package logtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// Same appends the same entries to a log of each engine and compares all that
// an outsider could see, byte by byte: checkpoints, tiles, proofs, receipts,
// status receipts, and the exported folders.
func Same(t *testing.T, one, other Maker) {
	a, b := open(t, one(t)), open(t, other(t))
	ordinals := grow(t, a, b)
	size, _ := a.Size(ctx)
	for level := range uint(2) {
		for i := uint64(0); i<<(8*(level+1)) < size+256; i++ {
			x, errX := a.Tile(ctx, level, i)
			y, errY := b.Tile(ctx, level, i)
			if !bytes.Equal(x, y) || (errX == nil) != (errY == nil) {
				t.Errorf("tile %d/%d differs: %v %v", level, i, errX, errY)
			}
		}
	}
	for i := uint64(0); i < a.PublishedSize(); i += 1 + i/16 {
		x, errX := a.Proof(ctx, i)
		y, errY := b.Proof(ctx, i)
		if errX != nil || errY != nil || !bytes.Equal(x.Marshal(), y.Marshal()) {
			t.Errorf("proof of %d differs: %v %v", i, errX, errY)
		}
		hx, errX := a.Consistency(ctx, i, size)
		hy, errY := b.Consistency(ctx, i, size)
		if errX != nil || errY != nil || !equal(hx, hy) {
			t.Errorf("consistency of %d differs: %v %v", i, errX, errY)
		}
	}
	for i := range ordinals {
		x, errX := a.Status(ctx, i)
		y, errY := b.Status(ctx, i)
		if errX != nil || errY != nil || !bytes.Equal(x.Marshal(), y.Marshal()) {
			t.Errorf("status of %d differs: %v %v", i, errX, errY)
		}
	}
	sameFolders(t, a, b)
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// grow appends to both logs in batches of growing size and compares receipts
// and checkpoints on the way. It returns how many ordinals were issued.
func grow(t *testing.T, a, b Engine) (ordinals uint64) {
	t.Helper()
	seq := uint64(0)
	for n := uint64(1); n < 600; n = n*3/2 + 1 {
		var batch [][]byte
		for range n {
			batch = append(batch, Marshal(t, entry.ByCA, seq, Intent(ordinals)), Marshal(t, entry.ByCA, seq+1, Issued(ordinals)))
			ordinals++
			seq += 2
		}
		batch = append(batch, Marshal(t, entry.ByCA, seq, Revocation(ordinals/2)))
		seq++
		x, errX := a.Append(ctx, batch...)
		y, errY := b.Append(ctx, batch...)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		for i := range x {
			if !bytes.Equal(x[i].Marshal(), y[i].Marshal()) {
				t.Fatalf("receipt of entry %d differs", x[i].Index)
			}
		}
		if n%2 == 0 && n < 400 {
			continue
		}
		cx, errX := a.Publish(ctx)
		cy, errY := b.Publish(ctx)
		if errX != nil || errY != nil || !bytes.Equal(cx, cy) {
			t.Fatalf("published checkpoints differ: %v %v\n%s\n%s", errX, errY, cx, cy)
		}
	}
	return ordinals
}

// sameFolders exports both logs and compares every file.
func sameFolders(t *testing.T, a, b Engine) {
	t.Helper()
	da, db := t.TempDir(), t.TempDir()
	for e, dir := range map[Engine]string{a: da, b: db} {
		if err := publish.ExportLog(ctx, e, dir); err != nil {
			t.Fatal(err)
		}
	}
	x, y := content(t, da), content(t, db)
	if len(x) != len(y) || len(x) < 10 {
		t.Errorf("the exported folders have %d and %d files", len(x), len(y))
	}
	for name := range x {
		if x[name] != y[name] {
			t.Errorf("exported %s differs", name)
		}
	}
}

func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path[len(dir):]] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
