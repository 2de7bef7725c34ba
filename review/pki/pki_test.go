package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/internal/testca"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

const nagano, matsumoto = "202011", "202029"

func leaf(t testing.TB, ca *testca.CA, change func(*testca.Leaf)) []byte {
	key := testca.Key(t)
	l := testca.Leaf{Serial: big.NewInt(0xff01), Key: &key.PublicKey, Attr: testca.Sample, Municipality: nagano, NotBefore: start}
	if change != nil {
		change(&l)
	}
	return ca.Issue(t, l)
}

func TestParseCertificate(t *testing.T) {
	ca := testca.New(t, start)
	der := leaf(t, ca, nil)
	c, err := ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	std, _ := x509.ParseCertificate(der)
	a, ok := c.Attributes()
	if !ok || a != testca.Sample {
		t.Errorf("attributes %v", ok)
	}
	if c.Serial != "ff01" || c.Digest != entry.Sum(der) || c.TBS != entry.Sum(std.RawTBSCertificate) || c.SPKI != entry.Sum(std.RawSubjectPublicKeyInfo) {
		t.Error("serial or digests")
	}
	if len(c.Points) != 1 || c.Points[0] != string(testca.PartitionName(nagano)) || len(c.Policies) != 1 || c.Policies[0] != TestPolicy || len(c.UnknownCritical) != 0 || c.IsCA {
		t.Errorf("points %d, policies %v, critical %v", len(c.Points), c.Policies, c.UnknownCritical)
	}
	issuer, err := ParseCertificate(ca.DER)
	if err != nil || !issuer.IsCA || issuer.X509() == nil {
		t.Fatal(err)
	}
	if _, has := issuer.Attributes(); has {
		t.Error("an issuer certificate with attributes")
	}
	if err := c.SignedBy(issuer); err != nil {
		t.Error(err)
	}
	other, _ := ParseCertificate(testca.New(t, start).DER)
	if err := c.SignedBy(other); !errors.Is(err, ErrSignature) {
		t.Errorf("another generation of the same name: %v", err)
	}
}

// san replaces the subjectAltName of a leaf.
func san(build func(*cryptobyte.Builder)) func(*testca.Leaf) {
	return func(l *testca.Leaf) {
		l.Change = func(c *x509.Certificate) {
			var b cryptobyte.Builder
			b.AddASN1(cbasn1.SEQUENCE, build)
			c.ExtraExtensions[0].Value = b.BytesOrPanic()
		}
	}
}

func six(b *cryptobyte.Builder, but int, value string) {
	v := []string{"", "総務　太郎", "00000", "1", "319620617", "長野県長野市", "000000"}
	for i := 1; i <= 6; i++ {
		if i == but {
			v[i] = value
		}
		testca.AddOtherName(b, i, v[i])
	}
}

func TestCertificateRefuses(t *testing.T) {
	ca := testca.New(t, start)
	for name, change := range map[string]func(*testca.Leaf){
		"five attributes":      san(func(b *cryptobyte.Builder) { testca.AddOtherName(b, 1, "a") }),
		"an attribute twice":   san(func(b *cryptobyte.Builder) { six(b, 0, ""); testca.AddOtherName(b, 3, "1") }),
		"a seventh attribute":  san(func(b *cryptobyte.Builder) { six(b, 0, ""); testca.AddOtherName(b, 7, "1") }),
		"a short map":          san(func(b *cryptobyte.Builder) { six(b, 2, "0000") }),
		"a map of other signs": san(func(b *cryptobyte.Builder) { six(b, 6, "00x000") }),
		"the card's sex code":  san(func(b *cryptobyte.Builder) { six(b, 3, "9") }),
		"an era of the future": san(func(b *cryptobyte.Builder) { six(b, 4, "620300101") }),
		"a control character":  san(func(b *cryptobyte.Builder) { six(b, 1, "総務\x00太郎") }),
		"a distribution point of another issuer": func(l *testca.Leaf) {
			l.Change = func(c *x509.Certificate) { c.ExtraExtensions[1].Value = []byte{0x30, 4, 0x30, 2, 0xa2, 0} }
		},
	} {
		if _, err := ParseCertificate(leaf(t, ca, change)); err == nil {
			t.Errorf("%s: was read", name)
		} else if strings.ContainsAny(err.Error(), "総務長野") {
			t.Errorf("%s: the error quotes a value", name)
		}
	}
	for name, der := range map[string][]byte{"empty": nil, "not DER": []byte("x"), "too large": make([]byte, MaxCertificate+1), "trailing byte": append(leaf(t, ca, nil), 0)} {
		if _, err := ParseCertificate(der); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}

func TestUnknownCritical(t *testing.T) {
	ca := testca.New(t, start)
	der := leaf(t, ca, func(l *testca.Leaf) {
		l.Change = func(c *x509.Certificate) {
			c.ExtraExtensions[0].Critical, c.ExtraExtensions[1].Critical = true, true // this reader knows these two
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 999, 1}, Critical: true, Value: []byte{5, 0}})
		}
	})
	c, err := ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.UnknownCritical) != 1 || c.UnknownCritical[0] != "2.999.1" {
		t.Errorf("unknown critical extensions: %v", c.UnknownCritical)
	}
}

