package registry

import (
	"hash/maphash"
	"math/bits"
	"sync"
)

// filter tells of most index keys that they are not in the store, without a
// look at it: a Bloom filter in memory. An issuance looks for its application,
// its person, its key and its serial, and hardly ever is one of them there; no
// other process writes to an embedded store. What it can't tell, the store does.
//
// A key goes in before it is written and never comes out. Until fill has put in
// what the store had when it was opened, and for good once maxFiltered is
// passed, the filter knows of nothing that it is absent.
type filter struct {
	seed maphash.Seed // nobody outside can choose keys that fall together

	mu     sync.RWMutex
	first  int           // keys in the first part
	parts  []*filterPart // each twice as large as the one before
	filled bool
	off    bool
}

// filterPart is a Bloom filter whose bits for one key lie in one cache line
// (Putze, Sanders and Singler 2007).
type filterPart struct {
	lines [][8]uint64
	room  int // for more keys
}

const (
	firstPart   = 1 << 14 // keys
	maxFiltered = 1 << 27 // keys in the largest part: some 30 million certificates, 200 MB
	lineKeys    = 40      // keys of one line: 12.8 bits for each
	probes      = 7
)

// newFilter makes an empty filter whose first part has room for so many keys.
func newFilter(keys uint64) *filter {
	return &filter{seed: maphash.MakeSeed(), first: max(firstPart, int(min(keys, maxFiltered)))}
}

// place is where a key's bits are: a line, and bits within it.
func (p *filterPart) place(h uint64) (line *[8]uint64, at uint64) {
	n, _ := bits.Mul64(h, uint64(len(p.lines)))
	hi, lo := bits.Mul64(h, 0x9e3779b97f4a7c15)
	return &p.lines[n], hi ^ lo
}

func (p *filterPart) add(h uint64) {
	line, at := p.place(h)
	for range probes {
		line[at>>6&7] |= 1 << (at & 63)
		at >>= 9
	}
	p.room--
}

func (p *filterPart) has(h uint64) bool {
	line, at := p.place(h)
	for range probes {
		if line[at>>6&7]&(1<<(at&63)) == 0 {
			return false
		}
		at >>= 9
	}
	return true
}

// add puts keys in, before they are written.
func (f *filter) add(keys ...[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		if !f.off && (len(f.parts) == 0 || f.parts[len(f.parts)-1].room == 0) {
			f.grow(f.first << len(f.parts))
		}
		if f.off {
			return
		}
		f.parts[len(f.parts)-1].add(maphash.Bytes(f.seed, k))
	}
}

// grow appends a part with room for so many keys; one too large ends the filter.
func (f *filter) grow(room int) {
	if room > maxFiltered {
		f.off, f.parts = true, nil
		return
	}
	f.parts = append(f.parts, &filterPart{make([][8]uint64, (room+lineKeys-1)/lineKeys), room})
}

// fill puts in what the store has already. each calls its function for every
// such key; an error of it leaves the filter one that knows nothing.
func (f *filter) fill(each func(fn func(key []byte)) error) {
	if each(func(k []byte) { f.add(k) }) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filled = true
}

// absent reports that a key is certainly not in the store and not on its way
// there.
func (f *filter) absent(key []byte) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !f.filled || f.off {
		return false
	}
	h := maphash.Bytes(f.seed, key)
	for _, p := range f.parts {
		if p.has(h) {
			return false
		}
	}
	return true
}
