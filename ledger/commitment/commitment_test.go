package commitment

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

var vectorKey = func() (k Key) {
	for i := range k {
		k[i] = byte(i + 1)
	}
	return k
}()

var vectorSlots = []Slot{{"name", "透 花子"}, {"birth", "1990-02-29"}, {"sex", ""}, {"address", "長野県松本市丸の内3番7号"}}

// The expected values were computed with Python's hmac and hashlib, HKDF by
// hand: docs/formats.md says how.
func TestVectors(t *testing.T) {
	ds, err := vectorKey.Slots(vectorSlots)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"fac48f0358b53b2645167716bbd80c2d1f948f3bd91fa93eaa82a6c45aae5ca9",
		"957f5f158e82918992058d8af709a60dd585785d16bd4a958f3778be6661ac47",
		"553870b9ddec092edd01da4ac0ca58bacb36d3da29c51c61f2f2bfd4784d96a6",
		"aef853d656fdc023f0492627049e683d339135998144217a57f483d4be8c14e1",
	} {
		if ds[i].String() != want {
			t.Errorf("slot %s: %s", vectorSlots[i].Field, ds[i])
		}
	}
	salt, err := vectorKey.Salt("subject", "name")
	if err != nil || hex.EncodeToString(salt) != "2683fa3624fb22698fee0a6b645a55b6716a9b8d7f7b720d6ed80112c14b1588" {
		t.Errorf("salt %x %v", salt, err)
	}
	for _, c := range []struct {
		what, want string
		f          func() (entry.Digest, error)
	}{
		{"subject", "efd1162ed15424e498d0332f5d06a59dbc86ff1ac5fd0ebc511393878b616bda", func() (entry.Digest, error) { return vectorKey.Subject(vectorSlots) }},
		{"notice", "4a6e31ad083c898188194897773cf794192e20dfb3ab908cc9784b4dffb7673c", func() (entry.Digest, error) { return vectorKey.Notice(42, []byte("notice bytes")) }},
		{"holder", "ed8f159f86c3c25dedc1954bac6b720f0d5564622d4779ec6110e65740b83075", func() (entry.Digest, error) { return vectorKey.Holder(42, 7) }},
	} {
		if d, err := c.f(); err != nil || d.String() != c.want {
			t.Errorf("%s: %s %v", c.what, d, err)
		}
	}
}

func TestPartialDisclosure(t *testing.T) {
	ds, err := vectorKey.Slots(vectorSlots)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := vectorKey.Subject(vectorSlots)
	if err != nil {
		t.Fatal(err)
	}
	// The council is shown the address: salt and value of one slot.
	salt, err := vectorKey.Salt("subject", "address")
	if err != nil {
		t.Fatal(err)
	}
	ds[3] = OpenSlot(salt, vectorSlots[3].Value)
	blind := make([]Slot, len(vectorSlots))
	for i, s := range vectorSlots {
		blind[i].Field = s.Field
	}
	if got, err := Combine(blind, ds); err != nil || got != subject {
		t.Error("the opened slot doesn't lead to the subject", err)
	}
	ds[3] = OpenSlot(salt, vectorSlots[3].Value+" ")
	if got, _ := Combine(blind, ds); got == subject {
		t.Error("another address opens too")
	}
}

// TestBinding: other keys, fields, purposes, values and lists give other
// commitments.
func TestBinding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := func(label string) (k Key) {
			copy(k[:], rapid.SliceOfN(rapid.ByteRange(1, 255), 32, 32).Draw(t, label))
			return k
		}
		k1, k2 := key("k1"), key("k2")
		v1, v2 := rapid.String().Draw(t, "v1"), rapid.String().Draw(t, "v2")
		slots := []Slot{{"a", v1}, {"b", v2}}
		s1, err := k1.Subject(slots)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := k1.Subject(slots)
		other, _ := k2.Subject(slots)
		swapped, _ := k1.Subject([]Slot{{"a", v2}, {"b", v1}})
		renamed, _ := k1.Subject([]Slot{{"a", v1}, {"c", v2}})
		shorter, _ := k1.Subject(slots[:1])
		moved, _ := k1.Subject([]Slot{{"a", v1 + v2}, {"b", ""}})
		if again != s1 || (other == s1) != (k1 == k2) || (swapped == s1) != (v1 == v2) || renamed == s1 || shorter == s1 || (moved == s1) != (v2 == "") {
			t.Fatal("commitments don't bind")
		}
		seq, ord := rapid.Uint64().Draw(t, "seq"), rapid.Uint64().Draw(t, "ord")
		h1, _ := k1.Holder(seq, ord)
		h2, _ := k1.Holder(seq+1, ord)
		h3, _ := k1.Holder(seq, ord+1)
		n1, _ := k1.Notice(seq, []byte(v1))
		n2, _ := k1.Notice(seq+1, []byte(v1))
		n3, _ := k1.Notice(seq, []byte(v1+"x"))
		if h1 == h2 || h1 == h3 || n1 == n2 || n1 == n3 || n1 == h1 {
			t.Fatal("notices and holders don't bind")
		}
	})
}

