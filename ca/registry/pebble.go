package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// pebbleStore keeps rows and the index rows derived from them in one ordered
// store. A row and what is derived from it change in one batch.
type pebbleStore struct {
	kv     *kv.Store
	filter *filter
	filled chan struct{} // closed once the filter is filled, or won't be
	quit   atomic.Bool   // to stop filling it
	mu     sync.Mutex    // Insert: look, then write
	top    uint64        // guarded by mu: no row has this ordinal or a larger one
}

// OpenPebble opens or creates the embedded back end in dir.
func OpenPebble(dir string, fs kv.FS) (Store, error) {
	s, err := kv.Open(dir, kv.Options{FS: fs})
	if err != nil {
		return nil, err
	}
	p := &pebbleStore{kv: s, filled: make(chan struct{})}
	if p.top, err = p.Size(); err != nil {
		s.Close()
		return nil, err
	}
	p.filter = newFilter(p.top * 4)
	go func() {
		defer close(p.filled)
		p.filter.fill(p.indexed)
	}()
	return p, nil
}

// indexed calls fn with every key that something may look for.
func (p *pebbleStore) indexed(fn func(key []byte)) error {
	for _, slot := range [...]int{appSlot, serialSlot, spkiSlot, personSlot} {
		from, to := kv.Prefix([]byte(lookedForPrefix[slot]))
		err := p.kv.Scan(from, to, func(k, _ []byte) error {
			if p.quit.Load() {
				return kv.ErrClosed
			}
			if slot == personSlot && len(k) < len(attrPrefix)+8 {
				return errDamaged
			}
			fn(lookedFor(slot, k))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pebbleStore) Insert(rows ...*Row) (durable func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.kv.NewBatch()
	defer b.Close()
	claimed := make(map[string]struct{}, 5*len(rows))
	var fresh [][]byte
	for _, row := range rows {
		next := derive(row)
		if err := p.vacant(row, &next, claimed); err != nil {
			return nil, err
		}
		fresh = next.put(b, &pairs{}, fresh)
	}
	for _, row := range rows {
		p.top = max(p.top, row.Ordinal+1)
	}
	p.filter.add(fresh...)
	return b.Start()
}

// vacant looks for a row that keeps this one away, in the store or earlier in
// the same call.
func (p *pebbleStore) vacant(row *Row, next *pairs, claimed map[string]struct{}) error {
	for _, slot := range [...]int{recordSlot, serialSlot, spkiSlot, appSlot} {
		k := next[slot].key
		if _, taken := claimed[string(k)]; taken {
			return ErrTaken
		}
		claimed[string(k)] = struct{}{}
		vacant := slot != recordSlot && p.filter.absent(k) || slot == recordSlot && row.Ordinal >= p.top
		if vacant {
			continue
		}
		v, err := p.kv.Get(k)
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if abortedBefore := slot == appSlot && len(v) == 9 && v[8] == 1; !abortedBefore {
			return ErrTaken
		}
	}
	if !row.inForce() {
		return nil
	}
	person := lookedFor(personSlot, next[personSlot].key)
	if _, taken := claimed[string(person)]; taken {
		return ErrTaken
	}
	claimed[string(person)] = struct{}{}
	if p.filter.absent(person) {
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
		old, next := derive(e.Old), derive(e.Next)
		fresh = next.put(b, &old, fresh)
	}
	p.filter.add(fresh...)
	return b.Commit(bool(d))
}

func (p *pebbleStore) Delete(rows ...*Row) error {
	b := p.kv.NewBatch()
	for _, row := range rows {
		old := derive(row)
		(&pairs{}).put(b, &old, nil)
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
	if p.filter.absent(k) {
		return nil, nil
	}
	if by == ByPerson {
		return p.ordinals(k, nil, math.MaxInt)
	}
	v, err := p.get(k)
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

func (p *pebbleStore) Close() error {
	p.quit.Store(true)
	<-p.filled
	return p.kv.Close()
}
