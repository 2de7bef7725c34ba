package path

import (
	"net/netip"
	"testing"
)

// Kinds of names that NIST's suite leaves out or barely touches (RFC 5280
// 4.2.1.10).
func TestSubtrees(t *testing.T) {
	ip := func(s string) string { return string(netip.MustParseAddr(s).AsSlice()) }
	cases := []struct {
		kind       int
		name, base string
		in, known  bool
	}{
		{kindDNS, "host.example.com", "example.com", true, true},
		{kindDNS, "Example.COM", "example.com", true, true},
		{kindDNS, "badexample.com", "example.com", false, true},
		{kindDNS, "a.example.com", ".example.com", true, true},
		{kindDNS, "example.com", ".example.com", false, true},
		{kindDNS, "anything", "", true, true},
		{kindEmail, "a@example.com", "example.com", true, true},
		{kindEmail, "a@sub.example.com", "example.com", false, true},
		{kindEmail, "a@sub.example.com", ".example.com", true, true},
		{kindEmail, "a@example.com", ".example.com", false, true},
		{kindEmail, "a@Example.com", "a@example.com", true, true},
		{kindEmail, "A@example.com", "a@example.com", false, true},
		{kindEmail, "no address", "example.com", false, false},
		{kindURI, "http://host.example.com:80/x", "host.example.com", true, true},
		{kindURI, "http://host.example.com/x", "example.com", false, true},
		{kindURI, "http://host.example.com/x", ".example.com", true, true},
		{kindURI, "http://192.0.2.1/x", ".example.com", false, false},
		{kindURI, "urn:x", "example.com", false, false},
		{kindIP, ip("192.0.2.77"), ip("192.0.2.0") + ip("255.255.255.0"), true, true},
		{kindIP, ip("192.0.3.1"), ip("192.0.2.0") + ip("255.255.255.0"), false, true},
		{kindIP, ip("2001:db8::1"), ip("2001:db8::") + ip("ffff:ffff::"), true, true},
		{kindIP, ip("2001:db9::1"), ip("2001:db8::") + ip("ffff:ffff::"), false, true},
		{kindIP, ip("192.0.2.1"), ip("2001:db8::") + ip("ffff:ffff::"), false, true},
		{kindIP, "123", ip("192.0.2.0") + ip("255.255.255.0"), false, false},
		{kindOther, "x", "x", false, false},
		{kindID, "x", "x", false, false},
	}
	for _, c := range cases {
		in, known := inSubtree(generalName{kind: c.kind, value: c.name}, generalName{kind: c.kind, value: c.base})
		if in != c.in || known != c.known {
			t.Errorf("kind %d %q in %q: %v, known %v", c.kind, c.name, c.base, in, known)
		}
		base := []generalName{{kind: c.kind, value: c.base}}
		n := generalName{kind: c.kind, value: c.name}
		if inPermitted(n, base) != (c.in && c.known) {
			t.Errorf("%q permitted by %q", c.name, c.base)
		}
		if inExcluded(n, base) != (c.in || !c.known) {
			t.Errorf("%q excluded by %q", c.name, c.base)
		}
	}
}

// Names compare by RFC 5280 7.1 and RFC 4518.
func TestPrepare(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Good  CA ", "good ca", true},
		{"Straße", "STRASSE", true},
		{"ＪＰＫＩ", "jpki", true},
		{"a\u00adb", "ab", true},
		{"JPKI 1", "JPKI1", false},
		{"長野県", "長野市", false},
	} {
		if (prepare(c.a) == prepare(c.b)) != c.same {
			t.Errorf("%q and %q: same should be %v", c.a, c.b, c.same)
		}
	}
}

func TestOID(t *testing.T) {
	for _, s := range []string{"2.999.20040129.1", "1.2.840.113549.1.1.11", "0.9.2342", "2.25.340282366920938463463374607431768211455", "1.39.1", "2.40"} {
		id, err := parseOID(s)
		if err != nil || id.String() != s {
			t.Errorf("%s: %s, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "1", "3.1", "1.40", "1.x", "1.-2", "1..2"} {
		if _, err := parseOID(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}
