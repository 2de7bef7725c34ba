// Package status is the dense status tree over issuance ordinals (DESIGN
// section 5): two bits for each certificate, 1,024 certificates a chunk,
// hashed as an RFC 6962 Merkle tree whose leaves are the chunks.
//
// The tree is a function of the log: whoever applies the entries in order gets
// the same root, so a logged status.root can be recomputed by anyone. The tree
// refuses what cannot happen (a revocation without an issue, a gap in the
// ordinals), so a log with such an entry has no status tree at all.
//
// It never holds more than states: no serial, no name, no time. The package is
// pure: no I/O, no clock, no randomness, and it runs in a browser.
//
//	t := status.New()
//	for _, e := range entries {
//		if err := t.Apply(e); err != nil {
//			return err
//		}
//	}
//	chunk, path, err := t.Prove(7)
//	state, err := status.Verify(t.Root(), t.Size(), 7, chunk, path)
package status

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// State is the status of one certificate, two bits in the tree.
type State byte

// The four states. A certificate goes from None to Valid and from Valid or
// Held to Revoked; Revoked is final (IN-06).
const (
	None    State = 0 // never issued: pending or aborted
	Valid   State = 1
	Revoked State = 2
	Held    State = 3 // suspended; no entry kind sets it yet
)

// String is the English word for the state.
func (s State) String() string {
	switch s {
	case None:
		return "none"
	case Valid:
		return "valid"
	case Revoked:
		return "revoked"
	case Held:
		return "held"
	}
	return "unknown"
}

const (
	// ChunkCertificates is the number of certificates in one chunk.
	ChunkCertificates = 1024
	// ChunkSize is the length of a chunk in bytes. The state of ordinal o is
	// bits 2*(o%4) and 2*(o%4)+1 of byte (o%1024)/4; what lies beyond the
	// tree's size is zero.
	ChunkSize = ChunkCertificates / 4
	// MaxSize is the largest number of ordinals that a tree may have.
	MaxSize = 1 << 40
)

type chunk [ChunkSize]byte

func (c *chunk) get(o uint64) State {
	o %= ChunkCertificates
	return State(c[o/4]>>(2*(o%4))) & 3
}

func (c *chunk) set(o uint64, s State) {
	o %= ChunkCertificates
	shift := 2 * (o % 4)
	c[o/4] = c[o/4]&^(3<<shift) | byte(s)<<shift
}

// Chunks returns the number of chunks of a tree with size ordinals.
func Chunks(size uint64) uint64 { return (size + ChunkCertificates - 1) / ChunkCertificates }

// EmptyRoot is the root of a tree without ordinals: SHA-256 of the empty
// string (RFC 6962 2.1).
func EmptyRoot() entry.Digest { return sha256.Sum256(nil) }

// ErrMismatch is returned by Verify when a well-formed proof doesn't lead to
// the root.
var ErrMismatch = errors.New("chunk and path do not lead to the status root")

// Verify checks that chunk is the chunk of ordinal in the tree of size
// ordinals with this root, and returns the ordinal's state. The path goes from
// the chunk's sibling up to the root's child (RFC 6962 2.1.1). Its errors are
// ErrMismatch for a proof that is well-formed and false.
func Verify(root entry.Digest, size, ordinal uint64, b []byte, path []tlog.Hash) (State, error) {
	if size > MaxSize || ordinal >= size {
		return None, fmt.Errorf("ordinal %d is not in a status tree of %d ordinals", ordinal, size)
	}
	if len(b) != ChunkSize {
		return None, fmt.Errorf("status chunk has %d bytes, not %d", len(b), ChunkSize)
	}
	c := (*chunk)(b)
	n := ordinal / ChunkCertificates
	err := tlog.CheckRecord(path, int64(Chunks(size)), tlog.Hash(root), int64(n), tlog.RecordHash(b))
	if err != nil {
		return None, ErrMismatch
	}
	for o := size; o < (n+1)*ChunkCertificates; o++ {
		if c.get(o) != None {
			return None, errors.New("status chunk has a state beyond the tree's size")
		}
	}
	return c.get(ordinal), nil
}
