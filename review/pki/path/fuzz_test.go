package path

import (
	"crypto/x509"
	"testing"
)

// Whatever comes in as certificate, intermediate or list, Verify ends without
// a panic, and nothing but the genuine certificate is ever valid.
func FuzzVerify(f *testing.F) {
	serials = 1
	ca, sub := seeded(f, "root"), seeded(f, "sub")
	root, middle := ca.certify(ca, nil), ca.certify(sub, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example"} })
	c := sub.leaf(func(c *x509.Certificate) { c.DNSNames = []string{"a.example"} })
	lists := [][]byte{ca.list(nil).raw, sub.list(scopeOf("http://x.example/", 0x84, 1, 0xff), c).raw}
	f.Add(c.Raw, middle.Raw, lists[0])
	f.Add(c.Raw, middle.Raw, lists[1])
	f.Add(middle.Raw, c.Raw, []byte{0x30, 0})
	base := []*CRL{ca.list(nil), sub.list(nil)}
	f.Fuzz(func(t *testing.T, target, other, list []byte) {
		p := NewPool()
		p.AddCertificate(middle)
		for _, l := range base {
			p.AddCRL(l)
		}
		if x, err := ParseCertificate(other); err == nil {
			p.AddCertificate(x)
		}
		if l, err := ParseCRL(list); err == nil {
			p.AddCRL(l)
		}
		x, err := ParseCertificate(target)
		if err != nil {
			return
		}
		r, err := Verify(x, Options{Anchors: []*Certificate{root}, Pool: p, Time: now})
		if err != nil {
			return
		}
		if got := string(r.Path[0].signed.tbs); got != string(c.signed.tbs) && got != string(middle.signed.tbs) {
			t.Error("a forged certificate is valid")
		}
	})
}
