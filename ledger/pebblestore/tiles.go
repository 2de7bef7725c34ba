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
func writeNodes(nodes []tree.Node, read func(TileID) ([]byte, error), tiles map[TileID][]byte) error {
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
		if err := writeRow(uint(l), first[l], row, read, tiles); err != nil {
			return err
		}
	}
	return nil
}

// writeRow puts consecutive hashes of one level into its tiles.
func writeRow(level uint, first uint64, row [][]byte, read func(TileID) ([]byte, error), tiles map[TileID][]byte) error {
	for len(row) > 0 {
		t, offset := TileID{Level: level, Index: first / TileWidth}, int(first%TileWidth)
		n := min(len(row), TileWidth-offset)
		data, ok := tiles[t]
		if !ok {
			old, err := read(t)
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return fmt.Errorf("couldn't read tile %d/%d: %w", t.Level, t.Index, err)
			}
			data = append(make([]byte, 0, TileWidth*HashSize), old...)
		}
		if offset*HashSize > len(data) {
			return fmt.Errorf("tile %d/%d would have a gap at %d", t.Level, t.Index, offset)
		}
		for i, h := range row[:n] {
			at := (offset + i) * HashSize
			switch {
			case h == nil:
				return fmt.Errorf("tile %d/%d would have a gap at %d", t.Level, t.Index, offset+i)
			case at == len(data):
				data = append(data, h...)
			default:
				copy(data[at:], h)
			}
		}
		tiles[t] = data
		row, first = row[n:], first+uint64(n)
	}
	return nil
}
