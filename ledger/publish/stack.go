package publish

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// stack computes an RFC 6962 root from entries one after the other: it holds
// one hash for each bit that is set in the number of entries.
type stack struct {
	size   uint64
	hashes []tlog.Hash
}

func newStack() *stack { return &stack{} }

func (s *stack) add(entryBytes []byte) {
	h := tlog.RecordHash(entryBytes)
	for n := s.size; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(s.hashes[len(s.hashes)-1], h)
		s.hashes = s.hashes[:len(s.hashes)-1]
	}
	s.hashes = append(s.hashes, h)
	s.size++
}

func (s *stack) root() tlog.Hash {
	if s.size == 0 {
		return tlog.Hash(sha256.Sum256(nil))
	}
	h := s.hashes[len(s.hashes)-1]
	for i := len(s.hashes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(s.hashes[i], h)
	}
	return h
}
