package profile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"pgregory.net/rapid"
)

func TestRootIsAsObserved(t *testing.T) {
	der, _ := makeRoot(t, keys()["root"])
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.RawIssuer, c.RawSubject) || !c.IsCA || c.MaxPathLen != -1 || c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("root: CA %v, path length %d, key usage %v", c.IsCA, c.MaxPathLen, c.KeyUsage)
	}
	if got := c.NotAfter.Format(time.RFC3339); got != "2035-04-01T14:59:59Z" {
		t.Errorf("ends %s", got)
	}
	if len(c.AuthorityKeyId) != 0 || len(c.SubjectKeyId) != 20 {
		t.Error("key identifiers are not as in DOMAIN 6.1")
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
	for i, ou := 0, 0; i < len(c.Subject.Names); i++ { // separate RDNs keep both OUs
		if c.Subject.Names[i].Type.String() == "2.5.4.11" {
			ou++
		}
		if i == len(c.Subject.Names)-1 && ou != 2 {
			t.Errorf("%d OUs", ou)
		}
	}
}

func TestResidentIsAsObserved(t *testing.T) {
	for _, alg := range []string{"root", "ec", "ec384"} {
		t.Run(alg, func(t *testing.T) {
			_, issuer := makeRoot(t, keys()[alg])
			p := shippedProfile(t, Resident)
			tbs, err := p.BuildCertificateTBS(residentRequest(t, issuer))
			if err != nil {
				t.Fatal(err)
			}
			again, err := p.BuildCertificateTBS(residentRequest(t, issuer))
			if err != nil || !bytes.Equal(tbs, again) {
				t.Fatal("the same request gave other bytes")
			}
			der := sign(t, keys()[alg], tbs)
			cut, _, _, err := Cut(der)
			if err != nil || !bytes.Equal(cut, tbs) {
				t.Fatal("what is in the certificate is not what was signed")
			}
			c, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Subject.String(); !strings.Contains(got, "CN=2026040109301500007202029A01") || strings.Contains(got, "花子") {
				t.Errorf("subject is %s", got)
			}
			if !bytes.Contains(der, []byte{0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x06, 0xc0}) {
				t.Error("keyUsage is not critical 03 02 06 C0")
			}
			if got := c.PolicyIdentifiers; len(got) != 1 || got[0].String() != "1.2.392.200149.8.5.1.0.20" {
				t.Errorf("policies %v", got)
			}
			if !bytes.Equal(c.AuthorityKeyId, issuer.KeyID) || c.OCSPServer[0] != base+"/ocsp" || c.CRLDistributionPoints[0] != base+"/crl/202029.crl" {
				t.Error("key identifier, OCSP or CRL address is wrong")
			}
		})
	}
}

func TestOpenSSLShowsSixOtherNames(t *testing.T) {
	_, issuer := makeRoot(t, keys()["root"])
	tbs, err := shippedProfile(t, Resident).BuildCertificateTBS(residentRequest(t, issuer))
	if err != nil {
		t.Fatal(err)
	}
	f := filepath.Join(t.TempDir(), "leaf.pem")
	writePEM(t, f, "CERTIFICATE", sign(t, keys()["root"], tbs))
	out, err := openssl(t, "x509", "-in", f, "-noout", "-text", "-nameopt", "utf8,sep_comma_plus,esc_ctrl")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	at := 0
	for _, suffix := range []string{"1", "4", "3", "5", "2", "6"} {
		i := strings.Index(out[at:], "1.2.392.200149.8.5.5."+suffix)
		if i < 0 {
			t.Fatalf("otherName .%s is not in its place", suffix)
		}
		at += i
	}
	out, err = openssl(t, "asn1parse", "-in", f)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "PRINTABLESTRING   :JP") || strings.Count(out, "PRINTABLESTRING") != 2 { // one C in the issuer, one in the subject
		t.Errorf("%d PrintableStrings", strings.Count(out, "PRINTABLESTRING"))
	}
}

