package path

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// Generations of one CA have one name. Issuer and list signer are found by key,
// also where no key identifier helps, and a link certificate joins them.
func TestGenerations(t *testing.T) {
	old, next, other := newAuthority(t, "root"), newAuthority(t, "root"), newAuthority(t, "root")
	oldRoot, nextRoot, otherRoot := old.certify(old, nil), next.certify(next, nil), other.certify(other, nil)
	c := next.leaf(nil)
	all := []*Certificate{otherRoot, oldRoot, nextRoot}
	r := expect(t, "three generations", c, Options{Anchors: all, Check: CheckNone}, "")
	if r != nil && r.Path[1] != nextRoot {
		t.Error("another generation than the one that signed")
	}
	expect(t, "the wrong generations only", c, Options{Anchors: all[:2], Check: CheckNone}, NoPath)

	// Without identifiers the key alone decides.
	next.id, old.id, other.id = nil, nil, nil
	bare := next.leaf(nil)
	r = expect(t, "no identifiers", bare, Options{Anchors: []*Certificate{other.certify(other, nil), old.certify(old, nil), nextRoot}, Check: CheckNone}, "")
	if r != nil && r.Path[1] != nextRoot {
		t.Error("without identifiers: another generation")
	}
	expect(t, "no identifiers, wrong keys", bare, Options{Anchors: all[:2], Check: CheckNone}, Signature)
}

func TestLinkCertificates(t *testing.T) {
	old, next := newAuthority(t, "root"), newAuthority(t, "root")
	oldRoot, nextRoot := old.certify(old, nil), next.certify(next, nil)
	newWithOld, oldWithNew := old.certify(next, nil), next.certify(old, nil)
	c := next.leaf(nil)
	o := Options{Anchors: []*Certificate{oldRoot}, Pool: pool(t, newWithOld, nextRoot, oldWithNew)}
	expect(t, "no lists", c, o, RevocationUnknown)
	o.Pool = pool(t, newWithOld, nextRoot, oldWithNew, old.list(nil), next.list(nil))
	if r := expect(t, "new certificate, old anchor", c, o, ""); r != nil && len(r.Path) != 3 {
		t.Errorf("path of %d", len(r.Path))
	}
	o.Pool = pool(t, newWithOld, old.list(nil, newWithOld), next.list(nil))
	expect(t, "link revoked", c, o, Revoked)
	o.Pool = pool(t, newWithOld, old.list(nil), next.list(nil, c))
	expect(t, "revoked by the new key", c, o, Revoked)
	// The old key says that it is good, and may not: RFC 5280 takes lists of
	// the issuer's name under any valid key of it, so this one is enough.
	o.Pool = pool(t, newWithOld, old.list(nil))
	expect(t, "the old key's list covers its name", c, o, "")
	back := old.leaf(nil)
	o = Options{Anchors: []*Certificate{nextRoot}, Pool: pool(t, oldWithNew, next.list(nil), old.list(nil, back))}
	expect(t, "old certificate, new anchor", old.leaf(nil), o, "")
}

func TestListScopes(t *testing.T) {
	ca := newAuthority(t, "root")
	root := ca.certify(ca, nil)
	const mine, theirs = "http://crl.example/202011.crl", "http://crl.example/202029.crl"
	c := ca.leaf(pointAt(mine))
	onlyCAs, onlyAttr, keyLeakOnly := []byte{0x82, 1, 0xff}, []byte{0x85, 1, 0xff}, []byte{0x83, 2, 6, 0x40}
	stranger := newAuthority(t, "root")
	delta := func(number, base int64) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.Number = big.NewInt(number)
			v, _ := asn1.Marshal(base)
			l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: v})
		}
	}
	cases := []struct {
		name  string
		lists []*CRL
		want  Code
	}{
		{"none", nil, RevocationUnknown},
		{"complete", []*CRL{ca.list(nil)}, ""},
		{"revoked", []*CRL{ca.list(nil, c)}, Revoked},
		{"own partition", []*CRL{ca.list(scopeOf(mine))}, ""},
		{"own partition, revoked", []*CRL{ca.list(scopeOf(mine), c)}, Revoked},
		{"another town's partition", []*CRL{ca.list(scopeOf(theirs))}, RevocationUnknown},
		{"another town's partition names it", []*CRL{ca.list(scopeOf(theirs), c)}, RevocationUnknown},
		{"CA certificates only", []*CRL{ca.list(scopeOf("", onlyCAs...))}, RevocationUnknown},
		{"attribute certificates only", []*CRL{ca.list(scopeOf("", onlyAttr...))}, RevocationUnknown},
		{"one reason only", []*CRL{ca.list(scopeOf(mine, keyLeakOnly...))}, RevocationUnknown},
		{"one reason and the rest", []*CRL{ca.list(scopeOf(mine, keyLeakOnly...)), ca.list(scopeOf(mine))}, ""},
		{"same name, another key", []*CRL{stranger.list(nil)}, RevocationUnknown},
		{"past", []*CRL{ca.list(func(l *x509.RevocationList) { l.NextUpdate = now.Add(-time.Second) })}, RevocationUnknown},
		{"future", []*CRL{ca.list(func(l *x509.RevocationList) { l.ThisUpdate = now.Add(time.Minute) })}, RevocationUnknown},
		{"delta alone", []*CRL{ca.list(delta(8, 7))}, RevocationUnknown},
		{"delta revokes", []*CRL{ca.list(nil), ca.list(delta(8, 7), c)}, Revoked},
		{"delta of a later base", []*CRL{ca.list(nil), ca.list(delta(9, 8), c)}, ""},
		{"delta of another partition", []*CRL{ca.list(scopeOf(mine)), ca.list(func(l *x509.RevocationList) { delta(8, 7)(l); scopeOf(theirs)(l) }, c)}, ""},
		{"delta of the partition", []*CRL{ca.list(scopeOf(mine)), ca.list(func(l *x509.RevocationList) { delta(8, 7)(l); scopeOf(mine)(l) }, c)}, Revoked},
		{"delta of another scope", []*CRL{ca.list(scopeOf(mine)), ca.list(delta(8, 7), c)}, ""},
	}
	for _, x := range cases {
		p := pool(t)
		for _, l := range x.lists {
			p.AddCRL(l)
		}
		expect(t, x.name, c, Options{Anchors: []*Certificate{root}, Pool: p}, x.want)
	}
	future := ca.list(func(l *x509.RevocationList) { l.ThisUpdate = now.Add(time.Minute) })
	expect(t, "clocks differ", c, Options{Anchors: []*Certificate{root}, Pool: pool(t, future), Skew: 5 * time.Minute}, "")
}

