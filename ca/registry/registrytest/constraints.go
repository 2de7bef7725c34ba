package registrytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/commitment"
)

// taken: one ordinal, one serial, one public key, one application and person,
// also when they were looked for in vain before.
func taken(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	first := NewRecord(t, 0, "あ")
	_, byApplication := r.ByApplication(first.Application)
	_, bySerial := r.BySerial(first.Serial)
	_, byKey := r.ByKey(first.SPKI)
	for _, err := range []error{byApplication, bySerial, byKey} {
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("in an empty registry: %v", err)
		}
	}
	if found, err := r.ByAttributes(first.Certified.Attributes()); err != nil || len(found) > 0 {
		t.Errorf("in an empty registry: %v %v", found, err)
	}
	must(t, r.Prepare(first))
	for what, change := range map[string]func(*registry.Record){
		"ordinal":     func(x *registry.Record) { x.Ordinal = 0 },
		"serial":      func(x *registry.Record) { x.Serial = first.Serial },
		"key":         func(x *registry.Record) { x.SPKI = first.SPKI },
		"application": func(x *registry.Record) { x.Application = first.Application },
		"person":      func(x *registry.Record) { x.Certified = first.Certified },
	} {
		x := NewRecord(t, 1, "い")
		change(x)
		if err := r.Prepare(x); !errors.Is(err, registry.ErrTaken) {
			t.Errorf("double %s: %v", what, err)
		}
		// All or none, and within one call too.
		if err := r.Prepare(NewRecord(t, 2, "う"), x); !errors.Is(err, registry.ErrTaken) {
			t.Errorf("double %s beside another: %v", what, err)
		}
		if n, err := r.Size(); err != nil || n != 1 {
			t.Fatalf("size after a refusal: %d %v", n, err)
		}
	}
	pair := []*registry.Record{NewRecord(t, 5, "え"), NewRecord(t, 6, "お")}
	pair[1].Serial = pair[0].Serial
	if err := r.Prepare(pair...); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("double serial in one call: %v", err)
	}
	keyless := NewRecord(t, 1, "い")
	keyless.Key = commitment.Key{}
	if err := r.Prepare(keyless); err == nil {
		t.Error("record without a key")
	}
}

// oneLive: Article 6 holds in the store, whatever its caller has checked.
func oneLive(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	Issue(t, r, NewRecord(t, 0, "あ"))
	if err := r.Prepare(NewRecord(t, 1, "あ")); !errors.Is(err, registry.ErrTaken) {
		t.Fatalf("second live certificate: %v", err)
	}
	if err := r.Prepare(NewRecord(t, 1, "い"), NewRecord(t, 2, "い")); !errors.Is(err, registry.ErrTaken) {
		t.Fatalf("two in one call: %v", err)
	}
	// After the first one's end there may be another: the second it expires.
	later := NewRecord(t, 1, "あ")
	later.NotBefore = now.AddDate(5, 0, 0).Add(-time.Second)
	later.NotAfter = later.NotBefore.AddDate(5, 0, 0)
	if err := r.Prepare(later); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("one second too early: %v", err)
	}
	later.NotBefore = later.NotBefore.Add(time.Second)
	must(t, r.Prepare(later))
	must(t, r.Discard(1))
	// Revoked, it keeps nobody away; aborted neither.
	Revoke(t, r, 0)
	must(t, r.Prepare(NewRecord(t, 1, "あ")))
	must(t, r.Change(1, registry.Synced, func(x *registry.Record) error { x.State = registry.Intended; return nil }))
	must(t, r.Change(1, registry.Synced, func(x *registry.Record) error { x.Abort(); return nil }))
	must(t, r.Prepare(NewRecord(t, 2, "あ")))
}

// applications: an id leads to one record that was not aborted.
func applications(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	must(t, r.Prepare(NewRecord(t, 0, "あ")))
	again := func(o uint64, name string) *registry.Record {
		x := NewRecord(t, o, name)
		x.Application = "app-0"
		return x
	}
	if err := r.Prepare(again(1, "い")); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("double application: %v", err)
	}
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.State = registry.Intended; return nil }))
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Abort(); return nil }))
	if o, err := r.ByApplication("app-0"); err != nil || o != 0 {
		t.Errorf("aborted application: %d %v", o, err)
	}
	Issue(t, r, again(1, "い"))
	if err := r.Prepare(again(2, "う")); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("double application: %v", err)
	}
	must(t, r.Shred(context.Background())) // of the aborted one
	if o, err := r.ByApplication("app-0"); err != nil || o != 1 {
		t.Errorf("by application: %d %v", o, err)
	}
	if _, err := r.ByApplication("app-9"); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
}

