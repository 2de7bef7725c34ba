package testca

import (
	"crypto/x509"
	"testing"
	"time"
)

// TestAgainstStandardLibrary: what this package writes, the standard library
// reads and verifies.
func TestAgainstStandardLibrary(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	ca := New(t, now)
	key := Key(t)
	cert, err := x509.ParseCertificate(ca.Issue(t, Leaf{Key: &key.PublicKey, Attr: Sample, Municipality: "202011", NotBefore: now}))
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(ca.Cert); err != nil {
		t.Error(err)
	}
	list, err := x509.ParseRevocationList(ca.CRL(t, List{Number: 1, Partition: "202011", ThisUpdate: now}))
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(ca.Cert); err != nil {
		t.Error(err)
	}
	if err := Sample.Validate(); err != nil {
		t.Error(err)
	}
	if len(ca.SPKI()) == 0 {
		t.Error("no public key")
	}
}
