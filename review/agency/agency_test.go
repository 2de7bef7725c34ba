package agency

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/application"
	"github.com/sukashi-project/sukashi/review/internal/testca"
	"github.com/sukashi-project/sukashi/review/internal/testlog"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// scene is one resident with a certificate in a log.
type scene struct {
	t       testing.TB
	ca      *testca.CA
	log     *testlog.Log
	key     *ecdsa.PrivateKey
	cert    []byte
	attr    attr.Certified
	ordinal uint64
	issued  uint64
	serial  *big.Int
}

const nagano, matsumoto = "202011", "202029"

func newScene(t testing.TB, change func(*testca.Leaf)) *scene {
	s := &scene{t: t, ca: testca.New(t, start.AddDate(-1, 0, 0)), log: testlog.New(t, "log.example/agency", start), key: testca.Key(t), serial: big.NewInt(0x7766554433221100)}
	l := testca.Leaf{Serial: s.serial, Key: &s.key.PublicKey, Attr: testca.Sample, Municipality: nagano, NotBefore: start}
	if change != nil {
		change(&l)
	}
	s.attr = l.Attr
	s.cert = s.ca.Issue(t, l)
	s.record()
	return s
}

// record logs intent and issue of s.cert.
func (s *scene) record() {
	d := entry.Decision{Allow: true, Bundle: entry.Sum([]byte("b")), Codes: []string{}, Engine: "opa", Facts: "ff", Ruleset: "issue"}
	x, err := x509.ParseCertificate(s.cert)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ordinal = s.log.Tree.Size()
	s.log.Append(entry.ByCA, &entry.CertIntent{Decision: d, Issuer: entry.Sum(s.ca.SPKI()), Municipality: nagano, Ordinal: s.ordinal,
		Profile: entry.Sum([]byte("p")), Serial: s.serial.Text(16), Subject: entry.Sum([]byte("s")), TBS: entry.Sum(x.RawTBSCertificate)})
	s.issued = s.log.Append(entry.ByCA, &entry.CertIssued{Certificate: entry.Sum(s.cert), Ordinal: s.ordinal})
}

func (s *scene) revoke() {
	s.log.Append(entry.ByCA, &entry.Revocation{Cause: 1, Ground: entry.GroundChange, Ordinal: s.ordinal, Recorded: entry.At(s.log.Now), Serial: s.serial.Text(16)})
}

func (s *scene) form() application.Form {
	return application.Form{Procedure: "住民票の写しの交付", Name: s.attr.Name, BirthDate: s.attr.BirthDate, Sex: s.attr.Sex, Address: s.attr.Address, Date: "2026-11-23"}
}

func (s *scene) sign(f application.Form) []byte {
	raw, err := application.Sign(f, s.key, s.cert)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s *scene) trust() Trust {
	return Trust{Issuers: [][]byte{s.ca.DER}, Policy: s.log.Policy(), Receipt: s.log.Receipt(s.ordinal, s.issued, s.log.Publish())}
}

func (s *scene) list(partition string, entries ...x509.RevocationListEntry) []byte {
	return s.ca.CRL(s.t, testca.List{Number: 1, Partition: partition, ThisUpdate: s.log.Now, Entries: entries})
}

func TestAccepted(t *testing.T) {
	s := newScene(t, nil)
	tr := s.trust()
	tr.CRL = s.list(nagano)
	r := Verify(s.sign(s.form()), tr, s.log.Now.Add(time.Minute))
	if !r.Accepted || r.Failed() != "" || r.Refusal().JA != "" {
		t.Fatalf("refused at %s: %s", r.Failed(), r.Refusal().EN)
	}
	var codes []string
	for _, st := range r.Steps {
		codes = append(codes, st.Code)
		if st.Text.JA == "" || st.Text.EN == "" || !st.Ran || !st.OK {
			t.Errorf("step %+v", st)
		}
	}
	if got := strings.Join(codes, " "); got != "form signature attributes chain proof status crl" {
		t.Errorf("steps %s", got)
	}
	if r.Certified != s.attr || r.Form != s.form() || !r.Witnessed || r.Ordinal != 0 || r.Serial != s.serial.Text(16) {
		t.Errorf("result %+v", r)
	}
	tr.CRL = s.list("") // the complete list does as well
	if r := Verify(s.sign(s.form()), tr, s.log.Now); !r.Accepted {
		t.Errorf("with the complete list: %s", r.Refusal().EN)
	}
}

