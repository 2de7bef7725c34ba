package trillianlog

import (
	"bytes"
	"testing"

	"github.com/google/trillian/types"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
)

// writtenBy is what an integration of g would store: the tiles with new hashes,
// each as wide as the tree is then.
func writtenBy(g *sequence.Growth, all []tlog.Hash) pebblestore.Written {
	root := g.Root()
	w := pebblestore.Written{Root: types.LogRootV1{TreeSize: g.New.Size, RootHash: root[:]}, Tiles: map[pebblestore.TileID][]byte{}}
	level := all // complete nodes of tree level 8t
	for k := uint(0); len(level) > 0; k++ {
		for i := g.Old.Size >> (k * pebblestore.TileHeight) / pebblestore.TileWidth * pebblestore.TileWidth; i < uint64(len(level)); i += pebblestore.TileWidth {
			var b []byte
			for _, h := range level[i:min(i+pebblestore.TileWidth, uint64(len(level)))] {
				b = append(b, h[:]...)
			}
			w.Tiles[pebblestore.TileID{Level: k, Index: i / pebblestore.TileWidth}] = b
		}
		var up []tlog.Hash
		for i := 0; i+pebblestore.TileWidth <= len(level); i += pebblestore.TileWidth {
			up = append(up, tileRoot(level[i:i+pebblestore.TileWidth]))
		}
		level = up
	}
	return w
}

// Before anything is signed, every hash that a batch adds to a tile, the tile's
// length and the root are compared with the log's own tree, and no tile is left out.
func TestSelfCheckSeesEveryNewHash(t *testing.T) {
	var all []tlog.Hash
	for i := range 700 {
		all = append(all, tlog.RecordHash([]byte{byte(i), byte(i >> 8)}))
	}
	for _, sizes := range [][2]int{{0, 1}, {0, 700}, {255, 256}, {256, 257}, {250, 600}, {511, 700}} {
		var old sequence.Frontier
		if sizes[0] > 0 {
			old = old.Extend(all[:sizes[0]]).New
		}
		g := old.Extend(all[sizes[0]:sizes[1]])
		w := writtenBy(g, all[:sizes[1]])
		if err := selfCheck(g, w); err != nil {
			t.Fatalf("%v: what is right is refused: %v", sizes, err)
		}
		for id, good := range w.Tiles {
			k, first := id.Level*pebblestore.TileHeight, id.Index*pebblestore.TileWidth
			for i := range uint64(len(good) / tlog.HashSize) {
				if first+i < g.Old.Size>>k {
					continue // of an earlier batch
				}
				w.Tiles[id] = bytes.Clone(good)
				w.Tiles[id][i*tlog.HashSize+i%tlog.HashSize] ^= 1 << (i % 8)
				if selfCheck(g, w) == nil {
					t.Fatalf("%v: a wrong hash %d in tile %d/%d", sizes, i, id.Level, id.Index)
				}
			}
			for _, bad := range [][]byte{nil, good[:len(good)-tlog.HashSize], append(bytes.Clone(good), good[:tlog.HashSize]...)} {
				if w.Tiles[id] = bad; selfCheck(g, w) == nil {
					t.Fatalf("%v: tile %d/%d of %d bytes", sizes, id.Level, id.Index, len(bad))
				}
			}
			if delete(w.Tiles, id); first+uint64(len(good)/tlog.HashSize) > g.Old.Size>>k && selfCheck(g, w) == nil {
				t.Fatalf("%v: tile %d/%d is not written", sizes, id.Level, id.Index)
			}
			w.Tiles[id] = good
		}
		w.Root.RootHash[3] ^= 1
		if selfCheck(g, w) == nil {
			t.Fatalf("%v: a wrong root", sizes)
		}
		w.Root.RootHash[3] ^= 1
		w.Root.TreeSize--
		if selfCheck(g, w) == nil {
			t.Fatalf("%v: a wrong size", sizes)
		}
	}
}
