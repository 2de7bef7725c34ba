package revocation

import (
	"crypto"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

var update = flag.Bool("update", false, "write the table of docs/INTEROP.md")

// question is one row of the matrix: a certificate and what a client is given
// to judge it by.
type question struct {
	name  string
	right bool     // what RFC 5280 or RFC 6960 says: accept?
	leaf  string   // file
	lists []string // files; none: OCSP
}

var questions = []question{
	{"in force, complete list", true, "good", []string{"full"}},
	{"revoked, complete list", false, "bad", []string{"full"}},
	{"expired, complete list", false, "expired", []string{"full"}},
	{"in force, list past its nextUpdate", false, "good", []string{"stale"}},
	{"in force, its town's list", true, "good", []string{"matsumoto"}},
	{"revoked, its town's list", false, "bad", []string{"matsumoto"}},
	{"in force, another town's list", false, "good", []string{"nagano"}},
	{"revoked, another town's list", false, "bad", []string{"nagano"}},
	{"revoked in the base, base and delta", false, "bad", []string{"base", "delta"}},
	{"revoked in the delta, base and delta", false, "late", []string{"base", "delta"}},
	{"in force, base and delta", true, "good", []string{"base", "delta"}},
	{"revoked in the delta, its town's base and delta", false, "late", []string{"townbase", "towndelta"}},
	{"in force, newer list and an old delta", true, "good", []string{"newer", "delta"}},
	{"in force, OCSP", true, "good", nil},
	{"revoked, OCSP", false, "bad", nil},
	{"never issued, OCSP", false, "unissued", nil},
}

// wrong are the cells in which a client errs, on record so that a change in
// either direction is noticed. Accepting what is revoked is the client's
// mistake; refusing what is good only costs its user the complete list.
var wrong = map[string][]int{
	"GnuTLS":        {3, 6, 7, 8},
	"NSS":           {3, 4, 9},
	"JDK":           {9, 11},
	"Bouncy Castle": {9, 11},
}

// verdict is one cell.
type verdict string

const (
	accepts verdict = "accepts"
	refuses verdict = "refuses"
	absent  verdict = "" // the client can't be asked here
)

func verdictOf(ok bool) verdict {
	if ok {
		return accepts
	}
	return refuses
}

// matrixWorld has every file that the questions name.
func matrixWorld(t *testing.T) *world {
	w := newWorld(t, keystore.RSA2048)
	real := w.now
	w.now = real.AddDate(0, 0, -4)
	w.issue("good", "202029")
	w.issueUntil("expired", "202029", real.AddDate(0, -6, 0), profile.EndOfDay(real.AddDate(0, 0, -2), 0))
	w.issue("other", "202011")
	w.revoke(w.issue("bad", "202029"), entry.GroundChange)
	late := w.issue("late", "202029")
	w.publish("stale", w.build(Full))
	w.now = real
	w.publish("full", w.build(Full))
	w.publish("matsumoto", w.build("202029"))
	w.publish("nagano", w.build("202011"))
	first, err := w.lists(true).Build(Full, w.now)
	w.check(err)
	w.publish("base", first)
	town, err := w.lists(true).Build("202029", w.now)
	w.check(err)
	w.publish("townbase", town)
	w.revoke(late, entry.GroundKeyLeak)
	delta, err := w.lists(true).BuildDelta(Full, w.now, Base{first.Number, first.Covers})
	w.check(err)
	w.publish("delta", delta)
	townDelta, err := w.lists(true).BuildDelta("202029", w.now, Base{town.Number, town.Covers})
	w.check(err)
	w.publish("towndelta", townDelta)
	newer, err := w.lists(true).Build(Full, w.now)
	w.check(err)
	w.publish("newer", newer)
	w.pem("unissued", "CERTIFICATE", unissued(w))
	r := w.responder()
	for _, leaf := range []string{"good", "bad"} {
		ask := ocspRequestFor(w.issuer, crypto.SHA1, leafSerial(w, leaf))
		w.check(os.WriteFile(w.path(leaf+".ocsp"), r.Respond(t.Context(), ask), 0o600))
	}
	number := append([]byte{}, leafSerial(w, "good")...)
	number[len(number)-1] ^= 1
	w.check(os.WriteFile(w.path("unissued.ocsp"), r.Respond(t.Context(), ocspRequestFor(w.issuer, crypto.SHA1, number)), 0o600))
	return w
}

func leafSerial(w *world, leaf string) []byte {
	for i := range w.state.certs {
		s := w.state.certs[i].serial.bytes()
		if strings.Contains(string(w.leaves[leaf]), string(s)) {
			return s
		}
	}
	w.t.Fatalf("no serial of %s", leaf)
	return nil
}

// run is like tool, without skipping the test.
func (w *world) run(name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = w.dir
	out, err := c.CombinedOutput()
	return string(out), err
}

func have(names ...string) bool {
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			return false
		}
	}
	return true
}