// TestGenerations is scenario 24 of DOMAIN 11.4: three issuers of one name.
func TestGenerations(t *testing.T) {
	s := newScene(t, nil)
	tr := s.trust()
	one, three := testca.New(t, start.AddDate(-5, 0, 0)), testca.New(t, start.AddDate(0, 0, -1))
	tr.Issuers = [][]byte{one.DER, s.ca.DER, three.DER}
	if r := Verify(s.sign(s.form()), tr, s.log.Now); !r.Accepted {
		t.Errorf("the right generation is among them: %s", r.Refusal().EN)
	}
	tr.Issuers = [][]byte{one.DER, three.DER}
	if r := Verify(s.sign(s.form()), tr, s.log.Now); r.Failed() != StepChain {
		t.Errorf("only other generations of the same name: failed at %q", r.Failed())
	}
}

// An agency that trusts the generation before follows the link certificate,
// if a list says that the link is good.
func TestLink(t *testing.T) {
	s := newScene(t, nil)
	old := testca.New(t, start.AddDate(-5, 0, 0))
	link := old.Link(t, s.ca, 41)
	good := old.CRL(t, testca.List{Number: 1, ThisUpdate: s.log.Now})
	gone := old.CRL(t, testca.List{Number: 2, ThisUpdate: s.log.Now, Entries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(41), RevocationTime: start}}})
	for _, c := range []struct {
		name  string
		links [][]byte
		lists [][]byte
		step  string
	}{
		{"link and list", [][]byte{link}, [][]byte{good}, ""},
		{"no link", nil, [][]byte{good}, StepChain},
		{"no list", [][]byte{link}, nil, StepChain},
		{"revoked link", [][]byte{link}, [][]byte{gone}, StepChain},
	} {
		tr := s.trust()
		tr.Issuers, tr.Links, tr.Lists = [][]byte{old.DER}, c.links, c.lists
		if r := Verify(s.sign(s.form()), tr, s.log.Now); r.Failed() != c.step {
			t.Errorf("%s: failed at %q, want %q: %s", c.name, r.Failed(), c.step, r.Refusal().EN)
		}
		if c.step == "" {
			tr.CRL = s.list(nagano)
			if r := Verify(s.sign(s.form()), tr, s.log.Now); !r.Accepted {
				t.Errorf("%s, with the certificate's own list: %s", c.name, r.Refusal().EN)
			}
		}
	}
}

func TestSubstitutes(t *testing.T) {
	s := newScene(t, func(l *testca.Leaf) {
		l.Attr.Name, l.Attr.NameMap = "高橋　〓子", "10010"
	})
	f := s.form()
	f.Name = "髙橋　𠮷子"
	r := Verify(s.sign(f), s.trust(), s.log.Now)
	if !r.Accepted || r.Substituted != 2 {
		t.Errorf("substitutes: %d, %s", r.Substituted, r.Refusal().EN)
	}
	f.Name = "髙島　𠮷子" // 島 is not marked as a substitute
	if r := Verify(s.sign(f), s.trust(), s.log.Now); r.Failed() != StepAttributes {
		t.Errorf("another character: failed at %q", r.Failed())
	}
	f.Name = "髙橋　𠮷" // shorter
	if r := Verify(s.sign(f), s.trust(), s.log.Now); r.Failed() != StepAttributes {
		t.Errorf("shorter name: failed at %q", r.Failed())
	}
}

