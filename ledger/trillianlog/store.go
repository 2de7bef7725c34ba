package trillianlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/trillian"
	trillog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
)

// store is a sequence.Store on Trillian's integration over package
// pebblestore: leaves, tiles, root and index of a batch in one write with one
// fsync.
type store struct {
	kv    *kv.Store
	store *pebblestore.Store
	tree  *trillian.Tree
	clock timeSource
	room  room // Write only
}

var (
	_ sequence.Store     = (*store)(nil)
	_ sequence.Snapshots = (*store)(nil)
)

// Write implements sequence.Store.
func (s *store) Write(b *sequence.Batch) (func() error, error) {
	leaves := s.room.of(b)
	defer s.room.forget()
	check := func(w pebblestore.Written) error { return selfCheck(b.Growth, w) }
	stage := &pebblestore.Stage{Store: s.store, Leaves: leaves, Extra: s.extra(b), Check: check}
	n, err := trillog.IntegrateBatch(context.Background(), s.tree, len(leaves), 0, 0, s.clock, stage, quota.Noop())
	if err != nil {
		return nil, fmt.Errorf("couldn't integrate a batch: %w", err)
	}
	if n != len(leaves) {
		return nil, fmt.Errorf("integrated %d of %d leaves", n, len(leaves))
	}
	return stage.Wait, nil
}

// room is the memory of a batch's leaves, kept for the next batch: the
// integration keeps none of them.
type room struct {
	leaves     []*trillian.LogLeaf
	used       int // of leaves
	identities []byte
}

// of returns the leaves of a batch, valid until forget.
func (r *room) of(b *sequence.Batch) []*trillian.LogLeaf {
	if more := len(b.Entries) - len(r.leaves); more > 0 {
		slab := make([]trillian.LogLeaf, more)
		for i := range slab {
			r.leaves = append(r.leaves, &slab[i])
		}
	}
	r.used, r.identities = len(b.Entries), r.identities[:0]
	for i := range b.Entries {
		p, l := &b.Entries[i], r.leaves[i]
		at := len(r.identities)
		r.identities = appendIdentity(r.identities, p.Parsed.By, p.Parsed.Seq)
		l.LeafIndex, l.LeafValue, l.MerkleLeafHash = int64(b.First)+int64(i), p.Bytes, p.Hash[:]
		l.LeafIdentityHash = r.identities[at:len(r.identities):len(r.identities)]
		l.QueueTimestamp, l.IntegrateTimestamp = nil, nil
	}
	return r.leaves[:r.used]
}

// forget lets go of the entries.
func (r *room) forget() {
	for _, l := range r.leaves[:r.used] {
		l.LeafValue, l.MerkleLeafHash, l.LeafIdentityHash, l.IntegrateTimestamp = nil, nil, nil, nil
	}
}

// identity is the leaf identity of an entry: the writer's name with its length
// before, and the sequence number. It doubles as the index by writer and
// number, and since numbers only grow, writing it is cheap.
func identity(by string, seq uint64) []byte {
	return appendIdentity(make([]byte, 0, 1+len(by)+8), by, seq)
}

func appendIdentity(b []byte, by string, seq uint64) []byte {
	b = append(b, byte(len(by)))
	b = append(b, by...)
	return binary.BigEndian.AppendUint64(b, seq)
}

// selfCheck compares what is about to be written with the log's own tree: the
// root, and every new hash in every tile; each tile with a new hash must be there.
func selfCheck(g *sequence.Growth, w pebblestore.Written) error {
	if root := g.Root(); w.Root.TreeSize != g.New.Size || !bytes.Equal(w.Root.RootHash, root[:]) {
		return errors.New("self-check: the integrated root is not the tree's")
	}
	for level := uint(0); g.New.Size>>(level*pebblestore.TileHeight) > 0; level++ {
		had, has := g.Old.Size>>(level*pebblestore.TileHeight), g.New.Size>>(level*pebblestore.TileHeight)
		for i := had / pebblestore.TileWidth; had < has && i <= (has-1)/pebblestore.TileWidth; i++ {
			if _, ok := w.Tiles[pebblestore.TileID{Level: level, Index: i}]; !ok {
				return fmt.Errorf("self-check: tile %d/%d is missing", level, i)
			}
		}
	}
	for id, data := range w.Tiles {
		if err := checkTile(g, id, data); err != nil {
			return err
		}
	}
	return nil
}

