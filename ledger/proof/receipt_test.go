package proof

import (
	"errors"
	"testing"
)

func TestReceiptHolds(t *testing.T) {
	w := filled(t, 3, 11)
	p := w.policy(t, "2")
	for i := range w.entries {
		r, err := ParseReceipt(w.receipt(t, i, 11, 0, 2).Marshal())
		if err != nil {
			t.Fatal(err)
		}
		cp, err := p.VerifyReceipt(r, w.entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if cp.Size != 11 || cp.Origin != w.origin || len(cp.Cosigned) != 2 || !cp.Witnessed.Equal(w.witnessed) {
			t.Fatalf("checkpoint %+v", cp)
		}
		if _, err := p.VerifyReceipt(r, w.entries[(i+1)%11]); !errors.Is(err, ErrFalse) {
			t.Fatalf("another entry: %v", err)
		}
	}
}
