package register

import (
	"github.com/sukashi-project/sukashi/internal/kv"
)

// Pair is one row that a Store writes.
type Pair struct{ Key, Value []byte }

// Store keeps the database's rows in byte order of their keys. The embedded
// store is one; package pgstore has one on PostgreSQL. One conformance suite
// runs on both.
type Store interface {
	// Get returns a row's value, or kv.ErrNotFound.
	Get(key []byte) ([]byte, error)
	// Scan calls fn for the rows with from <= key < to (nil: no end), in order.
	// fn may end it with kv.ErrStop, and may read the store. Its arguments are
	// valid only during the call.
	Scan(from, to []byte, fn func(key, value []byte) error) error
	// Write writes all rows or none; they are on disk when it returns. Of two
	// rows with one key the later holds.
	Write(pairs []Pair) error
	// Close ends the store.
	Close() error
}

// embedded is the embedded store.
type embedded struct{ *kv.Store }

// Write implements Store.
func (s embedded) Write(pairs []Pair) error {
	b := s.NewBatch()
	defer b.Close()
	for _, p := range pairs {
		b.Set(p.Key, p.Value)
	}
	return b.Commit(true)
}
