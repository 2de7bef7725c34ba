package registry

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

var (
	testKey = bytes.Repeat([]byte{7}, KeySize)
	now     = time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
)

func open(t testing.TB, dir string) *Registry {
	t.Helper()
	r, err := Open(dir, Config{Key: testKey, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func record(t testing.TB, ordinal uint64, name string) *Record {
	t.Helper()
	k, err := commitment.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Record{Ordinal: ordinal, State: Prepared, Application: fmt.Sprintf("app-%d", ordinal), Serial: fmt.Sprintf("%032x", ordinal+1),
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

func issue(t testing.TB, r *Registry, rec *Record) {
	t.Helper()
	must(t, r.Prepare(rec))
	must(t, r.Change(rec.Ordinal, Relaxed, func(x *Record) error { x.State = Intended; return nil }))
	must(t, r.Change(rec.Ordinal, Synced, func(x *Record) error { x.State, x.DER, x.TBS = Signed, []byte("der"), nil; return nil }))
	must(t, r.Change(rec.Ordinal, Relaxed, func(x *Record) error { x.State = Issued; return nil }))
}

func revoke(t testing.TB, r *Registry, ordinal uint64) {
	t.Helper()
	must(t, r.Change(ordinal, Relaxed, func(x *Record) error {
		x.State, x.Ground, x.Recorded, x.RevocationIndex = Revoked, entry.GroundChange, now, 9
		return nil
	}))
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	rec := record(t, 0, "総務　太郎")
	must(t, r.Prepare(rec))
	if got, err := r.Open(); err != nil || !slices.Equal(got, []uint64{0}) {
		t.Fatalf("open: %v %v", got, err)
	}
	if live, _ := r.LiveByAttributes(rec.Certified.Attributes(), now); len(live) != 1 {
		t.Error("a pending certificate must count for Article 6")
	}
	must(t, r.Discard(0))
	if _, err := r.Get(0); !errors.Is(err, ErrNotFound) {
		t.Errorf("discarded record is there: %v", err)
	}
	issue(t, r, rec)
	if err := r.Discard(0); err == nil {
		t.Error("an issued record was discarded")
	}
	must(t, r.Close())
	r = open(t, dir)
	got, err := r.Get(0)
	if err != nil || got.State != Issued || got.Key != rec.Key || got.Certified != rec.Certified || string(got.DER) != "der" {
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
	revoke(t, r, 0)
	if live, _ := r.LiveByAttributes(rec.Certified.Attributes(), now); len(live) != 0 {
		t.Error("revoked certificate is live")
	}
	if all, _ := r.ByAttributes(rec.Certified.Attributes()); len(all) != 1 {
		t.Error("revoked certificate can't be found")
	}
	var rvs []Revocation
	must(t, r.Revocations(func(rv Revocation) error { rvs = append(rvs, rv); return nil }))
	if len(rvs) != 1 || rvs[0].Serial != rec.Serial || rvs[0].Ground != entry.GroundChange || rvs[0].Index != 9 {
		t.Errorf("revocations: %+v", rvs)
	}
	if n, err := r.Size(); err != nil || n != 1 {
		t.Errorf("size %d %v", n, err)
	}
}

func TestNothingMovesBack(t *testing.T) {
	r := open(t, t.TempDir())
	issue(t, r, record(t, 0, "あ"))
	revoke(t, r, 0)
	for _, s := range []State{Prepared, Intended, Signed, Issued, Aborted} {
		if err := r.Change(0, Synced, func(x *Record) error { x.State = s; return nil }); err == nil {
			t.Errorf("revoked became %d", s)
		}
	}
	issue(t, r, record(t, 1, "い"))
	for _, s := range []State{Prepared, Intended, Signed, Aborted} {
		if err := r.Change(1, Synced, func(x *Record) error { x.State = s; return nil }); err == nil {
			t.Errorf("issued became %d", s)
		}
	}
	must(t, r.Prepare(record(t, 2, "う")))
	if err := r.Change(2, Synced, func(x *Record) error { x.State = Revoked; return nil }); err == nil {
		t.Error("a certificate that was never issued was revoked")
	}
	if err := r.Change(2, Synced, func(x *Record) error { x.Serial = "00"; return nil }); err == nil {
		t.Error("a serial changed")
	}
	if err := r.Change(2, Synced, func(x *Record) error { x.State = Issued; return nil }); err == nil {
		t.Error("issued without a certificate")
	}
	if err := r.Change(9, Synced, func(*Record) error { return nil }); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown ordinal: %v", err)
	}
	must(t, r.Change(2, Synced, func(x *Record) error { x.Abort(); return nil }))
	got, err := r.Get(2)
	if err != nil || !got.Key.IsZero() || got.Certified.Name != "" {
		t.Error("an aborted record keeps the person")
	}
}

func TestDoubles(t *testing.T) {
	r := open(t, t.TempDir())
	must(t, r.Prepare(record(t, 0, "あ")))
	same := record(t, 1, "い")
	same.Serial = record(t, 0, "あ").Serial
	if err := r.Prepare(same); err == nil {
		t.Error("double serial")
	}
	if err := r.Prepare(record(t, 0, "い")); err == nil {
		t.Error("double ordinal")
	}
	keyless := record(t, 1, "い")
	keyless.Key = commitment.Key{}
	if err := r.Prepare(keyless); err == nil {
		t.Error("record without a key")
	}
}

// Scenario 8: two residents with equal attributes are two people.
func TestTwins(t *testing.T) {
	r := open(t, t.TempDir())
	issue(t, r, record(t, 0, "双子　一"))
	issue(t, r, record(t, 1, "双子　一"))
	issue(t, r, record(t, 2, "双子　二"))
	if got, err := r.LiveByAttributes(certified("双子　一").Attributes(), now); err != nil || !slices.Equal(got, []uint64{0, 1}) {
		t.Fatalf("%v %v", got, err)
	}
	if got, _ := r.LiveByAttributes(certified("双子　一").Attributes(), now.AddDate(5, 0, 0)); len(got) != 0 {
		t.Error("expired certificates are live")
	}
}

// Scenario 21: at the end of retention the link is erased.
func TestErase(t *testing.T) {
	r := open(t, t.TempDir())
	rec := record(t, 0, "総務　太郎")
	issue(t, r, rec)
	revoke(t, r, 0)
	must(t, r.Change(0, Synced, func(x *Record) error { x.Erase(); return nil }))
	got, err := r.Get(0)
	if err != nil || !got.Erased || !got.Key.IsZero() || got.DER != nil || got.Certified != (attr.Certified{}) || got.State != Revoked || got.Serial != rec.Serial {
		t.Fatalf("%+v %v", got, err)
	}
	if all, _ := r.ByAttributes(rec.Certified.Attributes()); len(all) != 0 {
		t.Error("the attribute index still knows the person")
	}
	if err := r.Change(0, Synced, func(x *Record) error { x.Erased = false; return nil }); err == nil {
		t.Error("an erased record came back")
	}
}

func TestDiskHoldsNoPerson(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	rec := record(t, 0, "総務　太郎")
	issue(t, r, rec)
	must(t, r.SetList(List{Seq: 0, Day: "2026-11-23", Bytes: []byte(rec.Certified.Name), State: ListPending}))
	from, to := []byte{0}, []byte(nil)
	rows := 0
	must(t, r.kv.Scan(from, to, func(k, v []byte) error {
		rows++
		for what, secret := range map[string][]byte{"name": []byte(rec.Certified.Name), "address": []byte(rec.Certified.Address),
			"birth date": []byte(rec.Certified.BirthDate), "record key": rec.Key[:], "record key in hex": []byte(rec.Key.Hex()), "certificate": []byte("der")} {
			if bytes.Contains(k, secret) || bytes.Contains(v, secret) {
				t.Errorf("row %q holds the %s", k[:2], what)
			}
		}
		return nil
	}))
	if rows < 8 {
		t.Fatalf("only %d rows looked at", rows)
	}
	must(t, r.Close())
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, []byte(rec.Certified.Name)) {
			t.Errorf("%s holds the name", filepath.Base(p))
		}
		return err
	}))
}

func TestRowsCantBeMoved(t *testing.T) {
	r := open(t, t.TempDir())
	issue(t, r, record(t, 0, "あ"))
	issue(t, r, record(t, 1, "い"))
	v, err := r.kv.Get(recordKey(1))
	must(t, err)
	b := r.kv.NewBatch()
	b.Set(recordKey(0), v)
	must(t, b.Commit(true))
	if _, err := r.Get(0); err == nil {
		t.Error("record 1 was read as record 0")
	}
	b = r.kv.NewBatch()
	b.Set(keyKey(1), []byte("short"))
	must(t, b.Commit(true))
	if _, err := r.Get(1); err == nil {
		t.Error("damaged record key was read")
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	must(t, open(t, dir).Close())
	if _, err := Open(dir, Config{Key: bytes.Repeat([]byte{8}, KeySize), Rand: rand.Reader}); say.Code(err) != "registry.key" {
		t.Errorf("wrong key: %v", err)
	}
	if _, err := Open(dir, Config{Key: []byte("short"), Rand: rand.Reader}); err == nil {
		t.Error("short key accepted")
	}
	s, err := kv.Open(dir, kv.Options{})
	must(t, err)
	b := s.NewBatch()
	b.Set([]byte(formatKey), []byte("sukashi-registry-9"))
	must(t, b.Commit(true))
	must(t, s.Close())
	if _, err := Open(dir, Config{Key: testKey, Rand: rand.Reader}); say.Code(err) != "registry.format" {
		t.Errorf("another format: %v", err)
	}
}

func TestHolderQueues(t *testing.T) {
	r := open(t, t.TempDir())
	for o := range uint64(4) {
		issue(t, r, record(t, o, fmt.Sprint("人", o)))
	}
	revoke(t, r, 0) // never told: the register side needn't hear of it
	fresh, err := r.NewHolders(now, 10)
	must(t, err)
	var got []uint64
	for _, rec := range fresh {
		got = append(got, rec.Ordinal)
		must(t, r.Change(rec.Ordinal, Synced, func(x *Record) error { x.Told = true; return nil }))
	}
	if !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Fatalf("new: %v", got)
	}
	revoke(t, r, 2)
	if gone, err := r.GoneHolders(now, 10); err != nil || !slices.Equal(gone, []uint64{2}) {
		t.Fatalf("gone: %v %v", gone, err)
	}
	if gone, _ := r.GoneHolders(now.AddDate(5, 0, 1), 10); !slices.Equal(gone, []uint64{1, 2, 3}) {
		t.Fatalf("gone after expiry: %v", gone)
	}
	must(t, r.Change(2, Synced, func(x *Record) error { x.Gone = true; return nil }))
	if gone, _ := r.GoneHolders(now, 10); len(gone) != 0 {
		t.Errorf("told twice: %v", gone)
	}
	if fresh, _ := r.NewHolders(now, 1); len(fresh) != 0 {
		t.Errorf("%d new holders left", len(fresh))
	}
}

func TestNoticesListsCRLs(t *testing.T) {
	r := open(t, t.TempDir())
	if _, err := r.LastNotice(); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	must(t, r.SetNotice(Notice{Seq: 0, Ordinal: 5, State: NoticeDone}, Synced))
	must(t, r.SetNotice(Notice{Seq: 1, Ordinal: 6, State: NoticePending}, Synced))
	if n, err := r.LastNotice(); err != nil || n.Seq != 1 || n.Ordinal != 6 {
		t.Errorf("%+v %v", n, err)
	}
	must(t, r.DropNotice(1))
	if n, err := r.LastNotice(); err != nil || n.Seq != 0 {
		t.Errorf("%+v %v", n, err)
	}
	if _, err := r.GetNotice(1); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.LastList(); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	must(t, r.SetList(List{Seq: 3, Day: "2026-11-23"}))
	if l, err := r.LastList(); err != nil || l.Seq != 3 {
		t.Errorf("%+v %v", l, err)
	}
	if l, err := r.GetList(3); err != nil || l.Day != "2026-11-23" {
		t.Errorf("%+v %v", l, err)
	}
	must(t, r.SetCRL(CRL{Partition: "full", Number: 1}, Synced))
	must(t, r.SetCRL(CRL{Partition: "full", Number: 1, DER: []byte{1}}, Synced))
	for _, n := range []uint64{0, 1} {
		if err := r.SetCRL(CRL{Partition: "full", Number: n, DER: []byte{2}}, Synced); err == nil {
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

// Whatever happens to records, the derived rows say what the records say.
func TestIndexesFollowRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "r")
		must(t, err)
		r, err := Open(dir, Config{Key: testKey, Rand: rand.Reader})
		must(t, err)
		defer r.Close()
		model := map[uint64]*Record{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			o := rapid.Uint64Range(0, 4).Draw(rt, "ordinal")
			rec, ok := model[o]
			if !ok {
				rec = record(t, o, rapid.SampledFrom([]string{"あ", "い"}).Draw(rt, "name"))
				must(t, r.Prepare(rec))
				model[o] = rec
				continue
			}
			next := rec.clone()
			switch rapid.IntRange(0, 6).Draw(rt, "act") {
			case 0:
				next.State = Intended
			case 1:
				next.State, next.DER = Issued, []byte("der")
			case 2:
				next.State = Revoked
			case 3:
				next.Abort()
			case 4:
				next.Erase()
			case 5:
				next.Told = true
			case 6:
				next.Gone = true
			}
			if r.Change(o, Relaxed, func(x *Record) error { *x = *next; return nil }) == nil {
				model[o] = next
			}
		}
		want := map[string][]byte{}
		for _, rec := range model {
			rows, err := r.derived(rec)
			must(t, err)
			for k, v := range rows {
				want[k] = v
			}
		}
		must(t, r.kv.Scan([]byte("a/"), nil, func(k, v []byte) error {
			if p := string(k[:2]); p == recordPrefix || p == keyPrefix || p == "m/" {
				return nil
			}
			if w, ok := want[string(k)]; !ok || !bytes.Equal(w, v) {
				rt.Errorf("row %q is stale", k[:2])
			}
			delete(want, string(k))
			return nil
		}))
		if len(want) > 0 {
			rt.Errorf("%d rows are missing", len(want))
		}
	})
}