// opensslSays asks with the flags that a careful user of OpenSSL sets.
func opensslSays(w *world, url string, q question) verdict {
	if q.lists == nil {
		out, err := w.run("openssl", "ocsp", "-url", url, "-issuer", "root.pem", "-CAfile", "root.pem", "-cert", q.leaf+".pem")
		return verdictOf(err == nil && strings.Contains(out, "Response verify OK") && strings.Contains(out, q.leaf+".pem: good"))
	}
	args := []string{"verify", "-x509_strict", "-CAfile", "root.pem", "-crl_check", "-extended_crl", "-use_deltas"}
	for _, l := range q.lists {
		args = append(args, "-CRLfile", l+".pem")
	}
	_, err := w.run("openssl", append(args, q.leaf+".pem")...)
	return verdictOf(err == nil)
}

func gnutlsSays(w *world, url string, q question) verdict {
	if q.lists == nil {
		out, err := w.run("ocsptool", "--ask="+url, "--nonce", "--load-issuer", "root.pem", "--load-cert", q.leaf+".pem", "--load-trust", "root.pem")
		return verdictOf(err == nil && strings.Contains(strings.ToLower(out), "certificate status: good") && !strings.Contains(out, "Verifying OCSP Response: Failure"))
	}
	var all []byte
	for _, l := range q.lists {
		b, err := os.ReadFile(w.path(l + ".pem"))
		w.check(err)
		all = append(all, b...)
	}
	w.check(os.WriteFile(w.path("lists.pem"), all, 0o600))
	out, err := w.run("certtool", "--verify", "--load-ca-certificate", "root.pem", "--load-crl", "lists.pem", "--infile", q.leaf+".pem")
	return verdictOf(err == nil && strings.Contains(out, "The certificate is trusted"))
}

// nssSays uses a database of its own for each question, as NSS keeps lists.
func nssSays(w *world, url string, q question, n int) verdict {
	db := fmt.Sprintf("sql:nss%d", n)
	w.check(os.Mkdir(w.path(fmt.Sprintf("nss%d", n)), 0o700))
	for _, args := range [][]string{{"-N", "--empty-password"}, {"-A", "-n", "root", "-t", "CT,C,C", "-a", "-i", "root.pem"}} {
		if out, err := w.run("certutil", append(args, "-d", db)...); err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
	}
	if q.lists == nil {
		if _, err := w.run("certutil", "-A", "-n", "leaf", "-t", ",,", "-a", "-i", q.leaf+".pem", "-d", db); err != nil {
			return refuses
		}
		out, err := w.run("ocspclnt", "-d", db, "-S", "leaf", "-u", "S", "-l", url, "-t", "root")
		return verdictOf(err == nil && strings.Contains(out, "succeeded"))
	}
	for _, l := range q.lists {
		_, _ = w.run("crlutil", "-I", "-d", db, "-i", l+".der", "-t", "1") // one that is refused is not there
	}
	out, err := w.run("vfychain", "-d", db, "-pp", "-u", "0", "-g", "leaf", "-m", "crl", "-s", "failIfNoInfo", "-a", q.leaf+".pem")
	return verdictOf(err == nil && strings.Contains(out, "Chain is good"))
}

const bcJars = "/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar:/usr/share/java/bcpkix.jar"

