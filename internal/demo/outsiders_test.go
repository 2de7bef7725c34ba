package demo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/material"
	"github.com/sukashi-project/sukashi/review/verify"
)

// served runs a story with --serve and hands its directory and public address
// to fn while the servers run.
func served(t *testing.T, fn func(dir, url string)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "story")
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := Run(ctx, Options{Dir: dir, Residents: 40, Seed: 5, NoticeMode: "reference", CardKey: "p256", Serve: true, Addr: "127.0.0.1:0", Lang: say.English, Out: w})
		w.CloseWithError(err)
		done <- err
	}()
	lines := bufio.NewScanner(r)
	url := ""
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "servers are running: "); ok {
			url, _, _ = strings.Cut(rest, "/  ")
			break
		}
	}
	if url == "" {
		cancel()
		t.Fatalf("the servers never ran: %v", <-done)
	}
	go io.Copy(io.Discard, r)
	fn(dir, url)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serving ended with %v", err)
	}
}

// What outsiders have are files and their own tools: openssl, sumdb/note,
// transparency-dev/merkle, a browser.
func TestOutsiders(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a quick run tells the story once, in TestCanary")
	}
	served(t, func(dir, url string) {
		out := filepath.Join(dir, "out")
		t.Run("openssl", func(t *testing.T) { ordinaryClient(t, out) })
		t.Run("independent", func(t *testing.T) { independentReader(t, out) })
		t.Run("council", func(t *testing.T) { offlineAudit(t, out) })
		t.Run("every changed byte", func(t *testing.T) { changedBytes(t, out) })
		t.Run("pages", func(t *testing.T) { browser(t, out, url) })
		t.Run("endpoints", func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(out, "endpoints.json"))
			var e map[string]string
			if err != nil || json.Unmarshal(b, &e) != nil || e["public"] != url {
				t.Errorf("%s %v", b, err)
			}
		})
	})
}

// run runs openssl and returns its output, whatever its exit status.
func run(t *testing.T, args ...string) string {
	t.Helper()
	b, _ := exec.Command("openssl", args...).CombinedOutput() // a refusal is an answer
	return string(b)
}

func ordinaryClient(t *testing.T, out string) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed")
	}
	at := func(p string) string { return filepath.Join(out, filepath.FromSlash(p)) }
	certs, err := filepath.Glob(at("certs/*.pem"))
	if err != nil || len(certs) < 10 {
		t.Fatalf("%d certificates, %v", len(certs), err)
	}
	states := map[string]int{}
	for _, c := range certs {
		n := strings.TrimSuffix(filepath.Base(c), ".pem")
		state := recorded(t, at("receipts/"+n+".status"))
		verdict := run(t, "verify", "-x509_strict", "-crl_check", "-CAfile", at("issuer.pem"), "-CRLfile", at("crl/full.crl"), c)
		own := run(t, "verify", "-x509_strict", "-crl_check", "-CAfile", at("issuer.pem"), "-CRLfile", at("crl/"+partition(t, c)+".crl"), c)
		ocsp := run(t, "ocsp", "-issuer", at("issuer.pem"), "-cert", c, "-url", responder(t, c), "-CAfile", at("issuer.pem"))
		switch state {
		case "valid":
			if !strings.Contains(verdict, ": OK") || !strings.Contains(own, ": OK") || !strings.Contains(ocsp, ": good") {
				t.Errorf("%s is valid, but openssl says %s%s%s", n, verdict, own, ocsp)
			}
		case "revoked":
			if !strings.Contains(verdict, "certificate revoked") || !strings.Contains(own, "certificate revoked") || !strings.Contains(ocsp, ": revoked") {
				t.Errorf("%s is revoked, but openssl says %s%s%s", n, verdict, own, ocsp)
			}
		}
		if !strings.Contains(ocsp, "Response verify OK") {
			t.Errorf("%s: %s", n, ocsp)
		}
		states[state]++
	}
	if states["valid"] == 0 || states["revoked"] == 0 {
		t.Errorf("the story has no certificate of each kind: %v", states)
	}
	asn := run(t, "asn1parse", "-in", certs[0])
	for i, sub := range []string{"1", "4", "3", "5", "2", "6"} {
		san := sanOf(t, certs[0])
		oid := "1.2.392.200149.8.5.5." + sub
		if got := strings.Index(san, oid); got < 0 || i > 0 && got < strings.Index(san, "8.5.5.1") {
			t.Errorf("asn1parse doesn't show otherName %s:\n%s\n%s", oid, san, asn)
		}
	}
}

func recorded(t *testing.T, path string) string {
	t.Helper()
	r := verify.File(context.Background(), path, verify.Options{})
	if r.Exit != verify.Holds {
		t.Fatalf("%s: %v", path, r.Err)
	}
	var b bytes.Buffer
	if err := r.Print(&b, say.English); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"revoked", "valid"} {
		if strings.Contains(b.String(), "status is \""+s) || strings.Contains(b.String(), "is "+s) || strings.Contains(b.String(), "“"+s) {
			return s
		}
	}
	t.Fatalf("no state in %s", b.String())
	return ""
}

