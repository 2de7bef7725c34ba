package trillianlog

import (
	"context"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// View is a store that is not running, opened for reading alone. It has no key
// and signs nothing. Its methods are those of an Engine, of what is published.
type View struct {
	Size uint64 // entries in the store
	Root [32]byte
	Head []byte // newest signed head, outside the store; nil: none

	f     *fsck
	note  []byte
	bound uint64 // published size
}

// OpenView opens the store for reading. It checks nothing but that the store
// belongs to the key; Fsck does.
func OpenView(c FsckConfig) (*View, error) {
	policy, err := c.policy()
	if err != nil {
		return nil, err
	}
	s, err := kv.Open(c.Dir, kv.Options{FS: c.FS, CacheBytes: c.CacheBytes, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	f := &fsck{cfg: c, policy: policy, kv: s, store: pebblestore.New(s, pebblestore.Options{}), report: &FsckReport{}}
	v := &View{f: f}
	if err := v.open(c); err != nil {
		s.Close()
		return nil, err
	}
	return v, nil
}

func (v *View) open(c FsckConfig) (err error) {
	if err := v.f.readRoot(); err != nil {
		return err
	}
	v.Size = v.f.root.TreeSize
	copy(v.Root[:], v.f.root.RootHash)
	if v.Head, _, err = head.Read(c.HeadDir, c.FS); err != nil {
		return err
	}
	if v.note, _, err = head.Read(sequence.PublishedDir(c.FS, c.HeadDir), c.FS); err != nil || v.note == nil {
		return err
	}
	cp, err := proof.ParseUnverified(v.note)
	if err != nil {
		return err
	}
	if v.bound = cp.Size; cp.Size > v.Size {
		return sequence.ErrBehind(v.Size, cp.Size)
	}
	return nil
}

// Checkpoint returns the newest published checkpoint.
func (v *View) Checkpoint(context.Context) ([]byte, error) {
	if v.note == nil {
		return nil, ledger.ErrNotFound
	}
	return v.note, nil
}

// Entries calls fn for published entries of [from, to) in order.
func (v *View) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	if to > v.bound || from > to {
		return ledger.ErrNotFound
	}
	return v.f.store.Leaves(v.f.tree, from, to, func(index uint64, b, _ []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(index, b)
	})
}

// Tile returns the stored bytes of a hash tile; there may be more of them than
// are published.
func (v *View) Tile(_ context.Context, level uint, index uint64) ([]byte, error) {
	b, err := v.f.store.Tile(v.f.tree, pebblestore.TileID{Level: level, Index: index})
	return b, notFound(err)
}

// Close lets go of the store.
func (v *View) Close() error { return v.f.kv.Close() }
