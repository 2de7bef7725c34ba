package logtest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Record is the digest of a rotation's record.
var Record = entry.Sum([]byte("record of the ceremony"))

// testRotation goes over to another key twice: the old one opens the log no
// more, what it signed still verifies, and running a rotation again changes
// nothing.
func testRotation(t *testing.T, make Maker) {
	p := make(t)
	s := Settings{Origin: Origin, Head: "head"}
	e := with(t, p, s)
	old := [][]byte{Event(t, entry.ByCA, 0), Event(t, entry.ByCA, 1)}
	receipts := appended(t, e, old...)
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(2); seq < 4; seq++ {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		size, _ := e.Size(ctx)
		retired := rotatedTwice(t, p, s)
		if last := retired[len(retired)-1]; last.Until != size+3 {
			t.Errorf("the old key signed up to %d of %d entries", last.Until, size)
		}
		if again, err := p.Open(t, s); err == nil {
			again.Close()
			t.Error("the retired key opens the log")
		} else if say.Code(err) != "ledger.head" {
			t.Errorf("the retired key: %v", err)
		}
		s.Retired = retired
		e = with(t, p, s)
		appended(t, e, Event(t, entry.ByCA, seq))
		if _, err := e.Publish(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_, vkey := s.Key(t)
	chain, err := proof.LogKeys(append(slices.Clone(s.Retired), proof.LogKey{VKey: vkey})...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range receipts {
		if _, err := chain.VerifyReceipt(r, old[i]); err != nil {
			t.Errorf("receipt %d of the first key: %v", i, err)
		}
	}
	size, _ := e.Size(ctx)
	count := 0
	err = e.Entries(ctx, 0, size, func(_ uint64, b []byte) error {
		if bytes.Contains(b, []byte(`"kind":"key.`)) {
			count++
		}
		return nil
	})
	if err != nil || count != 4 {
		t.Errorf("%d entries about keys for two rotations, %v", count, err)
	}
}

// rotatedTwice runs one rotation, and the same again.
func rotatedTwice(t *testing.T, p Place, s Settings) []proof.LogKey {
	t.Helper()
	retired, err := p.Rotate(t, s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Rotate(t, s)
	if err != nil || !slices.Equal(again, retired) {
		t.Errorf("the rotation run again: %v, %v", again, err)
	}
	return retired
}