// sealedAtRest: nothing at rest tells a person, a key or a certificate.
func sealedAtRest(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	rec := NewRecord(t, 0, "総務　太郎")
	Issue(t, r, rec)
	must(t, r.SetList(registry.List{Seq: 0, Day: "2026-11-23", Bytes: []byte(rec.Certified.Name), State: registry.ListPending}))
	must(t, r.SetNotice(registry.Notice{Seq: 0, Digest: []byte(rec.Certified.Name), State: registry.NoticeDone}, registry.Synced))
	raw := b.Raw(t)
	if !bytes.Contains(raw, []byte(rec.Serial)) {
		t.Fatal("the search doesn't even find the serial")
	}
	for what, secret := range map[string][]byte{"name": []byte(rec.Certified.Name), "address": []byte(rec.Certified.Address),
		"birth date": []byte(rec.Certified.BirthDate), "record key": rec.Key[:], "record key in hex": []byte(rec.Key.Hex()), "application": []byte(rec.Application)} {
		if bytes.Contains(raw, secret) {
			t.Errorf("the %s is at rest", what)
		}
	}
}

// shred: what Shred destroys can't be read, everything else can, also by its
// attributes; and a person who was erased may get a certificate again.
func shred(t *testing.T, b Backend) {
	keys := NewKeys()
	r := open(t, b, keys)
	var recs []*registry.Record
	for o := range uint64(5) {
		recs = append(recs, NewRecord(t, o, fmt.Sprint("人", o)))
		Issue(t, r, recs[o])
	}
	must(t, r.SetNotice(registry.Notice{Seq: 0, Ordinal: 1, Digest: []byte("mark"), State: registry.NoticeDone, Index: 7}, registry.Synced))
	must(t, r.SetList(registry.List{Seq: 0, Day: "2026-11-23", Bytes: []byte("message"), State: registry.ListLogged}))
	must(t, r.SetList(registry.List{Seq: 0, Day: "2026-11-23", State: registry.ListDelivered}))
	for _, o := range []uint64{1, 3} {
		Revoke(t, r, o)
		must(t, r.Change(o, registry.Synced, func(x *registry.Record) error { x.Erase(); return nil }))
	}
	if doomed, err := r.Doomed(); err != nil || !doomed {
		t.Fatalf("nothing is doomed: %v", err)
	}
	must(t, r.Shred(context.Background()))
	must(t, r.Close())
	r = open(t, b, keys)
	if doomed, err := r.Doomed(); err != nil || doomed {
		t.Fatalf("still doomed after Shred: %v", err)
	}
	for o, rec := range recs {
		got, err := r.Get(uint64(o))
		must(t, err)
		gone := o == 1 || o == 3
		if got.Erased != gone || got.Key.IsZero() != gone || got.Serial != rec.Serial || !gone && got.Certified != rec.Certified {
			t.Errorf("record %d after Shred: %+v", o, got)
		}
		if found, err := r.ByAttributes(rec.Certified.Attributes()); err != nil || len(found) == 0 != gone {
			t.Errorf("by the attributes of %d: %v %v", o, found, err)
		}
	}
	if n, err := r.GetNotice(0); err != nil || n.Digest != nil || n.Index != 7 || n.Ordinal != 1 {
		t.Errorf("notice: %+v %v", n, err)
	}
	if err := r.Prepare(NewRecord(t, 5, "人0")); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("after the index was made anew: %v", err)
	}
	must(t, r.Prepare(NewRecord(t, 5, "人1")))
	must(t, r.Rotate())
	if _, err := r.Get(0); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
}

