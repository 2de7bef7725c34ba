package profile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

// buildUnlinted builds from a changed profile and a changed request without the
// checks that would refuse them, for the lints to find.
func buildUnlinted(t testing.TB, r Role, yaml func(*file), req func(*Request), in func(*input)) []byte {
	t.Helper()
	_, issuer := makeRoot(t, keys()["root"])
	p := *shippedProfile(t, r)
	p.file.Extensions = slices.Clone(p.file.Extensions)
	p.file.Subject = slices.Clone(p.file.Subject)
	request := map[Role]Request{Root: rootRequest(keys()["root"]), Resident: residentRequest(t, issuer), OCSP: ocspRequest(issuer),
		Link: linkRequest(issuer), Cross: crossRequest(issuer)}[r]
	inp, err := p.prepare(&request)
	if err != nil {
		t.Fatal(err)
	}
	if yaml != nil {
		yaml(&p.file)
	}
	if req != nil {
		req(&request)
		inp.vars["commonName"], inp.vars["municipality"] = request.CommonName, request.Place.Municipality
	}
	if !r.named() {
		if inp.subject, err = p.subject(inp.vars); err != nil {
			t.Fatal(err)
		}
	}
	if in != nil {
		in(inp)
	}
	inp.frame = p.newFrame(nil) // what was changed since prepare is encoded now
	tbs, err := p.build(inp)
	if err != nil {
		t.Fatal(err)
	}
	return tbs
}

// drop takes the extensions out that f picks.
func drop(f func(*extension) bool) func(*file) {
	return func(p *file) { p.Extensions = slices.DeleteFunc(p.Extensions, func(e extension) bool { return f(&e) }) }
}

func insert(e extension) func(*file) {
	return func(p *file) { p.Extensions = append(p.Extensions, e) }
}

