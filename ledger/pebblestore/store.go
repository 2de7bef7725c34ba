package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Options of a store.
type Options struct {
	// HashIndex keeps the index that GetLeavesByHash reads. It costs a random
	// write per leaf; a log that finds its leaves by position can do without.
	HashIndex bool
	// Now is the clock of tree times; nil: time.Now.
	Now func() time.Time
}

// Store implements storage.LogStorage. Writes to one tree go one after the
// other; reads never wait.
type Store struct {
	kv   *kv.Store
	opts Options

	mu    sync.Mutex // guards trees
	trees map[int64]*treeState

	admin sync.Mutex // one admin writer at a time
}

// treeState is what the store remembers of a tree in memory.
type treeState struct {
	write sync.Mutex // held through a read-write transaction

	mu   sync.Mutex // guards edge
	edge edge
}

// edge holds the right edge of the committed tree, so that integrating a batch
// need not recompute it from tiles.
type edge struct {
	size  uint64
	root  []byte // LogRoot bytes; nil: the edge is not known
	nodes map[compact.NodeID][]byte
	tiles map[TileID][]byte // the unfinished tiles, for the tree's writer to append to
}

var _ storage.LogStorage = (*Store)(nil)

// New returns the Trillian storage in an open store. It owns the whole key
// space of s, but does not close it.
func New(s *kv.Store, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{kv: s, opts: o, trees: map[int64]*treeState{}}
}

// Admin returns the tree administration on the same store.
func (s *Store) Admin() *Admin { return &Admin{s} }

// KV returns the store underneath, for what lies beside Trillian's tables.
func (s *Store) KV() *kv.Store { return s.kv }

func (s *Store) tree(id int64) *treeState {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trees[id]
	if t == nil {
		t = &treeState{}
		s.trees[id] = t
	}
	return t
}

// CheckDatabaseAccessible implements storage.LogStorage.
func (s *Store) CheckDatabaseAccessible(context.Context) error {
	if _, err := s.kv.Get([]byte{tableTree}); err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	return nil
}

// GetActiveLogIDs implements storage.LogStorage.
func (s *Store) GetActiveLogIDs(context.Context) ([]int64, error) {
	ids := []int64{}
	err := scanTrees(s.kv.Scan, func(t *trillian.Tree) error {
		isLog := t.TreeType == trillian.TreeType_LOG || t.TreeType == trillian.TreeType_PREORDERED_LOG
		isLive := t.TreeState == trillian.TreeState_ACTIVE || t.TreeState == trillian.TreeState_DRAINING
		if isLog && isLive && !t.Deleted {
			ids = append(ids, t.TreeId)
		}
		return nil
	})
	return ids, err
}

// SnapshotForTree implements storage.LogStorage. As in Trillian's own back
// ends a tree without a root gives a transaction and ErrTreeNeedsInit.
func (s *Store) SnapshotForTree(_ context.Context, tree *trillian.Tree) (storage.ReadOnlyLogTreeTX, error) {
	sn, err := s.kv.Snapshot()
	if err != nil {
		return nil, err
	}
	tx, err := s.begin(tree, sn)
	if err != nil && !errors.Is(err, storage.ErrTreeNeedsInit) {
		sn.Close()
		return nil, err
	}
	tx.snapshot = sn
	return tx, err
}

// begin starts a transaction that reads from r.
func (s *Store) begin(tree *trillian.Tree, r reader) (*logTX, error) {
	if _, err := r.Get(key(tableTree, tree.TreeId)); errors.Is(err, kv.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", tree.TreeId)
	} else if err != nil {
		return nil, fmt.Errorf("couldn't read tree %d: %w", tree.TreeId, err)
	}
	tx := &logTX{s: s, tree: tree, r: r}
	return tx, tx.readRoot()
}

// ReadWriteTransaction implements storage.LogStorage. f is never retried.
func (s *Store) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.update(tree, func(tx *logTX) error { return f(ctx, tx) })
}

// update runs f in a transaction that is written with one fsync when f is
// content, and forgotten otherwise.
func (s *Store) update(tree *trillian.Tree, f func(*logTX) error) error {
	st := s.tree(tree.TreeId)
	st.write.Lock()
	defer st.write.Unlock()
	tx, err := s.beginUpdate(tree)
	if err != nil {
		return err
	}
	defer tx.Close()
	if err := f(tx); err != nil {
		return err
	}
	wait, err := tx.start()
	if err != nil {
		return err
	}
	return wait()
}

// beginUpdate needs the tree's write lock.
func (s *Store) beginUpdate(tree *trillian.Tree) (*logTX, error) {
	tx, err := s.begin(tree, s.kv)
	if err != nil && !errors.Is(err, storage.ErrTreeNeedsInit) {
		return nil, err
	}
	tx.writable()
	return tx, nil
}

// Tile returns the stored bytes of a tile: 32 bytes per hash, 1 to 256 hashes.
// A tile that the tree has not reached is kv.ErrNotFound.
func (s *Store) Tile(tree int64, t TileID) ([]byte, error) { return s.kv.Get(tileKey(tree, t)) }

// Leaf returns the value of the leaf at index, or kv.ErrNotFound.
func (s *Store) Leaf(tree int64, index uint64) ([]byte, error) {
	b, err := s.kv.Get(leafKey(tree, index))
	if err != nil {
		return nil, err
	}
	v, _, err := leafValue(b)
	return v, err
}

// Leaves calls fn for the leaves of [from, to) in order, with the stored
// Merkle leaf hash. The slices are valid only during the call. A missing leaf
// is an error.
func (s *Store) Leaves(tree int64, from, to uint64, fn func(index uint64, value, hash []byte) error) error {
	next := from
	err := s.kv.Scan(leafKey(tree, from), leafKey(tree, to), func(k, v []byte) error {
		if len(k) != prefixSize+8 || binary.BigEndian.Uint64(k[prefixSize:]) != next {
			return fmt.Errorf("leaf %d is missing", next)
		}
		value, hash, err := leafValue(v)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", next, err)
		}
		next++
		return fn(next-1, value, hash)
	})
	if err == nil && next < to {
		return fmt.Errorf("leaf %d is missing", next)
	}
	return err
}

// IndexOf returns the index of the sequenced leaf with this identity, or
// kv.ErrNotFound.
func (s *Store) IndexOf(tree int64, identity []byte) (uint64, error) {
	v, err := s.kv.Get(key(tableIdentity, tree, identity))
	if err != nil {
		return 0, err
	}
	if i, ok := parseSequencedAt(v); ok {
		return i, nil
	}
	return 0, kv.ErrNotFound
}

// LastIdentity returns the greatest identity that begins with prefix, or
// kv.ErrNotFound.
func (s *Store) LastIdentity(tree int64, prefix []byte) ([]byte, error) {
	from, to := kv.Prefix(key(tableIdentity, tree, prefix))
	k, _, err := s.kv.Last(from, to)
	if err != nil {
		return nil, err
	}
	return k[9:], nil
}
