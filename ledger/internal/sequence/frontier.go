package sequence

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is the right edge of a Merkle tree: peaks[k] is the hash of the
// complete subtree of 2^k leaves that ends the tree's left part, where bit k
// of size is set.
type Frontier struct {
	Size  uint64
	peaks [64]tlog.Hash
}

// FrontierAt reads the right edge of a tree of this size.
func FrontierAt(size uint64, hashes tlog.HashReaderFunc) (Frontier, error) {
	f := Frontier{Size: size}
	for k := range 64 {
		if size>>k&1 == 1 {
			h, err := hashes([]int64{tlog.StoredHashIndex(k, int64(size>>k)-1)})
			if err != nil {
				return f, err
			}
			f.peaks[k] = h[0]
		}
	}
	return f, nil
}

// Growth is a tree grown by one batch of leaves, with all that is needed to
// prove the new leaves without reading anything. It is immutable.
type Growth struct {
	Old, New Frontier
	levels   [][]tlog.Hash // levels[k][i]: node Old.Size>>k + i, complete and new
	ragged   [65]tlog.Hash // ragged[k]: hash of the incomplete last node of level k
	ragAt    int           // smallest k with a ragged node, 65 when there is none
}

// Extend computes the tree with these leaf hashes at its end. It is the
// engine's own computation, independent of Trillian's.
func (f Frontier) Extend(leaves []tlog.Hash) *Growth {
	g := &Growth{Old: f, New: f}
	g.New.Size = f.Size + uint64(len(leaves))
	level := leaves
	for k := 0; len(level) > 0; k++ {
		g.levels = append(g.levels, level)
		pairs := level
		var up []tlog.Hash
		if f.Size>>k&1 == 1 {
			up = make([]tlog.Hash, 0, (len(level)+1)/2)
			up = append(up, tlog.NodeHash(f.peaks[k], level[0]))
			pairs = level[1:]
		} else {
			up = make([]tlog.Hash, 0, len(level)/2)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			up = append(up, tlog.NodeHash(pairs[i], pairs[i+1]))
		}
		level = up
	}
	for k := range 64 {
		if g.New.Size>>k&1 == 1 {
			g.New.peaks[k] = g.Node(k, g.New.Size>>k-1)
		}
	}
	g.fold()
	return g
}

// fold computes the incomplete last node of each level from the peaks.
func (g *Growth) fold() {
	g.ragAt = 65
	for k := range 64 {
		switch set := g.New.Size>>k&1 == 1; {
		case set && g.ragAt <= k:
			g.ragged[k+1] = tlog.NodeHash(g.New.peaks[k], g.ragged[k])
		case set:
			g.ragged[k+1], g.ragAt = g.New.peaks[k], k+1
		default:
			g.ragged[k+1] = g.ragged[k]
		}
	}
}

// Node returns a complete node that is new or a peak of the old tree.
func (g *Growth) Node(k int, i uint64) tlog.Hash {
	if first := g.Old.Size >> k; i >= first {
		return g.levels[k][i-first]
	}
	return g.Old.peaks[k]
}

// Root returns the root hash of the grown tree.
func (g *Growth) Root() tlog.Hash {
	if g.New.Size == 0 {
		return tlog.Hash(sha256.Sum256(nil))
	}
	return g.ragged[64]
}

// Prove returns the inclusion path of a leaf of the batch in the grown tree,
// from the leaf's sibling up to the root's child (RFC 6962 2.1.1).
func (g *Growth) Prove(index uint64) []tlog.Hash {
	path := make([]tlog.Hash, 0, bits.Len64(g.New.Size-1))
	for k := 0; ; k++ {
		complete := g.New.Size >> k
		last := complete // index of the last node of the level
		if complete<<k == g.New.Size {
			last--
		}
		if last == 0 {
			return path
		}
		switch sibling := index>>k ^ 1; {
		case sibling < complete:
			path = append(path, g.Node(k, sibling))
		case sibling == last:
			path = append(path, g.ragged[k])
		}
	}
}
