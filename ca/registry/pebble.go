package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Rows of the embedded store. Values in brackets.
//
//	r/ORDINAL                [Public]
//	k/ORDINAL                [Private]
//	a/SHA-256(application)   [ordinal, 1 if aborted]
//	s/SERIAL                 [ordinal]
//	x/PERSON ORDINAL         [end of validity while it keeps others away]
//	y/SHA-256(SPKI)          [ordinal]
//	o/ORDINAL, d/ORDINAL     [] open issuances, doomed rows
//	qn/ORDINAL, qg/ORDINAL   [] new and gone holders
//	e/NOT-AFTER ORDINAL      [] told holders whose certificate will expire
//	v/ORDINAL                [Revocation]
//	m/NAME                   [a note]
const (
	recordPrefix  = "r/"
	keyPrefix     = "k/"
	appPrefix     = "a/"
	serialPrefix  = "s/"
	attrPrefix    = "x/"
	spkiPrefix    = "y/"
	openPrefix    = "o/"
	doomedPrefix  = "d/"
	newPrefix     = "qn/"
	gonePrefix    = "qg/"
	expiryPrefix  = "e/"
	revokedPrefix = "v/"
	notePrefix    = "m/"
)

// pebbleStore keeps rows and the index rows derived from them in one ordered
// store. A row and what is derived from it change in one batch.
type pebbleStore struct {
	kv     *kv.Store
	absent absent
	mu     sync.Mutex // Insert: look, then write
	top    uint64     // guarded by mu: no row has this ordinal or a larger one
}

// OpenPebble opens or creates the embedded back end in dir.
func OpenPebble(dir string, fs kv.FS) (Store, error) {
	s, err := kv.Open(dir, kv.Options{FS: fs})
	if err != nil {
		return nil, err
	}
	p := &pebbleStore{kv: s}
	if p.top, err = p.Size(); err != nil {
		s.Close()
		return nil, err
	}
	return p, nil
}

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func numbered(prefix string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), n)
}

func named(prefix string, name []byte) []byte { return append([]byte(prefix), name...) }

func unix(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }

// pair is one row of the embedded store.
type pair struct{ key, value []byte }

// derived are the rows that a row calls for; the first letter of a key tells
// them apart, but for the three queues of which a row is in one.
func derived(row *Row) []pair {
	if row == nil {
		return nil
	}
	rows := make([]pair, 0, 8)
	set := func(k, v []byte) { rows = append(rows, pair{k, v}) }
	o := be(row.Ordinal)
	set(numbered(recordPrefix, row.Ordinal), row.Public)
	if row.Private != nil {
		set(numbered(keyPrefix, row.Ordinal), row.Private)
	}
	aborted := byte(0)
	if row.State == Aborted {
		aborted = 1
	} else {
		set(named(spkiPrefix, row.SPKI[:]), o)
	}
	set(named(appPrefix, row.Application[:]), append(be(row.Ordinal), aborted))
	set(named(serialPrefix, []byte(row.Serial)), o)
	if row.Person != nil {
		var until []byte
		if row.inForce() {
			until = be(unix(row.NotAfter))
		}
		set(append(named(attrPrefix, row.Person), o...), until)
	}
	if row.open() {
		set(numbered(openPrefix, row.Ordinal), nil)
	}
	if row.Doomed {
		set(numbered(doomedPrefix, row.Ordinal), nil)
	}
	switch row.Queue {
	case QueueNew:
		set(numbered(newPrefix, row.Ordinal), nil)
	case QueueGone:
		set(numbered(gonePrefix, row.Ordinal), nil)
	case QueueExpiring:
		set(append(numbered(expiryPrefix, unix(row.NotAfter)), o...), nil)
	}
	if row.Revocation != nil {
		set(numbered(revokedPrefix, row.Ordinal), row.Revocation)
	}
	return rows
}

func find(rows []pair, key []byte) *pair {
	for i := range rows {
		if bytes.Equal(rows[i].key, key) {
			return &rows[i]
		}
	}
	return nil
}

