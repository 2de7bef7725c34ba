// Package registrytest is the conformance suite of the registry's back ends:
// whatever keeps the rows must behave as this says. It is imported by tests
// only.
package registrytest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Backend is one empty store of the kind under test.
type Backend struct {
	// Open opens it, and opens it again after it was closed.
	Open func(t testing.TB) registry.Store
	// Raw returns everything that it has at rest, as an intruder would read it.
	Raw func(t testing.TB) []byte
	// Backup copies it as it is now; it is closed.
	Backup func(t testing.TB) Backend
}

// Run holds a back end to the registry's promises. fresh gives a new empty one.
func Run(t *testing.T, fresh func(t testing.TB) Backend) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, b Backend)
	}{
		{"life", life}, {"nothing moves back", nothingMovesBack}, {"taken", taken}, {"one live certificate", oneLive}, {"twins", twins},
		{"applications", applications}, {"erase", erase}, {"sealed at rest", sealedAtRest}, {"holder queues", holderQueues},
		{"notices, lists, CRLs", notes}, {"shred", shred}, {"restored backup", restored}, {"histories", histories}, {"concurrent", concurrent},
		{"under way", underWay},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

// now is the suite's time.
var now = time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)

// Keys is a key ring that outlives the store it is for.
type Keys struct{ FS kv.FS }

// NewKeys returns an empty ring in memory.
func NewKeys() Keys { return Keys{kv.NewMemFS()} }

// Config opens the ring.
func (k Keys) Config() registry.Config {
	return registry.Config{Key: bytes.Repeat([]byte{7}, registry.KeySize), Rand: rand.Reader, FS: k.FS}
}

