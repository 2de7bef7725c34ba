package revocation

import (
	"crypto"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore"
)

// Clients that can't read partitions are shown here as they are: the assertions
// on their mistakes make a change noticed. For them there is the full list.

func TestGnuTLS(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	verify := func(ok bool, contains, crl, leaf string) {
		t.Helper()
		w.want(ok, contains, "certtool", "--verify", "--load-ca-certificate", "root.pem", "--load-crl", crl+".pem", "--infile", leaf+".pem")
	}
	verify(true, "The certificate is trusted", "full", "good")
	verify(true, "The certificate is trusted", "full", "other")
	verify(false, "revoked", "full", "bad")
	w.want(true, "Verified", "certtool", "--verify-crl", "--load-ca-certificate", "root.pem", "--infile", "full.pem")
	// Known bad: the critical issuingDistributionPoint is not looked at, so a
	// revoked certificate is trusted with another municipality's list.
	verify(true, "The certificate is trusted", "nagano", "bad")
}

func TestGnuTLSOCSP(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	s := httptest.NewServer(w.responder())
	defer s.Close()
	for leaf, want := range map[string]string{"good": "good", "bad": "revoked"} {
		out, err := w.tool("ocsptool", "--ask="+s.URL+"/ocsp", "--nonce", "--load-issuer", "root.pem", "--load-cert", leaf+".pem", "--load-trust", "root.pem")
		if !strings.Contains(strings.ToLower(out), "certificate status: "+want) || strings.Contains(out, "Verifying OCSP Response: Failure") {
			t.Errorf("%s: %v\n%s", leaf, err, out)
		}
		der := w.responder().Respond(t.Context(), ocspRequestFor(w.issuer, crypto.SHA1, serialOf(w, leaf)))
		w.check(os.WriteFile(w.path("r.der"), der, 0o600))
		w.want(true, "Success", "ocsptool", "-e", "--load-issuer", "root.pem", "--load-cert", leaf+".pem", "--load-response", "r.der", "--load-signer", "ocsp.pem")
	}
}

func serialOf(w *world, leaf string) []byte {
	ordinal := map[string]int{"good": 0, "bad": 1, "other": 2}[leaf]
	return w.state.certs[ordinal].serial.bytes()
}