// restored: a backup from before an erasure, opened with today's keys, doesn't
// tell who was erased, and keeps its other promises.
func restored(t *testing.T, b Backend) {
	keys := NewKeys()
	r := open(t, b, keys)
	gone, kept := NewRecord(t, 0, "総務　太郎"), NewRecord(t, 1, "総務　花子")
	Issue(t, r, gone)
	Issue(t, r, kept)
	Revoke(t, r, 0)
	must(t, r.Close())
	backup := b.Backup(t)
	r = open(t, b, keys)
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Erase(); return nil }))
	must(t, r.Shred(context.Background()))
	must(t, r.Scrub())
	must(t, r.Close())
	r = open(t, backup, keys)
	rec, err := r.Get(0)
	if err != nil || !rec.Erased || !rec.Key.IsZero() || rec.Certified.Name != "" || rec.DER != nil || rec.Serial != gone.Serial {
		t.Errorf("the erased record from the backup: %+v %v", rec, err)
	}
	if found, err := r.ByAttributes(gone.Certified.Attributes()); err != nil || len(found) > 0 {
		t.Errorf("the backup's index knows the erased person: %v %v", found, err)
	}
	if rec, err := r.Get(1); err != nil || rec.Key != kept.Key {
		t.Errorf("the kept record from the backup: %v", err)
	}
	if err := r.Prepare(NewRecord(t, 2, "総務　花子")); !errors.Is(err, registry.ErrTaken) {
		t.Errorf("a second certificate for the person who was kept: %v", err)
	}
	must(t, r.Prepare(NewRecord(t, 2, "総務　太郎")))
}

// histories: whatever happens to records, the look-ups say what they say.
func histories(t *testing.T, b Backend) {
	names := []string{"あ", "い"}
	var base uint64
	r := open(t, b, NewKeys())
	rapid.Check(t, func(rt *rapid.T) {
		base += 10 // one store, each history at its own ordinals
		clock := now.AddDate(int(base), 0, 0)
		model := map[uint64]*registry.Record{}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			o := base + rapid.Uint64Range(0, 4).Draw(rt, "ordinal")
			rec, ok := model[o]
			if !ok {
				rec = NewRecord(t, o, fmt.Sprint(base, rapid.SampledFrom(names).Draw(rt, "name")))
				rec.NotBefore, rec.NotAfter, rec.Twin = clock, clock.AddDate(5, 0, 0), rapid.Bool().Draw(rt, "twin")
				clash := false
				for _, other := range model {
					clash = clash || other.Live(clock) && !other.Twin && !rec.Twin && other.Certified == rec.Certified && !other.Erased
				}
				if err := r.Prepare(rec); clash != errors.Is(err, registry.ErrTaken) || !clash && err != nil {
					rt.Fatalf("prepare, clash %v: %v", clash, err)
				} else if !clash {
					model[o] = rec
				}
				continue
			}
			next := *rec
			switch rapid.IntRange(0, 6).Draw(rt, "act") {
			case 0:
				next.State = registry.Intended
			case 1:
				next.State, next.DER = registry.Issued, []byte("der")
			case 2:
				next.State = registry.Revoked
			case 3:
				next.Abort()
			case 4:
				if next.State >= registry.Issued {
					next.Erase()
				}
			case 5:
				next.Told = true
			case 6:
				next.Gone = true
			}
			if r.Change(o, registry.Relaxed, func(x *registry.Record) error { *x = next; return nil }) == nil {
				model[o] = &next
			}
		}
		compare(rt, r, model, base, names)
	})
}