// put adds to b what turns the rows of old into those of next. It returns the
// keys that something may have looked for in vain.
func put(b *kv.Batch, old, next *Row) (fresh [][]byte) {
	before, after := derived(old), derived(next)
	for _, was := range before {
		if find(after, was.key) == nil {
			b.Delete(was.key)
		}
	}
	for _, is := range after {
		if was := find(before, is.key); was == nil || !bytes.Equal(was.value, is.value) {
			b.Set(is.key, is.value)
			if was == nil {
				fresh = appendLookedFor(fresh, is.key)
			}
		}
	}
	return fresh
}

// appendLookedFor appends a key of one of the indexes by what it is found with:
// itself, or the person before the ordinal.
func appendLookedFor(to [][]byte, key []byte) [][]byte {
	switch string(key[:2]) {
	case appPrefix, serialPrefix, spkiPrefix:
		return append(to, key)
	case attrPrefix:
		return append(to, key[:len(key)-8])
	}
	return to
}

// start applies a batch; wait returns once it is on disk.
func (p *pebbleStore) start(b *kv.Batch, fresh [][]byte) (wait func() error, err error) {
	defer p.absent.write(fresh)()
	return b.Start()
}

func (p *pebbleStore) Insert(rows ...*Row) (durable func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.kv.NewBatch()
	defer b.Close()
	claimed := map[string]bool{}
	var fresh [][]byte
	for _, row := range rows {
		if err := p.vacant(row, claimed); err != nil {
			return nil, err
		}
		fresh = append(fresh, put(b, nil, row)...)
	}
	for _, row := range rows {
		p.top = max(p.top, row.Ordinal+1)
	}
	return p.start(b, fresh)
}

// vacant looks for a row that keeps this one away, in the store or earlier in
// the same call.
func (p *pebbleStore) vacant(row *Row, claimed map[string]bool) error {
	claims := [][]byte{numbered(recordPrefix, row.Ordinal), named(serialPrefix, []byte(row.Serial)), named(spkiPrefix, row.SPKI[:]),
		named(appPrefix, row.Application[:])}
	for i, k := range claims {
		taken := claimed[string(k)]
		if known := p.absent.has(k) || i == 0 && row.Ordinal >= p.top; !taken && !known {
			v, err := p.kv.Get(k)
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			abortedBefore := k[0] == appPrefix[0] && len(v) == 9 && v[8] == 1
			taken = err == nil && !abortedBefore
		}
		if taken {
			return ErrTaken
		}
		claimed[string(k)] = true
	}
	if !row.inForce() {
		return nil
	}
	person := named(attrPrefix, row.Person)
	if claimed[string(person)] {
		return ErrTaken
	}
	claimed[string(person)] = true
	if p.absent.has(person) {
		return nil
	}
	from, to := kv.Prefix(person)
	return p.kv.Scan(from, to, func(_, v []byte) error {
		if len(v) == 8 && binary.BigEndian.Uint64(v) > unix(row.NotBefore) {
			return ErrTaken
		}
		return nil
	})
}

func (p *pebbleStore) Update(d Durability, edits ...Edit) error {
	b := p.kv.NewBatch()
	var fresh [][]byte
	for _, e := range edits {
		fresh = append(fresh, put(b, e.Old, e.Next)...)
	}
	if d == Relaxed {
		defer p.absent.write(fresh)()
		return b.Commit(false)
	}
	wait, err := p.start(b, fresh)
	if err != nil {
		return err
	}
	return wait()
}

func (p *pebbleStore) Delete(rows ...*Row) error {
	b := p.kv.NewBatch()
	for _, row := range rows {
		put(b, row, nil)
	}
	return b.Commit(true)
}

func (p *pebbleStore) get(key []byte) ([]byte, error) {
	v, err := p.kv.Get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, ErrNotFound
	}
	return v, err
}

func (p *pebbleStore) Get(ordinal uint64) (public, private []byte, err error) {
	if public, err = p.get(numbered(recordPrefix, ordinal)); err != nil {
		return nil, nil, err
	}
	private, err = p.get(numbered(keyPrefix, ordinal))
	if errors.Is(err, ErrNotFound) {
		return public, nil, nil
	}
	return public, private, err
}