// open opens a registry; the caller may close it before the test's end.
func open(t testing.TB, b Backend, k Keys) *registry.Registry {
	t.Helper()
	r, err := registry.OpenStore(b.Open(t), "/keys", k.Config())
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// NewRecord returns a record in state Prepared.
func NewRecord(t testing.TB, ordinal uint64, name string) *registry.Record {
	t.Helper()
	k, err := commitment.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &registry.Record{Ordinal: ordinal, State: registry.Prepared, Application: fmt.Sprintf("app-%d", ordinal), Serial: fmt.Sprintf("%032x", ordinal+1),
		Municipality: "202011", Certified: certified(name), NotBefore: now, NotAfter: now.AddDate(5, 0, 0),
		TBS: []byte("tbs"), Digest: entry.Sum([]byte("tbs")), SPKI: entry.Sum([]byte(fmt.Sprint(ordinal))), Key: k}
}

func certified(name string) attr.Certified {
	return attr.Certified{Name: name, NameMap: strings.Repeat("0", len([]rune(name))), BirthDate: "319620617", Sex: attr.Male,
		Address: "長野県長野市", AddressMap: "000000"}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Issue takes a record from Prepared to Issued.
func Issue(t testing.TB, r *registry.Registry, rec *registry.Record) {
	t.Helper()
	must(t, r.Prepare(rec))
	must(t, r.Change(rec.Ordinal, registry.Relaxed, func(x *registry.Record) error { x.State = registry.Intended; return nil }))
	must(t, r.Change(rec.Ordinal, registry.Synced, func(x *registry.Record) error {
		x.State, x.DER, x.TBS = registry.Signed, []byte("der"), nil
		return nil
	}))
	must(t, r.Change(rec.Ordinal, registry.Relaxed, func(x *registry.Record) error { x.State = registry.Issued; return nil }))
}

// Revoke revokes an issued record.
func Revoke(t testing.TB, r *registry.Registry, ordinal uint64) {
	t.Helper()
	must(t, r.Change(ordinal, registry.Relaxed, func(x *registry.Record) error {
		x.State, x.Ground, x.Recorded, x.RevocationIndex = registry.Revoked, entry.GroundChange, now, 9
		return nil
	}))
}

func life(t *testing.T, b Backend) {
	keys := NewKeys()
	r := open(t, b, keys)
	rec := NewRecord(t, 0, "総務　太郎")
	must(t, r.Prepare(rec))
	if got, err := r.Open(); err != nil || !slices.Equal(got, []uint64{0}) {
		t.Fatalf("open: %v %v", got, err)
	}
	if live, _ := r.LiveByAttributes(rec.Certified.Attributes(), now); len(live) != 1 {
		t.Error("a pending certificate must count for Article 6")
	}
	must(t, r.Discard(0))
	if _, err := r.Get(0); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("discarded record is there: %v", err)
	}
	Issue(t, r, rec)
	if err := r.Discard(0); err == nil {
		t.Error("an issued record was discarded")
	}
	must(t, r.Close())
	r = open(t, b, keys)
	got, err := r.Get(0)
	if err != nil || got.State != registry.Issued || got.Key != rec.Key || got.Certified != rec.Certified || string(got.DER) != "der" {
		t.Fatalf("after reopening: %+v %v", got, err)
	}
	for name, look := range map[string]func() (uint64, error){
		"application": func() (uint64, error) { return r.ByApplication("app-0") },
		"serial":      func() (uint64, error) { return r.BySerial(rec.Serial) },
		"key":         func() (uint64, error) { return r.ByKey(rec.SPKI) },
	} {
		if o, err := look(); err != nil || o != 0 {
			t.Errorf("by %s: %d %v", name, o, err)
		}
	}
	if got, _ := r.Open(); len(got) != 0 {
		t.Error("issued record is still open")
	}
	Revoke(t, r, 0)
	if live, _ := r.LiveByAttributes(rec.Certified.Attributes(), now); len(live) != 0 {
		t.Error("revoked certificate is live")
	}
	if all, _ := r.ByAttributes(rec.Certified.Attributes()); len(all) != 1 {
		t.Error("revoked certificate can't be found")
	}
	var rvs []registry.Revocation
	must(t, r.Revocations(func(rv registry.Revocation) error { rvs = append(rvs, rv); return nil }))
	if len(rvs) != 1 || rvs[0].Serial != rec.Serial || rvs[0].Ground != entry.GroundChange || rvs[0].Index != 9 {
		t.Errorf("revocations: %+v", rvs)
	}
	if n, err := r.Size(); err != nil || n != 1 {
		t.Errorf("size %d %v", n, err)
	}
}

func nothingMovesBack(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	Issue(t, r, NewRecord(t, 0, "あ"))
	Revoke(t, r, 0)
	for _, s := range []registry.State{registry.Prepared, registry.Intended, registry.Signed, registry.Issued, registry.Aborted} {
		if err := r.Change(0, registry.Synced, func(x *registry.Record) error { x.State = s; return nil }); err == nil {
			t.Errorf("revoked became %d", s)
		}
	}
	Issue(t, r, NewRecord(t, 1, "い"))
	for _, s := range []registry.State{registry.Prepared, registry.Intended, registry.Signed, registry.Aborted} {
		if err := r.Change(1, registry.Synced, func(x *registry.Record) error { x.State = s; return nil }); err == nil {
			t.Errorf("issued became %d", s)
		}
	}
	must(t, r.Prepare(NewRecord(t, 2, "う")))
	if err := r.Change(2, registry.Synced, func(x *registry.Record) error { x.State = registry.Revoked; return nil }); err == nil {
		t.Error("a certificate that was never issued was revoked")
	}
	if err := r.Change(2, registry.Synced, func(x *registry.Record) error { x.Serial = "00"; return nil }); err == nil {
		t.Error("a serial changed")
	}
	if err := r.Change(2, registry.Synced, func(x *registry.Record) error { x.State = registry.Issued; return nil }); err == nil {
		t.Error("issued without a certificate")
	}
	if err := r.Change(9, registry.Synced, func(*registry.Record) error { return nil }); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown ordinal: %v", err)
	}
	must(t, r.Change(2, registry.Synced, func(x *registry.Record) error { x.Abort(); return nil }))
	got, err := r.Get(2)
	if err != nil || !got.Key.IsZero() || got.Certified.Name != "" {
		t.Error("an aborted record keeps the person")
	}
}

// Scenario 8: two residents with equal attributes are two people.
func twins(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	Issue(t, r, NewRecord(t, 0, "双子　一"))
	twin := NewRecord(t, 1, "双子　一")
	twin.Twin = true
	Issue(t, r, twin)
	Issue(t, r, NewRecord(t, 2, "双子　二"))
	if got, err := r.LiveByAttributes(certified("双子　一").Attributes(), now); err != nil || !slices.Equal(got, []uint64{0, 1}) {
		t.Fatalf("%v %v", got, err)
	}
	if got, _ := r.LiveByAttributes(certified("双子　一").Attributes(), now.AddDate(5, 0, 0)); len(got) != 0 {
		t.Error("expired certificates are live")
	}
}

