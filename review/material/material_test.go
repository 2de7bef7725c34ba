package material

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
)

// write puts entries into bundle files as C2SP tlog-tiles lays them out.
func write(t *testing.T, dir string, n int) {
	t.Helper()
	for from := 0; from < n; from += width {
		w := min(width, n-from)
		var b []byte
		for i := range w {
			e := []byte{byte(from + i), byte((from + i) >> 8)}
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(e))), e...)
		}
		path := filepath.Join(dir, number(uint64(from/width)))
		if w < width {
			path = filepath.Join(path+".p", map[bool]string{true: "44", false: "0"}[w == 44])
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBundles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, 300) // one full bundle, one of 44
	for _, r := range [][2]uint64{{0, 300}, {0, 256}, {10, 20}, {255, 257}, {299, 300}} {
		next := r[0]
		err := bundles(dir).Entries(context.Background(), r[0], r[1], func(i uint64, b []byte) error {
			if i != next || uint64(binary.LittleEndian.Uint16(b)) != i {
				t.Fatalf("%v: entry %d is %x", r, i, b)
			}
			next++
			return nil
		})
		if err != nil && r[1] == 300 || err != nil && r[1] <= 256 {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestBrokenBundles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, 256)
	all := func(size uint64) string {
		return say.Code(bundles(dir).Entries(context.Background(), 0, size, func(uint64, []byte) error { return nil }))
	}
	if got := all(300); got != "material.bundle-missing" {
		t.Errorf("missing: %s", got)
	}
	path := filepath.Join(dir, "000")
	b, _ := os.ReadFile(path)
	for name, bad := range map[string][]byte{"cut": b[:len(b)-1], "short": b[:len(b)-4], "length": append([]byte{0xff, 0xff}, b[2:]...)} {
		os.WriteFile(path, bad, 0o644)
		if got := all(256); got != "material.bundle-broken" {
			t.Errorf("%s: %s", name, got)
		}
	}
	os.WriteFile(path, b, 0o644)
	stop := errors.New("stop")
	if err := bundles(dir).Entries(context.Background(), 0, 256, func(uint64, []byte) error { return stop }); err != stop {
		t.Errorf("the callback's error is lost: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := bundles(dir).Entries(ctx, 0, 256, func(uint64, []byte) error { return nil }); err == nil {
		t.Error("a cancelled context reads on")
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[uint64]string{0: "000", 7: "007", 999: "999", 1000: "x001/000", 1234067: "x001/x234/067"} {
		if got := number(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	_, err := Read(context.Background(), t.TempDir())
	if say.Code(err) != "material.missing" {
		t.Errorf("an empty folder: %v", err)
	}
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "council.keys"), []byte("AAAA\n"), 0o644)
	if _, err := council(dir); say.Code(err) != "material.keys" {
		t.Errorf("a broken key: %v", err)
	}
	if ks, err := council(t.TempDir()); err != nil || ks != nil {
		t.Errorf("no keys: %v %v", ks, err)
	}
}