// Each lint finds what it is for, and a clean certificate gives no finding.
func TestEachCertificateLint(t *testing.T) {
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req := func(f func(*Request)) func() []byte {
		return func() []byte { return buildUnlinted(t, Resident, nil, f, nil) }
	}
	of := func(r Role, f func(*file)) func() []byte {
		return func() []byte { return buildUnlinted(t, r, f, nil, nil) }
	}
	edit := func(old, new string) func() []byte {
		return func() []byte {
			tbs := buildUnlinted(t, Resident, nil, nil, nil)
			if !bytes.Contains(tbs, []byte(old)) || len(old) != len(new) {
				t.Fatalf("can't edit %x", old)
			}
			return bytes.Replace(tbs, []byte(old), []byte(new), 1)
		}
	}
	for _, c := range []struct {
		code, name string
		tbs        func() []byte
	}{
		{"C00", "noise", func() []byte { return []byte("noise") }},
		{"C00", "half", func() []byte { b := buildUnlinted(t, Resident, nil, nil, nil); return b[:len(b)/2] }},
		{"C00", "wrong serial", edit("\x02\x10\x11\x02", "\x02\x10\x91\x02")},
		{"C01", "version 2", edit("\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x01")},
		{"C02", "short serial", req(func(r *Request) { r.Serial = []byte{5} })},
		{"C03", "SHA-1", edit("\xf7\x0d\x01\x01\x0b", "\xf7\x0d\x01\x01\x05")},
		{"C04", "self-issued resident", func() []byte {
			return buildUnlinted(t, Resident, nil, nil, func(in *input) {
				p := shippedProfile(t, Resident)
				in.name, _ = p.subject(in.vars)
			})
		}},
		{"C05", "not the day's end", req(func(r *Request) { r.NotAfter = r.NotAfter.Add(-time.Hour) })},
		{"C06", "six years", req(func(r *Request) { r.NotAfter = r.NotAfter.AddDate(1, 2, 0) })},
		{"C06", "backwards", req(func(r *Request) { r.NotAfter = r.NotBefore.Add(-12 * time.Hour) })},
		{"C07", "small key", func() []byte {
			return buildUnlinted(t, Resident, nil, nil, func(in *input) {
				in.spki = mustSPKI(t, small.Public())
				if in.keyID, err = keyIdentifier(in.spki); err != nil {
					t.Fatal(err)
				}
			})
		}},
		{"C08", "name in CN", req(func(r *Request) { r.CommonName = "SUKEMI HANAKO" })},
		{"C08", "town in kanji", req(func(r *Request) { r.Place.Municipality = "松本市" })},
		{"C08", "O instead of L", of(Resident, func(f *file) { f.Subject[1].Type = "O" })},
		{"C09", "may sign certificates", of(Resident, func(f *file) { f.Extensions[0].KeyUsage = &keyUsage{true, []string{"keyCertSign"}} })},
		{"C09", "not critical", of(OCSP, func(f *file) { f.Extensions[0].KeyUsage = &keyUsage{false, []string{"digitalSignature"}} })},
		{"C10", "resident with constraints", of(Resident, insert(extension{Constraints: &constraints{}}))},
		{"C11", "no attributes", of(Resident, drop(func(e *extension) bool { return e.SubjectAlt != nil }))},
		{"C11", "directory name instead", of(Resident, func(f *file) {
			f.Extensions[1].SubjectAlt = &subjectAlt{Directory: Name{{"C", "JP"}}}
		})},
		{"C11", "fields swapped", edit("\x08\x05\x05\x06", "\x08\x05\x05\x02")},
		{"C12", "card's sex code", req(func(r *Request) { r.Subject.Sex = "9" })},
		{"C12", "map of another length", req(func(r *Request) { r.Subject.NameMap = "0" })},
		{"C12", "impossible month", req(func(r *Request) { r.Subject.BirthDate = "320001329" })},
		{"C13", "eleven digits", req(func(r *Request) {
			r.Subject.Address = "長野県９９９９９００００１７"
			r.Subject.AddressMap = strings.Repeat("0", 14)
		})},
		{"C14", "no policy", of(Resident, drop(func(e *extension) bool { return e.Policies != nil }))},
		{"C14", "production policy", edit("\x08\x05\x01\x00\x14", "\x08\x05\x01\x01\x14")},
		{"C15", "no distribution point", of(Resident, drop(func(e *extension) bool { return e.Distribution != nil }))},
		{"C15", "ldap", edit("http://127.0.0.1:8080/crl", "ldap://127.0.0.1:8080/crl")},
		{"C16", "no OCSP", of(Resident, drop(func(e *extension) bool { return e.InfoAccess != nil }))},
		{"C16", "ftp", edit("http://127.0.0.1:8080/ocsp", "ftps://127.0.0.1:8080/ocsp")},
		{"C17", "no authority key", of(Resident, drop(func(e *extension) bool { return e.AuthorityKey != nil }))},
		{"C17", "root with authority key", func() []byte {
			_, issuer := makeRoot(t, keys()["root"])
			return buildUnlinted(t, Root, insert(extension{AuthorityKey: &authorityKey{}}), func(r *Request) { r.Issuer = issuer }, nil)
		}},
		{"C18", "no subject key", of(Resident, drop(func(e *extension) bool { return e.SubjectKey != nil }))},
		{"C18", "another subject key", func() []byte {
			return buildUnlinted(t, Resident, nil, nil, func(in *input) { in.keyID = make([]byte, 20) })
		}},
		{"C20", "policies twice", edit("\x06\x03\x55\x1d\x12", "\x06\x03\x55\x1d\x20")},
		{"C21", "no nocheck", of(OCSP, drop(func(e *extension) bool { return e.NoCheck != nil }))},
		{"C06", "cross for six years", func() []byte {
			return buildUnlinted(t, Cross, nil, func(r *Request) { r.NotAfter = r.NotAfter.AddDate(2, 0, 0) }, nil)
		}},
		{"C09", "link that signs no lists", of(Link, func(f *file) { f.Extensions[0].KeyUsage = &keyUsage{true, []string{"keyCertSign"}} })},
		{"C10", "link with a path length", of(Link, func(f *file) { f.Extensions[1].Constraints = &constraints{CA: true, PathLen: new(int)} })},
		{"C10", "cross without a path length", of(Cross, func(f *file) { f.Extensions[1].Constraints = &constraints{CA: true} })},
		{"C14", "link without policy", of(Link, drop(func(e *extension) bool { return e.Policies != nil }))},
		{"C15", "cross without distribution point", of(Cross, drop(func(e *extension) bool { return e.Distribution != nil }))},
		{"C17", "link by its own key", func() []byte {
			return buildUnlinted(t, Link, nil, nil, func(in *input) { in.keyID = in.req.Issuer.KeyID })
		}},
		{"C24", "cross without mapping", of(Cross, drop(func(e *extension) bool { return e.Mappings != nil }))},
		{"C24", "cross that demands no policy", of(Cross, drop(func(e *extension) bool { return e.PolicyDemanded != nil }))},
		{"C24", "link with mapping", of(Link, insert(extension{Mappings: policyMappings{{"2.999.1", "2.999.2"}}}))},
		{"C20", "issuer's name twice", edit("\x06\x03\x55\x1d\x12", "\x06\x03\x55\x1d\x11")},
		{"C21", "CA with a purpose", of(Root, insert(extension{ExtKeyUsage: &extKeyUsage{}}))},
		{"C24", "cross with an empty mapping", of(Cross, func(f *file) { f.Extensions[3].Mappings = policyMappings{} })},
		{"C25", "unknown extension", edit("\x06\x03\x55\x1d\x12", "\x06\x03\x55\x1d\x7f")},
		{"C22", "no ordinal", of(Resident, drop(func(e *extension) bool { return e.Ordinal != nil }))},
		{"C22", "responder with ordinal", of(OCSP, insert(extension{Ordinal: &ordinal{"2.999.20040129.1"}}))},
	} {
		t.Run(c.code+" "+c.name, func(t *testing.T) {
			got := Lint(c.tbs())
			if !slices.ContainsFunc(got, func(f Finding) bool { return f.Code == c.code }) {
				t.Errorf("findings %v", got)
			}
		})
	}
	for _, r := range []Role{Root, Resident, OCSP, Link, Cross} {
		if f := Lint(buildUnlinted(t, r, nil, nil, nil)); len(f) > 0 {
			t.Errorf("clean %s: %v", r, f)
		}
	}
}

