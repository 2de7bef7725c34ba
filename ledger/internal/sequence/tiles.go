package sequence

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Sizes of C2SP tlog-tiles.
const (
	TileHeight = 8               // tree levels in a tile
	TileWidth  = 1 << TileHeight // hashes in a full tile
)

// readHashes serves x/mod's tree mathematics from tiles.
func (l *Log) readHashes(indexes []int64) ([]tlog.Hash, error) {
	return Hashes(indexes, l.store.Tile)
}

// Hashes computes tree hashes, named as x/mod's sumdb/tlog does, from tiles.
func Hashes(indexes []int64, tile func(level uint, index uint64) ([]byte, error)) ([]tlog.Hash, error) {
	type id struct {
		level uint
		index uint64
	}
	read := map[id][]byte{}
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		height := level % TileHeight
		first := uint64(n) << height
		t := id{uint(level / TileHeight), first / TileWidth}
		data, ok := read[t]
		if !ok {
			var err error
			if data, err = tile(t.level, t.index); err != nil {
				return nil, fmt.Errorf("couldn't read tile %d/%d: %w", t.level, t.index, err)
			}
			read[t] = data
		}
		if out[i], ok = nodeOf(data, int(first%TileWidth), 1<<height); !ok {
			return nil, fmt.Errorf("tile %d/%d doesn't reach node %d/%d", t.level, t.index, level, n)
		}
	}
	return out, nil
}

// Edge reads the right edge of a tree of this size from tiles.
func Edge(size uint64, tile func(level uint, index uint64) ([]byte, error)) (Frontier, error) {
	return FrontierAt(size, func(indexes []int64) ([]tlog.Hash, error) { return Hashes(indexes, tile) })
}

// nodeOf computes the node over count hashes of a tile from offset on.
func nodeOf(data []byte, offset, count int) (tlog.Hash, bool) {
	if (offset+count)*tlog.HashSize > len(data) {
		return tlog.Hash{}, false
	}
	var level [TileWidth]tlog.Hash
	for i := range count {
		copy(level[i][:], data[(offset+i)*tlog.HashSize:])
	}
	for n := count; n > 1; n /= 2 {
		for i := range n / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
	}
	return level[0], true
}