func list(t testing.TB, ca *testca.CA, partition string) []byte {
	return ca.CRL(t, testca.List{Number: 300, Partition: partition, ThisUpdate: start, Entries: []x509.RevocationListEntry{
		{SerialNumber: big.NewInt(0xff01), RevocationTime: start.Add(-time.Hour), ReasonCode: 3},
		{SerialNumber: big.NewInt(2), RevocationTime: start.Add(-2 * time.Hour)},
	}})
}

func TestParseCRL(t *testing.T) {
	ca := testca.New(t, start.AddDate(-1, 0, 0))
	der := list(t, ca, nagano)
	l, err := ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	std, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if l.TBS != entry.Sum(std.RawTBSRevocationList) || l.Number != 300 || !l.ThisUpdate.Equal(start) || !l.NextUpdate.Equal(start.Add(24*time.Hour)) || !bytes.Equal(l.IssuerID, std.AuthorityKeyId) {
		t.Errorf("%+v", l)
	}
	for _, e := range std.RevokedCertificateEntries {
		r, ok := l.Find(serialText(e.SerialNumber.Bytes()))
		if !ok || !r.Date.Equal(e.RevocationTime) || r.Reason != e.ReasonCode {
			t.Errorf("entry %x: %+v", e.SerialNumber, r)
		}
	}
	if _, ok := l.Find("00ff01"); !ok {
		t.Error("a serial with a leading zero byte is another serial")
	}
	if _, ok := l.Find("03"); ok {
		t.Error("found what is not in the list")
	}
	issuer, _ := ParseCertificate(ca.DER)
	if err := l.SignedBy(issuer); err != nil {
		t.Error(err)
	}
	other, _ := ParseCertificate(testca.New(t, start).DER)
	if err := l.SignedBy(other); !errors.Is(err, ErrSignature) {
		t.Errorf("another issuer: %v", err)
	}
	here, _ := ParseCertificate(leaf(t, ca, nil))
	there, _ := ParseCertificate(leaf(t, ca, func(l *testca.Leaf) { l.Municipality = matsumoto }))
	if !l.Covers(here) || l.Covers(there) || l.Covers(issuer) {
		t.Error("scope of a partition")
	}
	full, err := ParseCRL(list(t, ca, ""))
	if err != nil || !full.Covers(here) || !full.Covers(there) {
		t.Errorf("scope of the complete list: %v", err)
	}
	empty, err := ParseCRL(ca.CRL(t, testca.List{Number: 1, ThisUpdate: start}))
	if err != nil || len(empty.Entries) != 0 {
		t.Errorf("empty list: %v", err)
	}
}

