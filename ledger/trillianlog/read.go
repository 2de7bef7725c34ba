package trillianlog

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Size implements ledger.Reader: entries that are on disk and signed for.
func (e *Engine) Size(context.Context) (uint64, error) { return e.committed.Load().size, nil }

// Committed returns the newest commit checkpoint.
func (e *Engine) Committed(context.Context) ([]byte, error) {
	return e.committed.Load().checkpoint, nil
}

// Checkpoint implements ledger.Reader.
func (e *Engine) Checkpoint(context.Context) ([]byte, error) {
	if p := e.published.Load(); p != nil {
		return p.checkpoint, nil
	}
	return nil, ledger.ErrNotFound
}

// PublishedSize returns the size of the newest published checkpoint, 0 before
// the first.
func (e *Engine) PublishedSize() uint64 {
	if p := e.published.Load(); p != nil {
		return p.size
	}
	return 0
}

// NextSeq implements ledger.Log. It counts committed entries only.
func (e *Engine) NextSeq(_ context.Context, by string) (uint64, error) {
	if _, ok := entry.Writers[by]; !ok {
		return 0, ledger.ErrWriter
	}
	return e.nextSeq(by, e.committed.Load().size)
}

// nextSeq finds the writer's number after its last entry below size.
func (e *Engine) nextSeq(by string, size uint64) (uint64, error) {
	prefix := identity(by, 0)[:1+len(by)]
	id, err := e.store.LastIdentity(e.tree.TreeId, prefix)
	if errIsMissing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("couldn't find the last entry of %s: %w", by, err)
	}
	next := binary.BigEndian.Uint64(id[len(prefix):]) + 1
	for ; next > 0; next-- { // what is applied and not yet on disk doesn't count
		index, err := e.store.IndexOf(e.tree.TreeId, identity(by, next-1))
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
func (e *Engine) Lookup(ctx context.Context, by string, seq uint64) (uint64, []byte, error) {
	if _, ok := entry.Writers[by]; !ok {
		return 0, nil, ledger.ErrWriter
	}
	index, err := e.store.IndexOf(e.tree.TreeId, identity(by, seq))
	if errIsMissing(err) {
		return 0, nil, ledger.ErrNotFound
	}
	if err != nil {
		return 0, nil, fmt.Errorf("couldn't look an entry up: %w", err)
	}
	b, err := e.Entry(ctx, index)
	return index, b, err
}

// Entry implements ledger.Reader.
func (e *Engine) Entry(_ context.Context, index uint64) ([]byte, error) {
	if index >= e.committed.Load().size {
		return nil, ledger.ErrNotFound
	}
	b, err := e.store.Leaf(e.tree.TreeId, index)
	if err != nil {
		return nil, fmt.Errorf("couldn't read entry %d: %w", index, err)
	}
	return b, nil
}

// Entries implements ledger.Reader.
func (e *Engine) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	if to > e.committed.Load().size || from > to {
		return ledger.ErrNotFound
	}
	return e.store.Leaves(e.tree.TreeId, from, to, func(index uint64, b, _ []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(index, b)
	})
}

// Tile returns the stored bytes of a hash tile, 32 bytes per hash. It may hold
// more hashes than a published checkpoint covers; ErrNotFound beyond the tree.
func (e *Engine) Tile(_ context.Context, level uint, index uint64) ([]byte, error) {
	b, err := e.store.Tile(e.tree.TreeId, pebblestore.TileID{Level: level, Index: index})
	if errIsMissing(err) {
		return nil, ledger.ErrNotFound
	}
	return b, err
}

// Proof implements ledger.Reader.
func (e *Engine) Proof(_ context.Context, index uint64) (*proof.Receipt, error) {
	p := e.published.Load()
	if p == nil || index >= p.size {
		return nil, ledger.ErrNotFound
	}
	hashes, err := e.prove(index, p.size)
	if err != nil {
		return nil, err
	}
	return &proof.Receipt{Index: index, Hashes: hashes, Checkpoint: p.checkpoint}, nil
}

// Status implements ledger.Reader.
func (e *Engine) Status(ctx context.Context, ordinal uint64) (*proof.StatusReceipt, error) {
	p := e.published.Load()
	if p == nil {
		return nil, ledger.ErrNotFound
	}
	v, err := e.kv.Get(e.issuedKey(ordinal))
	if errIsMissing(err) || err == nil && (len(v) != 8 || binary.BigEndian.Uint64(v) >= p.size) {
		return nil, ledger.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't find the certificate's entry: %w", err)
	}
	s := &proof.StatusReceipt{Index: binary.BigEndian.Uint64(v), Checkpoint: p.checkpoint}
	if s.Issued, err = e.Entry(ctx, s.Index); err != nil {
		return nil, err
	}
	if s.IssuedPath, err = e.prove(s.Index, p.size); err != nil {
		return nil, err
	}
	if s.Root, err = e.Entry(ctx, p.size-1); err != nil {
		return nil, err
	}
	if s.RootPath, err = e.prove(p.size-1, p.size); err != nil {
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
func (e *Engine) prove(index, size uint64) ([]tlog.Hash, error) {
	hashes, err := tlog.ProveRecord(int64(size), int64(index), tlog.HashReaderFunc(e.readHashes))
	if err != nil {
		return nil, fmt.Errorf("couldn't prove entry %d: %w", index, err)
	}
	return hashes, nil
}

// Consistency returns the RFC 6962 consistency proof from old to new entries.
// Both must be committed sizes.
func (e *Engine) Consistency(_ context.Context, old, new uint64) ([]tlog.Hash, error) {
	if old == 0 || old == new {
		return nil, nil
	}
	if old > new || new > e.committed.Load().size {
		return nil, ledger.ErrNotFound
	}
	hashes, err := tlog.ProveTree(int64(new), int64(old), tlog.HashReaderFunc(e.readHashes))
	if err != nil {
		return nil, fmt.Errorf("couldn't prove consistency of %d and %d: %w", old, new, err)
	}
	return hashes, nil
}

// RootAt returns the root hash of the log's first n entries, computed from
// tiles.
func (e *Engine) RootAt(_ context.Context, n uint64) (tlog.Hash, error) {
	return tlog.TreeHash(int64(n), tlog.HashReaderFunc(e.readHashes))
}

// readHashes serves x/mod's tree mathematics from tiles.
func (e *Engine) readHashes(indexes []int64) ([]tlog.Hash, error) {
	ids := make([]compact.NodeID, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		ids[i] = compact.NewNodeID(uint(level), uint64(n))
	}
	nodes, err := e.store.Nodes(e.tree.TreeId, ids)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(ids))
	for i, n := range nodes {
		copy(out[i][:], n.Hash)
	}
	return out, nil
}
