package publish

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

func TestExportedLogServesFromPlainFiles(t *testing.T) {
	e, policy := engine(t)
	dir := filepath.Join(t.TempDir(), "ledger")
	if err := ExportLog(ctx, e, dir); err == nil {
		t.Error("a log that never published was exported")
	}
	var want [][]byte
	for round, n := range []uint64{3, 600} { // the second export continues the first
		var batch [][]byte
		for range n {
			batch = append(batch, event(t, entry.ByCA, uint64(len(want)+len(batch))))
		}
		want = append(want, batch...)
		if _, err := e.Append(ctx, batch...); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Publish(ctx); err != nil {
			t.Fatal(err)
		}
		if err := ExportLog(ctx, e, dir); err != nil {
			t.Fatalf("export %d: %v", round, err)
		}
	}
	srv := httptest.NewServer(http.StripPrefix("/ledger", http.FileServer(http.Dir(dir))))
	defer srv.Close()
	c, err := NewClient(srv.URL, srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	note, err := c.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := policy.VerifyCheckpoint(note)
	if err != nil {
		t.Fatal(err)
	}
	hr := tlog.TileHashReader(tlog.Tree{N: int64(cp.Size), Hash: cp.Root}, tileReader{c})
	if root, err := tlog.TreeHash(int64(cp.Size), hr); err != nil || root != cp.Root {
		t.Errorf("tiles from files: %v", err)
	}
	seen := 0
	got, err := ReadExport(ctx, dir, policy, func(_ uint64, b []byte) error {
		if seen < len(want) && bytes.Equal(b, want[seen]) {
			seen++
		}
		return nil
	})
	if err != nil || got.Size != cp.Size || seen != len(want) {
		t.Errorf("read %d of %d entries, %v", seen, len(want), err)
	}
}

func TestDamagedExportIsNoticed(t *testing.T) {
	e, policy := engine(t)
	dir := t.TempDir()
	if _, err := e.Append(ctx, event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := ExportLog(ctx, e, dir); err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context) error {
		_, err := ReadExport(ctx, dir, policy, func(uint64, []byte) error { return nil })
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := read(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := ExportLog(gone, e, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled export: %v", err)
	}
	name := filepath.Join(dir, "tile", "entries", "000.p", "3")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func([]byte) []byte{
		"bit":     func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
		"missing": func(b []byte) []byte { return b[:2+int(b[0])<<8+int(b[1])] },
	} {
		if err := os.WriteFile(name, change(bytes.Clone(good)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := read(ctx); err == nil || what == "bit" && !errors.Is(err, proof.ErrFalse) {
			t.Errorf("%s: %v", what, err)
		}
	}
	mine := errors.New("mine")
	os.WriteFile(name, good, 0o644)
	if _, err := ReadExport(ctx, dir, policy, func(uint64, []byte) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("caller's error: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := read(ctx); err == nil {
		t.Error("a missing bundle was not noticed")
	}
	os.Remove(filepath.Join(dir, "checkpoint"))
	if err := read(ctx); err == nil {
		t.Error("a missing checkpoint was not noticed")
	}
}

func TestStackAgreesWithTlog(t *testing.T) {
	var hashes []tlog.Hash
	s := newStack()
	reader := tlog.HashReaderFunc(func(ix []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range ix {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for n := int64(0); n < 300; n++ {
		if want, err := tlog.TreeHash(n, reader); err != nil || s.root() != want {
			t.Fatalf("root of %d differs, %v", n, err)
		}
		b := []byte{byte(n), byte(n >> 8)}
		hs, err := tlog.StoredHashes(n, b, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hs...)
		s.add(b)
	}
}