// nss makes a certificate database that trusts the root.
func nss(w *world) {
	w.t.Helper()
	w.check(os.Mkdir(w.path("db"), 0o700))
	for _, args := range [][]string{{"-N", "--empty-password"}, {"-A", "-n", "root", "-t", "CT,C,C", "-a", "-i", "root.pem"}} {
		if out, err := w.tool("certutil", append(args, "-d", "sql:db")...); err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestNSS(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	nss(w)
	for _, crl := range []string{"matsumoto", "nagano"} {
		// Known: any list with a critical extension is refused.
		w.want(false, "SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION", "crlutil", "-I", "-d", "sql:db", "-i", crl+".der", "-t", "1")
	}
	w.want(true, "", "crlutil", "-I", "-d", "sql:db", "-i", "full.der", "-t", "1")
	verify := func(ok bool, contains, leaf string) {
		t.Helper()
		w.want(ok, contains, "vfychain", "-d", "sql:db", "-pp", "-u", "0", "-g", "leaf", "-m", "crl", "-s", "failIfNoInfo", "-a", leaf+".pem")
	}
	verify(true, "Chain is good", "good")
	verify(true, "Chain is good", "other")
	verify(false, "has been revoked", "bad")
}

func TestNSSOCSP(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	nss(w)
	s := httptest.NewServer(w.responder())
	defer s.Close()
	for _, leaf := range []string{"good", "bad"} {
		if out, err := w.tool("certutil", "-A", "-n", leaf, "-t", ",,", "-a", "-i", leaf+".pem", "-d", "sql:db"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	w.want(true, "succeeded", "ocspclnt", "-d", "sql:db", "-S", "good", "-u", "S", "-l", s.URL+"/ocsp", "-t", "root")
	w.want(true, "has been revoked", "ocspclnt", "-d", "sql:db", "-S", "bad", "-u", "S", "-l", s.URL+"/ocsp", "-t", "root")
}

// javaChecks asks for several checks in one run of the virtual machine.
func javaChecks(w *world, classpath string, checks [][]string, want []string) {
	w.t.Helper()
	if testing.Short() {
		w.t.Skip("skipped: starts a Java virtual machine")
	}
	src, err := filepath.Abs("testdata/Validate.java")
	w.check(err)
	args := []string{"-Xshare:auto"}
	if classpath != "" {
		args = append(args, "-cp", classpath)
	}
	args = append(args, src)
	for i, c := range checks {
		if i > 0 {
			args = append(args, "--")
		}
		args = append(args, c...)
	}
	out, err := w.tool("java", args...)
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")[1:]
	if len(lines) != len(want) {
		w.t.Fatalf("%d answers for %d checks:\n%s", len(lines), len(want), out)
	}
	for i, l := range lines {
		if !strings.HasPrefix(l, want[i]) {
			w.t.Errorf("%v: %q, want %q", checks[i], l, want[i])
		}
	}
}

func TestJava(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	r := w.responder()
	var checks [][]string
	var want []string
	add := func(answer string, args ...string) {
		checks = append(checks, args)
		want = append(want, answer)
	}
	add("VALID", "crl", "JDK", "root.pem", "good.pem", "full.der")
	add("REVOKED AFFILIATION_CHANGED", "crl", "JDK", "root.pem", "bad.pem", "full.der")
	add("VALID", "crl", "JDK", "root.pem", "good.pem", "matsumoto.der")
	add("REVOKED AFFILIATION_CHANGED", "crl", "JDK", "root.pem", "bad.pem", "matsumoto.der")
	add("VALID", "crl", "JDK", "root.pem", "other.pem", "nagano.der")
	add("UNDETERMINED_REVOCATION_STATUS", "crl", "JDK", "root.pem", "bad.pem", "nagano.der")
	add("UNDETERMINED_REVOCATION_STATUS", "crl", "JDK", "root.pem", "good.pem", "nagano.der")
	for _, leaf := range []string{"good", "bad"} {
		der := r.Respond(t.Context(), ocspRequestFor(w.issuer, crypto.SHA1, serialOf(w, leaf)))
		w.check(os.WriteFile(w.path(leaf+".ocsp"), der, 0o600))
	}
	add("VALID", "ocsp", "JDK", "root.pem", "good.pem", "good.ocsp")
	add("REVOKED AFFILIATION_CHANGED", "ocsp", "JDK", "root.pem", "bad.pem", "bad.ocsp")
	javaChecks(w, "", checks, want)
}

// Known bad: no client but OpenSSL applies a delta list; what only the delta
// revokes stays valid. So deltas are an offer, and complete lists stay frequent.
func TestDeltasAreNotApplied(t *testing.T) {
	w := deltas(t, Full)
	both, err := os.ReadFile(w.path("base.pem"))
	w.check(err)
	delta, err := os.ReadFile(w.path("delta.pem"))
	w.check(err)
	w.check(os.WriteFile(w.path("both.pem"), append(both, delta...), 0o600))
	// GnuTLS uses the last list alone: it even forgets the base.
	w.want(true, "The certificate is trusted", "certtool", "--verify", "--load-ca-certificate", "root.pem", "--load-crl", "both.pem", "--infile", "early.pem")
	javaChecks(w, "", [][]string{
		{"crl", "JDK", "root.pem", "early.pem", "base.der,delta.der"},
		{"crl", "JDK", "root.pem", "late.pem", "base.der,delta.der"},
	}, []string{"REVOKED", "VALID"})
}

func TestBouncyCastle(t *testing.T) {
	const jars = "/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar"
	if _, err := os.Stat("/usr/share/java/bcprov.jar"); err != nil {
		t.Skip("skipped: libbcprov-java is not installed")
	}
	w := clients(t, keystore.P256)
	javaChecks(w, jars, [][]string{
		{"crl", "BC", "root.pem", "good.pem", "full.der"},
		{"crl", "BC", "root.pem", "bad.pem", "full.der"},
		{"crl", "BC", "root.pem", "good.pem", "matsumoto.der"},
		{"crl", "BC", "root.pem", "bad.pem", "matsumoto.der"},
		{"crl", "BC", "root.pem", "good.pem", "nagano.der"},
	}, []string{"VALID", "UNSPECIFIED Certificate revocation after", "VALID", "UNSPECIFIED Certificate revocation after", "UNSPECIFIED No match for certificate CRL issuing distribution point name"})
}

func TestKeytool(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	w.want(true, "AFFILIATION_CHANGED", "keytool", "-J-Duser.language=en", "-printcrl", "-file", "full.pem")
	w.want(true, "透かし公的個人認証サービス", "keytool", "-J-Duser.language=en", "-J-Dfile.encoding=UTF-8", "-J-Dsun.stdout.encoding=UTF-8", "-printcert", "-file", "root.pem")
}
