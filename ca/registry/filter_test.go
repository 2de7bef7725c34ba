package registry

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
)

func filterKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("a/"), n) }

// What went in is never absent, however often the filter grows; what didn't is
// absent all but once in fifty times.
func TestFilter(t *testing.T) {
	const had, more = 20_000, 80_000
	f := newFilter(0)
	f.fill(func(fn func([]byte)) error {
		for n := range uint64(had) {
			fn(filterKey(n))
		}
		return nil
	})
	for n := uint64(had); n < had+more; n++ {
		f.add(filterKey(n))
	}
	if len(f.parts) < 3 {
		t.Fatalf("the filter has %d parts", len(f.parts))
	}
	for n := range uint64(had + more) {
		if f.absent(filterKey(n)) {
			t.Fatalf("key %d is said to be absent", n)
		}
	}
	wrong := 0
	for n := range uint64(had + more) {
		if !f.absent(filterKey(n + 1<<40)) {
			wrong++
		}
	}
	t.Logf("%d of %d absent keys must be looked for", wrong, had+more)
	if wrong > (had+more)/50 {
		t.Error("the filter tells too little")
	}
}

// A filter that is not filled, couldn't be, or has grown too large says nothing.
func TestFilterKnowsNothing(t *testing.T) {
	f := newFilter(0)
	if f.absent(filterKey(1)) {
		t.Error("an unfilled filter says that a key is absent")
	}
	f.fill(func(func([]byte)) error { return errors.New("unreadable") })
	if f.absent(filterKey(1)) {
		t.Error("a filter over an unreadable store says that a key is absent")
	}
	f.fill(func(func([]byte)) error { return nil })
	if !f.absent(filterKey(1)) {
		t.Error("an empty filter doesn't know that a key is absent")
	}
	f.grow(maxFiltered + 1)
	f.add(filterKey(2))
	if f.absent(filterKey(1)) || f.absent(filterKey(2)) {
		t.Error("a filter that was given up says that a key is absent")
	}
}

// The filter of a store that was opened again has every key of every index.
func TestFilterOfAnOldStore(t *testing.T) {
	fs := kv.NewMemFS()
	row := &Row{Ordinal: 3, State: Issued, Serial: "01", Application: [32]byte{1}, SPKI: [32]byte{2}, Person: make([]byte, 32), Public: []byte{1}}
	for opened := range 2 {
		s, err := OpenPebble("/s", fs)
		if err != nil {
			t.Fatal(err)
		}
		p := s.(*pebbleStore)
		<-p.filled
		if opened == 0 {
			durable, err := p.Insert(row)
			if err != nil {
				t.Fatal(err)
			}
			if err := durable(); err != nil {
				t.Fatal(err)
			}
		}
		for by, key := range map[Index][]byte{ByApplication: row.Application[:], BySerial: []byte(row.Serial), ByKey: row.SPKI[:], ByPerson: row.Person} {
			if found, err := p.Find(by, key); err != nil || len(found) != 1 || found[0] != 3 {
				t.Errorf("opened %d times, by index %d: %v %v", opened+1, by, found, err)
			}
			if !p.filter.absent(named(indexPrefix[by], []byte("nobody"))) {
				t.Errorf("opened %d times, index %d: what nobody wrote is looked for", opened+1, by)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