// extra adds an extension to a list.
func extra(id asn1.ObjectIdentifier, critical bool, value []byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func TestCRLRefuses(t *testing.T) {
	ca := testca.New(t, start.AddDate(-1, 0, 0))
	idp := asn1.ObjectIdentifier{2, 5, 29, 28}
	for name, change := range map[string]func(*x509.RevocationList){
		"a delta list":          extra(asn1.ObjectIdentifier{2, 5, 29, 27}, true, []byte{2, 1, 1}),
		"unknown critical":      extra(asn1.ObjectIdentifier{2, 999, 1}, true, []byte{5, 0}),
		"uncritical partition":  extra(idp, false, testca.IDP(nagano)),
		"users and CAs only":    extra(idp, true, []byte{0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0xff}),
		"some reasons only":     extra(idp, true, []byte{0x30, 4, 0x83, 2, 7, 0x80}),
		"indirect":              extra(idp, true, []byte{0x30, 3, 0x84, 1, 0xff}),
		"a false flag":          extra(idp, true, []byte{0x30, 3, 0x81, 1, 0x01}),
		"a partition in pieces": extra(idp, true, []byte{0x30, 9}),
		"a serial twice": func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, l.RevokedCertificateEntries...)
		},
		"unknown critical in an entry": func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 999, 1}, Critical: true, Value: []byte{5, 0}}}
		},
		"removed from the list": func(l *x509.RevocationList) { l.RevokedCertificateEntries[0].ReasonCode = 8 },
	} {
		der := ca.CRL(t, testca.List{Number: 1, ThisUpdate: start, Change: change, Entries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(5), RevocationTime: start}}})
		if _, err := ParseCRL(der); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	onlyUsers := ca.CRL(t, testca.List{Number: 1, ThisUpdate: start, Change: extra(idp, true, []byte{0x30, 3, 0x81, 1, 0xff})})
	if l, err := ParseCRL(onlyUsers); err != nil || !l.OnlyUsers {
		t.Errorf("a list for users only: %v", err)
	}
	onlyCAs := ca.CRL(t, testca.List{Number: 1, ThisUpdate: start, Change: extra(idp, true, []byte{0x30, 3, 0x82, 1, 0xff})})
	if l, err := ParseCRL(onlyCAs); err != nil || !l.OnlyCAs || l.Covers(&Certificate{}) || !l.Covers(&Certificate{IsCA: true}) {
		t.Errorf("a list for CA certificates only: %v", err)
	}
	good := list(t, ca, nagano)
	for name, der := range map[string][]byte{"empty": nil, "not DER": []byte("x"), "trailing byte": append(bytes.Clone(good), 0), "half": good[:len(good)/2]} {
		if _, err := ParseCRL(der); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	for i := range good { // each byte counts: unreadable, or another signature, or another announcement
		bad := bytes.Clone(good)
		bad[i] ^= 1
		l, err := ParseCRL(bad)
		if err != nil {
			continue
		}
		issuer, _ := ParseCertificate(ca.DER)
		if l.SignedBy(issuer) == nil {
			t.Errorf("byte %d changed, read and verified", i)
		}
	}
}

func TestSerials(t *testing.T) {
	for in, want := range map[string]string{"00": "00", "0001": "01", "ff": "ff", "00ff": "ff", "000000": "00"} {
		if got := NormalSerial(in); got != want {
			t.Errorf("NormalSerial(%s) = %s", in, got)
		}
	}
	for name, b := range map[string][]byte{
		"negative":    {2, 1, 0x80},
		"not minimal": {2, 2, 0, 1},
		"too long":    append([]byte{2, 21}, bytes.Repeat([]byte{0x7f}, 21)...),
		"empty":       {2, 0},
		"not INTEGER": {4, 1, 1},
	} {
		in := cryptobyte.String(b)
		if _, err := readSerial(&in); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}

func TestTimes(t *testing.T) {
	read := func(tag byte, s string) (time.Time, error) {
		in := cryptobyte.String(append([]byte{tag, byte(len(s))}, s...))
		return readTime(&in)
	}
	for _, c := range []struct {
		tag  byte
		text string
		year int
	}{{23, "261123010203Z", 2026}, {23, "490101000000Z", 2049}, {23, "500101000000Z", 1950}, {24, "20510101000000Z", 2051}} {
		if got, err := read(c.tag, c.text); err != nil || got.Year() != c.year {
			t.Errorf("%s: %v, %v", c.text, got, err)
		}
	}
	for _, s := range []string{"2611230102Z", "261123010203+0900", "261323010203Z", ""} {
		if _, err := read(23, s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
	if _, err := read(24, "20261123010203.5Z"); err == nil {
		t.Error("a fraction of a second was read")
	}
	if _, err := read(4, "261123010203Z"); err == nil {
		t.Error("another type was read")
	}
}

func FuzzParseCertificate(f *testing.F) {
	ca := testca.New(f, start)
	f.Add(leaf(f, ca, nil))
	f.Add(ca.DER)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCertificate(b)
		if err != nil {
			return
		}
		if a, ok := c.Attributes(); ok && a.Validate() != nil {
			t.Error("attributes that break their form")
		}
	})
}

func FuzzParseCRL(f *testing.F) {
	ca := testca.New(f, start)
	f.Add(list(f, ca, nagano))
	f.Add(list(f, ca, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseCRL(b)
		if err != nil {
			return
		}
		for _, e := range l.Entries {
			if got, ok := l.Find(e.Serial); !ok || got != e {
				t.Error("an entry that can't be found")
			}
		}
	})
}
