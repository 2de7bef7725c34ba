package pebblestore

import (
	"bytes"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Identities calls fn for every sequenced leaf identity that begins with
// prefix, in order, with the index that it leads to. The slice is valid only
// during the call.
func (s *Store) Identities(tree int64, prefix []byte, fn func(identity []byte, index uint64) error) error {
	from, to := kv.Prefix(key(tableIdentity, tree, prefix))
	return s.kv.Scan(from, to, func(k, v []byte) error {
		index, ok := parseSequencedAt(v)
		if !ok {
			return nil
		}
		return fn(k[9:], index)
	})
}

// PutTile replaces a tile in a batch. It is for repair, from entries that lead
// to a signed root, and for nothing else.
func (s *Store) PutTile(b *kv.Batch, tree int64, t TileID, data []byte) {
	b.Set(tileKey(tree, t), bytes.Clone(data))
}

// PutIdentity replaces where a leaf identity leads, or removes it when there
// is no such leaf. It is for repair only.
func (s *Store) PutIdentity(b *kv.Batch, tree int64, identity []byte, index uint64, exists bool) {
	if !exists {
		b.Delete(key(tableIdentity, tree, identity))
		return
	}
	b.Set(key(tableIdentity, tree, identity), sequencedAt(index))
}
