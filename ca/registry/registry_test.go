package registry_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/registrytest"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
)

var testKey = bytes.Repeat([]byte{7}, registry.KeySize)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files reads every file below dir; an open store may delete some meanwhile.
func files(t testing.TB, dir string) []byte {
	var all []byte
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		all = append(all, b...)
		return err
	}))
	return all
}

func TestPebble(t *testing.T) {
	registrytest.Run(t, func(t testing.TB) registrytest.Backend { return pebbleIn(t.TempDir()) })
}

func pebbleIn(dir string) registrytest.Backend {
	return registrytest.Backend{
		Open: func(t testing.TB) registry.Store {
			s, err := registry.OpenPebble(dir, nil)
			must(t, err)
			return s
		},
		Raw: func(t testing.TB) []byte { return files(t, dir) },
		Backup: func(t testing.TB) registrytest.Backend {
			copied := filepath.Join(t.TempDir(), "copy")
			must(t, os.CopyFS(copied, os.DirFS(dir)))
			return pebbleIn(copied)
		},
	}
}

func openDir(dir string) (*registry.Registry, error) {
	return registry.Open(dir, registry.Config{Key: testKey, Rand: rand.Reader})
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	r, err := openDir(dir)
	must(t, err)
	must(t, r.Close())
	if _, err := registry.Open(dir, registry.Config{Key: bytes.Repeat([]byte{8}, registry.KeySize), Rand: rand.Reader}); say.Code(err) != "registry.key" {
		t.Errorf("wrong key: %v", err)
	}
	if _, err := registry.Open(dir, registry.Config{Key: []byte("short"), Rand: rand.Reader}); err == nil {
		t.Error("short key accepted")
	}
	r, err = registry.Open(dir, registry.Config{Key: testKey, Rand: strings.NewReader("")})
	must(t, err) // reading draws nothing
	must(t, r.Close())
	must(t, os.Rename(filepath.Join(dir, "keys"), filepath.Join(dir, "away")))
	if _, err := openDir(dir); say.Code(err) != "registry.keys-missing" {
		t.Errorf("without the ring: %v", err)
	}
	must(t, os.RemoveAll(filepath.Join(dir, "keys")))
	must(t, os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "keys")))
	s, err := registry.OpenPebble(filepath.Join(dir, "store"), nil)
	must(t, err)
	must(t, s.Note(registry.Synced, map[string][]byte{"ring-epoch": {0, 0, 0, 0, 0, 0, 0, 9}}))
	must(t, s.Close())
	if _, err := openDir(dir); say.Code(err) != "registry.keys-behind" {
		t.Errorf("an old ring: %v", err)
	}
	s, err = registry.OpenPebble(filepath.Join(dir, "store"), nil)
	must(t, err)
	must(t, s.Note(registry.Synced, map[string][]byte{"format": []byte("sukashi-registry-9")}))
	must(t, s.Close())
	if _, err := openDir(dir); say.Code(err) != "registry.format" {
		t.Errorf("another format: %v", err)
	}
}

// The power fails at every step of making, changing and rewriting the ring: the
// registry opens again, what was kept is readable, and what Shred destroyed
// before it returned stays destroyed.
func TestShredCrash(t *testing.T) {
	for at := 1; ; at++ {
		disk := kv.NewCrashableFS()
		n, fired := 0, false
		var after *kv.MemFS
		fs := kv.Wrap(disk, func(string) error {
			if n++; n == at {
				fired, after = true, kv.Crash(disk, 50, uint64(at))
			}
			return nil
		})
		shredded := shredOnce(t, fs)
		if !fired {
			if !shredded {
				t.Fatal("the sweep never came to the end")
			}
			t.Logf("%d steps", at-1)
			return
		}
		r, err := registry.Open("/r", registry.Config{Key: testKey, Rand: rand.Reader, FS: after})
		must(t, err)
		must(t, r.Shred(context.Background()))
		if size, err := r.Size(); err != nil {
			t.Fatal(err)
		} else if size == 2 {
			checkShredded(t, r, at)
		}
		must(t, r.Close())
	}
}

// shredOnce makes two records and erases the first.
func shredOnce(t *testing.T, fs kv.FS) bool {
	r, err := registry.Open("/r", registry.Config{Key: testKey, Rand: rand.Reader, FS: fs})
	must(t, err)
	defer r.Close()
	for o := range uint64(2) {
		registrytest.Issue(t, r, registrytest.NewRecord(t, o, string(rune('あ'+o))))
	}
	registrytest.Revoke(t, r, 0)
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Erase(); return nil }))
	must(t, r.Shred(context.Background()))
	return true
}

func checkShredded(t *testing.T, r *registry.Registry, at int) {
	t.Helper()
	one, err := r.Get(1)
	must(t, err)
	if one.Key.IsZero() {
		t.Fatalf("step %d: the record that was kept is %+v", at, one)
	}
	if found, err := r.ByAttributes(one.Certified.Attributes()); err != nil || len(found) != 1 {
		t.Fatalf("step %d: the record that was kept is found as %v (%v)", at, found, err)
	}
	zero, err := r.Get(0)
	must(t, err)
	if zero.Erased && !zero.Key.IsZero() {
		t.Fatalf("step %d: erased, but the key is there", at)
	}
}
