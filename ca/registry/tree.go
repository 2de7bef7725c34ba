package registry

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
)

// treeDepth bounds the numbers that have a key: 2^40 is ten thousand
// certificates for everybody in Japan.
const treeDepth = 40

// errDestroyed says that the key of a number is gone for good.
var errDestroyed = errors.New("the key of this row was destroyed")

// tree holds one random-looking key for each number below 2^treeDepth, any of
// which can be destroyed for good. It is a binary tree of hashes (Goldreich,
// Goldwasser, Micali) of which only the topmost nodes are kept that lead to no
// destroyed number: the whole of a fresh tree is one node of 32 bytes. To
// destroy a number is to replace the node above it by the siblings along its
// path; what is left can't be turned back into the node. Numbers destroyed side
// by side fall together, so erasing by age keeps a tree small.
//
// Issuing writes nothing here: a new row's key comes out of what is there.
type tree struct {
	nodes map[node][sha256.Size]byte

	mu    sync.Mutex
	cache map[node][sha256.Size]byte // nodes above the last few steps; derived, never stored
}

type node struct {
	depth  uint8
	prefix uint64 // the first depth bits of a number
}

const (
	cacheDepth = treeDepth - 6
	cacheSize  = 1024
)

func newTree(root [sha256.Size]byte) *tree {
	return &tree{nodes: map[node][sha256.Size]byte{{}: root}}
}

func at(n uint64, depth uint8) node { return node{depth, n >> (treeDepth - depth)} }

// child is one step down: which is 0 or 1. Inputs have one length, so a plain
// hash is a one-way step and nothing can be appended to it.
func child(k [sha256.Size]byte, which byte) [sha256.Size]byte {
	var in [sha256.Size + 1]byte
	copy(in[:], k[:])
	in[sha256.Size] = which
	return sha256.Sum256(in[:])
}

// down goes from the key of n's ancestor at depth from to its ancestor at to.
func down(k [sha256.Size]byte, n uint64, from, to uint8) [sha256.Size]byte {
	for d := from + 1; d <= to; d++ {
		k = child(k, byte(at(n, d).prefix&1))
	}
	return k
}

// above finds the kept node that n lies under.
func (t *tree) above(n uint64) (node, bool) {
	for d := uint8(0); d <= treeDepth; d++ {
		if _, ok := t.nodes[at(n, d)]; ok {
			return at(n, d), true
		}
	}
	return node{}, false
}

// key returns the key of n, or errDestroyed.
func (t *tree) key(n uint64) ([sha256.Size]byte, error) {
	if n>>treeDepth != 0 {
		return [sha256.Size]byte{}, errors.New("the number is too large to have a key")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, ok := t.cache[at(n, cacheDepth)]; ok {
		return down(k, n, cacheDepth, treeDepth), nil
	}
	top, ok := t.above(n)
	if !ok {
		return [sha256.Size]byte{}, errDestroyed
	}
	if top.depth > cacheDepth {
		return down(t.nodes[top], n, top.depth, treeDepth), nil
	}
	k := down(t.nodes[top], n, top.depth, cacheDepth)
	if len(t.cache) >= cacheSize || t.cache == nil {
		t.cache = map[node][sha256.Size]byte{}
	}
	t.cache[at(n, cacheDepth)] = k
	return down(k, n, cacheDepth, treeDepth), nil
}

// alive reports whether n still has a key.
func (t *tree) alive(n uint64) bool {
	_, ok := t.above(n)
	return ok && n>>treeDepth == 0
}

// without returns the tree in which the numbers have no key any more.
func (t *tree) without(numbers ...uint64) *tree {
	out := &tree{nodes: maps.Clone(t.nodes)}
	for _, n := range numbers {
		top, ok := out.above(n)
		if !ok || n>>treeDepth != 0 {
			continue
		}
		k := out.nodes[top]
		delete(out.nodes, top)
		for d := top.depth + 1; d <= treeDepth; d++ {
			here := at(n, d)
			out.nodes[node{d, here.prefix ^ 1}] = child(k, byte(here.prefix&1)^1)
			k = child(k, byte(here.prefix&1))
		}
	}
	return out
}

// nodeSize is the length of one stored node: depth, prefix, key.
const nodeSize = 1 + 8 + sha256.Size

// marshal writes the kept nodes in order.
func (t *tree) marshal() []byte {
	keys := slices.SortedFunc(maps.Keys(t.nodes), func(a, b node) int {
		return slices.Compare([]uint64{a.prefix << (treeDepth - a.depth)}, []uint64{b.prefix << (treeDepth - b.depth)})
	})
	out := make([]byte, 0, len(keys)*nodeSize)
	for _, n := range keys {
		k := t.nodes[n]
		out = append(binary.BigEndian.AppendUint64(append(out, n.depth), n.prefix), k[:]...)
	}
	return out
}

func parseTree(b []byte) (*tree, error) {
	if len(b)%nodeSize != 0 {
		return nil, errors.New("a key tree is damaged")
	}
	t := &tree{nodes: map[node][sha256.Size]byte{}}
	for ; len(b) > 0; b = b[nodeSize:] {
		n := node{b[0], binary.BigEndian.Uint64(b[1:9])}
		if n.depth > treeDepth || n.prefix>>n.depth != 0 {
			return nil, errors.New("a key tree is damaged")
		}
		t.nodes[n] = [sha256.Size]byte(b[9:nodeSize])
	}
	return t, nil
}
