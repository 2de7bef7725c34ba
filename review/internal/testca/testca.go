// Package testca makes certificates and revocation lists for the tests of the
// review packages, with the standard library only. It is a second, small
// writer of the profile of DOMAIN 6.1 and 6.2, so that the readers under test
// are not tested with the builder of package ca. It is imported by tests only
// and never signs anything that leaves a test.
package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/internal/attr"
)

// CA is one generation of a test issuer.
type CA struct {
	Key  *ecdsa.PrivateKey
	DER  []byte
	Cert *x509.Certificate
}

// Sample is the fictitious person of the seed's form (DOMAIN 5.1).
var Sample = attr.Certified{
	Name: "総務　太郎", NameMap: "00000", BirthDate: "319620617", Sex: attr.Male,
	Address: "長野県長野市大字霞が関２丁目１番地２号", AddressMap: "0000000000000000000",
}

// New makes a self-signed issuer valid for ten years from notBefore. All
// generations have one and the same name.
func New(t testing.TB, notBefore time.Time) *CA {
	t.Helper()
	key := Key(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: issuerName(),
		NotBefore: notBefore, NotAfter: notBefore.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true,
		SubjectKeyId: keyID(&key.PublicKey),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &CA{Key: key, DER: der, Cert: cert}
}

// Again makes another certificate for the same issuer key.
func (ca *CA) Again(t testing.TB, notBefore time.Time) []byte {
	t.Helper()
	tmpl := *ca.Cert
	tmpl.SerialNumber, tmpl.NotBefore = big.NewInt(2), notBefore
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &tmpl, &ca.Key.PublicKey, ca.Key)
	must(t, err)
	return der
}

// Link certifies the next generation's key under the same name, for any policy.
func (ca *CA) Link(t testing.TB, next *CA, serial int64) []byte {
	t.Helper()
	tmpl := *next.Cert
	tmpl.SerialNumber, tmpl.AuthorityKeyId = big.NewInt(serial), nil
	policy, err := x509.ParseOID("2.5.29.32.0")
	must(t, err)
	tmpl.Policies = []x509.OID{policy}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, ca.Cert, &next.Key.PublicKey, ca.Key)
	must(t, err)
	return der
}

// Key makes a P-256 key.
func Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func keyID(pub *ecdsa.PublicKey) []byte {
	b, err := pub.Bytes()
	if err != nil {
		panic(err)
	}
	return b[1:21]
}

// SPKI returns the DER of the issuer's public key.
func (ca *CA) SPKI() []byte { return ca.Cert.RawSubjectPublicKeyInfo }

func issuerName() []byte {
	return name([2]string{"C", "JP"}, [2]string{"O", "JPKI TEST"}, [2]string{"OU", "test issuer"})
}

var nameTypes = map[string]asn1.ObjectIdentifier{
	"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "CN": {2, 5, 4, 3}, "L": {2, 5, 4, 7},
}

// name builds a Name with one attribute for each RDN.
func name(parts ...[2]string) []byte {
	var rdns pkix.RDNSequence
	for _, p := range parts {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: nameTypes[p[0]], Value: p[1]}})
	}
	b, err := asn1.Marshal(rdns)
	if err != nil {
		panic(err)
	}
	return b
}

// PartitionName is the GeneralName (directoryName) of a municipality's
// revocation list.
func PartitionName(municipality string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(c *cryptobyte.Builder) {
		c.AddBytes(name([2]string{"C", "JP"}, [2]string{"O", "JPKI TEST"}, [2]string{"OU", "CRL Distribution Points"}, [2]string{"CN", municipality}))
	})
	return b.BytesOrPanic()
}

// Leaf says what a resident's certificate shall carry. Change may spoil the
// template before it is signed.
type Leaf struct {
	Serial       *big.Int
	Key          crypto.PublicKey
	Attr         attr.Certified
	Municipality string
	NotBefore    time.Time
	NotAfter     time.Time
	Policy       string // dotted; empty: the test policy
	Change       func(*x509.Certificate)
}

