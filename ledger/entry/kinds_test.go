package entry

import (
	"encoding/base64"
	"math/rand/v2"
	"testing"
)

// TestBase64 holds isBase64 against the standard library: right spellings,
// and ones with one byte changed.
func TestBase64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	strict := base64.StdEncoding.Strict()
	wrong := 0
	for range 20_000 {
		raw := make([]byte, r.IntN(67))
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		b := []byte(base64.StdEncoding.EncodeToString(raw))
		if len(b) > 0 && r.IntN(4) > 0 {
			b[r.IntN(len(b))] = "AB+/=-_ \n\x00\xff9"[r.IntN(12)]
		}
		n := len(raw) + r.IntN(5)/4
		got, err := strict.DecodeString(string(b))
		want := err == nil && len(got) == n && len(b) == base64.StdEncoding.EncodedLen(n)
		if isBase64(string(b), n) != want {
			t.Fatalf("%q as %d bytes: %v", b, n, !want)
		}
		if !want {
			wrong++
		}
	}
	if wrong < 5000 {
		t.Errorf("only %d wrong spellings", wrong)
	}
}
