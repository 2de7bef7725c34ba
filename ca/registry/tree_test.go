package registry

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is destroyed, in whatever order: the destroyed numbers have no key,
// all others have the one they had, also after writing and reading, and no kept
// node lies above a destroyed number.
func TestTree(t *testing.T) {
	whole := newTree([32]byte{1, 2, 3})
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Uint64Range(0, 40), rapid.Uint64Range(0, 1<<treeDepth-1))
		gone := rapid.SliceOfN(number, 0, 20).Draw(t, "gone")
		tr := whole
		for _, part := range [][]uint64{gone[:len(gone)/2], gone[len(gone)/2:]} {
			tr = tr.without(part...)
		}
		tr, err := parseTree(tr.marshal())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range append(rapid.SliceOfN(number, 1, 20).Draw(t, "asked"), gone...) {
			want, _ := whole.key(n)
			got, err := tr.key(n)
			dead := slices.Contains(gone, n)
			if dead != errors.Is(err, errDestroyed) || !dead && (err != nil || got != want) || tr.alive(n) == dead {
				t.Fatalf("key of %d, destroyed %v: %v", n, dead, err)
			}
		}
	})
	all := make([]uint64, 1000)
	for i := range all {
		all[i] = uint64(i)
	}
	if n := len(whole.without(all...).nodes); n > treeDepth {
		t.Errorf("after 1,000 in a row %d nodes are kept", n)
	}
	if n := len(whole.without(12345).nodes); n != treeDepth {
		t.Errorf("after one, %d nodes are kept", n)
	}
	if _, err := whole.key(1 << treeDepth); err == nil {
		t.Error("a number out of range has a key")
	}
	for _, bad := range [][]byte{{1}, append([]byte{41}, make([]byte, nodeSize-1)...), append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 32)...)} {
		if _, err := parseTree(bad); err == nil {
			t.Errorf("read %x", bad)
		}
	}
}

func BenchmarkTreeKey(b *testing.B) {
	t := newTree([32]byte{1}).without(5, 99999)
	for i := range b.N {
		if _, err := t.key(uint64(100000 + i)); err != nil {
			b.Fatal(err)
		}
	}
}