// compare holds the store's answers for the ordinals of one history to a model.
func compare(rt *rapid.T, r *registry.Registry, model map[uint64]*registry.Record, base uint64, names []string) {
	persons, open, fresh, gone, expiring := map[string][]uint64{}, []uint64(nil), []uint64(nil), []uint64(nil), []uint64(nil)
	for o := base; o < base+5; o++ {
		rec, ok := model[o]
		if !ok {
			continue
		}
		if !rec.Key.IsZero() {
			persons[rec.Certified.Name] = append(persons[rec.Certified.Name], o)
		}
		switch {
		case rec.State <= registry.Signed:
			open = append(open, o)
		case rec.State == registry.Issued && !rec.Told && !rec.Erased:
			fresh = append(fresh, o)
		case rec.State == registry.Issued && rec.Told && !rec.Gone:
			expiring = append(expiring, o)
		case rec.State == registry.Revoked && rec.Told && !rec.Gone:
			gone = append(gone, o)
		}
		if got, err := r.BySerial(rec.Serial); err != nil || got != o {
			rt.Errorf("by serial: %d %v", got, err)
		}
	}
	for _, n := range names {
		n = fmt.Sprint(base, n)
		if got, err := r.ByAttributes(certified(n).Attributes()); err != nil || !slices.Equal(got, persons[n]) {
			rt.Errorf("by attributes: %v, want %v (%v)", got, persons[n], err)
		}
	}
	here := func(all []uint64) (out []uint64) {
		for _, o := range all {
			if o >= base && o < base+5 {
				out = append(out, o)
			}
		}
		return out
	}
	gotOpen, err := r.Open()
	if err != nil || !slices.Equal(here(gotOpen), open) {
		rt.Errorf("open: %v, want %v (%v)", here(gotOpen), open, err)
	}
	gotGone, err := r.GoneHolders(now, 1<<30)
	if err != nil || !slices.Equal(here(gotGone), gone) {
		rt.Errorf("gone: %v, want %v (%v)", here(gotGone), gone, err)
	}
	end := now.AddDate(int(base)+5, 0, 0)
	gotGone, err = r.GoneHolders(end, 1<<30)
	want := append(slices.Clone(gone), expiring...)
	slices.Sort(want)
	if err != nil || !slices.Equal(here(gotGone), want) {
		rt.Errorf("gone at the end: %v, want %v (%v)", here(gotGone), want, err)
	}
	recs, err := r.NewHolders(now.AddDate(int(base), 0, 0), 1<<30)
	var gotNew []uint64
	for _, rec := range recs {
		gotNew = append(gotNew, rec.Ordinal)
	}
	if err != nil || !slices.Equal(here(gotNew), fresh) {
		rt.Errorf("new: %v, want %v (%v)", here(gotNew), fresh, err)
	}
}

// concurrent: many callers for one person, one of them gets it; many changes of
// many records, none is lost.
func concurrent(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	const callers = 16
	var won atomic.Int64
	var wg sync.WaitGroup
	for o := range uint64(callers) {
		rec := NewRecord(t, o, "あ")
		wg.Go(func() {
			switch err := r.Prepare(rec); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, registry.ErrTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d certificates for one person", won.Load())
	}
	for o := range uint64(callers) {
		rec := NewRecord(t, 100+o, fmt.Sprint("人", o))
		wg.Go(func() {
			if err := r.Prepare(rec); err != nil {
				t.Error(err)
			}
			for range 5 {
				if err := r.Change(rec.Ordinal, registry.Synced, func(x *registry.Record) error { x.IntentSeq++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for o := range uint64(callers) {
		if rec, err := r.Get(100 + o); err != nil || rec.IntentSeq != 5 {
			t.Errorf("record %d: %v %v", 100+o, rec, err)
		}
	}
}

// underWay: an issuance goes on over a rewrite of the index as over nothing, and
// several records change together or not at all.
func underWay(t *testing.T, b Backend) {
	r := open(t, b, NewKeys())
	for o := range uint64(4) {
		must(t, r.Prepare(NewRecord(t, o, fmt.Sprint("人", o))))
	}
	must(t, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Abort(); return nil }))
	must(t, r.Shred(context.Background()))
	step := func(to registry.State) error {
		return r.ChangeAll(registry.Synced, []uint64{1, 2}, func(_ int, x *registry.Record) error { x.State = to; return nil })
	}
	must(t, step(registry.Intended))
	bad := errors.New("no")
	err := r.ChangeAll(registry.Synced, []uint64{1, 2, 3}, func(i int, x *registry.Record) error {
		if x.State, x.DER = registry.Signed, []byte{byte(i)}; i == 2 {
			return bad
		}
		return nil
	})
	if !errors.Is(err, bad) {
		t.Errorf("one of three can't change: %v", err)
	}
	for o, want := range []registry.State{registry.Aborted, registry.Intended, registry.Intended, registry.Prepared} {
		if got, err := r.Get(uint64(o)); err != nil || got.State != want || got.DER != nil {
			t.Errorf("record %d is in state %d: %v", o, got.State, err)
		}
	}
	must(t, r.ChangeAll(registry.Synced, []uint64{2, 1}, func(_ int, x *registry.Record) error { x.Abort(); return nil }))
	if err := step(registry.Signed); err == nil {
		t.Error("an aborted record came back")
	}
	must(t, r.Prepare(NewRecord(t, 4, "人1"), NewRecord(t, 5, "人2"))) // nothing of them is left in the index
	must(t, r.Discard(4))
	if err := r.Change(4, registry.Synced, func(*registry.Record) error { return nil }); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a discarded record: %v", err)
	}
}
