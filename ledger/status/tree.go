package status

import (
	"fmt"
	"maps"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Tree is a status tree in memory: 256 bytes of states and about 64 bytes of
// hashes for each 1,024 certificates. It is not safe for concurrent use; Clone
// gives another goroutine a view of its own.
type Tree struct {
	size, issued, revoked uint64

	chunks  pages[chunk]
	levels  []pages[tlog.Hash]  // levels[k] item i: hash of the complete subtree of chunks [i<<k, (i+1)<<k)
	dirty   map[uint64]struct{} // chunks changed since the hashes were computed
	pending map[uint64]struct{} // ordinals with an intent and no end yet
	owner   *owner
}

// New returns the tree of the empty log.
func New() *Tree {
	return &Tree{
		dirty:   make(map[uint64]struct{}),
		pending: make(map[uint64]struct{}),
		owner:   new(owner),
	}
}

// Clone returns an independent tree with the same content. It costs about one
// pointer for each 131,072 certificates and a few small maps; pages are copied
// when either tree writes to them.
func (t *Tree) Clone() *Tree {
	t.rehash() // the hashes are then shared as well
	c := &Tree{
		size: t.size, issued: t.issued, revoked: t.revoked,
		chunks:  t.chunks.clone(),
		levels:  make([]pages[tlog.Hash], len(t.levels)),
		dirty:   make(map[uint64]struct{}),
		pending: maps.Clone(t.pending),
		owner:   new(owner),
	}
	for i := range t.levels {
		c.levels[i] = t.levels[i].clone()
	}
	t.owner = new(owner) // t no longer owns the pages that it shares
	return c
}

// Size returns the number of ordinals: issued, aborted and pending.
func (t *Tree) Size() uint64 { return t.size }

// Issued returns the number of certificates ever issued.
func (t *Tree) Issued() uint64 { return t.issued }

// Revoked returns how many of the issued certificates are revoked.
func (t *Tree) Revoked() uint64 { return t.revoked }

// Pending returns the number of intents without an end. An auditor wants 0 at
// the end of a day.
func (t *Tree) Pending() uint64 { return uint64(len(t.pending)) }

// State returns the state of an ordinal; None for one that is not in the tree.
func (t *Tree) State(ordinal uint64) State {
	if ordinal >= t.size {
		return None
	}
	return t.chunks.at(ordinal / ChunkCertificates).get(ordinal)
}

// Apply brings one entry into the tree. Entries must come in log order. Kinds
// without a status are ignored. An impossible transition is an error and
// leaves the tree as it was: an ordinal out of order, an issue without a
// pending intent, a revocation of what is not in force.
func (t *Tree) Apply(e entry.Entry) error {
	switch b := e.Body.(type) {
	case *entry.CertIntent:
		return t.intent(b.Ordinal)
	case *entry.CertIssued:
		if err := t.end(b.Ordinal); err != nil {
			return err
		}
		t.set(b.Ordinal, Valid)
		t.issued++
	case *entry.CertAborted:
		return t.end(b.Ordinal)
	case *entry.Revocation:
		if s := t.State(b.Ordinal); s != Valid && s != Held {
			return fmt.Errorf("ordinal %d can't be revoked: its state is %s", b.Ordinal, s)
		}
		t.set(b.Ordinal, Revoked)
		t.revoked++
	}
	return nil
}

func (t *Tree) intent(ordinal uint64) error {
	if ordinal != t.size {
		return fmt.Errorf("intent has ordinal %d, next is %d", ordinal, t.size)
	}
	if t.size >= MaxSize {
		return fmt.Errorf("status tree is full at %d ordinals", t.size)
	}
	t.size++
	t.pending[ordinal] = struct{}{}
	if ordinal%ChunkCertificates == 0 {
		n := ordinal / ChunkCertificates
		t.chunks.writable(n, t.owner)
		t.dirty[n] = struct{}{}
	}
	return nil
}

func (t *Tree) end(ordinal uint64) error {
	if _, ok := t.pending[ordinal]; !ok {
		return fmt.Errorf("ordinal %d has no pending intent", ordinal)
	}
	delete(t.pending, ordinal)
	return nil
}

func (t *Tree) set(ordinal uint64, s State) {
	n := ordinal / ChunkCertificates
	t.chunks.writable(n, t.owner).set(ordinal, s)
	t.dirty[n] = struct{}{}
}

// rehash brings the stored hashes up to date: for each changed chunk its leaf
// and the complete subtrees above it.
func (t *Tree) rehash() {
	if len(t.dirty) == 0 {
		return
	}
	if len(t.levels) == 0 {
		t.levels = append(t.levels, pages[tlog.Hash]{})
	}
	// Items of a level are written in any order, but grow one by one.
	leaves := &t.levels[0]
	for i := leaves.n; i < t.chunks.n; i++ {
		*leaves.writable(i, t.owner) = tlog.Hash{}
	}
	for i := range t.dirty {
		*leaves.writable(i, t.owner) = tlog.RecordHash(t.chunks.at(i)[:])
	}
	changed := t.dirty
	for k := 0; t.levels[k].n > 1; k++ {
		if k+1 == len(t.levels) {
			t.levels = append(t.levels, pages[tlog.Hash]{})
		}
		lower, upper := &t.levels[k], &t.levels[k+1]
		for i := upper.n; i < lower.n/2; i++ {
			*upper.writable(i, t.owner) = tlog.Hash{}
		}
		next := make(map[uint64]struct{}, len(changed))
		for i := range changed {
			if p := i / 2; p < upper.n {
				next[p] = struct{}{}
			}
		}
		for p := range next {
			*upper.writable(p, t.owner) = tlog.NodeHash(*lower.at(2 * p), *lower.at(2*p + 1))
		}
		changed = next
	}
	clear(t.dirty)
}

// subtree returns the RFC 6962 hash of chunks [lo, hi), where lo is a multiple
// of the next power of two.
func (t *Tree) subtree(lo, hi uint64) tlog.Hash {
	n := hi - lo
	k := bits.Len64(n - 1)
	if n == 1<<k {
		return *t.levels[k].at(lo >> k)
	}
	mid := lo + 1<<(k-1)
	return tlog.NodeHash(t.subtree(lo, mid), t.subtree(mid, hi))
}

// Root returns the root hash over all chunks. It costs O(log n) hashes for
// each chunk changed since the last call.
func (t *Tree) Root() entry.Digest {
	if t.chunks.n == 0 {
		return EmptyRoot()
	}
	t.rehash()
	return entry.Digest(t.subtree(0, t.chunks.n))
}

// Prove returns the chunk of an ordinal (a copy) and its path, for Verify.
func (t *Tree) Prove(ordinal uint64) ([]byte, []tlog.Hash, error) {
	if ordinal >= t.size {
		return nil, nil, fmt.Errorf("ordinal %d is not in the status tree: it has %d", ordinal, t.size)
	}
	t.rehash()
	i := ordinal / ChunkCertificates
	c := *t.chunks.at(i)
	var path []tlog.Hash
	lo, hi := uint64(0), t.chunks.n
	for hi-lo > 1 {
		mid := lo + 1<<(bits.Len64(hi-lo-1)-1)
		if i < mid {
			path = append(path, t.subtree(mid, hi))
			hi = mid
		} else {
			path = append(path, t.subtree(lo, mid))
			lo = mid
		}
	}
	for a, b := 0, len(path)-1; a < b; a, b = a+1, b-1 {
		path[a], path[b] = path[b], path[a]
	}
	return c[:], path, nil
}