// TestErasure: without the key nothing can be computed, and what was logged
// says nothing about the value to who tries all values with other keys.
func TestErasure(t *testing.T) {
	erased := Key{}
	if !erased.IsZero() || vectorKey.IsZero() {
		t.Error("IsZero")
	}
	if _, err := erased.Subject(vectorSlots); err == nil {
		t.Error("subject without a key")
	}
	if _, err := erased.Notice(1, nil); err == nil {
		t.Error("notice without a key")
	}
	if _, err := erased.Holder(1, 1); err == nil {
		t.Error("holder without a key")
	}
	if _, err := erased.Slots(vectorSlots); err == nil {
		t.Error("slots without a key")
	}
	logged, err := vectorKey.Subject(vectorSlots)
	if err != nil {
		t.Fatal(err)
	}
	guess := vectorKey
	guess[31] ^= 1 // even all of the key but one bit doesn't help
	if d, _ := guess.Subject(vectorSlots); d == logged {
		t.Error("opened with another key")
	}
	plain := entry.Sum([]byte("透 花子"))
	ds, _ := vectorKey.Slots(vectorSlots)
	if ds[0] == plain {
		t.Error("a plain hash")
	}
}

func TestKey(t *testing.T) {
	k, err := NewKey(bytes.NewReader(vectorKey[:]))
	if err != nil || k != vectorKey {
		t.Fatal(err)
	}
	if _, err := NewKey(bytes.NewReader(vectorKey[:31])); err == nil {
		t.Error("31 bytes of randomness")
	}
	broken := errors.New("broken")
	if _, err := NewKey(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	back, err := ParseKey(k.Hex())
	if err != nil || back != k {
		t.Error(err)
	}
	for _, s := range []string{"", k.Hex()[1:], strings.ToUpper(k.Hex()), k.Hex() + "\n", strings.Repeat("g", 64)} {
		if _, err := ParseKey(s); err == nil || s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%d characters: %v", len(s), err)
		}
	}
	type record struct{ K Key }
	if b, err := json.Marshal(record{k}); err == nil {
		t.Errorf("a key was written as JSON: %s", b)
	}
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%x", k), fmt.Sprintf("%d", record{k}), fmt.Sprintf("%v %+v %#v %s", k, record{k}, k, &k), fmt.Sprintf("%#v", record{k})} {
		if strings.Contains(s, "0x1") || strings.Contains(s, "01020304") || strings.Contains(s, "1 2 3") || !strings.Contains(s, "[record key]") {
			t.Errorf("a key was printed: %s", s)
		}
	}
}

func TestCombineRefuses(t *testing.T) {
	d := entry.Sum(nil)
	for name, slots := range map[string][]Slot{
		"none":              {},
		"empty field":       {{Field: ""}},
		"space":             {{Field: "a b"}},
		"newline":           {{Field: "a\nb"}},
		"slash":             {{Field: "a/b"}},
		"not ASCII":         {{Field: "名"}},
		"long":              {{Field: strings.Repeat("a", 65)}},
		"more than digests": {{Field: "a"}, {Field: "b"}},
	} {
		ds := make([]entry.Digest, min(1, len(slots)))
		for i := range ds {
			ds[i] = d
		}
		if _, err := Combine(slots, ds); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Slots computes by itself what the standard library's HKDF and HMAC give, for
// values of every length.
func TestSlotsIsHKDFAndHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Key(rapid.SliceOfN(rapid.Byte(), KeySize, KeySize).Filter(func(b []byte) bool { return Key(b) != Key{} }).Draw(t, "key"))
		slots := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Slot {
			size := rapid.SampledFrom([]int{0, 1, 46, 47, 48, 55, 56, 63, 64, 200, 800, 944, 952, 960, 3000}).Draw(t, "size")
			return Slot{Field: rapid.StringN(1, 8, 64).Draw(t, "field"), Value: string(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "value"))}
		}), 1, 7).Draw(t, "slots")
		got, err := k.Slots(slots)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range slots {
			want, err := k.commit("subject", s.Field, []byte(s.Value))
			if err != nil || got[i] != want {
				t.Fatalf("slot %d: %v", i, err)
			}
		}
	})
}

// BenchmarkSubject measures the commitment to a resident's six values.
func BenchmarkSubject(b *testing.B) {
	slots := []Slot{{"1", "透見　花子"}, {"4", "319620617"}, {"3", "2"}, {"5", "長野県松本市架空町１丁目２－３"}, {"2", "00000"}, {"6", "000000000000000"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vectorKey.Subject(slots); err != nil {
			b.Fatal(err)
		}
	}
}