func checkTile(g *sequence.Growth, id pebblestore.TileID, data []byte) error {
	k := int(id.Level) * pebblestore.TileHeight
	first := id.Index * pebblestore.TileWidth
	count := min(g.New.Size>>k-first, pebblestore.TileWidth)
	if uint64(len(data)) != count*tlog.HashSize {
		return fmt.Errorf("self-check: tile %d/%d has %d bytes, want %d hashes", id.Level, id.Index, len(data), count)
	}
	for i := max(g.Old.Size>>k, first); i < first+count; i++ {
		at := (i - first) * tlog.HashSize
		if h := g.Node(k, i); !bytes.Equal(h[:], data[at:at+tlog.HashSize]) {
			return fmt.Errorf("self-check: tile %d/%d is wrong at hash %d", id.Level, id.Index, i-first)
		}
	}
	return nil
}

// issuedKey leads from an ordinal to the index of its cert.issued entry.
func (s *store) issuedKey(ordinal uint64) []byte {
	return pebblestore.UserKey(s.tree.TreeId, "issued", binary.BigEndian.AppendUint64(nil, ordinal))
}

func (s *store) extra(b *sequence.Batch) []pebblestore.Pair {
	var out []pebblestore.Pair
	for i := range b.Entries {
		if body, ok := b.Entries[i].Parsed.Body.(*entry.CertIssued); ok {
			index := binary.BigEndian.AppendUint64(nil, b.First+uint64(i))
			out = append(out, pebblestore.Pair{Key: s.issuedKey(body.Ordinal), Value: index})
		}
	}
	return out
}

// Tile implements sequence.Tree.
func (s *store) Tile(level uint, index uint64) ([]byte, error) {
	b, err := s.store.Tile(s.tree.TreeId, pebblestore.TileID{Level: level, Index: index})
	return b, notFound(err)
}

// Leaf implements sequence.Tree.
func (s *store) Leaf(_ context.Context, index uint64) ([]byte, error) {
	b, err := s.store.Leaf(s.tree.TreeId, index)
	return b, notFound(err)
}

// Leaves implements sequence.Tree.
func (s *store) Leaves(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	return s.store.Leaves(s.tree.TreeId, from, to, func(index uint64, b, _ []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(index, b)
	})
}

// Next implements sequence.Index.
func (s *store) Next(by string) (uint64, error) {
	prefix := identity(by, 0)[:1+len(by)]
	id, err := s.store.LastIdentity(s.tree.TreeId, prefix)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(id[len(prefix):]) + 1, nil
}

// IndexOf implements sequence.Index.
func (s *store) IndexOf(by string, seq uint64) (uint64, error) {
	i, err := s.store.IndexOf(s.tree.TreeId, identity(by, seq))
	return i, notFound(err)
}

// Issued implements sequence.Index.
func (s *store) Issued(ordinal uint64) (uint64, error) {
	v, err := s.kv.Get(s.issuedKey(ordinal))
	if err != nil {
		return 0, notFound(err)
	}
	if len(v) != 8 {
		return 0, ledger.ErrNotFound
	}
	return binary.BigEndian.Uint64(v), nil
}

// Statuses implements sequence.Index.
func (s *store) Statuses(ctx context.Context, size uint64, fn func(index uint64, en entry.Entry) error) error {
	return s.StatusesFrom(ctx, 0, size, fn)
}

// StatusesFrom implements sequence.Snapshots.
func (s *store) StatusesFrom(ctx context.Context, from, to uint64, fn func(index uint64, en entry.Entry) error) error {
	return s.store.Leaves(s.tree.TreeId, from, to, func(i uint64, b, _ []byte) error {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		en, err := sequence.StatusPart(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if en.Body == nil {
			return nil
		}
		return fn(i, en)
	})
}

func (s *store) snapshotKey() []byte { return pebblestore.UserKey(s.tree.TreeId, "status-snapshot") }

// Snapshot implements sequence.Snapshots.
func (s *store) Snapshot() ([]byte, error) {
	b, err := s.kv.Get(s.snapshotKey())
	return b, notFound(err)
}

// KeepSnapshot implements sequence.Snapshots. It is not synced: a crash keeps
// the one before.
func (s *store) KeepSnapshot(b []byte) error {
	w := s.kv.NewBatch()
	w.Set(s.snapshotKey(), b)
	return w.Commit(false)
}

// Close implements sequence.Store.
func (s *store) Close() error { return s.kv.Close() }

// notFound says what is not there in the ledger's words.
func notFound(err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return ledger.ErrNotFound.Because(err)
	}
	return err
}
