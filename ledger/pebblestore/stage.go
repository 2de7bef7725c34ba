package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
)

// Stage is a LogStorage whose next read-write transaction finds Leaves at the
// end of the tree, as if AddSequencedLeaves had stored them just before, and
// writes them together with tiles and root in one batch with one fsync.
//
// The caller promises what AddSequencedLeaves would have checked: the indexes
// follow the tree size without a gap and the identities are new.
type Stage struct {
	*Store
	Leaves []*trillian.LogLeaf
	// Extra are further pairs of the same batch; keys made with UserKey.
	Extra []Pair
	// Check is called when everything is computed and nothing written. Its
	// error gives the transaction up.
	Check func(Written) error

	wait func() error
}

// Pair is a key and its value.
type Pair struct{ Key, Value []byte }

// Written is what a staged transaction is about to write.
type Written struct {
	Root  types.LogRootV1
	Tiles map[TileID][]byte
}

// ErrNothingStaged is returned by Wait when no transaction was written.
var ErrNothingStaged = errors.New("no staged transaction was written")

// ReadWriteTransaction implements storage.LogStorage for the staged leaves. It
// returns when the batch is applied and visible; Wait says when it is on disk.
func (g *Stage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	st := g.Store.tree(tree.TreeId)
	st.write.Lock()
	defer st.write.Unlock()
	tx, err := g.begin(tree, st)
	if err != nil {
		return err
	}
	defer tx.Close()
	tx.staged = g.Leaves
	if err := f(ctx, tx); err != nil {
		return err
	}
	if want := uint64(g.Leaves[len(g.Leaves)-1].LeafIndex) + 1; tx.root.TreeSize != want {
		return fmt.Errorf("staged leaves end at %d, the new root at %d", want, tx.root.TreeSize)
	}
	if g.Check != nil {
		if err := g.Check(Written{Root: tx.root, Tiles: tx.tiles.data()}); err != nil {
			return err
		}
	}
	tx.writeStaged(g.Extra)
	g.wait, err = tx.start()
	return err
}

// begin is beginUpdate, from memory when the tree's last writer left its edge
// there.
func (g *Stage) begin(tree *trillian.Tree, st *treeState) (*logTX, error) {
	st.mu.Lock()
	root := st.edge.root
	st.mu.Unlock()
	if root == nil {
		return g.Store.beginUpdate(tree)
	}
	tx := &logTX{s: g.Store, tree: tree, r: g.Store.kv, rootBytes: root}
	if err := tx.root.UnmarshalBinary(root); err != nil {
		return nil, fmt.Errorf("root of tree %d can't be read: %w", tree.TreeId, err)
	}
	tx.writable()
	return tx, nil
}

// Wait returns when the staged transaction is on disk. It must be called
// exactly once after a ReadWriteTransaction without error.
func (g *Stage) Wait() error {
	if g.wait == nil {
		return ErrNothingStaged
	}
	return g.wait()
}

// writeStaged puts the leaves into the batch, each once and without a copy on
// the way.
func (t *logTX) writeStaged(extra []Pair) {
	id := t.tree.TreeId
	for _, l := range t.staged {
		index := uint64(l.LeafIndex)
		k, v := t.batch.Put(prefixSize+8, leafSize(l))
		_ = binary.BigEndian.AppendUint64(appendPrefix(k[:0], tableLeaf, id), index)
		appendLeaf(v[:0], l)
		k, v = t.batch.Put(prefixSize+len(l.LeafIdentityHash), 9)
		_ = append(appendPrefix(k[:0], tableIdentity, id), l.LeafIdentityHash...)
		v[0] = 's'
		binary.BigEndian.PutUint64(v[1:], index)
		if t.s.opts.HashIndex {
			t.batch.Set(hashKey(id, l.MerkleLeafHash, index), nil)
		}
	}
	for _, p := range extra {
		t.batch.Set(p.Key, p.Value)
	}
}
