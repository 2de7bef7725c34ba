package profile

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

// The short writer writes what cryptobyte writes, for every length and number.
func TestDERIsAsCryptobyteWrites(t *testing.T) {
	for _, n := range []int{0, 1, 2, 126, 127, 128, 129, 254, 255, 256, 257, 65_535} {
		content := bytes.Repeat([]byte{7}, n)
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(content) })
		if got := element([]byte{9}, asn1.SEQUENCE, content); !bytes.Equal(got[1:], b.BytesOrPanic()) || size(n) != len(got)-1 {
			t.Errorf("%d bytes of content: %d, size %d", n, len(got)-1, size(n))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		oid := encasn1.ObjectIdentifier{rapid.IntRange(0, 1).Draw(t, "first"), rapid.IntRange(0, 39).Draw(t, "second")}
		if rapid.Bool().Draw(t, "joint") {
			oid = encasn1.ObjectIdentifier{2, rapid.IntRange(0, 1<<31-81).Draw(t, "second")}
		}
		oid = append(oid, rapid.SliceOfN(rapid.IntRange(0, 1<<31-1), 0, 18).Draw(t, "rest")...)
		var b cryptobyte.Builder
		b.AddASN1ObjectIdentifier(oid)
		if got := identifier(nil, oid); !bytes.Equal(got, b.BytesOrPanic()) {
			t.Fatalf("%v: %x", oid, got)
		}
		at := time.Unix(rapid.Int64Range(-631_152_000, 253_402_300_799).Draw(t, "time"), 0)
		b = cryptobyte.Builder{}
		AddTime(&b, at)
		if got := moment(nil, at); !bytes.Equal(got, b.BytesOrPanic()) {
			t.Fatalf("%v: %s", at, got)
		}
	})
}

// What counts as a digit of a long number is what Unicode says, and kanji.
func TestIsDigit(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if want := unicode.IsDigit(r) || strings.ContainsRune("〇一二三四五六七八九", r); isDigit(r) != want {
			t.Errorf("%U: %v", r, !want)
		}
	}
}
