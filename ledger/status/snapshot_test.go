package status

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What is not exactly what Marshal writes is refused, whatever it is.
func FuzzUnmarshal(f *testing.F) {
	tree := New()
	for range 3 {
		tree.Apply(intent(tree.Size()))
	}
	tree.Apply(issued(0))
	tree.Apply(aborted(1))
	f.Add(New().Marshal())
	f.Add(tree.Marshal())
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := Unmarshal(b)
		if err == nil && !bytes.Equal(tree.Marshal(), b) {
			t.Error("two snapshots of one tree")
		}
	})
}

// A restored tree is the tree, and goes on like it.
func TestSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := New()
		step := func(tree *Tree, o uint64, kind int) {
			switch kind {
			case 0:
				tree.Apply(intent(tree.Size()))
			case 1:
				tree.Apply(issued(o))
			case 2:
				tree.Apply(aborted(o))
			case 3:
				tree.Apply(revoking(o))
			}
		}
		for range rapid.IntRange(0, 3000).Draw(t, "intents") {
			tree.Apply(intent(tree.Size()))
		}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			step(tree, rapid.Uint64Range(0, 3100).Draw(t, "ordinal"), rapid.IntRange(0, 3).Draw(t, "kind"))
		}
		b := tree.Marshal()
		again, err := Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		root, issued, revoked := RootOf(tree.Size(), tree.State)
		if root != tree.Root() || issued != tree.Issued() || revoked != tree.Revoked() {
			t.Fatal("RootOf differs from the tree")
		}
		for range 50 {
			if again.Root() != tree.Root() || again.Size() != tree.Size() || again.Issued() != tree.Issued() || again.Revoked() != tree.Revoked() ||
				!bytes.Equal(again.Marshal(), tree.Marshal()) {
				t.Fatal("the restored tree differs")
			}
			o, kind := rapid.Uint64Range(0, 3100).Draw(t, "ordinal"), rapid.IntRange(0, 3).Draw(t, "kind")
			step(tree, o, kind)
			step(again, o, kind)
		}
	})
}

// FuzzSnapshot: bytes are refused or are the one form of a tree.
func FuzzSnapshot(f *testing.F) {
	tree := New()
	f.Add(tree.Marshal())
	for range 1030 {
		tree.Apply(intent(tree.Size()))
	}
	for o := range uint64(1000) {
		tree.Apply(issued(o))
	}
	tree.Apply(revoking(7))
	f.Add(tree.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := Unmarshal(b)
		if err != nil {
			return
		}
		if !bytes.Equal(tree.Marshal(), b) {
			t.Fatal("two forms of one tree")
		}
		tree.Root()
	})
}