// Whose certificate may sign a list.
func TestListSigners(t *testing.T) {
	ca, crlKey := newAuthority(t, "root"), newAuthority(t, "root")
	root := ca.certify(ca, nil)
	c := ca.leaf(nil)
	signer := ca.certify(crlKey, func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageCRLSign; x.IsCA = false })
	o := func(things ...any) Options { return Options{Anchors: []*Certificate{root}, Pool: pool(t, things...)} }
	expect(t, "signer without its own status", c, o(signer, crlKey.list(scopeOf("", 0x81, 1, 0xff))), "")
	expect(t, "signer revokes itself", c, o(signer, crlKey.list(nil, signer)), RevocationUnknown)
	expect(t, "signer revoked by the CA", c, o(signer, crlKey.list(nil), ca.list(nil, signer)), "")
	noSign := ca.certify(crlKey, func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageDigitalSignature })
	expect(t, "signer may not", c, o(noSign, crlKey.list(nil)), RevocationUnknown)
	expect(t, "signer without path", c, o(crlKey.certify(crlKey, nil), crlKey.list(nil)), RevocationUnknown)
	rootOnlyCerts := ca.certify(ca, func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageCertSign })
	expect(t, "issuer may not", c, Options{Anchors: []*Certificate{rootOnlyCerts}, Pool: pool(t, ca.list(nil))}, RevocationUnknown)
}

func TestRefusals(t *testing.T) {
	ca, sub := newAuthority(t, "root"), newAuthority(t, "sub")
	root := ca.certify(ca, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	change := func(fn func(*x509.Certificate)) *Certificate { return ca.certify(sub, fn) }
	c := sub.leaf(nil)
	critical := func(x *x509.Certificate) {
		x.ExtraExtensions = append(x.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 999, 1}, Critical: true, Value: []byte{5, 0}})
	}
	cases := []struct {
		name   string
		middle *Certificate
		leaf   *Certificate
		want   Code
	}{
		{"good", change(nil), c, ""},
		{"issuer expired", change(func(x *x509.Certificate) { x.NotAfter = now.Add(-time.Second) }), c, Expired},
		{"issuer too early", change(func(x *x509.Certificate) { x.NotBefore = now.Add(time.Second) }), c, NotYetValid},
		{"no CA", change(func(x *x509.Certificate) { x.IsCA = false }), c, NotCA},
		{"no constraints at all", change(func(x *x509.Certificate) { x.IsCA, x.BasicConstraintsValid = false, false }), c, NotCA},
		{"usage", change(func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageCRLSign }), c, KeyUsage},
		{"critical in the issuer", change(critical), c, UnknownCritical},
		{"critical in the leaf", change(nil), sub.leaf(critical), UnknownCritical},
		{"missing issuer", nil, c, NoPath},
		{"weak key above", ca.issue("sub", &weak.PublicKey, func(x *x509.Certificate) {
			x.IsCA, x.BasicConstraintsValid, x.KeyUsage = true, true, x509.KeyUsageCertSign
		}),
			signedBy(t, weak, "sub"), Algorithm},
	}
	for _, x := range cases {
		p := pool(t)
		if x.middle != nil {
			p.AddCertificate(x.middle)
		}
		expect(t, x.name, x.leaf, Options{Anchors: []*Certificate{root}, Pool: p, Check: CheckNone}, x.want)
	}
	if _, err := Verify(c, Options{}); err == nil || CodeOf(err) != "" {
		t.Error("no anchor and no time: not an ordinary refusal")
	}
	if _, err := Verify(c, Options{Anchors: []*Certificate{root}, Time: now, Policies: []string{"x"}}); err == nil {
		t.Error("a policy that is no identifier")
	}
}

// signedBy makes a leaf with any key.
func signedBy(t *testing.T, key crypto.Signer, issuer string) *Certificate {
	t.Helper()
	name := func(s string) pkix.Name { return pkix.Name{Country: []string{"JP"}, CommonName: s} }
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: name("leaf"), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, &x509.Certificate{Subject: name(issuer)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// CheckIssuers leaves out the target alone.
func TestCheckIssuers(t *testing.T) {
	ca, sub := newAuthority(t, "root"), newAuthority(t, "sub")
	root, middle := ca.certify(ca, nil), ca.certify(sub, nil)
	c := sub.leaf(nil)
	o := Options{Anchors: []*Certificate{root}, Pool: pool(t, middle, ca.list(nil)), Check: CheckIssuers}
	expect(t, "target's status is known from elsewhere", c, o, "")
	o.Pool = pool(t, middle, ca.list(nil, middle))
	expect(t, "issuer revoked", c, o, Revoked)
	o.Pool = pool(t, middle)
	expect(t, "issuer unknown", c, o, RevocationUnknown)
}