// Issue signs a resident's certificate.
func (ca *CA) Issue(t testing.TB, l Leaf) []byte {
	t.Helper()
	if l.Serial == nil {
		l.Serial = big.NewInt(0x1234567890abcdef)
	}
	if l.NotAfter.IsZero() {
		l.NotAfter = l.NotBefore.AddDate(5, 0, 0)
	}
	if l.Policy == "" {
		l.Policy = "1.2.392.200149.8.5.1.0.20"
	}
	policy, err := x509.ParseOID(l.Policy)
	must(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: l.Serial, RawSubject: name([2]string{"C", "JP"}, [2]string{"L", "Nagano-ken"}, [2]string{"CN", fmt.Sprintf("2026%x", l.Serial)}),
		NotBefore: l.NotBefore, NotAfter: l.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, Policies: []x509.OID{policy},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: SAN(l.Attr)},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: cdp(PartitionName(l.Municipality))},
		},
	}
	if l.Change != nil {
		l.Change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Cert, l.Key, ca.Key)
	must(t, err)
	return der
}

// SAN builds subjectAltName with the six otherNames in observed order.
func SAN(a attr.Certified) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		for _, s := range a.Slots() {
			AddOtherName(c, int(s.Field[0]-'0'), s.Value)
		}
	})
	return b.BytesOrPanic()
}

// AddOtherName adds one otherName of the attribute arc as UTF8String.
func AddOtherName(c *cryptobyte.Builder, field int, value string) {
	tag := cbasn1.Tag(0).ContextSpecific().Constructed()
	c.AddASN1(tag, func(c *cryptobyte.Builder) {
		c.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5, field})
		c.AddASN1(tag, func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.UTF8String, func(c *cryptobyte.Builder) { c.AddBytes([]byte(value)) })
		})
	})
}

func cdp(names ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) { addPoint(c, names) })
	})
	return b.BytesOrPanic()
}

func addPoint(c *cryptobyte.Builder, names [][]byte) {
	tag := cbasn1.Tag(0).ContextSpecific().Constructed()
	c.AddASN1(tag, func(c *cryptobyte.Builder) {
		c.AddASN1(tag, func(c *cryptobyte.Builder) {
			for _, n := range names {
				c.AddBytes(n)
			}
		})
	})
}

// List says what a revocation list shall carry.
type List struct {
	Number     int64
	Partition  string // municipality code; empty: complete list without partition
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    []x509.RevocationListEntry
	Change     func(*x509.RevocationList)
}

// CRL signs a revocation list.
func (ca *CA) CRL(t testing.TB, l List) []byte {
	t.Helper()
	tmpl := &x509.RevocationList{Number: big.NewInt(l.Number), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, RevokedCertificateEntries: l.Entries}
	if tmpl.NextUpdate.IsZero() {
		tmpl.NextUpdate = l.ThisUpdate.Add(24 * time.Hour)
	}
	if l.Partition != "" {
		tmpl.ExtraExtensions = append(tmpl.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: IDP(l.Partition)})
	}
	if l.Change != nil {
		l.Change(tmpl)
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, ca.Cert, ca.Key)
	must(t, err)
	return der
}

// IDP builds issuingDistributionPoint for a municipality's partition.
func IDP(municipality string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) { addPoint(c, [][]byte{PartitionName(municipality)}) })
	return b.BytesOrPanic()
}

// Responder is a delegated OCSP responder.
type Responder struct {
	Key  *ecdsa.PrivateKey
	Cert *x509.Certificate
}

// Responder makes a responder under the issuer; change may spoil its certificate.
func (ca *CA) Responder(t testing.TB, notBefore time.Time, change func(*x509.Certificate)) *Responder {
	t.Helper()
	key := Key(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(9), RawSubject: name([2]string{"C", "JP"}, [2]string{"CN", "OCSP"}),
		NotBefore: notBefore, NotAfter: notBefore.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Cert, &key.PublicKey, ca.Key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &Responder{Key: key, Cert: cert}
}

// Answer signs an OCSP answer.
func (ca *CA) Answer(t testing.TB, r *Responder, a ocsp.Response) []byte {
	t.Helper()
	a.Certificate = r.Cert
	a.NextUpdate = a.ThisUpdate.Add(time.Hour)
	der, err := ocsp.CreateResponse(ca.Cert, r.Cert, a, r.Key)
	must(t, err)
	return der
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
