package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/catest"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// operator logs an entry of the operator's.
func (w *world) operator(bodies ...entry.Body) {
	w.t.Helper()
	o, err := ledger.NewWriter(ctx, w.engine, entry.ByOperator, w.clock.now)
	must(w.t, err)
	defer o.Close()
	_, err = o.AppendAll(ctx, bodies...)
	must(w.t, err)
}

// nextGeneration makes another issuer key with its root and hands the issuing
// over; the authority is opened with both.
func (w *world) nextGeneration(n int) Generation {
	w.t.Helper()
	must(w.t, w.ca.Close())
	old := Generation{Key: w.signing, Issuer: w.issuer, BaseURL: w.base()}
	trust, err := proof.LogOnly(w.logConf.VKey)
	must(w.t, err)
	key, err := keystore.CreateSoftware(keystore.SoftwareConfig{Path: filepath.Join(w.dir, fmt.Sprintf("issuer-%d.key", n)), Passphrase: []byte("demo-passphrase"),
		Algorithm: keystore.P256, Gate: keystore.GateConfig{Log: trust, Journal: filepath.Join(w.dir, fmt.Sprintf("journal-%d", n)), Now: w.clock.now}})
	must(w.t, err)
	w.t.Cleanup(func() { key.Close() })
	w.generation = n
	root := catest.Certifier{T: w.t, Log: w.engine, Key: key, Base: w.base(), Now: w.clock.now}.Root()
	oldID, err := profile.NewIssuer(old.Issuer)
	must(w.t, err)
	w.operator(&entry.KeySucceeded{Record: entry.Sum([]byte("r")), SPKI: oldID.Key, Successor: key.KeyID()})
	w.signing, w.issuer, w.key = key, root, key
	w.earlier = append([]Generation{old}, w.earlier...)
	w.open()
	return old
}

func (w *world) base() string {
	if w.generation < 2 {
		return testBase
	}
	return fmt.Sprintf("%s/g%d", testBase, w.generation)
}

// files is a directory of PEM files that other programs read.
type files struct {
	t   *testing.T
	dir string
}

func (f files) put(name, typ string, ders ...[]byte) {
	f.t.Helper()
	var b []byte
	for _, der := range ders {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})...)
	}
	must(f.t, os.WriteFile(filepath.Join(f.dir, name), b, 0o600))
}

// openssl verifies at the story's time.
func (f files) openssl(now time.Time, ok bool, contains string, args ...string) {
	f.t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		f.t.Skip("skipped: openssl is not installed")
	}
	cmd := exec.Command("openssl", append([]string{"verify", "-x509_strict", "-attime", fmt.Sprint(now.Unix())}, args...)...)
	cmd.Dir = f.dir
	out, err := cmd.CombinedOutput()
	if (err == nil) != ok || !strings.Contains(string(out), contains) {
		f.t.Errorf("%v: wanted success %v and %q, got %v:\n%s", args, ok, contains, err, out)
	}
}

