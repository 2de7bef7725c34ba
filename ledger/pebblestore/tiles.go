package pebblestore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/trillian/storage/tree"
	"github.com/transparency-dev/merkle/compact"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Sizes of C2SP tlog-tiles.
const (
	TileHeight = 8               // tree levels in a tile
	TileWidth  = 1 << TileHeight // hashes in a full tile
	HashSize   = 32              // bytes
)

// TileID names a tile: Level 0 holds leaf hashes, level L the hashes at tree
// level 8·L. Index counts tiles of the level from the left.
type TileID struct {
	Level uint
	Index uint64
}

// tileOf returns the tile that a Merkle node is computed from, and which
// hashes of it: count hashes from offset.
func tileOf(id compact.NodeID) (t TileID, offset, count int) {
	height := id.Level % TileHeight
	first := id.Index << height
	return TileID{Level: id.Level / TileHeight, Index: first / TileWidth}, int(first % TileWidth), 1 << height
}

// nodeFromTile computes a Merkle node from the bytes of its tile. ok is false
// when the tile does not reach that far.
func nodeFromTile(data []byte, offset, count int) (hash []byte, ok bool) {
	if (offset+count)*HashSize > len(data) {
		return nil, false
	}
	var level [TileWidth]tlog.Hash
	for i := range count {
		copy(level[i][:], data[(offset+i)*HashSize:])
	}
	for n := count; n > 1; n /= 2 {
		for i := range n / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
	}
	return slices.Clone(level[0][:]), true
}

// readNodes serves Merkle nodes from tiles; nodes that don't exist are left
// out, as Trillian expects.
func readNodes(ids []compact.NodeID, read func(TileID) ([]byte, error)) ([]tree.Node, error) {
	nodes := make([]tree.Node, 0, len(ids))
	tiles := map[TileID][]byte{}
	for _, id := range ids {
		t, offset, count := tileOf(id)
		data, ok := tiles[t]
		if !ok {
			var err error
			if data, err = read(t); err != nil && !errors.Is(err, kv.ErrNotFound) {
				return nil, fmt.Errorf("couldn't read tile %d/%d: %w", t.Level, t.Index, err)
			}
			tiles[t] = data
		}
		if h, ok := nodeFromTile(data, offset, count); ok {
			nodes = append(nodes, tree.Node{ID: id, Hash: h})
		}
	}
	return nodes, nil
}

// writeNodes puts the nodes that a tile stores into tiles; the levels between
// are left out, because they follow from them. Tiles may only grow without
// gaps. Nodes come in any order, each once.
func writeNodes(nodes []tree.Node, read func(TileID) ([]byte, error), out tiles) error {
	var first, end [64 / TileHeight]uint64 // of each level of tiles
	for _, n := range nodes {
		if n.ID.Level%TileHeight != 0 || n.ID.Level >= 64 {
			continue
		}
		if len(n.Hash) != HashSize {
			return fmt.Errorf("node %d/%d of the tree has a hash of %d bytes", n.ID.Level, n.ID.Index, len(n.Hash))
		}
		if l := n.ID.Level / TileHeight; end[l] == 0 {
			first[l], end[l] = n.ID.Index, n.ID.Index+1
		} else {
			first[l], end[l] = min(first[l], n.ID.Index), max(end[l], n.ID.Index+1)
		}
	}
	for l := range end {
		if end[l] == 0 {
			continue
		}
		if end[l]-first[l] > uint64(len(nodes)) {
			return fmt.Errorf("nodes of level %d have a gap between %d and %d", l*TileHeight, first[l], end[l])
		}
		row := make([][]byte, end[l]-first[l])
		for _, n := range nodes {
			if n.ID.Level == uint(l*TileHeight) {
				row[n.ID.Index-first[l]] = n.Hash
			}
		}
		if err := writeRow(uint(l), first[l], row, read, out); err != nil {
			return err
		}
	}
	return nil
}

// writeRow puts consecutive hashes of one level into its tiles.
func writeRow(level uint, first uint64, row [][]byte, read func(TileID) ([]byte, error), out tiles) error {
	for len(row) > 0 {
		t, offset := TileID{Level: level, Index: first / TileWidth}, int(first%TileWidth)
		n := min(len(row), TileWidth-offset)
		x := out[t]
		if x == nil {
			old, err := read(t)
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return fmt.Errorf("couldn't read tile %d/%d: %w", t.Level, t.Index, err)
			}
			x = newTile(old)
			out[t] = x
		}
		if offset*HashSize > len(x.data) {
			return fmt.Errorf("tile %d/%d would have a gap at %d", t.Level, t.Index, offset)
		}
		for i, h := range row[:n] {
			if h == nil {
				return fmt.Errorf("tile %d/%d would have a gap at %d", t.Level, t.Index, offset+i)
			}
			x.set(offset+i, h)
		}
		row, first = row[n:], first+uint64(n)
	}
	return nil
}

// tiles are the tiles that a transaction writes.
type tiles map[TileID]*tile

// tile is one of them.
type tile struct {
	data   []byte
	stored int // leading bytes of data that the store has and that didn't change
}

// newTile continues a stored tile. It appends to old where there is room, which
// whoever else has old doesn't see.
func newTile(old []byte) *tile {
	if cap(old) < TileWidth*HashSize {
		old = append(make([]byte, 0, TileWidth*HashSize), old...)
	}
	return &tile{data: old, stored: len(old)}
}

// set writes the i-th hash; the ones before it are there.
func (x *tile) set(i int, h []byte) {
	at := i * HashSize
	if at == len(x.data) {
		x.data = append(x.data, h...)
		return
	}
	if at < x.stored { // not in place: the old one may still be needed
		x.data, x.stored = append(make([]byte, 0, TileWidth*HashSize), x.data...), 0
	}
	copy(x.data[at:], h)
}

// put writes the tile: the hashes that are new, or all of a full one, which is
// then read in one piece for ever.
func (x *tile) put(b *kv.Batch, key []byte) {
	if x.stored == 0 || len(x.data) == TileWidth*HashSize {
		b.Set(key, x.data)
		return
	}
	b.Append(key, x.data[x.stored:])
}

func (t tiles) data() map[TileID][]byte {
	out := make(map[TileID][]byte, len(t))
	for id, x := range t {
		out[id] = x.data
	}
	return out
}
