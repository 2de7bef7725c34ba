package registry_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/registrytest"
	"github.com/sukashi-project/sukashi/internal/token"
	"github.com/sukashi-project/sukashi/internal/token/tokentest"
	"github.com/sukashi-project/sukashi/ledger/commitment"
)

// erasure plays a whole life with a registry on real files: backups before and
// after, an erasure between, and an intruder who has every file that ever was
// in a backup and every key that is left.
type erasure struct {
	t       *testing.T
	dir     string
	config  func(keys string) registry.Config
	erased  *registry.Record
	kept    *registry.Record
	private []byte // the erased row's sealed bytes, as they lay in the store
}

func (e *erasure) open(dir string) (*registry.Registry, error) {
	s, err := registry.OpenPebble(filepath.Join(dir, "store"), nil)
	if err != nil {
		return nil, err
	}
	keys := filepath.Join(dir, "keys")
	r, err := registry.OpenStore(s, keys, e.config(keys))
	if err != nil {
		s.Close()
	}
	return r, err
}

// issue makes two records and a delivered list about the first, and copies the
// files aside while they are whole.
func (e *erasure) issue() (backup string) {
	t := e.t
	r, err := e.open(e.dir)
	must(t, err)
	defer r.Close()
	e.erased, e.kept = registrytest.NewRecord(t, 0, "総務　太郎"), registrytest.NewRecord(t, 1, "総務　花子")
	registrytest.Issue(t, r, e.erased)
	registrytest.Issue(t, r, e.kept)
	registrytest.Revoke(t, r, 0)
	must(t, r.SetNotice(registry.Notice{Seq: 0, Ordinal: 0, Digest: []byte("mark"), State: registry.NoticeDone}, registry.Synced))
	must(t, r.SetList(registry.List{Seq: 0, Day: "2026-11-23", Bytes: append([]byte(e.erased.Certified.Name), e.erased.Key[:]...), State: registry.ListLogged}))
	must(t, r.Close())
	s, err := registry.OpenPebble(filepath.Join(e.dir, "store"), nil)
	must(t, err)
	_, e.private, err = s.Get(0)
	must(t, err)
	must(t, s.Close())
	backup = filepath.Join(t.TempDir(), "backup")
	must(t, os.CopyFS(backup, os.DirFS(e.dir))) // of everything, the ring too: worse than an operator may do
	return backup
}

func (e *erasure) erase() {
	t := e.t
	r, err := e.open(e.dir)
	must(t, err)
	defer r.Close()
	must(t, r.SetList(registry.List{Seq: 0, Day: "2026-11-23", State: registry.ListDelivered}))
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Erase(); return nil }))
	must(t, r.Shred(context.Background()))
	must(t, r.Scrub())
}

// recovered opens what is in dir with the keys that are left and tells whether
// the erased person can be had from it.
func (e *erasure) recovered(dir string) bool {
	t := e.t
	r, err := e.open(dir)
	if err != nil {
		return false
	}
	defer r.Close()
	rec, err := r.Get(0)
	if err != nil {
		t.Errorf("the record that was erased is not a bare one: %v", err)
	} else if (rec.Key != commitment.Key{} || rec.Certified.Name != "" || rec.DER != nil) {
		return true
	}
	// A person's attributes are guessable: does the index tell where they were?
	if found, err := r.ByAttributes(e.erased.Certified.Attributes()); err != nil || slices.Contains(found, 0) {
		return true
	}
	if l, err := r.GetList(0); err == nil && l.Bytes != nil {
		return true
	}
	if n, err := r.GetNotice(0); err == nil && n.Digest != nil {
		return true
	}
	if kept, err := r.Get(1); err != nil || kept.Key != e.kept.Key {
		t.Errorf("the record that was kept: %v", err)
	}
	again := registrytest.NewRecord(t, 2, e.kept.Certified.Name)
	if err := r.Prepare(again); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("a second certificate for the person who was kept: %v", err)
	}
	return false
}

func (e *erasure) run() {
	t := e.t
	backup := e.issue()
	if !e.recovered(backup) {
		t.Fatal("the test can't even read the backup before the erasure")
	}
	must(t, os.RemoveAll(backup))
	must(t, os.CopyFS(backup, os.DirFS(e.dir)))
	e.erase()
	if e.recovered(e.dir) {
		t.Error("the erased person is still in the registry")
	}
	// The whole backup, ring included: its generation of the KEK is gone.
	if e.recovered(backup) {
		t.Error("the erased person comes back from a backup of store and ring")
	}
	// The backup's store with today's ring: restored as an operator would.
	must(t, os.RemoveAll(filepath.Join(backup, "keys")))
	must(t, os.CopyFS(filepath.Join(backup, "keys"), os.DirFS(filepath.Join(e.dir, "keys"))))
	r, err := e.open(backup)
	must(t, err) // what doesn't open tells nothing, but not because it was erased
	must(t, r.Close())
	if e.recovered(backup) {
		t.Error("the erased person comes back from a restored store")
	}
}

func TestErasedForGoodSoftware(t *testing.T) {
	e := &erasure{t: t, dir: filepath.Join(t.TempDir(), "registry")}
	kek := filepath.Join(t.TempDir(), "kek") // apart: never in a backup
	e.config = func(string) registry.Config {
		k, err := registry.SoftwareKEK(nil, kek, testKey, rand.Reader)
		must(t, err)
		return registry.Config{KEK: k, Rand: rand.Reader}
	}
	e.run()
	raw := files(t, e.dir)
	if len(e.private) < 100 || bytes.Contains(raw, e.private) {
		t.Errorf("the erased row's %d sealed bytes are in the files after Scrub", len(e.private))
	}
}

func TestErasedForGoodToken(t *testing.T) {
	tokentest.SoftHSM(t, "ca")
	m, err := token.OpenModule(tokentest.Library, "")
	must(t, err)
	t.Cleanup(func() { m.Close() })
	k, err := token.NewKEK(token.Token{Module: m, Label: "ca", PIN: tokentest.PIN}, "registry-kek")
	must(t, err)
	e := &erasure{t: t, dir: filepath.Join(t.TempDir(), "registry")}
	e.config = func(string) registry.Config { return registry.Config{KEK: k, Rand: rand.Reader} }
	e.run()
	r, err := e.open(e.dir)
	must(t, err)
	must(t, r.Rotate())
	must(t, r.Close())
	if e.recovered(e.dir) {
		t.Error("after a rotation the erased person is back")
	}
}
