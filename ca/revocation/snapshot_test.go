package revocation

import (
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
	"pgregory.net/rapid"
)

// A restored state is the state in every member, whatever the history; under
// another status.root, or with bytes missing, nothing is restored.
func TestSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, d := &history{s: NewState(), tree: status.New(), now: start}, rapidDraw{t}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			h.step(d)
		}
		issuer := bareIssuer().issuer.Key
		if rapid.Bool().Draw(t, "keys") {
			for i := range byte(3) {
				h.apply(d, &entry.CrossIntent{Issuer: issuer, Purpose: entry.PurposeLink, Serial: hex.EncodeToString([]byte{0x70, 1, i})})
			}
			h.apply(d, &entry.CrossRevoked{Issuer: issuer, Ground: entry.GroundRenewed, Recorded: entry.At(h.now), Serial: hex.EncodeToString([]byte{0x70, 1, 1})})
			h.apply(d, &entry.KeySucceeded{SPKI: issuer, Successor: entry.Sum([]byte("next"))})
			h.apply(d, &entry.KeyLeaked{SPKI: entry.Sum([]byte("old"))})
			h.apply(d, &entry.CRLPublished{Issuer: issuer, Number: 3, Partition: CA})
		}
		b, covers, err := h.s.Snapshot()
		if err != nil || covers != uint64(len(h.log)) {
			t.Fatal(covers, err)
		}
		root := &entry.StatusRoot{Size: h.tree.Size(), Issued: h.tree.Issued(), Revoked: h.tree.Revoked(), Root: h.tree.Root()}
		again := NewState()
		if err := again.RestoreUnder(b, covers, root); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, h.s) {
			t.Fatal("the restored state differs")
		}
		if err := again.RestoreUnder(b, covers, root); err == nil && covers > 0 {
			t.Fatal("restored over a state that is not empty")
		}
		other := *root
		other.Root[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		fresh := NewState()
		if fresh.RestoreUnder(b, covers, &other) == nil || fresh.RestoreUnder(b, covers+1, root) == nil ||
			fresh.RestoreUnder(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], covers, root) == nil {
			t.Fatal("a snapshot that does not hold was restored")
		}
		if !reflect.DeepEqual(fresh, NewState()) {
			t.Fatal("a refused snapshot left something behind")
		}
	})
}

// FuzzSnapshot: bytes from outside never panic.
func FuzzSnapshot(f *testing.F) {
	for _, n := range []int{0, 3} {
		b, _, err := revokedState(f, n).Snapshot()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSnapshot(b); err == nil {
			s.matches(&entry.StatusRoot{})
			if _, _, err := s.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
