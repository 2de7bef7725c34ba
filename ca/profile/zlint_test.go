package profile

import (
	"testing"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// exceptions are zlint results that we accept, each with its reason. A test
// fails when one of them no longer comes up: then it must go.
var exceptions = map[string]string{}

// sources of zlint that speak about certificates like ours. CABF_* are rules
// for web servers; Community looks for known bad issuers and costs most of the
// time.
var sources = lint.SourceList{lint.RFC5280, lint.RFC5480, lint.RFC3279, lint.RFC8813, lint.RFC6960, lint.EtsiEsi}

func TestZlint(t *testing.T) {
	reg, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: sources})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	checked := 0
	check := func(name string, der []byte) {
		t.Helper()
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for id, r := range zlint.LintCertificateEx(c, reg).Results {
			if r.Status == lint.Pass {
				checked++
			}
			if r.Status < lint.Notice {
				continue
			}
			if exceptions[id] == "" {
				t.Errorf("%s: %s: %s %s", name, id, r.Status, r.Details)
			}
			seen[id] = true
		}
	}
	for _, alg := range []string{"root", "ec", "ec384"} {
		root, issuer := makeRoot(t, keys()[alg])
		check("root "+alg, root)
		tbs, err := shippedProfile(t, Resident).BuildCertificateTBS(residentRequest(t, issuer))
		if err != nil {
			t.Fatal(err)
		}
		check("resident "+alg, sign(t, keys()[alg], tbs))
		tbs, err = shippedProfile(t, OCSP).BuildCertificateTBS(ocspRequest(issuer))
		if err != nil {
			t.Fatal(err)
		}
		check("ocsp "+alg, sign(t, keys()[alg], tbs))
		for r, req := range map[Role]Request{Link: linkRequest(issuer), Cross: crossRequest(issuer)} {
			if tbs, err = shippedProfile(t, r).BuildCertificateTBS(req); err != nil {
				t.Fatal(err)
			}
			check(string(r)+" "+alg, sign(t, keys()[alg], tbs))
		}
	}
	for id := range exceptions {
		if !seen[id] {
			t.Errorf("exception %s is no longer needed", id)
		}
	}
	if checked == 0 {
		t.Error("zlint checked nothing")
	}
	t.Logf("%d checks passed, %d exceptions", checked, len(exceptions))
}
