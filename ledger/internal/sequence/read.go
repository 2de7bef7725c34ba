package sequence

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Size implements ledger.Reader: entries that are on disk and signed for.
func (l *Log) Size(context.Context) (uint64, error) { return l.committed.Load().size, nil }

// Committed returns the newest commit checkpoint.
func (l *Log) Committed(context.Context) ([]byte, error) {
	return l.committed.Load().checkpoint, nil
}

// Checkpoint implements ledger.Reader.
func (l *Log) Checkpoint(context.Context) ([]byte, error) {
	if p := l.published.Load(); p != nil {
		return p.checkpoint, nil
	}
	return nil, ledger.ErrNotFound
}

// PublishedSize returns the size of the newest published checkpoint, 0 before
// the first.
func (l *Log) PublishedSize() uint64 {
	if p := l.published.Load(); p != nil {
		return p.size
	}
	return 0
}

// NextSeq implements ledger.Log. It counts committed entries only.
func (l *Log) NextSeq(_ context.Context, by string) (uint64, error) {
	if _, ok := entry.Writers[by]; !ok {
		return 0, ledger.ErrWriter
	}
	size := l.committed.Load().size
	next, err := l.store.Next(by)
	if err != nil {
		return 0, fmt.Errorf("couldn't find the last entry of %s: %w", by, err)
	}
	for ; next > 0; next-- { // what is applied and not yet on disk doesn't count
		index, err := l.store.IndexOf(by, next-1)
		if err != nil {
			return 0, fmt.Errorf("couldn't find an entry of %s: %w", by, err)
		}
		if index < size {
			break
		}
	}
	return next, nil
}

// Lookup implements ledger.Log.
func (l *Log) Lookup(ctx context.Context, by string, seq uint64) (uint64, []byte, error) {
	if _, ok := entry.Writers[by]; !ok {
		return 0, nil, ledger.ErrWriter
	}
	index, err := l.store.IndexOf(by, seq)
	if errors.Is(err, ledger.ErrNotFound) {
		return 0, nil, ledger.ErrNotFound
	}
	if err != nil {
		return 0, nil, fmt.Errorf("couldn't look an entry up: %w", err)
	}
	b, err := l.Entry(ctx, index)
	return index, b, err
}

// Entry implements ledger.Reader.
func (l *Log) Entry(ctx context.Context, index uint64) ([]byte, error) {
	if index >= l.committed.Load().size {
		return nil, ledger.ErrNotFound
	}
	b, err := l.store.Leaf(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("couldn't read entry %d: %w", index, err)
	}
	return b, nil
}

// Entries implements ledger.Reader.
func (l *Log) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	if to > l.committed.Load().size || from > to {
		return ledger.ErrNotFound
	}
	return l.store.Leaves(ctx, from, to, fn)
}

// Tile returns the stored bytes of a hash tile, 32 bytes per hash. It may hold
// more hashes than a published checkpoint covers; ErrNotFound beyond the tree.
func (l *Log) Tile(_ context.Context, level uint, index uint64) ([]byte, error) {
	return l.store.Tile(level, index)
}

// Proof implements ledger.Reader.
func (l *Log) Proof(_ context.Context, index uint64) (*proof.Receipt, error) {
	p := l.published.Load()
	if p == nil || index >= p.size {
		return nil, ledger.ErrNotFound
	}
	hashes, err := l.prove(index, p.size)
	if err != nil {
		return nil, err
	}
	return &proof.Receipt{Index: index, Hashes: hashes, Checkpoint: p.checkpoint}, nil
}

// Status implements ledger.Reader.
func (l *Log) Status(ctx context.Context, ordinal uint64) (*proof.StatusReceipt, error) {
	p := l.published.Load()
	if p == nil {
		return nil, ledger.ErrNotFound
	}
	index, err := l.store.Issued(ordinal)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && index >= p.size {
		return nil, ledger.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't find the certificate's entry: %w", err)
	}
	s := &proof.StatusReceipt{Index: index, Checkpoint: p.checkpoint}
	if s.Issued, err = l.Entry(ctx, s.Index); err != nil {
		return nil, err
	}
	if s.IssuedPath, err = l.prove(s.Index, p.size); err != nil {
		return nil, err
	}
	if s.Root, err = l.Entry(ctx, p.size-1); err != nil {
		return nil, err
	}
	if s.RootPath, err = l.prove(p.size-1, p.size); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Chunk, s.ChunkPath, err = p.status.Prove(ordinal); err != nil {
		return nil, fmt.Errorf("couldn't prove a status: %w", err)
	}
	return s, nil
}

// prove computes an inclusion path in the tree of size entries from tiles.
func (l *Log) prove(index, size uint64) ([]tlog.Hash, error) {
	hashes, err := tlog.ProveRecord(int64(size), int64(index), tlog.HashReaderFunc(l.readHashes))
	if err != nil {
		return nil, fmt.Errorf("couldn't prove entry %d: %w", index, err)
	}
	return hashes, nil
}

// Consistency returns the RFC 6962 consistency proof from old to new entries.
// Both must be committed sizes.
func (l *Log) Consistency(_ context.Context, old, new uint64) ([]tlog.Hash, error) {
	if old == 0 || old == new {
		return nil, nil
	}
	if old > new || new > l.committed.Load().size {
		return nil, ledger.ErrNotFound
	}
	hashes, err := tlog.ProveTree(int64(new), int64(old), tlog.HashReaderFunc(l.readHashes))
	if err != nil {
		return nil, fmt.Errorf("couldn't prove consistency of %d and %d: %w", old, new, err)
	}
	return hashes, nil
}

// RootAt returns the root hash of the log's first n entries, computed from
// tiles.
func (l *Log) RootAt(_ context.Context, n uint64) (tlog.Hash, error) {
	return tlog.TreeHash(int64(n), tlog.HashReaderFunc(l.readHashes))
}
