package kv

import (
	"github.com/cockroachdb/pebble/v2"
)

// Batch gathers writes that are applied whole or not at all. It is not safe
// for concurrent use. Errors of Set and Delete are kept until Commit.
type Batch struct {
	s    *Store
	b    *pebble.Batch
	err  error
	done bool
}

// What is kept of ended batches for the next ones. A group commit of a few
// thousand entries fits, so that it need not grow from nothing by doubling each
// time. Pebble's own pool is emptied by every second garbage collection.
const (
	keptBatch   = 8 << 20 // bytes of one batch
	keptBatches = 3       // one is filled, one written, one on its way back
)

// NewBatch starts an empty batch. It must end with Commit or Close.
func (s *Store) NewBatch() *Batch {
	select {
	case b := <-s.spare:
		return &Batch{s: s, b: b}
	default:
		return &Batch{s: s, b: s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(keptBatch))}
	}
}

// keep ends a batch that is on disk.
func (s *Store) keep(b *pebble.Batch) {
	b.Reset()
	select {
	case s.spare <- b:
	default:
		b.Close()
	}
}

// Set writes value under key; both are copied.
func (b *Batch) Set(key, value []byte) {
	if b.err == nil {
		b.err = b.b.Set(key, value, nil)
	}
}

// Put is Set without a copy: it makes room for a key and a value of these sizes
// in the batch, to be filled before anything else is done with it.
func (b *Batch) Put(keySize, valueSize int) (key, value []byte) {
	op := b.b.SetDeferred(keySize, valueSize)
	return op.Key, op.Value
}

// Append adds value to the end of what key has; a key without a value gets it.
// Only value is written: a value that grows piece by piece isn't written again
// with each of them. Reading it is dearer until the store has put the pieces
// together, or Set has replaced them.
func (b *Batch) Append(key, value []byte) {
	if b.err == nil {
		b.err = b.b.Merge(key, value, nil)
	}
}

// Delete removes key, if it is there.
func (b *Batch) Delete(key []byte) {
	if b.err == nil {
		b.err = b.b.Delete(key, nil)
	}
}

// DeleteRange removes every key with from <= key < to.
func (b *Batch) DeleteRange(from, to []byte) {
	if b.err == nil {
		b.err = b.b.DeleteRange(from, to, nil)
	}
}

// Len is the size of the batch in bytes.
func (b *Batch) Len() int { return b.b.Len() }

// Commit applies the batch. With sync it returns only when the batch is on
// disk. After an error the state on disk is unknown until the store is opened
// again.
func (b *Batch) Commit(sync bool) error {
	wait, err := b.start(sync)
	if err != nil {
		return err
	}
	return wait()
}

// Start applies the batch, so that reads see it, and begins to write it to
// disk. wait returns when it is there; it must be called exactly once, before
// the store is closed.
func (b *Batch) Start() (wait func() error, err error) { return b.start(true) }

func (b *Batch) start(sync bool) (func() error, error) {
	if b.err != nil {
		b.Close()
		return nil, b.err
	}
	if b.done {
		return nil, ErrClosed
	}
	if err := b.s.enter(); err != nil {
		b.Close()
		return nil, err
	}
	defer b.s.leave()
	b.done = true
	if !sync {
		err := b.s.db.Apply(b.b, pebble.NoSync)
		b.b.Close()
		return func() error { return nil }, explain("", err)
	}
	if err := b.s.db.ApplyNoSyncWait(b.b, pebble.Sync); err != nil {
		b.b.Close()
		return nil, explain("", err)
	}
	return func() error {
		if err := b.b.SyncWait(); err != nil {
			b.b.Close()
			return explain("", err)
		}
		b.s.keep(b.b)
		return nil
	}, nil
}

// Close gives the batch up. It does nothing after Commit.
func (b *Batch) Close() {
	if !b.done {
		b.done = true
		b.b.Close()
	}
}

// Snapshot is the store as it was at one moment.
type Snapshot struct {
	s  *Store
	sn *pebble.Snapshot
}

// Snapshot freezes a view of the store. It must be closed before the store.
func (s *Store) Snapshot() (*Snapshot, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	return &Snapshot{s: s, sn: s.db.NewSnapshot()}, nil
}

// Get is Store.Get at the moment of the snapshot.
func (s *Snapshot) Get(key []byte) ([]byte, error) {
	if err := s.s.enter(); err != nil {
		return nil, err
	}
	defer s.s.leave()
	return get(s.sn, key)
}

// Scan is Store.Scan at the moment of the snapshot.
func (s *Snapshot) Scan(from, to []byte, fn func(k, v []byte) error) error {
	if err := s.s.enter(); err != nil {
		return err
	}
	defer s.s.leave()
	return scan(s.sn, from, to, fn)
}

// Close releases the snapshot.
func (s *Snapshot) Close() error { return s.sn.Close() }