func writePEM(t testing.TB, path, typ string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedRequests(t *testing.T) {
	_, issuer := makeRoot(t, keys()["root"])
	weak := &struct{ crypto.PublicKey }{}
	for name, change := range map[string]func(*Request){
		"short serial":         func(r *Request) { r.Serial = r.Serial[:7] },
		"negative serial":      func(r *Request) { r.Serial[0] = 0x80 },
		"zero before serial":   func(r *Request) { r.Serial[0] = 0 },
		"no key":               func(r *Request) { r.PublicKey = nil },
		"strange key":          func(r *Request) { r.PublicKey = weak },
		"no issuer":            func(r *Request) { r.Issuer = nil },
		"issuer's own key":     func(r *Request) { r.PublicKey = keys()["root"].Public() },
		"base with slash":      func(r *Request) { r.BaseURL += "/" },
		"base https":           func(r *Request) { r.BaseURL = "https://x.example" },
		"six years":            func(r *Request) { r.NotAfter = r.NotAfter.AddDate(1, 0, 0) },
		"not end of day":       func(r *Request) { r.NotAfter = r.NotAfter.Add(-time.Second) },
		"ends before start":    func(r *Request) { r.NotAfter = r.NotBefore },
		"fraction of a second": func(r *Request) { r.NotAfter = r.NotAfter.Add(time.Millisecond) },
		"CN is a name":         func(r *Request) { r.CommonName = "HANAKO SUKEMI 00000000000000" },
		"CN has no time":       func(r *Request) { r.CommonName = "99990101000000" + r.CommonName[14:19] + "202029a01" },
		"impossible time":      func(r *Request) { r.CommonName = "20261301000000" + r.CommonName[14:] },
		"place code":           func(r *Request) { r.Place.Code = "20202" },
		"place in kanji":       func(r *Request) { r.Place.Municipality = "松本市" },
		"no place":             func(r *Request) { r.Place = Place{} },
		"swapped maps":         func(r *Request) { r.Subject.NameMap, r.Subject.AddressMap = r.Subject.AddressMap, r.Subject.NameMap },
		"card's sex code":      func(r *Request) { r.Subject.Sex = "9" },
		"resident code": func(r *Request) {
			r.Subject.Name, r.Subject.NameMap = "透見　９９９９９００００１７", strings.Repeat("0", 14)
		},
		"resident code in kanji": func(r *Request) {
			r.Subject.Name, r.Subject.NameMap = "九九九九 九〇〇〇 〇一七", strings.Repeat("0", 13)
		},
		"huge ordinal": func(r *Request) { r.Ordinal = 1 << 53 },
	} {
		t.Run(name, func(t *testing.T) {
			req := residentRequest(t, issuer)
			req.Serial = bytes.Clone(req.Serial)
			change(&req)
			if tbs, err := shippedProfile(t, Resident).BuildCertificateTBS(req); err == nil {
				t.Errorf("built %d bytes", len(tbs))
			} else if strings.Contains(err.Error(), "花子") || strings.Contains(err.Error(), "99999") {
				t.Errorf("error quotes an attribute: %v", err)
			}
		})
	}
	r := rootRequest(keys()["root"])
	r.Subject = invented
	if _, err := shippedProfile(t, Root).BuildCertificateTBS(r); err == nil {
		t.Error("a root took attributes")
	}
	r = rootRequest(keys()["root"])
	r.Issuer = issuer
	if _, err := shippedProfile(t, Root).BuildCertificateTBS(r); err == nil {
		t.Error("a root took an issuer")
	}
	r = rootRequest(keys()["root"])
	r.NotAfter = day
	if _, err := shippedProfile(t, Root).BuildCertificateTBS(r); err == nil {
		t.Error("a root took an end")
	}
}

func TestNewIssuerRefuses(t *testing.T) {
	_, issuer := makeRoot(t, keys()["root"])
	tbs, err := shippedProfile(t, OCSP).BuildCertificateTBS(ocspRequest(issuer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewIssuer(sign(t, keys()["root"], tbs)); err == nil {
		t.Error("a responder was taken for an issuer")
	}
	if _, err := NewIssuer([]byte("no certificate")); err == nil {
		t.Error("noise was taken for an issuer")
	}
}

func TestCommonName(t *testing.T) {
	got, err := CommonName(time.Date(2026, 12, 31, 15, 0, 1, 0, time.UTC), 99999, "ABCDEF012")
	if err != nil || got != "2027010100000199999ABCDEF012" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := CommonName(day, 100000, "ABCDEF012"); err == nil {
		t.Error("six digits of sequence")
	}
	if _, err := CommonName(day, 1, "abcdef012"); err == nil {
		t.Error("small letters")
	}
}

func TestEndOfDay(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2026-11-23T14:59:59Z", "2026-11-23T14:59:59Z"},
		{"2026-11-23T15:00:00Z", "2026-11-24T14:59:59Z"},
	} {
		in, err := time.Parse(time.RFC3339, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := EndOfDay(in, 0).Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestSerials(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "random")
		b, err := NewSerial(bytes.NewReader(seed))
		if err != nil {
			return // too many zeros in the source
		}
		if len(b) != SerialSize || b[0] == 0 || b[0] > 0x7f {
			t.Fatalf("serial of %d bytes starts with %#x", len(b), b[0])
		}
	})
	if _, err := NewSerial(bytes.NewReader(make([]byte, 16*64))); err == nil {
		t.Error("a dead source gave a serial")
	}
	if _, err := NewSerial(strings.NewReader("short")); err == nil {
		t.Error("a short source gave a serial")
	}
}

// Any valid attributes come back from the certificate unchanged.
func TestAttributesSurvive(t *testing.T) {
	_, issuer := makeRoot(t, keys()["ec"])
	p := shippedProfile(t, Resident)
	rapid.Check(t, func(r *rapid.T) {
		text := func(label string, max int) (string, string) {
			s := string(rapid.SliceOfN(rapid.RuneFrom([]rune("長野県透見花子鷗濵ヶ－　ＡZ𠮷")), 1, max).Draw(r, label))
			return s, strings.Repeat("0", len([]rune(s)))
		}
		req := residentRequest(t, issuer)
		var s attr.Certified
		s.Name, s.NameMap = text("name", attr.MaxName)
		s.Address, s.AddressMap = text("address", attr.MaxAddress)
		s.Sex = rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "sex")
		s.BirthDate = rapid.SampledFrom([]string{"000000000", "320000229", "519000101"}).Draw(r, "birth date")
		req.Subject = s
		req.Ordinal = rapid.Uint64Range(0, 1<<53-1).Draw(r, "ordinal")
		tbs, err := p.BuildCertificateTBS(req)
		if err != nil {
			r.Fatal(err)
		}
		c, err := parseTBS(tbs)
		if err != nil {
			r.Fatal(err)
		}
		_, v, ok := c.otherNames()
		if !ok || v[0] != s.Name || v[1] != s.BirthDate || v[2] != s.Sex || v[3] != s.Address || v[4] != s.NameMap || v[5] != s.AddressMap {
			r.Fatal("attributes changed on the way")
		}
	})
}

func TestLintErrorIsOne(t *testing.T) {
	_, issuer := makeRoot(t, keys()["root"])
	req := residentRequest(t, issuer)
	req.NotAfter = req.NotAfter.Add(-time.Second)
	_, err := shippedProfile(t, Resident).BuildCertificateTBS(req)
	var l *LintError
	if !errors.As(err, &l) || len(l.Findings) != 1 || l.Findings[0].Code != "C05" {
		t.Errorf("%v", err)
	}
}
