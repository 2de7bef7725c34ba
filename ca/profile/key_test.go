package profile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
)

// Keys are written as crypto/x509 writes them and come back from it; other
// kinds are refused.
func TestKeysAreAsX509Writes(t *testing.T) {
	for name, k := range keys() {
		got, err := EncodeKey(k.Public())
		if err != nil || !bytes.Equal(got, mustSPKI(t, k.Public())) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		back, err := DecodeKey(got)
		if err != nil || !k.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(back) {
			t.Errorf("%s doesn't come back: %v", name, err)
		}
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]any{"none": nil, "P-521": p521.Public(), "Ed25519": edwards, "no modulus": &rsa.PublicKey{E: 3},
		"no exponent": &rsa.PublicKey{N: big.NewInt(77)}, "no curve": &ecdsa.PublicKey{}} {
		if _, err := EncodeKey(k); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	for name, k := range map[string]any{"P-521": p521.Public(), "Ed25519": edwards} {
		if _, err := DecodeKey(mustSPKI(t, k)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// FuzzDecodeKey: what is read was written in the one way, and crypto/x509 reads
// the same key from it.
func FuzzDecodeKey(f *testing.F) {
	for _, k := range keys() {
		f.Add(mustSPKI(f, k.Public()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := DecodeKey(b)
		if err != nil {
			return
		}
		again, err := EncodeKey(k)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("another encoding is accepted: %v", err)
		}
		if theirs, err := x509.ParsePKIXPublicKey(b); err != nil || !k.(interface{ Equal(crypto.PublicKey) bool }).Equal(theirs) {
			t.Fatalf("crypto/x509 reads something else: %v", err)
		}
	})
}
