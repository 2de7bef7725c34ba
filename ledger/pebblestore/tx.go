package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// reader is what a transaction reads from: a snapshot, or the store itself
// while the tree's write lock is held.
type reader interface {
	Get(key []byte) ([]byte, error)
	Scan(from, to []byte, fn func(k, v []byte) error) error
}

var errReadOnly = status.Error(codes.FailedPrecondition, "transaction is read-only")

// logTX implements storage.LogTreeTX. It is not safe for concurrent use.
type logTX struct {
	s        *Store
	tree     *trillian.Tree
	r        reader
	snapshot *kv.Snapshot // read-only transactions

	rootBytes []byte // nil: the tree has no root yet
	root      types.LogRootV1

	// Read-write transactions only:
	batch    *kv.Batch
	overlay  map[string][]byte // this transaction's small writes; nil value: deleted
	tiles    tiles             // tiles that it writes
	last     [64]tree.Node     // of each level, the last node that it was given
	staged   []*trillian.LogLeaf
	dequeued map[string]bool // identities that it has handed out
	newRoot  bool
}

func (t *logTX) readRoot() error {
	b, err := t.r.Get(key(tableRoot, t.tree.TreeId))
	if errors.Is(err, kv.ErrNotFound) {
		return storage.ErrTreeNeedsInit
	}
	if err != nil {
		return fmt.Errorf("couldn't read the root of tree %d: %w", t.tree.TreeId, err)
	}
	if err := t.root.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("stored root of tree %d is damaged: %w", t.tree.TreeId, err)
	}
	t.rootBytes = b
	return nil
}

// writable makes it a read-write transaction.
func (t *logTX) writable() {
	t.batch = t.s.kv.NewBatch()
	t.overlay = map[string][]byte{}
	t.tiles = tiles{}
}

func (t *logTX) get(k []byte) ([]byte, error) {
	if v, ok := t.overlay[string(k)]; ok {
		if v == nil {
			return nil, kv.ErrNotFound
		}
		return v, nil
	}
	return t.r.Get(k)
}

func (t *logTX) set(k, v []byte) {
	if v == nil {
		v = []byte{}
	}
	t.overlay[string(k)] = v
	t.batch.Set(k, v)
}

func (t *logTX) delete(k []byte) {
	t.overlay[string(k)] = nil
	t.batch.Delete(k)
}

// start writes the transaction; wait returns when it is on disk.
func (t *logTX) start() (wait func() error, err error) {
	for id, x := range t.tiles {
		x.put(t.batch, tileKey(t.tree.TreeId, id))
	}
	if t.newRoot {
		t.batch.Set(key(tableRoot, t.tree.TreeId), t.rootBytes)
	}
	b := t.batch
	t.batch = nil
	wait, err = b.Start()
	st := t.s.tree(t.tree.TreeId)
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil {
		st.edge = edge{}
		return nil, err
	}
	switch {
	case t.newRoot:
		st.edge = t.newEdge(st.edge)
	case len(t.tiles) > 0: // tiles of a tree that is yet to get its root
		st.edge = edge{}
	}
	return wait, nil
}

// newEdge picks the nodes of the new right edge out of what was written and
// the edge before. When one is missing it gives up; tiles have it all.
func (t *logTX) newEdge(old edge) edge {
	ids := compact.RangeNodes(0, t.root.TreeSize, nil)
	want := make(map[compact.NodeID][]byte, len(ids))
	for _, id := range ids {
		h := old.nodes[id]
		if n := t.last[id.Level]; n.ID == id && n.Hash != nil {
			h = n.Hash
		}
		if h == nil {
			return edge{}
		}
		want[id] = h
	}
	e := edge{size: t.root.TreeSize, root: t.rootBytes, nodes: want, tiles: map[TileID][]byte{}}
	for level := range uint(64 / TileHeight) {
		n := t.root.TreeSize >> (level * TileHeight)
		id := TileID{Level: level, Index: n / TileWidth}
		if n%TileWidth == 0 {
			continue
		}
		if x := t.tiles[id]; x != nil {
			e.tiles[id] = x.data
		} else if data := old.tiles[id]; data != nil {
			e.tiles[id] = data
		}
	}
	return e
}

