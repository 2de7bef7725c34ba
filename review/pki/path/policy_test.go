package path

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// Corners of policy processing that NIST's suite does not reach.
func TestPolicyCorners(t *testing.T) {
	ca, sub := newAuthority(t, "root"), newAuthority(t, "sub")
	root := ca.certify(ca, nil)
	x, y := asn1.ObjectIdentifier{2, 999, 1}, asn1.ObjectIdentifier{2, 999, 2}
	ext := func(last int, v any) pkix.Extension {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, last}, Critical: true, Value: der}
	}
	policy := func(ids ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			for _, id := range ids {
				c.Policies = append(c.Policies, mustPolicy(t, id))
			}
		}
	}
	mapped := ca.certify(sub, func(c *x509.Certificate) {
		policy("2.5.29.32.0")(c)
		c.ExtraExtensions = append(c.ExtraExtensions, ext(33, [][]asn1.ObjectIdentifier{{x, y}}))
	})
	o := Options{Anchors: []*Certificate{root}, Pool: pool(t, mapped), Check: CheckNone, RequireExplicit: true, Policies: []string{"2.999.1"}}
	expect(t, "mapped from an anyPolicy node", sub.leaf(policy("2.999.2")), o, "")
	expect(t, "not what it was mapped to", sub.leaf(policy("2.999.3")), o, Policy)

	plain := ca.certify(sub, policy("2.5.29.32.0"))
	o = Options{Anchors: []*Certificate{root}, Pool: pool(t, plain), Check: CheckNone}
	require0 := func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, ext(36, struct {
			Require int `asn1:"tag:0"`
		}{0}))
	}
	expect(t, "the leaf asks for no policy", sub.leaf(nil), o, "")
	expect(t, "the leaf itself asks for a policy and has none", sub.leaf(require0), o, Policy)
	expect(t, "and has one", sub.leaf(func(c *x509.Certificate) { require0(c); policy("2.999.1")(c) }), o, "")
}

// What Options.Legacy lets in is refused without it.
func TestLegacyIsRefused(t *testing.T) {
	p := loadPKITS(t)
	for _, c := range p.cases {
		if c.Name != "4.1.4 Valid DSA Signatures Test4" {
			continue
		}
		target := p.certs[c.CertPath[len(c.CertPath)-1]]
		o := Options{Anchors: []*Certificate{p.root}, Pool: pool(t, p.certs["DSACACert.crt"]), Time: pkitsTime, Check: CheckNone}
		expect(t, "DSA with SHA-1", target, o, Algorithm)
		o.Legacy = true
		expect(t, "with Legacy", target, o, "")
		return
	}
	t.Error("the case is gone")
}

// The order inside an RDN says nothing (X.501); the order of RDNs does.
func TestRDNOrder(t *testing.T) {
	cn := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "A"}
	ou := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "B"}
	key := func(a, b pkix.AttributeTypeAndValue) string {
		var raw []byte
		for _, v := range []pkix.AttributeTypeAndValue{a, b} {
			der, err := asn1.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, der...)
		}
		rdn, _, err := readRDN(raw)
		if err != nil {
			t.Fatal(err)
		}
		return rdn
	}
	if key(cn, ou) != key(ou, cn) {
		t.Error("the order inside an RDN makes a difference")
	}
	if (name{"a", "b"}).key() == (name{"b", "a"}).key() || (name{"ab"}).key() == (name{"a", "b"}).key() {
		t.Error("two names have one key")
	}
}

// A point that names only a CRL issuer is matched by that issuer's names
// (RFC 5280 6.3.3 (b)(2)(i)).
func TestPointWithCRLIssuerOnly(t *testing.T) {
	issuer := name{"issuer"}
	list := &CRL{issuer: issuer, scope: scope{has: true, indirect: true, name: pointName{has: true, full: []generalName{directory(issuer)}}}}
	l := &lookup{c: &Certificate{}}
	p := point{crlIssuer: []generalName{directory(issuer)}}
	if !l.inScope(p, directories(p.crlIssuer), list) {
		t.Error("the list of the very issuer that the point names is out of scope")
	}
	p = point{crlIssuer: []generalName{directory(name{"another"})}}
	if l.inScope(p, directories(p.crlIssuer), list) {
		t.Error("another issuer's point")
	}
	list.scope.indirect = false
	if l.inScope(point{crlIssuer: []generalName{directory(issuer)}}, []name{issuer}, list) {
		t.Error("a list that is not indirect answers for another issuer")
	}
}