// Scenario 24: three generations with one name. Each one's certificates verify
// with its own root whatever other roots of that name are there, and with no
// other; each one's lists are its own.
func TestThreeGenerations(t *testing.T) {
	w := newWorld(t, worldOptions{})
	f := files{t, t.TempDir()}
	var roots, certs [][]byte
	var keys []entry.Digest
	for n := 1; n <= 3; n++ {
		if n > 1 {
			w.nextGeneration(n)
		}
		good, bad := w.issue(fmt.Sprintf("良　%c", 'あ'+rune(n))), w.issue(fmt.Sprintf("悪　%c", 'あ'+rune(n)))
		_, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: bad.Ordinal, Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
		must(t, err)
		roots, certs, keys = append(roots, w.issuer), append(certs, good.DER), append(keys, w.key.KeyID())
		f.put(fmt.Sprintf("root%d.pem", n), "CERTIFICATE", w.issuer)
		f.put(fmt.Sprintf("good%d.pem", n), "CERTIFICATE", good.DER)
		f.put(fmt.Sprintf("bad%d.pem", n), "CERTIFICATE", bad.DER)
	}
	f.put("roots.pem", "CERTIFICATE", roots...)
	if _, err := w.ca.PublishCRLs(ctx); err != nil {
		t.Fatal(err)
	}
	now := w.clock.now().Add(time.Minute)
	var crls [][]byte
	for i, key := range keys {
		c, err := w.ca.CRLOf(key, "full")
		must(t, err)
		l, err := x509.ParseRevocationList(c.DER)
		must(t, err)
		if len(l.RevokedCertificateEntries) != 1 || c.Number != 1 {
			t.Errorf("generation %d: %d entries, number %d", i+1, len(l.RevokedCertificateEntries), c.Number)
		}
		crls = append(crls, c.DER)
	}
	f.put("crls.pem", "X509 CRL", crls...)
	for n := 1; n <= 3; n++ {
		f.openssl(now, true, "OK", "-CAfile", "roots.pem", "-CRLfile", "crls.pem", "-crl_check", fmt.Sprintf("good%d.pem", n))
		f.openssl(now, false, "certificate revoked", "-CAfile", "roots.pem", "-CRLfile", "crls.pem", "-crl_check", fmt.Sprintf("bad%d.pem", n))
		for other := 1; other <= 3; other++ {
			f.openssl(now, n == other, "", "-CAfile", fmt.Sprintf("root%d.pem", other), fmt.Sprintf("good%d.pem", n))
			c, err := x509.ParseCertificate(certs[n-1])
			must(t, err)
			root, err := x509.ParseCertificate(roots[other-1])
			must(t, err)
			if (c.CheckSignatureFrom(root) == nil) != (n == other) || !bytes.Equal(c.RawIssuer, root.RawSubject) {
				t.Errorf("certificate of generation %d under root %d", n, other)
			}
		}
	}
	// Each generation answers at its own address.
	s := httptest.NewServer(Public(w.ca, nil))
	defer s.Close()
	for path, want := range map[string][]byte{"/issuer.cer": roots[0], "/g2/issuer.cer": roots[1], "/g3/issuer.cer": roots[2],
		"/crl/full.crl": crls[0], "/g2/crl/full.crl": crls[1], "/g3/crl/full.crl": crls[2]} {
		resp, err := s.Client().Get(s.URL + path)
		must(t, err)
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		resp.Body.Close()
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s: status %d, another content", path, resp.StatusCode)
		}
	}
	w.check()
}

// A key that was succeeded issues no more, even if the CA is started with it.
func TestSucceededKeyIssuesNoMore(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	old := w.nextGeneration(2)
	w.issue("総務　花子")
	must(t, w.ca.Close())
	cfg := w.config()
	cfg.Key, cfg.Issuer, cfg.BaseURL, cfg.Earlier = old.Key, old.Issuer, old.BaseURL, nil
	a, err := Open(ctx, cfg)
	must(t, err)
	defer a.Close()
	if _, err := a.Issue(ctx, w.application(certifiedOf("総務　三郎")), "counter-terminal"); !errors.Is(err, ErrEnded) {
		t.Errorf("issued by a key that was succeeded: %v", err)
	}
}

// leak logs what a ceremony logs when an issuer's key leaked.
func (w *world) leak(key entry.Digest) {
	w.operator(&entry.KeyLeaked{Record: entry.Sum([]byte("leak")), SPKI: key})
}

var twoOfficers = [2]string{"op-1", "op-2"}

