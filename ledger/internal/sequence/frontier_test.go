package sequence

import (
	"encoding/binary"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// model is the same tree in x/mod's sumdb/tlog.
type model struct {
	hashes []tlog.Hash
	size   int64
}

func (m *model) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = m.hashes[x]
	}
	return out, nil
}

func (m *model) add(t interface{ Fatal(...any) }, data []byte) {
	hs, err := tlog.StoredHashes(m.size, data, m)
	if err != nil {
		t.Fatal(err)
	}
	m.hashes = append(m.hashes, hs...)
	m.size++
}

func TestGrowthAgreesWithTlog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m model
		var f Frontier
		batches := rapid.SliceOfN(rapid.IntRange(1, 70), 1, 12).Draw(t, "batches")
		for _, n := range batches {
			var leaves []tlog.Hash
			for range n {
				data := binary.BigEndian.AppendUint64(nil, uint64(m.size))
				m.add(t, data)
				leaves = append(leaves, tlog.RecordHash(data))
			}
			g := f.Extend(leaves)
			root, err := tlog.TreeHash(m.size, &m)
			if err != nil || g.Root() != root {
				t.Fatalf("root at %d is %v, tlog says %v %v", m.size, g.Root(), root, err)
			}
			for i := f.Size; i < g.New.Size; i++ {
				if err := tlog.CheckRecord(g.Prove(i), m.size, root, int64(i), leaves[i-f.Size]); err != nil {
					t.Fatalf("proof of %d in %d: %v", i, m.size, err)
				}
			}
			f = g.New
		}
	})
}