func mustSPKI(t testing.TB, pub any) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An unknown critical extension is found.
func TestCriticalLint(t *testing.T) {
	tbs := buildUnlinted(t, Resident, func(f *file) { f.Extensions[2].Policies = &policies{Critical: true, OID: "2.999.1"} }, nil, nil)
	// policies: 06 03 55 1d 20 01 01 ff → an unknown identifier of the same length
	bad := bytes.Replace(tbs, []byte{0x06, 0x03, 0x55, 0x1d, 0x20, 0x01, 0x01, 0xff}, []byte{0x06, 0x03, 0x55, 0x1d, 0x7f, 0x01, 0x01, 0xff}, 1)
	if f := Lint(bad); !slices.ContainsFunc(f, func(f Finding) bool { return f.Code == "C19" }) {
		t.Errorf("%v", f)
	}
}

// A GeneralizedTime before 2050 is found; from 2050 it is right.
func TestTimeLint(t *testing.T) {
	p := shippedProfile(t, Root)
	r := rootRequest(keys()["root"])
	r.NotBefore = time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)
	tbs, err := p.BuildCertificateTBS(r)
	if err != nil || !bytes.Contains(tbs, []byte("20550101145959Z")) || !bytes.Contains(tbs, []byte("\x17\x0d450101000000Z")) {
		t.Errorf("%v", err)
	}
	bad := bytes.Replace(tbs, []byte("20550101145959Z"), []byte("20450701145959Z"), 1)
	if f := Lint(bad); len(f) != 1 || f[0].Code != "C23" {
		t.Errorf("%v", f)
	}
}

func FuzzLint(f *testing.F) {
	for _, r := range []Role{Root, Resident, OCSP, Link, Cross} {
		f.Add(buildUnlinted(f, r, nil, nil, nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, finding := range Lint(b) {
			if finding.Code == "" || finding.Clause == "" || finding.Text == "" {
				t.Fatal("an empty finding")
			}
		}
		LintCRL(b)
		LintOCSP(b)
	})
}

func BenchmarkBuild(b *testing.B) {
	_, issuer := makeRoot(b, keys()["ec"])
	p := shippedProfile(b, Resident)
	req := residentRequest(b, issuer)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.BuildCertificateTBS(req); err != nil {
			b.Fatal(err)
		}
	}
}