// Scenario 18: the issuer's key leaked: everything in force under it is revoked,
// nothing under the next key, nothing twice; the leaked key issues no more and
// its last lists say so; a crash in the middle loses nothing.
func TestIssuerKeyLeak(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for i := range 5 {
		w.issue(fmt.Sprintf("住民　%c", 'あ'+rune(i)))
	}
	raw, from := w.sendNotice(2)
	w.receive(raw, from)
	leaked := w.key.KeyID()
	if _, err := w.ca.RevokeLeaked(ctx, leaked, twoOfficers); err == nil {
		t.Error("revoked without a recorded leak")
	}
	w.leak(leaked)
	must(t, w.ca.Follow(ctx))
	if _, err := w.ca.Issue(ctx, w.application(certifiedOf("遅い　人")), "counter-terminal"); !errors.Is(err, ErrEnded) {
		t.Errorf("a leaked key issued: %v", err)
	}
	if _, err := w.ca.RevokeLeaked(ctx, leaked, [2]string{"op-1", "op-1"}); codes(err) == "" {
		t.Errorf("one officer alone: %v", err)
	}
	w.nextGeneration(2)
	fresh := w.issue("新世代　花子")
	n, err := w.ca.RevokeLeaked(ctx, leaked, twoOfficers)
	must(t, err)
	if n != 4 {
		t.Errorf("revoked %d", n)
	}
	if n, err := w.ca.RevokeLeaked(ctx, leaked, twoOfficers); n != 0 || err != nil {
		t.Errorf("again: %d %v", n, err)
	}
	must(t, w.ca.Follow(ctx))
	for o := range uint64(6) {
		rec, err := w.reg.Get(o)
		must(t, err)
		c, err := x509.ParseCertificate(rec.DER)
		must(t, err)
		key, want := leaked, revocation.Answer{Status: revocation.Revoked, Reason: 2} // cACompromise
		switch o {
		case 2:
			want.Reason = 3 // affiliationChanged, whatever the change was
		case fresh.Ordinal:
			key, want = w.key.KeyID(), revocation.Answer{Status: revocation.Good}
		}
		if a := w.ca.State().Lookup(key, c.SerialNumber.Bytes()); a.Status != want.Status || a.Reason != want.Reason {
			t.Errorf("ordinal %d: %+v", o, a)
		}
	}
	last, err := w.ca.CRLOf(leaked, "full")
	must(t, err)
	l, err := x509.ParseRevocationList(last.DER)
	must(t, err)
	if len(l.RevokedCertificateEntries) != 5 || !l.NextUpdate.Equal(profile.NoNextUpdate) {
		t.Errorf("the last list has %d entries and nextUpdate %v", len(l.RevokedCertificateEntries), l.NextUpdate)
	}
	f := files{t, t.TempDir()}
	f.put("root.pem", "CERTIFICATE", w.earlier[0].Issuer)
	f.put("crl.pem", "X509 CRL", last.DER)
	rec, err := w.reg.Get(0)
	must(t, err)
	f.put("leaf.pem", "CERTIFICATE", rec.DER)
	for _, later := range []time.Duration{time.Minute, 4 * 365 * 24 * time.Hour} { // it holds as long as anything under the key
		f.openssl(w.clock.now().Add(later), false, "certificate revoked", "-CAfile", "root.pem", "-CRLfile", "crl.pem", "-crl_check", "leaf.pem")
	}
	out, err := w.ca.PublishCRLs(ctx)
	must(t, err)
	for _, c := range out {
		if c.Issuer == leaked {
			t.Error("the leaked key signed another list")
		}
	}
	w.check()
}

// A leak's revocations, cut off after every append there is: the next start
// goes on, and each certificate is revoked once.
func TestLeakGoesOnAfterCrash(t *testing.T) {
	for cut := 0; ; cut++ {
		w := newWorld(t, worldOptions{})
		for i := range 3 {
			w.issue(fmt.Sprintf("住民　%c", 'あ'+rune(i)))
		}
		key := w.key.KeyID()
		w.leak(key)
		broken := &deafLog{Log: w.engine, left: cut}
		w.log = broken
		w.restart()
		broken.armed = true
		_, err := w.ca.RevokeLeaked(ctx, key, twoOfficers)
		cutOff := err != nil
		w.log = w.engine
		w.restart()
		if _, err := w.ca.RevokeLeaked(ctx, key, twoOfficers); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		if got := len(w.ca.State().InForce(key)); got != 0 {
			t.Errorf("cut %d: %d certificates are in force", cut, got)
		}
		if n := count[*entry.Revocation](w.entries()); n != 3 {
			t.Errorf("cut %d: %d revocations", cut, n)
		}
		w.check()
		if !cutOff {
			if cut < 3 {
				t.Errorf("only %d appends", cut)
			}
			return
		}
	}
}

// deafLog fails from the left-th append on; every other failing append was logged
// all the same, as when an answer gets lost.
type deafLog struct {
	ledger.Log
	armed bool
	left  int
}

func (c *deafLog) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if !c.armed || c.left > 0 {
		if c.armed {
			c.left--
		}
		return c.Log.Append(ctx, entries...)
	}
	if _, err := c.Log.Append(ctx, entries...); err != nil {
		return nil, err
	}
	return nil, ledger.ErrClosed // it was logged; nobody heard of it
}
