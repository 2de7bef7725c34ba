package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// SampleShare is the share of notices that a draw takes: one in 33, at least 3
// per cent, and never less than one notice.
const SampleShare = 33

// Sample draws k of the numbers 0 to n-1 without putting back, in ascending
// order. Who knows the seed can draw again: number i of the stream is
// SHA-256("sukashi/v1/sample\n", seed, i), its first eight bytes as a
// big-endian number; numbers that would make the draw uneven are passed over.
func Sample(seed entry.Digest, n, k uint64) []uint64 {
	k = min(k, n)
	taken := make(map[uint64]bool, k)
	out := make([]uint64, 0, k)
	for i := uint64(0); uint64(len(out)) < k; i++ {
		h := sha256.New()
		h.Write([]byte("sukashi/v1/sample\n"))
		h.Write(seed[:])
		h.Write(binary.BigEndian.AppendUint64(nil, i))
		x := binary.BigEndian.Uint64(h.Sum(nil))
		if x >= math.MaxUint64-math.MaxUint64%n {
			continue
		}
		if x %= n; !taken[x] {
			taken[x] = true
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

// drawState is one review.draw entry; covers and seed fix the sample.
type drawState struct {
	index  uint64
	covers uint64
	seed   entry.Digest
}

func (a *auditor) reviewDraw(it *item, b *entry.ReviewDraw) {
	a.count(ckSample)
	if b.Covers > it.index {
		a.fail(ckSample, text("記録 %d の抽選は、まだない記録を対象にしています。", "The draw of entry %d is about entries that did not exist yet.", it.index), it.index)
		return
	}
	a.draws = append(a.draws, drawState{index: it.index, covers: b.Covers, seed: b.Seed})
}

// finishDraws draws again and looks whether every drawn notice was disclosed.
func (a *auditor) finishDraws(opened map[uint64]uint64) {
	for _, d := range a.draws {
		var among []uint64
		for n := range a.notices {
			if s := &a.notices[n]; s.received && s.answer-1 < d.covers {
				among = append(among, uint64(n))
			}
		}
		out := Draw{Index: d.index, Among: uint64(len(among))}
		size := uint64(len(among)) / SampleShare
		if size*SampleShare < uint64(len(among)) {
			size++
		}
		for _, i := range Sample(d.seed, uint64(len(among)), size) {
			out.Notices = append(out.Notices, among[i])
		}
		for _, n := range out.Notices {
			a.count(ckSample)
			if _, ok := opened[n]; ok {
				out.Opened++
				continue
			}
			a.warn(ckSample, text("抽選(記録 %d)で選ばれた通知 %d が、まだ開示されていません。", "Notice %[2]d, drawn at entry %[1]d, has not been disclosed yet.", d.index, n), d.index, a.notices[n].answer-1)
		}
		a.figures.Draws = append(a.figures.Draws, out)
	}
}