func parse(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := pem.Decode(b)
	c, err := x509.ParseCertificate(p.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// town is the partition that the certificate's HTTP distribution point names.
func partition(t *testing.T, path string) string {
	for _, u := range parse(t, path).CRLDistributionPoints {
		if i := strings.LastIndex(u, "/crl/"); i >= 0 {
			return strings.TrimSuffix(u[i+len("/crl/"):], ".crl")
		}
	}
	t.Fatalf("%s names no distribution point", filepath.Base(path))
	return ""
}

func responder(t *testing.T, path string) string { return parse(t, path).OCSPServer[0] }

// sanOf is what openssl asn1parse shows of the subjectAltName.
func sanOf(t *testing.T, path string) string {
	for _, line := range strings.Split(run(t, "asn1parse", "-in", path), "\n") {
		if i := strings.Index(line, ":"); strings.Contains(line, "X509v3 Subject Alternative Name") && i >= 0 {
			offset := strings.TrimSpace(line[:i])
			n, _ := strconv.Atoi(offset)
			// the extension's OCTET STRING follows its 5-byte OID
			return run(t, "asn1parse", "-in", path, "-strparse", strconv.Itoa(n+5))
		}
	}
	return ""
}

// independentReader checks a proof file with nothing but x/mod's note and
// transparency-dev's merkle.
func independentReader(t *testing.T, out string) {
	proofs, _ := filepath.Glob(filepath.Join(out, "entries", "*.tlog-proof"))
	if len(proofs) < 20 {
		t.Fatalf("only %d proofs", len(proofs))
	}
	vkey, err := os.ReadFile(filepath.Join(out, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proofs {
		if err := checkProof(p, key); err != nil {
			t.Errorf("%s: %v", filepath.Base(p), err)
		}
	}
}

func checkProof(path string, key note.Verifier) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	leaf, err := os.ReadFile(strings.TrimSuffix(path, ".tlog-proof") + ".json")
	if err != nil {
		return err
	}
	head, signed, _ := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("header %q", lines[0])
	}
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[1], "index "), 10, 63)
	if err != nil {
		return err
	}
	var hashes [][]byte
	for _, l := range lines[2:] {
		h, err := base64.StdEncoding.DecodeString(l)
		if err != nil {
			return err
		}
		hashes = append(hashes, h)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(key))
	if err != nil {
		return err
	}
	cp := strings.Split(n.Text, "\n")
	size, err := strconv.ParseUint(cp[1], 10, 63)
	if err != nil {
		return err
	}
	root, err := base64.StdEncoding.DecodeString(cp[2])
	if err != nil {
		return err
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, rfc6962.DefaultHasher.HashLeaf(leaf), hashes, root)
}

// changedBytes changes each byte of one proof file; it must never hold.
func changedBytes(t *testing.T, out string) {
	path := filepath.Join(out, "entries", "7.tlog-proof")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e := filepath.Join(out, "entries", "7.json")
	bent := filepath.Join(out, "bent.tlog-proof")
	defer os.Remove(bent)
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1 << (i % 7)
		if err := os.WriteFile(bent, c, 0o644); err != nil {
			t.Fatal(err)
		}
		if r := verify.File(context.Background(), bent, verify.Options{EntryPath: e}); r.Exit == verify.Holds {
			t.Errorf("holds with byte %d changed", i)
		}
	}
}

// browser opens the pages as people do.
func browser(t *testing.T, out, url string) {
	c := &http.Client{Timeout: 10 * time.Second}
	get := func(path string) string {
		resp, err := c.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	for path, want := range map[string]string{"/": "ログのいま", "/portal?n=0": "状態の証拠", "/council": "報告書", "/ledger/checkpoint": "sukashi.example/nagano/1",
		"/status/ordinal/0": "sukashi-status-receipt@v1", "/ledger/entry/0": "log.genesis"} {
		if got := get(path); !strings.Contains(got, want) {
			t.Errorf("%s doesn't show %q", path, want)
		}
	}
	for file, want := range map[string]string{"live.p7m": "Accepted", "revoked.p7m": "is revoked", "other-address.p7m": "Refused"} {
		raw, err := os.ReadFile(filepath.Join(out, "applications", file))
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		m.WriteField("lang", "en")
		f, _ := m.CreateFormFile("application", file)
		f.Write(raw)
		m.Close()
		resp, err := c.Post(url+"/agency?lang=en", m.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(b), want) {
			t.Errorf("the agency's page doesn't say %q about %s:\n%s", want, file, b)
		}
	}
}

// offlineAudit recomputes everything from the folder alone, then from one in
// which a revocation list of another day lies.
func offlineAudit(t *testing.T, out string) {
	ctx := context.Background()
	src, err := material.Read(ctx, out)
	if err != nil {
		t.Fatal(err)
	}
	res, err := audit.Audit(ctx, src, audit.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range res.Findings() {
		if f.Class == audit.ClassD {
			t.Errorf("%s: %s", f.Check, f.Text.EN)
		}
	}
	for _, c := range res.Checks {
		if c.Code == "CRT-6" && c.Examined == 0 {
			t.Error("the certificates were not examined")
		}
	}
	tile := filepath.Join(out, "log", "tile", "entries", "000")
	b, err := os.ReadFile(tile)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(`"at":"20`)) + len(`"at":"2026-11-2`)
	b[at] ^= 1
	if err := os.WriteFile(tile, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if res, err := audit.Audit(ctx, src, audit.Options{Now: time.Now()}); err == nil && res.Class() != audit.ClassD {
		t.Errorf("a changed entry is class %s", res.Class())
	}
}