func TestRefused(t *testing.T) {
	form := func(change func(*application.Form)) func(*scene) []byte {
		return func(s *scene) []byte { f := s.form(); change(&f); return s.sign(f) }
	}
	ext := func(id asn1.ObjectIdentifier, value []byte) func(*testca.Leaf) {
		return func(l *testca.Leaf) {
			l.Change = func(c *x509.Certificate) {
				c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: true, Value: value})
			}
		}
	}
	cases := []struct {
		name  string
		step  string
		leaf  func(*testca.Leaf)
		raw   func(*scene) []byte
		do    func(*scene)
		trust func(*scene, *Trust)
		later time.Duration
	}{
		{name: "not an application", step: StepForm, raw: func(*scene) []byte { return []byte("hello") }},
		{name: "nothing", step: StepForm, raw: func(*scene) []byte { return nil }},
		{name: "changed form", step: StepSignature, raw: func(s *scene) []byte {
			return []byte(strings.Replace(string(s.sign(s.form())), "2026-11-23", "2026-11-24", 1))
		}},
		{name: "other name", step: StepAttributes, raw: form(func(f *application.Form) { f.Name = "総務　次郎" })},
		{name: "other birth date", step: StepAttributes, raw: form(func(f *application.Form) { f.BirthDate = "319620618" })},
		{name: "other sex", step: StepAttributes, raw: form(func(f *application.Form) { f.Sex = "2" })},
		{name: "other address", step: StepAttributes, raw: form(func(f *application.Form) { f.Address = "長野県松本市丸の内３番７号" })},
		{name: "no attributes", step: StepAttributes, leaf: func(l *testca.Leaf) {
			l.Change = func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[1:] }
		}},
		{name: "attributes .5 and .6 swapped", step: StepForm, leaf: func(l *testca.Leaf) {
			l.Attr.Address, l.Attr.AddressMap = l.Attr.AddressMap, l.Attr.Address
			l.Change = func(c *x509.Certificate) {}
		}, raw: func(s *scene) []byte { s.attr = testca.Sample; return s.sign(s.form()) }},
		{name: "unknown issuer", step: StepChain, trust: func(s *scene, tr *Trust) { tr.Issuers = [][]byte{testca.New(s.t, start).DER} }},
		{name: "no issuer", step: StepChain, trust: func(s *scene, tr *Trust) { tr.Issuers = [][]byte{[]byte("x"), s.cert} }},
		{name: "expired", step: StepChain, leaf: func(l *testca.Leaf) { l.NotAfter = start.Add(time.Minute) }, later: time.Hour},
		{name: "not yet valid", step: StepChain, leaf: func(l *testca.Leaf) { l.NotBefore = start.Add(time.Hour) }},
		{name: "issuer expired", step: StepChain, trust: func(s *scene, tr *Trust) { tr.MaxAge = 20 * 365 * 24 * time.Hour }, leaf: func(l *testca.Leaf) { l.NotAfter = start.AddDate(30, 0, 0) }, later: 12 * 365 * 24 * time.Hour},
		{name: "wrong usage", step: StepChain, leaf: func(l *testca.Leaf) {
			l.Change = func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }
		}},
		{name: "a CA certificate", step: StepChain, leaf: func(l *testca.Leaf) {
			l.Change = func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }
		}},
		{name: "production policy", step: StepChain, leaf: func(l *testca.Leaf) { l.Policy = "1.2.392.200149.8.5.1.1.20" }},
		{name: "unknown critical extension", step: StepChain, leaf: ext(asn1.ObjectIdentifier{2, 999, 7}, []byte{5, 0})},
		{name: "no receipt", step: StepProof, trust: func(s *scene, tr *Trust) { tr.Receipt = nil }},
		{name: "no policy", step: StepProof, trust: func(s *scene, tr *Trust) { tr.Policy = nil }},
		{name: "unreadable receipt", step: StepProof, trust: func(s *scene, tr *Trust) { tr.Receipt = []byte("x") }},
		{name: "another log", step: StepProof, trust: func(s *scene, tr *Trust) { tr.Policy = testlog.New(s.t, "other.example", start).Policy() }},
		{name: "no witness", step: StepProof, trust: func(s *scene, tr *Trust) {
			s.log.Publish()
			tr.Receipt = s.log.Receipt(s.ordinal, s.issued, s.log.Checkpoint(false))
		}},
		{name: "another certificate's receipt", step: StepProof, trust: func(s *scene, tr *Trust) {
			mine := s.cert
			s.cert = s.ca.Issue(s.t, testca.Leaf{Serial: big.NewInt(77), Key: &s.key.PublicKey, Attr: s.attr, Municipality: nagano, NotBefore: start})
			s.serial = big.NewInt(77)
			s.record()
			tr.Receipt = s.log.Receipt(s.ordinal, s.issued, s.log.Publish())
			s.cert = mine
		}},
		{name: "revoked", step: StepStatus, do: (*scene).revoke},
		{name: "old receipt", step: StepStatus, later: 25 * time.Hour},
		{name: "receipt from the future", step: StepStatus, later: -10 * time.Minute, leaf: func(l *testca.Leaf) { l.NotBefore = start.Add(-time.Hour) }},
		{name: "revoked by list", step: StepCRL, trust: func(s *scene, tr *Trust) {
			tr.CRL = s.list(nagano, x509.RevocationListEntry{SerialNumber: s.serial, RevocationTime: start, ReasonCode: 3})
		}},
		{name: "another town's list", step: StepCRL, trust: func(s *scene, tr *Trust) { tr.CRL = s.list(matsumoto) }},
		{name: "another issuer's list", step: StepCRL, trust: func(s *scene, tr *Trust) {
			tr.CRL = testca.New(s.t, start).CRL(s.t, testca.List{Number: 1, ThisUpdate: start})
		}},
		{name: "stale list", step: StepCRL, trust: func(s *scene, tr *Trust) {
			tr.CRL = s.ca.CRL(s.t, testca.List{Number: 1, ThisUpdate: start.AddDate(0, 0, -3)})
		}},
		{name: "list from the future", step: StepCRL, trust: func(s *scene, tr *Trust) {
			tr.CRL = s.ca.CRL(s.t, testca.List{Number: 1, ThisUpdate: start.AddDate(0, 0, 1)})
		}},
		{name: "unreadable list", step: StepCRL, trust: func(s *scene, tr *Trust) { tr.CRL = []byte("x") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, c.leaf)
			raw := c.raw
			if raw == nil {
				raw = func(s *scene) []byte { return s.sign(s.form()) }
			}
			app := raw(s)
			if c.do != nil {
				c.do(s)
			}
			tr := s.trust()
			if c.trust != nil {
				c.trust(s, &tr)
			}
			r := Verify(app, tr, s.log.Now.Add(c.later))
			if r.Accepted || r.Failed() != c.step {
				t.Errorf("accepted %v, failed at %q, want %q: %s", r.Accepted, r.Failed(), c.step, r.Refusal().EN)
			}
			if r.Refusal().JA == "" || r.Refusal().EN == "" {
				t.Error("refused without a sentence")
			}
			for _, secret := range []string{"総務", "霞が関", "19620617"} {
				for _, st := range r.Steps {
					if strings.Contains(st.Text.JA+st.Text.EN, secret) {
						t.Errorf("step %s quotes an attribute", st.Code)
					}
				}
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	s := newScene(f, nil)
	tr := s.trust()
	tr.CRL = s.list(nagano)
	f.Add(s.sign(s.form()), tr.Receipt, tr.CRL)
	f.Add([]byte("x"), []byte("y"), []byte("z"))
	f.Fuzz(func(t *testing.T, raw, receipt, crl []byte) {
		tr := tr
		tr.Receipt, tr.CRL = receipt, crl
		r := Verify(raw, tr, s.log.Now)
		if r.Accepted && string(raw) == "" {
			t.Error("accepted nothing")
		}
	})
}
