package profile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

func source(t testing.TB, r Role) string {
	t.Helper()
	b, err := shipped.ReadFile("profiles/" + string(r) + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestShippedProfiles(t *testing.T) {
	seen := map[entry.Digest]bool{}
	for _, r := range []Role{Root, Resident, OCSP, Link, Cross} {
		p := shippedProfile(t, r)
		if p.Role() != r || !strings.HasPrefix(p.ID(), "sukashi-") || p.Digest() != entry.Sum(p.Source()) {
			t.Errorf("%s: role %s, id %s", r, p.Role(), p.ID())
		}
		if seen[p.Digest()] {
			t.Error("two profiles have one digest")
		}
		seen[p.Digest()] = true
	}
	if _, err := Shipped("other"); err == nil {
		t.Error("a profile for an unknown role")
	}
}

// The digest is that of the file, so that sha256sum finds it: even a comment
// changes it.
func TestDigestIsOfTheFile(t *testing.T) {
	src := source(t, Resident)
	p := shippedProfile(t, Resident)
	if p.Digest() != entry.Sum([]byte(src)) || string(p.Source()) != src {
		t.Error("the digest is not that of the shipped file")
	}
	for _, changed := range []string{"# another comment\n\n" + src, strings.Replace(src, "maxDays: 1828", "maxDays: 1827", 1)} {
		if other, err := Load([]byte(changed)); err != nil || other.Digest() == p.Digest() {
			t.Errorf("a change of the file did not change the digest: %v", err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	src := source(t, Resident)
	replace := func(old, new string) string {
		if !strings.Contains(src, old) {
			t.Fatalf("the profile has no %q", old)
		}
		return strings.Replace(src, old, new, 1)
	}
	for name, s := range map[string]string{
		"nothing":                  "",
		"no YAML":                  "{",
		"too large":                strings.Repeat("#", MaxYAML+1),
		"two documents":            src + "\n---\n" + src,
		"unknown member":           src + "\ncolour: red\n",
		"repeated member":          src + "\nformat: 1\n",
		"format 2":                 replace("format: 1", "format: 2"),
		"no id":                    replace("id: sukashi-resident-signing-1", "id: ''"),
		"unknown role":             replace("role: resident", "role: person"),
		"no subject":               replace("subject:", "subject: []\nx:"),
		"unknown attribute":        replace("type: CN, value: \"{commonName}\"", "type: GN, value: \"{commonName}\""),
		"unknown variable":         replace("{commonName}", "{name}"),
		"open brace":               replace("{commonName}", "{commonName"),
		"country":                  replace("{type: C, value: JP}", "{type: C, value: JPN}"),
		"both validities":          replace("{maxDays: 1828}", "{maxDays: 1828, years: 5}"),
		"no validity":              replace("{maxDays: 1828}", "{}"),
		"production policy":        replace("1.2.392.200149.8.5.1.0.20", "1.2.392.200149.8.5.1.1.20"),
		"production policy, phone": replace("1.2.392.200149.8.5.1.0.20", "1.2.392.200149.8.5.1.1.40"),
		"production policy, auth":  replace("1.2.392.200149.8.5.1.0.20", "1.2.392.200149.8.5.1.3.30"),
		"policy is no OID":         replace("1.2.392.200149.8.5.1.0.20", "1.2.x"),
		"OID of one number":        replace("2.999.20040129.1", "2"),
		"OID with a zero":          replace("2.999.20040129.1", "2.999.020040129.1"),
		"ordinal elsewhere":        replace("2.999.20040129.1", "2.999.20040129.9"),
		"OID of another root":      replace("2.999.20040129.1", "3.1.1"),
		"OID by UUID":              replace("2.999.20040129.1", "2.25.151192534373497429413177451364775838169"),
		"unknown key usage":        replace("contentCommitment", "signEverything"),
		"no key usage":             replace("[digitalSignature, contentCommitment]", "[]"),
		"no kind":                  replace("- subjectKeyIdentifier: {}", "- {}"),
		"two kinds":                replace("- subjectKeyIdentifier: {}", "- subjectKeyIdentifier: {}\n    authorityKeyIdentifier: {}"),
		"repeated extension":       replace("- subjectKeyIdentifier: {}", "- subjectKeyIdentifier: {}\n  - subjectKeyIdentifier: {}"),
		"no distribution address":  replace("uri: \"{base}/crl/{municipalityCode}.crl\"", "uri: ''"),
		"unknown variable in uri":  replace("{municipalityCode}.crl", "{town}.crl"),
		"no OCSP address":          replace("ocsp: \"{base}/ocsp\", ", ""),
		"resident is a CA":         replace("- subjectKeyIdentifier: {}", "- basicConstraints: {ca: true}"),
		"resident signs OCSP":      replace("- subjectKeyIdentifier: {}", "- extKeyUsage: {purposes: [OCSPSigning]}"),
		"resident is not checked":  replace("- subjectKeyIdentifier: {}", "- ocspNoCheck: {}"),
		"two subject names":        replace("{attributes: true}", "{attributes: true, directory: [{type: C, value: JP}]}"),
		"root with authority key":  strings.Replace(source(t, Root), "- subjectKeyIdentifier: {}", "- authorityKeyIdentifier: {}", 1),
		"root with ordinal":        strings.Replace(source(t, Root), "- subjectKeyIdentifier: {}", "- ordinal: {oid: 2.999.1}", 1),
		"root with attributes":     strings.Replace(source(t, Root), "subjectAltName:", "subjectAltName: {attributes: true}\n    x:", 1),
		"link with a subject":      source(t, Link) + "\nsubject: [{type: C, value: JP}]\n",
		"link that counts years":   strings.Replace(source(t, Link), "maxDays: 3660", "years: 10", 1),
		"link with a path length":  strings.Replace(source(t, Link), "{ca: true}", "{ca: true, pathLen: 0}", 1),
		"link with mappings":       source(t, Link) + "  - policyMappings: [{issuer: 2.999.1, subject: 2.999.2}]\n",
		"cross, endless path":      strings.Replace(source(t, Cross), "pathLen: 1", "pathLen: -1", 1),
		"cross, any policy mapped": strings.Replace(source(t, Cross), "subject: 2.999.20040129.2.1", "subject: 2.5.29.32.0", 1),
		"cross, production policy": strings.Replace(source(t, Cross), "subject: 2.999.20040129.2.1", "subject: 1.2.392.200149.8.5.1.1.20", 1),
		"cross, negative demand":   strings.Replace(source(t, Cross), "requireExplicitPolicy: 0", "requireExplicitPolicy: -1", 1),
		"cross that is no CA":      strings.Replace(source(t, Cross), "ca: true", "ca: false", 1),
		"root with a town":         strings.Replace(source(t, Root), "value: SUKASHI}", "value: \"{municipality}\"}", 1),
	} {
		if _, err := Load([]byte(s)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDistributionPoint(t *testing.T) {
	p := shippedProfile(t, Resident)
	der, err := p.DistributionPoint(matumoto, base)
	if err != nil || !bytes.Contains(der, []byte("/crl/202029.crl")) || !bytes.Contains(der, []byte("Matsumoto-shi")) {
		t.Errorf("%x, %v", der, err)
	}
	if _, err := p.DistributionPoint(Place{}, base); err == nil {
		t.Error("a point of no place")
	}
	if _, err := p.DistributionPoint(matumoto, "ftp://x"); err == nil {
		t.Error("a point that is not http")
	}
	if _, err := shippedProfile(t, OCSP).DistributionPoint(matumoto, base); err == nil {
		t.Error("a responder's certificate has no point")
	}
}

func FuzzLoad(f *testing.F) {
	for _, r := range []Role{Root, Resident, OCSP, Link, Cross} {
		f.Add([]byte(source(f, r)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Load(b)
		if err != nil {
			return
		}
		if p.Digest() != entry.Sum(p.Source()) {
			t.Fatal("digest is not that of the file")
		}
	})
}