var indexPrefix = [...]string{ByApplication: appPrefix, BySerial: serialPrefix, ByKey: spkiPrefix, ByPerson: attrPrefix}

func (p *pebbleStore) Find(by Index, key []byte) ([]uint64, error) {
	k := named(indexPrefix[by], key)
	since := p.absent.since()
	found, err := p.find(by, k)
	if err == nil && len(found) == 0 {
		p.absent.add(k, since)
	}
	return found, err
}

func (p *pebbleStore) find(by Index, key []byte) ([]uint64, error) {
	if by == ByPerson {
		return p.ordinals(key, nil, math.MaxInt)
	}
	v, err := p.get(key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(v) < 8 {
		return nil, errDamaged
	}
	return []uint64{binary.BigEndian.Uint64(v)}, nil
}

var errDamaged = errors.New("an index row of the registry is damaged")

// ordinals lists the last eight bytes of the keys with a prefix, up to an end.
func (p *pebbleStore) ordinals(prefix, end []byte, limit int) ([]uint64, error) {
	var out []uint64
	from, to := kv.Prefix(prefix)
	if end != nil {
		to = end
	}
	err := p.kv.Scan(from, to, func(k, _ []byte) error {
		if len(k) < len(prefix)+8 {
			return errDamaged
		}
		if len(out) >= limit {
			return kv.ErrStop
		}
		out = append(out, binary.BigEndian.Uint64(k[len(k)-8:]))
		return nil
	})
	return out, err
}

func (p *pebbleStore) Queued(q Queue, until time.Time, limit int) ([]uint64, error) {
	if q != QueueExpiring {
		prefix, ok := map[Queue]string{QueueNew: newPrefix, QueueGone: gonePrefix, QueueOpen: openPrefix, QueueDoomed: doomedPrefix}[q]
		if !ok {
			return nil, fmt.Errorf("there is no queue %d", q)
		}
		return p.ordinals([]byte(prefix), nil, limit)
	}
	out, err := p.ordinals([]byte(expiryPrefix), numbered(expiryPrefix, unix(until)+1), math.MaxInt)
	slices.Sort(out)
	return out[:min(len(out), limit)], err
}

func (p *pebbleStore) Expiring(after time.Time) (n uint64, err error) {
	_, to := kv.Prefix([]byte(expiryPrefix))
	err = p.kv.Scan(numbered(expiryPrefix, unix(after)+1), to, func(_, _ []byte) error {
		n++
		return nil
	})
	return n, err
}

func (p *pebbleStore) Size() (uint64, error) {
	from, to := kv.Prefix([]byte(recordPrefix))
	k, _, err := p.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(k[len(recordPrefix):]) + 1, nil
}

func (p *pebbleStore) Revocations(fn func([]byte) error) error {
	from, to := kv.Prefix([]byte(revokedPrefix))
	return p.kv.Scan(from, to, func(_, v []byte) error { return fn(v) })
}

func (p *pebbleStore) Note(d Durability, notes map[string][]byte) error {
	b := p.kv.NewBatch()
	for name, v := range notes {
		if v == nil {
			b.Delete([]byte(notePrefix + name))
			continue
		}
		b.Set([]byte(notePrefix+name), v)
	}
	return b.Commit(bool(d))
}

func (p *pebbleStore) Noted(name string) ([]byte, error) { return p.get([]byte(notePrefix + name)) }

func (p *pebbleStore) LastNoted(prefix string) (string, []byte, error) {
	from, to := kv.Prefix([]byte(notePrefix + prefix))
	k, v, err := p.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return "", nil, ErrNotFound
	}
	if err != nil {
		return "", nil, err
	}
	return string(k[len(notePrefix):]), v, nil
}

func (p *pebbleStore) NotedNames(prefix string) ([]string, error) {
	var out []string
	from, to := kv.Prefix([]byte(notePrefix + prefix))
	err := p.kv.Scan(from, to, func(k, _ []byte) error {
		out = append(out, string(k[len(notePrefix):]))
		return nil
	})
	return out, err
}

func (p *pebbleStore) Scrub() error { return p.kv.Compact() }

func (p *pebbleStore) Close() error { return p.kv.Close() }
