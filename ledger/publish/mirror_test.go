package publish

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

// sameFiles compares two folders file by file.
func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	read := func(dir string) map[string]string {
		out := map[string]string{}
		err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			out[rel] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	left, right := read(a), read(b)
	if len(left) != len(right) || len(left) < 4 {
		t.Errorf("%d files and %d", len(left), len(right))
	}
	for name, text := range left {
		if right[name] != text {
			t.Errorf("%s differs", name)
		}
	}
}

// A log, its mirror over HTTP and what an import makes of it are the same files;
// a proof made from files is the one that the log gives.
func TestRoundTrip(t *testing.T) {
	e, policy := engine(t)
	var batch [][]byte
	for i := range uint64(700) {
		batch = append(batch, event(t, entry.ByCA, i))
	}
	if _, err := e.Append(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	direct, mirrored, again := t.TempDir(), t.TempDir(), t.TempDir()
	if err := ExportLog(ctx, e, direct); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(Handler(Config{Source: e}))
	defer srv.Close()
	c, err := NewClient(srv.URL, srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMirror(ctx, c, policy)
	if err != nil {
		t.Fatal(err)
	}
	if err := ExportLog(ctx, m, mirrored); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, direct, mirrored)
	fs := kv.NewMemFS()
	_, err = trillianlog.Import(ctx, trillianlog.ImportConfig{Dir: "/store", HeadDir: "/head", Keys: []proof.LogKey{{VKey: e.VKey()}}, Now: time.Now, FS: fs},
		func(fn func(uint64, []byte) error) (*proof.Checkpoint, error) {
			return ReadExport(ctx, mirrored, policy, fn)
		})
	if err != nil {
		t.Fatal(err)
	}
	v, err := trillianlog.OpenView(trillianlog.FsckConfig{Dir: "/store", HeadDir: "/head", VKey: e.VKey(), FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := ExportLog(ctx, v, again); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, direct, again)
	for _, i := range []uint64{0, 255, 256, 511, 700} {
		r, b, err := ProveExport(direct, policy, i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := e.Proof(ctx, i)
		if err != nil || !bytes.Equal(r.Marshal(), want.Marshal()) {
			t.Errorf("proof of %d: %v", i, err)
		}
		if whole, err := e.Entry(ctx, i); err != nil || !bytes.Equal(b, whole) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if _, _, err := ProveExport(direct, policy, 9999); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("beyond the log: %v", err)
	}
	name := filepath.Join(direct, "tile", "0", "000")
	tile, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	tile[77] ^= 1
	if err := os.WriteFile(name, tile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ProveExport(direct, policy, 3); !errors.Is(err, proof.ErrFalse) {
		t.Errorf("a changed tile: %v", err)
	}
}

// A mirror believes no server: another log's checkpoint and damaged bundles are
// refused.
func TestMirrorBelievesNobody(t *testing.T) {
	e, _ := engine(t)
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	other, policy := engine(t)
	if _, err := other.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(Handler(Config{Source: e}))
	defer srv.Close()
	c, err := NewClient(srv.URL, srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewMirror(ctx, c, policy); err == nil {
		t.Error("another log's checkpoint")
	}
	right := Handler(Config{Source: other})
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ledger/tile/entries/000.p/2" {
			_, _ = w.Write([]byte{0, 1, 'x'})
			return
		}
		right.ServeHTTP(w, r)
	}))
	defer cut.Close()
	if c, err = NewClient(cut.URL, cut.Client()); err != nil {
		t.Fatal(err)
	}
	m, err := NewMirror(ctx, c, policy)
	if err != nil {
		t.Fatal(err)
	}
	if err := ExportLog(ctx, m, t.TempDir()); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a bundle that is too short: %v", err)
	}
}
