package sequence

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Store is what an engine brings. What is not there is ledger.ErrNotFound.
// Reads may run beside each other and beside Write; Write is called by one
// goroutine at a time.
type Store interface {
	// Root returns what the store holds.
	Root(ctx context.Context) (Root, error)
	// Write stores a batch at the end of the log. It returns when the batch is
	// applied, and a function that waits until it is durable; that is called
	// exactly once, in the order of the batches. An error of either stops the
	// log for good.
	Write(b *Batch) (wait func() error, err error)
	// Close ends all use of the store. Before it, a store that has a method
	// Interrupt is asked to give up what can't end soon.
	Close() error
	Tree
	Index
}

// Tree is the log itself.
type Tree interface {
	// Tile returns the hashes of a C2SP tile, 32 bytes each. It may hold more
	// than was asked to be durable.
	Tile(level uint, index uint64) ([]byte, error)
	// Leaves calls fn for the entries of [from, to) in order; the bytes are
	// valid only during the call. A missing entry is an error.
	Leaves(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error
	// Leaf returns one entry.
	Leaf(ctx context.Context, index uint64) ([]byte, error)
}

// Index finds entries.
type Index interface {
	// Next returns the number after the writer's last stored entry.
	Next(by string) (uint64, error)
	// IndexOf returns where a writer's entry is.
	IndexOf(by string, seq uint64) (uint64, error)
	// Issued returns where the cert.issued of an ordinal is.
	Issued(ordinal uint64) (uint64, error)
	// Statuses calls fn for the entries below size that change a certificate's
	// status, in order; of the body only kind and ordinal are set.
	Statuses(ctx context.Context, size uint64, fn func(index uint64, en entry.Entry) error) error
}

// Root is what a store holds when it is opened.
type Root struct {
	Size  uint64
	Hash  tlog.Hash
	Nanos uint64 // the newest moment that the store has used, Unix nanoseconds
}

// Entry is an entry that was checked by itself, before it meets the log.
type Entry struct {
	Bytes  []byte
	Parsed entry.Entry
	Hash   tlog.Hash // RFC 6962 leaf hash of Bytes
}

// Batch is new entries in their places, and the tree that they make.
type Batch struct {
	First   uint64 // index of the first entry
	Entries []Entry
	Growth  *Growth
}