// Commit implements storage.LogTreeTX. A read-write transaction is written by
// the store when its function returns, so there is nothing to do.
func (t *logTX) Commit(context.Context) error { return t.Close() }

// Close implements storage.LogTreeTX.
func (t *logTX) Close() error {
	if t.batch != nil {
		t.batch.Close()
		t.batch = nil
	}
	if t.snapshot != nil {
		sn := t.snapshot
		t.snapshot = nil
		return sn.Close()
	}
	return nil
}

// LatestSignedLogRoot implements storage.LogTreeTX.
func (t *logTX) LatestSignedLogRoot(context.Context) (*trillian.SignedLogRoot, error) {
	if t.rootBytes == nil {
		return nil, storage.ErrTreeNeedsInit
	}
	return &trillian.SignedLogRoot{LogRoot: t.rootBytes}, nil
}

// StoreSignedLogRoot implements storage.LogTreeTX.
func (t *logTX) StoreSignedLogRoot(_ context.Context, root *trillian.SignedLogRoot) error {
	if t.batch == nil {
		return errReadOnly
	}
	var r types.LogRootV1
	if err := r.UnmarshalBinary(root.GetLogRoot()); err != nil {
		return fmt.Errorf("root of tree %d can't be read: %w", t.tree.TreeId, err)
	}
	t.root, t.rootBytes, t.newRoot = r, root.GetLogRoot(), true
	return nil
}

func (t *logTX) readTile(id TileID) ([]byte, error) {
	if x := t.tiles[id]; x != nil {
		return x.data, nil
	}
	if data := t.edgeTile(id); data != nil {
		return data, nil
	}
	return t.r.Get(tileKey(t.tree.TreeId, id))
}

// GetMerkleNodes implements storage.LogTreeTX.
func (t *logTX) GetMerkleNodes(_ context.Context, ids []compact.NodeID) ([]tree.Node, error) {
	if nodes, ok := t.fromEdge(ids); ok {
		return nodes, nil
	}
	return readNodes(ids, t.readTile)
}

// fromEdge answers from memory when the transaction is the tree's writer and
// asks for the right edge as it was committed.
func (t *logTX) fromEdge(ids []compact.NodeID) ([]tree.Node, bool) {
	if t.batch == nil || t.newRoot || len(t.tiles) > 0 {
		return nil, false
	}
	st := t.s.tree(t.tree.TreeId)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.edge.nodes == nil || st.edge.size != t.root.TreeSize {
		return nil, false
	}
	nodes := make([]tree.Node, len(ids))
	for i, id := range ids {
		h := st.edge.nodes[id]
		if h == nil {
			return nil, false
		}
		nodes[i] = tree.Node{ID: id, Hash: h}
	}
	return nodes, true
}

// edgeTile answers from memory when the transaction is the tree's writer and
// wants an unfinished tile as it was committed.
func (t *logTX) edgeTile(id TileID) []byte {
	if t.batch == nil || t.newRoot {
		return nil
	}
	st := t.s.tree(t.tree.TreeId)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.edge.size != t.root.TreeSize {
		return nil
	}
	return st.edge.tiles[id]
}

// SetMerkleNodes implements storage.LogTreeTX.
func (t *logTX) SetMerkleNodes(_ context.Context, nodes []tree.Node) error {
	if t.batch == nil {
		return errReadOnly
	}
	for _, n := range nodes {
		if n.ID.Level < uint(len(t.last)) && (t.last[n.ID.Level].Hash == nil || n.ID.Index >= t.last[n.ID.Level].ID.Index) {
			t.last[n.ID.Level] = n
		}
	}
	return writeNodes(nodes, t.readTile, t.tiles)
}