// Scenario 21: at the end of retention the link is erased.
func erase(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	rec := NewRecord(t, 0, "総務　太郎")
	Issue(t, r, rec)
	Revoke(t, r, 0)
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Erase(); return nil }))
	got, err := r.Get(0)
	if err != nil || !got.Erased || !got.Key.IsZero() || got.DER != nil || got.Certified != (attr.Certified{}) || got.State != registry.Revoked || got.Serial != rec.Serial {
		t.Fatalf("%+v %v", got, err)
	}
	if all, _ := r.ByAttributes(rec.Certified.Attributes()); len(all) != 0 {
		t.Error("the attribute index still knows the person")
	}
	if err := r.Change(0, registry.Synced, func(x *registry.Record) error { x.Erased = false; return nil }); err == nil {
		t.Error("an erased record came back")
	}
}

func holderQueues(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	for o := range uint64(4) {
		Issue(t, r, NewRecord(t, o, fmt.Sprint("人", o)))
	}
	Revoke(t, r, 0) // never told: the register side needn't hear of it
	fresh, err := r.NewHolders(now, 10)
	must(t, err)
	var got []uint64
	for _, rec := range fresh {
		got = append(got, rec.Ordinal)
		must(t, r.Change(rec.Ordinal, registry.Synced, func(x *registry.Record) error { x.Told = true; return nil }))
	}
	if !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Fatalf("new: %v", got)
	}
	Revoke(t, r, 2)
	if gone, err := r.GoneHolders(now, 10); err != nil || !slices.Equal(gone, []uint64{2}) {
		t.Fatalf("gone: %v %v", gone, err)
	}
	if gone, _ := r.GoneHolders(now.AddDate(5, 0, 1), 10); !slices.Equal(gone, []uint64{1, 2, 3}) {
		t.Fatalf("gone after expiry: %v", gone)
	}
	must(t, r.Change(2, registry.Synced, func(x *registry.Record) error { x.Gone = true; return nil }))
	if gone, _ := r.GoneHolders(now, 10); len(gone) != 0 {
		t.Errorf("told twice: %v", gone)
	}
	if fresh, _ := r.NewHolders(now, 1); len(fresh) != 0 {
		t.Errorf("%d new holders left", len(fresh))
	}
}

func notes(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	if _, err := r.LastNotice(); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	must(t, r.SetNotice(registry.Notice{Seq: 0, Ordinal: 5, State: registry.NoticeDone}, registry.Synced))
	must(t, r.SetNotice(registry.Notice{Seq: 1, Ordinal: 6, State: registry.NoticePending}, registry.Synced))
	if n, err := r.LastNotice(); err != nil || n.Seq != 1 || n.Ordinal != 6 {
		t.Errorf("%+v %v", n, err)
	}
	must(t, r.DropNotice(1))
	if n, err := r.LastNotice(); err != nil || n.Seq != 0 {
		t.Errorf("%+v %v", n, err)
	}
	if _, err := r.GetNotice(1); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.LastList(); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	must(t, r.SetList(registry.List{Seq: 3, Day: "2026-11-23"}))
	if l, err := r.LastList(); err != nil || l.Seq != 3 {
		t.Errorf("%+v %v", l, err)
	}
	if l, err := r.GetList(3); err != nil || l.Day != "2026-11-23" {
		t.Errorf("%+v %v", l, err)
	}
	must(t, r.SetCRL(registry.CRL{Partition: "full", Number: 1}, registry.Synced))
	must(t, r.SetCRL(registry.CRL{Partition: "full", Number: 1, DER: []byte{1}}, registry.Synced))
	for _, n := range []uint64{0, 1} {
		if err := r.SetCRL(registry.CRL{Partition: "full", Number: n, DER: []byte{2}}, registry.Synced); err == nil {
			t.Errorf("number %d after 1", n)
		}
	}
	if c, err := r.GetCRL("full"); err != nil || c.Number != 1 || len(c.DER) != 1 {
		t.Errorf("%+v %v", c, err)
	}
	if n, err := r.Cursor("ca-server"); err != nil || n != 0 {
		t.Error(n, err)
	}
	must(t, r.SetCursor("ca-server", 42))
	if n, _ := r.Cursor("ca-server"); n != 42 {
		t.Error(n)
	}
}
