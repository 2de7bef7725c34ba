package audit

import (
	"crypto/sha256"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The status tree's rule, written a second time (DESIGN section 5): two bits
// for each ordinal, 1,024 ordinals in a chunk of 256 bytes, the chunks hashed
// as an RFC 6962 tree. Package ledger/status keeps complete subtrees; here
// every level is kept whole and a last node without a sibling is carried up,
// which gives the same root by another way.

const (
	stateValid   = 1
	stateRevoked = 2

	chunkOrdinals = 1024
	chunkBytes    = chunkOrdinals / 4
)

// states are the states of all ordinals as this auditor computed them.
type states struct {
	size, issued, revoked uint64

	bits   []byte
	levels [][]entry.Digest
	dirty  []uint64 // chunks to hash again, ascending without doubles after sorting
	marked map[uint64]bool
}

func newStates() *states { return &states{marked: map[uint64]bool{}} }

// grow adds one ordinal in state none.
func (s *states) grow() {
	if s.size%chunkOrdinals == 0 {
		s.bits = append(s.bits, make([]byte, chunkBytes)...)
		s.mark(s.size / chunkOrdinals)
	}
	s.size++
}

// set moves an ordinal to valid or revoked and keeps the counts.
func (s *states) set(o uint64, state byte) {
	shift := o % 4 * 2
	s.bits[o/4] = s.bits[o/4]&^(3<<shift) | state<<shift
	s.mark(o / chunkOrdinals)
	switch state {
	case stateValid:
		s.issued++
	case stateRevoked:
		s.revoked++
	}
}

func (s *states) mark(chunk uint64) {
	if !s.marked[chunk] {
		s.marked[chunk] = true
		s.dirty = append(s.dirty, chunk)
	}
}

func hash(prefix byte, parts ...[]byte) entry.Digest {
	h := sha256.New()
	h.Write([]byte{prefix})
	for _, p := range parts {
		h.Write(p)
	}
	return entry.Digest(h.Sum(nil))
}

// root hashes what changed since the last call.
func (s *states) root() entry.Digest {
	n := uint64(len(s.bits) / chunkBytes)
	if n == 0 {
		return sha256.Sum256(nil)
	}
	for k, width := 0, n; ; k, width = k+1, (width+1)/2 {
		if k == len(s.levels) {
			s.levels = append(s.levels, nil)
		}
		for uint64(len(s.levels[k])) < width {
			s.levels[k] = append(s.levels[k], entry.Digest{})
		}
		if width == 1 {
			break
		}
	}
	for _, c := range s.dirty {
		s.levels[0][c] = hash(0, s.bits[c*chunkBytes:(c+1)*chunkBytes])
	}
	todo := s.dirty
	for k := 0; k+1 < len(s.levels); k++ {
		todo = s.lift(k, todo)
	}
	s.dirty = s.dirty[:0]
	clear(s.marked)
	return s.levels[len(s.levels)-1][0]
}

// lift hashes the parents of the changed nodes of level k and returns them.
func (s *states) lift(k int, changed []uint64) []uint64 {
	lower, upper := s.levels[k], s.levels[k+1]
	var parents []uint64
	done := make(map[uint64]bool, len(changed))
	for _, i := range changed {
		p := i / 2
		if done[p] {
			continue
		}
		done[p] = true
		parents = append(parents, p)
		if 2*p+1 < uint64(len(lower)) {
			upper[p] = hash(1, lower[2*p][:], lower[2*p+1][:])
		} else {
			upper[p] = lower[2*p]
		}
	}
	return parents
}

// statusRoot recomputes a logged summary.
func (a *auditor) statusRoot(it *item, b *entry.StatusRoot) {
	a.count(ckStatusRoot)
	s := a.states
	switch root := s.root(); {
	case b.Covers != it.index:
		a.fail(ckStatusRoot, text("記録 %d の状態のまとめは、直前までの全記録を対象としていません。", "The status summary at entry %d doesn't cover all entries before it.", it.index), it.index)
	case b.Size != s.size || b.Issued != s.issued || b.Revoked != s.revoked:
		a.fail(ckStatusRoot, text("記録 %d の状態のまとめの件数(発行 %d、失効 %d)が、数え直した件数(発行 %d、失効 %d)と違います。",
			"The counts of the status summary at entry %d (issued %d, revoked %d) differ from the recount (issued %d, revoked %d).", it.index, b.Issued, b.Revoked, s.issued, s.revoked), it.index)
	case b.Root != root:
		a.fail(ckStatusRoot, text("記録 %d の状態のまとめのハッシュ値が、計算し直した値と違います。", "The hash of the status summary at entry %d differs from the recomputed one.", it.index), it.index)
	}
	for ; a.statusOK < len(a.revs); a.statusOK++ {
		r := &a.revs[a.statusOK]
		wait := seconds(r.at, it.e.At)
		a.times.publish = append(a.times.publish, wait)
		if r.sentAt != (entry.Time{}) {
			a.times.whole = append(a.times.whole, seconds(r.sentAt, it.e.At))
		}
		if wait > int64(a.o.Status.Seconds()) {
			a.fail(ckRevokeTime, text("記録 %d の失効が状態のまとめに入るまで %d 秒かかりました。", "It took %[2]d seconds until the revocation of entry %[1]d was in a status summary.", r.index, wait), r.index, it.index)
		}
	}
}
