package commitment

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// A disclosure of one slot opens that slot and nothing else: whoever keeps it
// learns no other value after the erasure, however easily it is guessed.
func TestDiscloseOneSlot(t *testing.T) {
	subject, err := vectorKey.Subject(vectorSlots)
	if err != nil {
		t.Fatal(err)
	}
	open, err := vectorKey.Disclose(vectorSlots, "address")
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(subject, open); err != nil {
		t.Error(err)
	}
	for i, o := range open {
		if shown := o.Salt != nil; shown != (o.Field == "address") || !shown && o.Value != "" {
			t.Errorf("slot %s: %+v", o.Field, o)
		}
		if o.Salt != nil && (bytes.Equal(o.Salt, vectorKey[:]) || o.Value != vectorSlots[i].Value) {
			t.Errorf("slot %s: %+v", o.Field, o)
		}
		// The right value with the disclosed salt opens no other slot.
		if salt := open[3].Salt; i != 3 && OpenSlot(salt, vectorSlots[i].Value) == o.Commit {
			t.Errorf("the address's salt opens %s", o.Field)
		}
	}
	if d, _ := vectorKey.Notice(42, []byte("n")); OpenNotice(open[3].Salt, []byte("n")) == d {
		t.Error("the address's salt opens a notice")
	}
	for what, break1 := range map[string]func([]Opening){
		"value":      func(o []Opening) { o[3].Value += " " },
		"commitment": func(o []Opening) { o[0].Commit[0] ^= 1 },
		"field":      func(o []Opening) { o[0].Field = "names" },
		"order":      func(o []Opening) { o[0], o[1] = o[1], o[0] },
	} {
		bad := append([]Opening{}, open...)
		break1(bad)
		if Verify(subject, bad) == nil {
			t.Errorf("verified with another %s", what)
		}
	}
	for _, fields := range [][]string{nil, {"nothing"}, {"name", "name"}} {
		if _, err := vectorKey.Disclose(vectorSlots, fields...); err == nil {
			t.Errorf("disclosed %v", fields)
		}
	}
	if _, err := (Key{}).Disclose(vectorSlots, "name"); err == nil {
		t.Error("disclosed without a key")
	}
}

func TestNoticeSalts(t *testing.T) {
	h, err := vectorKey.HolderSalt(42)
	if err != nil {
		t.Fatal(err)
	}
	if got := OpenHolder(h, 7); got.String() != "ed8f159f86c3c25dedc1954bac6b720f0d5564622d4779ec6110e65740b83075" {
		t.Errorf("holder %s", got)
	}
	n, err := vectorKey.NoticeSalt(42)
	if err != nil {
		t.Fatal(err)
	}
	if got := OpenNotice(n, []byte("notice bytes")); got.String() != "4a6e31ad083c898188194897773cf794192e20dfb3ab908cc9784b4dffb7673c" {
		t.Errorf("notice %s", got)
	}
	next, _ := vectorKey.HolderSalt(43)
	if hex.EncodeToString(next) == hex.EncodeToString(h) || OpenHolder(n, 7) == (entry.Digest{}) {
		t.Error("one notice's salt opens another's")
	}
	if _, err := (Key{}).HolderSalt(1); err == nil {
		t.Error("salt without a key")
	}
}