// GetLeavesByRange implements storage.LogTreeTX.
func (t *logTX) GetLeavesByRange(_ context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	if count <= 0 {
		return nil, status.Errorf(codes.InvalidArgument, "invalid count %d, want > 0", count)
	}
	if start < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "invalid start %d, want >= 0", start)
	}
	from, to := uint64(start), uint64(start)+uint64(count)
	if t.tree.TreeType == trillian.TreeType_LOG {
		if from >= t.root.TreeSize {
			return nil, status.Errorf(codes.OutOfRange, "invalid start %d, want < tree size %d", start, t.root.TreeSize)
		}
		to = min(to, t.root.TreeSize)
	}
	leaves, err := t.leaves(from, to)
	if err != nil {
		return nil, err
	}
	if got := from + uint64(len(leaves)); got < min(to, t.root.TreeSize) {
		return nil, status.Errorf(codes.DataLoss, "leaf %d of tree %d is missing", got, t.tree.TreeId)
	}
	return leaves, nil
}

// leaves returns the contiguous leaves from from on, fewer when there is a gap.
func (t *logTX) leaves(from, to uint64) ([]*trillian.LogLeaf, error) {
	var out []*trillian.LogLeaf
	next := from
	err := t.r.Scan(leafKey(t.tree.TreeId, from), leafKey(t.tree.TreeId, to), func(k, v []byte) error {
		if binary.BigEndian.Uint64(k[9:]) != next {
			return kv.ErrStop
		}
		l, err := parseLeaf(bytes.Clone(v), next)
		if err != nil {
			return fmt.Errorf("leaf %d of tree %d: %w", next, t.tree.TreeId, err)
		}
		out = append(out, l)
		next++
		return nil
	})
	for ; err == nil && next < to && t.overlay != nil; next++ {
		v, ok := t.overlay[string(leafKey(t.tree.TreeId, next))]
		if !ok {
			break
		}
		l, perr := parseLeaf(v, next)
		if perr != nil {
			return nil, perr
		}
		out = append(out, l)
	}
	return out, err
}

// GetLeavesByHash implements storage.LogTreeTX.
func (t *logTX) GetLeavesByHash(_ context.Context, hashes [][]byte, orderBySequence bool) ([]*trillian.LogLeaf, error) {
	if !t.s.opts.HashIndex {
		return nil, status.Error(codes.FailedPrecondition, "this store keeps no index of leaf hashes")
	}
	var out []*trillian.LogLeaf
	for _, h := range hashes {
		from, to := kv.Prefix(key(tableHash, t.tree.TreeId, []byte{byte(len(h))}, h))
		err := t.r.Scan(from, to, func(k, _ []byte) error {
			index := binary.BigEndian.Uint64(k[len(k)-8:])
			v, err := t.r.Get(leafKey(t.tree.TreeId, index))
			if err != nil {
				return fmt.Errorf("couldn't read leaf %d of tree %d: %w", index, t.tree.TreeId, err)
			}
			l, err := parseLeaf(v, index)
			out = append(out, l)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if orderBySequence {
		slices.SortStableFunc(out, func(a, b *trillian.LogLeaf) int { return int(a.LeafIndex - b.LeafIndex) })
	}
	return out, nil
}

// DequeueLeaves implements storage.LogTreeTX.
func (t *logTX) DequeueLeaves(_ context.Context, limit int, cutoff time.Time) ([]*trillian.LogLeaf, error) {
	switch {
	case t.batch == nil:
		return nil, errReadOnly
	case t.staged != nil:
		return t.staged[:min(limit, len(t.staged))], nil
	case t.tree.TreeType == trillian.TreeType_PREORDERED_LOG:
		return t.dequeuePreordered(limit, cutoff)
	}
	return t.dequeueQueued(limit, cutoff)
}

func (t *logTX) dequeuePreordered(limit int, cutoff time.Time) ([]*trillian.LogLeaf, error) {
	leaves, err := t.leaves(t.root.TreeSize, t.root.TreeSize+uint64(limit))
	for i, l := range leaves {
		if l.QueueTimestamp.AsTime().After(cutoff) {
			return leaves[:i], err
		}
	}
	return leaves, err
}