// javaSays asks all questions of one kind in one run of the virtual machine.
func javaSays(w *world, provider, program string, ocsp bool, out map[int]verdict) {
	src, err := filepath.Abs("testdata/" + program)
	w.check(err)
	args := []string{"-Xshare:auto"}
	if provider == "BC" {
		args = append(args, "-cp", bcJars)
	}
	args = append(args, src)
	var asked []int
	for i, q := range questions {
		if (q.lists == nil) != ocsp {
			continue
		}
		if len(asked) > 0 {
			args = append(args, "--")
		}
		if ocsp {
			args = append(args, "ocsp", provider, "root.pem", q.leaf+".pem", q.leaf+".ocsp")
		} else {
			args = append(args, "crl", provider, "root.pem", q.leaf+".pem", strings.Join(q.lists, ".der,")+".der")
		}
		asked = append(asked, i)
	}
	text, err := w.run("java", args...)
	if err != nil {
		w.t.Fatalf("%v: %s", err, text)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != len(asked) {
		w.t.Fatalf("%d answers for %d questions:\n%s", len(lines), len(asked), text)
	}
	for n, i := range asked {
		out[i] = verdictOf(strings.HasPrefix(lines[n], "VALID"))
	}
}

// TestInteropMatrix asks every client every question and compares the answers
// with what is right, known mistakes, and the table in docs/INTEROP.md.
func TestInteropMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: asks five clients 65 questions")
	}
	w := matrixWorld(t)
	s := httptest.NewServer(w.responder())
	defer s.Close()
	url := s.URL + "/ocsp"
	clients := []string{"OpenSSL", "GnuTLS", "NSS", "JDK", "Bouncy Castle"}
	says := map[string]map[int]verdict{}
	for _, c := range clients {
		says[c] = map[int]verdict{}
	}
	for i, q := range questions {
		if have("openssl") {
			says["OpenSSL"][i] = opensslSays(w, url, q)
		}
		if have("certtool", "ocsptool") {
			says["GnuTLS"][i] = gnutlsSays(w, url, q)
		}
		if have("certutil", "crlutil", "vfychain", "ocspclnt") {
			says["NSS"][i] = nssSays(w, url, q, i)
		}
	}
	if have("java") {
		javaSays(w, "JDK", "Validate.java", false, says["JDK"])
		javaSays(w, "JDK", "Validate.java", true, says["JDK"])
		if _, err := os.Stat("/usr/share/java/bcpkix.jar"); err == nil {
			javaSays(w, "BC", "Validate.java", false, says["Bouncy Castle"])
			javaSays(w, "BC", "ValidateBC.java", true, says["Bouncy Castle"])
		}
	}
	asked, mistakes := 0, 0
	for _, c := range clients {
		for i, q := range questions {
			v := says[c][i]
			if v == absent {
				continue
			}
			asked++
			known := slices.Contains(wrong[c], i)
			if known {
				mistakes++
			}
			if want := verdictOf(q.right != known); v != want {
				t.Errorf("%s %s %q; on record is %s", c, v, q.name, want)
			}
		}
	}
	t.Logf("%d cells asked, %d of them known mistakes of the client", asked, mistakes)
	interopDoc(t, clients, says, asked == len(clients)*len(questions))
}

const (
	tableBegin = "<!-- table: written by the test of ca/revocation -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// interopDoc holds the table in docs/INTEROP.md to the answers, when every
// client was there.
func interopDoc(t *testing.T, clients []string, says map[string]map[int]verdict, complete bool) {
	t.Helper()
	if !complete {
		t.Log("a client is missing: the table in docs/INTEROP.md is not compared")
		return
	}
	var b strings.Builder
	b.WriteString("| certificate and what the client is given | right | " + strings.Join(clients, " | ") + " |\n")
	b.WriteString("|---|---" + strings.Repeat("|---", len(clients)) + "|\n")
	for i, q := range questions {
		fmt.Fprintf(&b, "| %s | %s |", q.name, verdictOf(q.right))
		for _, c := range clients {
			cell := string(says[c][i])
			if says[c][i] != verdictOf(q.right) {
				cell = "**" + cell + "**"
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	const path = "../../docs/INTEROP.md"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatal("docs/INTEROP.md has no table")
	}
	if old == b.String() {
		return
	}
	if !*update {
		t.Errorf("the table of docs/INTEROP.md is not what the clients answered (go test ./ca/revocation -run Matrix -update):\n%s", b.String())
		return
	}
	if err := os.WriteFile(path, []byte(before+tableBegin+b.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
