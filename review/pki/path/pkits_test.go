package path

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pkitsCRLs is where Debian's python3-cryptography-vectors keeps the
// revocation lists of NIST's suite, which Go's copy leaves out.
const pkitsCRLs = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data/crls"

// pkitsTime lies inside the validity of everything in the suite that is meant
// to be valid.
var pkitsTime = time.Date(2020, 6, 1, 12, 0, 0, 0, time.UTC)

type pkitsCase struct {
	Name                        string
	CertPath                    []string
	CRLPath                     []string
	ShouldValidate              bool
	InitialPolicySet            []string
	InitialPolicyMappingInhibit bool
	InitialExplicitPolicy       bool
	InitialAnyPolicyInhibit     bool
}

var pkitsPolicies = map[string]string{
	"anyPolicy":          "2.5.29.32.0",
	"NIST-test-policy-1": "2.16.840.1.101.3.2.1.48.1",
	"NIST-test-policy-2": "2.16.840.1.101.3.2.1.48.2",
	"NIST-test-policy-3": "2.16.840.1.101.3.2.1.48.3",
	"NIST-test-policy-6": "2.16.840.1.101.3.2.1.48.6",
}

// pkits is the suite as read from both places.
type pkits struct {
	cases []pkitsCase
	certs map[string]*Certificate // nil: does not parse
	lists map[string]*CRL
	root  *Certificate
}

func loadPKITS(t *testing.T) *pkits {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("skipped: there is no go command: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "src/crypto/x509/testdata/nist-pkits")
	vectors, err := os.ReadFile(filepath.Join(dir, "vectors.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("skipped: this Go installation has no nist-pkits test data")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(pkitsCRLs); err != nil {
		t.Skip("skipped: the suite's revocation lists are not installed (Debian: python3-cryptography-vectors)")
	}
	p := &pkits{certs: map[string]*Certificate{}, lists: map[string]*CRL{}}
	if err := json.Unmarshal(vectors, &p.cases); err != nil {
		t.Fatal(err)
	}
	each(t, filepath.Join(dir, "certs"), func(name string, der []byte) {
		p.certs[name], err = ParseCertificate(der)
		if err != nil {
			t.Logf("%s: %v", name, err)
		}
	})
	each(t, pkitsCRLs, func(name string, der []byte) {
		p.lists[name], err = ParseCRL(der)
		if err != nil {
			t.Logf("%s: %v", name, err)
		}
	})
	if p.root = p.certs["TrustAnchorRootCertificate.crt"]; p.root == nil {
		t.Fatal("the suite has no trust anchor")
	}
	return p
}

func each(t *testing.T, dir string, fn func(string, []byte)) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		der, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fn(f.Name(), der)
	}
}

// verify runs one case with a pool of the case's own material or of everything
// in the suite.
func (p *pkits) verify(t *testing.T, c pkitsCase, everything bool) error {
	t.Helper()
	pool := NewPool()
	certs, lists := c.CertPath, c.CRLPath
	if everything {
		certs, lists = nil, nil
		for n := range p.certs {
			certs = append(certs, n)
		}
		for n := range p.lists {
			lists = append(lists, n)
		}
	}
	for _, n := range certs {
		cert, known := p.certs[n]
		if !known {
			t.Fatalf("no certificate %s", n)
		}
		if cert != nil && cert != p.root {
			pool.AddCertificate(cert)
		}
	}
	for _, n := range lists {
		list, known := p.lists[n]
		if !known {
			t.Fatalf("no list %s", n)
		}
		if list != nil {
			pool.AddCRL(list)
		}
	}
	target := p.certs[c.CertPath[len(c.CertPath)-1]]
	if target == nil {
		return errors.New("the target does not parse")
	}
	o := Options{Anchors: []*Certificate{p.root}, Pool: pool, Time: pkitsTime, Legacy: true,
		RequireExplicit: c.InitialExplicitPolicy, InhibitMapping: c.InitialPolicyMappingInhibit, InhibitAny: c.InitialAnyPolicyInhibit}
	for _, n := range c.InitialPolicySet {
		id, known := pkitsPolicies[n]
		if !known {
			t.Fatalf("no policy %s", n)
		}
		o.Policies = append(o.Policies, id)
	}
	_, err := Verify(target, o)
	return err
}

// All 249 cases of NIST's Public Key Interoperability Test Suite, twice: with
// the case's own certificates and lists, and with the whole suite as one pool,
// where the path must be found among everything.
func TestPKITS(t *testing.T) {
	p := loadPKITS(t)
	if len(p.cases) != 249 {
		t.Fatalf("the suite has %d cases, not 249", len(p.cases))
	}
	for _, everything := range []bool{false, true} {
		good := 0
		for _, c := range p.cases {
			err := p.verify(t, c, everything)
			if (err == nil) != c.ShouldValidate {
				t.Errorf("%s (everything: %v): should validate: %v, got: %v", c.Name, everything, c.ShouldValidate, err)
				continue
			}
			if want, ok := pkitsCodes[strings.SplitN(c.Name, " ", 2)[0]]; ok && err != nil && CodeOf(err) != want {
				t.Errorf("%s (everything: %v): refused for %v, want %s", c.Name, everything, err, want)
			}
			good++
		}
		t.Logf("%d of %d cases as they should be (whole suite as one pool: %v)", good, len(p.cases), everything)
	}
}

// pkitsCodes are the reasons of some refusals: right for the right reason.
var pkitsCodes = map[string]Code{
	"4.1.2":  Signature,
	"4.1.3":  Signature,
	"4.2.1":  NotYetValid,
	"4.2.5":  Expired,
	"4.4.2":  Revoked,
	"4.4.3":  Revoked,
	"4.6.1":  NotCA,
	"4.6.5":  PathLength,
	"4.7.1":  KeyUsage,
	"4.13.2": NameConstraints,
	"4.14.2": Revoked,
	"4.14.3": RevocationUnknown,
	"4.16.2": UnknownCritical,
}
