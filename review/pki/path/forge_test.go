package path

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// authorityKey is a CA of the tests: a name and a key, with or without
// certificates.
type authorityKey struct {
	t    testing.TB
	name string
	key  crypto.Signer
	id   []byte
}

// seeded is a CA whose key follows from its name and whose signatures are
// always the same: a fuzz worker is another process and must see the same seeds.
func seeded(t testing.TB, name string) *authorityKey {
	sum := sha256.Sum256([]byte(name))
	return &authorityKey{t: t, name: name, key: ed25519.NewKeyFromSeed(sum[:]), id: sum[:20]}
}

var serials int64 = 1000

func newAuthority(t testing.TB, name string) *authorityKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 20)
	rand.Read(id)
	return &authorityKey{t: t, name: name, key: key, id: id}
}

// certify makes a certificate for another CA's key; change may alter it.
func (a *authorityKey) certify(b *authorityKey, change func(*x509.Certificate)) *Certificate {
	a.t.Helper()
	return a.issue(b.name, b.key.Public(), func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.SubjectKeyId = true, true, b.id
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		if change != nil {
			change(c)
		}
	})
}

// issue makes an end entity's certificate.
func (a *authorityKey) issue(name string, key crypto.PublicKey, change func(*x509.Certificate)) *Certificate {
	a.t.Helper()
	serials++
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serials), Subject: pkix.Name{Country: []string{"JP"}, CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if change != nil {
		change(tmpl)
	}
	parent := &x509.Certificate{Subject: pkix.Name{Country: []string{"JP"}, CommonName: a.name}, SubjectKeyId: a.id}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// leaf makes an end entity's certificate with a throw-away key.
func (a *authorityKey) leaf(change func(*x509.Certificate)) *Certificate {
	a.t.Helper()
	return a.issue("resident", seeded(a.t, "resident").key.Public(), change)
}

// list signs a revocation list of the given certificates.
func (a *authorityKey) list(change func(*x509.RevocationList), gone ...*Certificate) *CRL {
	a.t.Helper()
	tmpl := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	for _, c := range gone {
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: new(big.Int).SetBytes([]byte(c.serial)), RevocationTime: now.Add(-2 * time.Hour), ReasonCode: 4})
	}
	if change != nil {
		change(tmpl)
	}
	issuer := &x509.Certificate{Subject: pkix.Name{Country: []string{"JP"}, CommonName: a.name}, SubjectKeyId: a.id, KeyUsage: x509.KeyUsageCRLSign}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, issuer, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	l, err := ParseCRL(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return l
}

func uri(s string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(c *cryptobyte.Builder) { c.AddBytes([]byte(s)) })
	return b.BytesOrPanic()
}

// addName writes a DistributionPointName with one full name.
func addName(b *cryptobyte.Builder, s string) {
	tag := cbasn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(uri(s)) }) })
}

// pointAt is a cRLDistributionPoints extension with one point.
func pointAt(s string) func(*x509.Certificate) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addName(b, s) })
	})
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: b.BytesOrPanic()})
	}
}

// scopeOf is an issuingDistributionPoint with a name and perhaps more.
func scopeOf(s string, more ...byte) func(*x509.RevocationList) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if s != "" {
			addName(b, s)
		}
		b.AddBytes(more)
	})
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: b.BytesOrPanic()})
	}
}

// pool fills a pool with certificates and lists.
func pool(t testing.TB, things ...any) *Pool {
	t.Helper()
	p := NewPool()
	for _, x := range things {
		switch x := x.(type) {
		case *Certificate:
			p.AddCertificate(x)
		case *CRL:
			p.AddCRL(x)
		default:
			t.Fatalf("a %T does not go into a pool", x)
		}
	}
	return p
}

// expect verifies and compares the code of the refusal, "" for none.
func expect(t *testing.T, what string, target *Certificate, o Options, want Code) *Result {
	t.Helper()
	if o.Time.IsZero() {
		o.Time = now
	}
	r, err := Verify(target, o)
	if got := CodeOf(err); got != want || (err == nil) != (want == "") {
		t.Errorf("%s: got %v, want code %q", what, err, want)
	}
	return r
}
