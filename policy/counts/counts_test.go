package counts

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

var sample = entry.Counts{Day: "2026-11-23", Gone: 2, Lists: 3, New: 40, Notices: 7, Number: 2, Received: 6, Refused: 1}

func key(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTextIsCanonical(t *testing.T) {
	b, err := json.Marshal(sample)
	if err != nil {
		t.Fatal(err)
	}
	want, err := jcs.Transform(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Text(sample)); got != header+string(want) {
		t.Errorf("%s", got)
	}
}

// One key and one text have one signature: signing again gives the same, and
// every other spelling of it is refused, among them the same number plus the
// modulus, other bits, and other lengths.
func TestSignatureIsUnique(t *testing.T) {
	k := key(t, 2048)
	sig, err := Sign(k, sample)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Sign(k, sample); err != nil || again != sig {
		t.Fatalf("signed again: %v, equal %t", err, again == sig)
	}
	if err := Verify(&k.PublicKey, sample, sig); err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(sig)
	tried := 0
	refuse := func(b []byte) {
		t.Helper()
		tried++
		if Verify(&k.PublicKey, sample, base64.StdEncoding.EncodeToString(b)) == nil {
			t.Errorf("another signature of %d bytes holds", len(b))
		}
	}
	for i := range 8 * len(raw) {
		b := append([]byte{}, raw...)
		b[i/8] ^= 1 << (i % 8)
		refuse(b)
	}
	plus := new(big.Int).Add(new(big.Int).SetBytes(raw), k.N)
	if plus.BitLen() <= 2048 {
		refuse(plus.FillBytes(make([]byte, 256)))
	}
	refuse(append([]byte{0}, raw...))
	refuse(raw[1:])
	refuse(nil)
	for _, s := range []string{sig + "\n", " " + sig, strings.TrimRight(sig, "="), sig[:len(sig)-3] + "B=="} {
		tried++
		if s != sig && Verify(&k.PublicKey, sample, s) == nil {
			t.Errorf("another spelling holds")
		}
	}
	if tried < 2050 {
		t.Errorf("only %d others tried", tried)
	}
}

func TestEveryNumberIsSigned(t *testing.T) {
	k := key(t, 2048)
	sig, err := Sign(k, sample)
	if err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*entry.Counts){
		func(c *entry.Counts) { c.Day = "2026-11-24" }, func(c *entry.Counts) { c.Gone++ }, func(c *entry.Counts) { c.Lists++ },
		func(c *entry.Counts) { c.New++ }, func(c *entry.Counts) { c.Notices++ }, func(c *entry.Counts) { c.Number++ },
		func(c *entry.Counts) { c.Received++ }, func(c *entry.Counts) { c.Refused++ },
	} {
		c := sample
		change(&c)
		if Verify(&k.PublicKey, c, sig) == nil {
			t.Errorf("change %d is not noticed", i)
		}
	}
	if other := key(t, 2048); Verify(&other.PublicKey, sample, sig) == nil {
		t.Error("another key's signature holds")
	}
}

func TestKeysOfAnotherSize(t *testing.T) {
	k := key(t, 3072)
	if _, err := Sign(k, sample); err == nil {
		t.Error("signed with 3,072 bits")
	}
	if Verify(&k.PublicKey, sample, "") == nil || Verify(nil, sample, "") == nil {
		t.Error("verified without a proper key")
	}
	if _, err := Sign(nil, sample); err == nil {
		t.Error("signed without a key")
	}
}
