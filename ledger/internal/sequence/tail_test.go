package sequence

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// TestRedoTakesOnlyTheSignedEntries: a tail leads from exactly one store to
// exactly the head that it belongs to.
func TestRedoTakesOnlyTheSignedEntries(t *testing.T) {
	var all []Entry
	var leaves []tlog.Hash
	for seq := range uint64(9) {
		at := entry.At(time.Unix(1e9, 0))
		b, err := entry.Entry{At: at, By: entry.ByCA, Seq: seq, Body: &entry.SecurityEvent{Code: "a", Count: 1, From: at, To: at}}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Entry{Bytes: b})
		leaves = append(leaves, tlog.RecordHash(b))
	}
	whole := Frontier{}.Extend(leaves)
	cp := &proof.Checkpoint{Size: 9, Root: whole.Root()}
	hashes := func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, x := range indexes {
			k, i := tlog.SplitStoredHashIndex(x)
			out = append(out, whole.Node(k, uint64(i)))
		}
		return out, nil
	}
	tail := tailOf(&Batch{Entries: all[5:]}, nil)
	b, err := Redo(tail, cp, 5, hashes)
	if err != nil || len(b.Entries) != 4 || b.First != 5 || !bytes.Equal(b.Entries[3].Bytes, all[8].Bytes) {
		t.Fatalf("%+v, %v", b, err)
	}
	for at := range tail {
		bad := bytes.Clone(tail)
		bad[at] ^= 1
		if _, err := Redo(bad, cp, 5, hashes); err == nil {
			t.Fatalf("a tail with byte %d changed was taken", at)
		}
		if _, err := Redo(tail[:at], cp, 5, hashes); err == nil {
			t.Fatalf("%d bytes of a tail were taken", at)
		}
	}
	for size := range uint64(9) {
		if _, err := Redo(tail, cp, size, hashes); size != 5 && err == nil {
			t.Errorf("a store of %d entries was brought to 9 by 4", size)
		}
	}
	other := hashes
	_, err = Redo(tail, cp, 5, func(x []int64) ([]tlog.Hash, error) {
		out, err := other(x)
		out[0][0] ^= 1
		return out, err
	})
	if err == nil {
		t.Error("another store's tree was taken")
	}
	if tailOf(&Batch{Entries: []Entry{{Bytes: make([]byte, 65_000)}}}, make([]byte, 600)) != nil {
		t.Error("a tail that doesn't fit was made")
	}
}
