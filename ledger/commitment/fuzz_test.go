package commitment

import (
	"encoding/hex"
	"strings"
	"testing"
)

func FuzzParseKey(f *testing.F) {
	f.Add(strings.Repeat("0a", 32))
	f.Add(strings.Repeat("0A", 32))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err == nil && hex.EncodeToString(k[:]) != s {
			t.Fatalf("%q has two spellings", s)
		}
	})
}
