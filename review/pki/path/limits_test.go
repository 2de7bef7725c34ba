package path

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"testing"
	"time"
)

// A pool in which everything may have issued everything must end in Limit and
// soon: 24 CAs of one name, each certified by four others.
func TestHostilePool(t *testing.T) {
	const n = 24
	root := newAuthority(t, "root")
	keys := make([]*authorityKey, n)
	for i := range keys {
		keys[i] = newAuthority(t, "same")
		keys[i].id = nil
	}
	p := NewPool()
	for i, a := range keys {
		for d := 1; d <= 4; d++ {
			p.AddCertificate(a.certify(keys[(i+d)%n], nil))
		}
	}
	c := keys[0].leaf(nil)
	begin := time.Now()
	_, err := Verify(c, Options{Anchors: []*Certificate{root.certify(root, nil)}, Pool: p, Time: now})
	if CodeOf(err) != Limit {
		t.Errorf("got %v, want code limit", err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

// Each limit ends the search by itself.
func TestEachLimit(t *testing.T) {
	ca, sub := newAuthority(t, "root"), newAuthority(t, "sub")
	root, middle := ca.certify(ca, nil), ca.certify(sub, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example"} })
	c := sub.leaf(func(c *x509.Certificate) { c.DNSNames = []string{"a.example"} })
	p := pool(t, middle, ca.list(nil), sub.list(nil))
	full := Options{Anchors: []*Certificate{root}, Pool: p, Time: now, Limits: DefaultLimits}
	expect(t, "default limits", c, full, "")
	for name, set := range map[string]func(*Limits){
		"paths": func(l *Limits) { l.Paths = 0 }, "steps": func(l *Limits) { l.Steps = 1 },
		"signatures": func(l *Limits) { l.Signatures = 3 }, "names": func(l *Limits) { l.Names = 0 }, "lists": func(l *Limits) { l.Lists = 1 },
	} {
		o := full
		set(&o.Limits)
		expect(t, name, c, o, Limit)
	}
	o := full
	o.Limits.Depth = 1
	expect(t, "depth", c, o, NoPath)
}

// The policy graph of RFC 9618 grows with the input; the tree of RFC 5280 would
// have 2^14 leaves here.
func TestPolicyGraphStaysSmall(t *testing.T) {
	const depth = 14
	keys := make([]*authorityKey, depth+1)
	for i := range keys {
		keys[i] = newAuthority(t, fmt.Sprint("ca", i))
	}
	p := NewPool()
	a, b := mustPolicy(t, "2.999.1"), mustPolicy(t, "2.999.2")
	x, y := asn1.ObjectIdentifier{2, 999, 1}, asn1.ObjectIdentifier{2, 999, 2}
	der, err := asn1.Marshal([][]asn1.ObjectIdentifier{{x, x}, {x, y}, {y, x}, {y, y}})
	if err != nil {
		t.Fatal(err)
	}
	mappings := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 33}, Critical: true, Value: der}
	for i := range depth {
		p.AddCertificate(keys[i].certify(keys[i+1], func(c *x509.Certificate) {
			c.Policies = []x509.OID{a, b}
			c.ExtraExtensions = append(c.ExtraExtensions, mappings)
		}))
	}
	c := keys[depth].leaf(func(c *x509.Certificate) { c.Policies = []x509.OID{a} })
	o := Options{Anchors: []*Certificate{keys[0].certify(keys[0], nil)}, Pool: p, Check: CheckNone, RequireExplicit: true, Policies: []string{"2.999.2"}}
	begin := time.Now()
	if r := expect(t, "mapped all the way", c, o, ""); r != nil && (len(r.Policies) != 1 || r.Policies[0] != "2.999.2") {
		t.Errorf("policies %v", r.Policies)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	o.Policies = []string{"2.999.3"}
	expect(t, "another policy", c, o, Policy)
}

func mustPolicy(t *testing.T, s string) x509.OID {
	t.Helper()
	id, err := x509.ParseOID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
