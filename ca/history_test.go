package ca

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ca/catest"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// badKey refuses to sign a few times.
type badKey struct {
	IssuerKey
	bad int
}

func (k *badKey) Sign(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	if k.bad > 0 {
		k.bad--
		return nil, errors.New("the token doesn't answer")
	}
	return k.IssuerKey.Sign(ctx, tbs, e, r)
}

func (k *badKey) SignAll(ctx context.Context, uses []keystore.ToSign, done func(i int, sig []byte, err error)) {
	oneByOne(ctx, k, uses, done)
}

// oneByOne is SignAll of a key that has something in front of its Sign.
func oneByOne(ctx context.Context, k IssuerKey, uses []keystore.ToSign, done func(i int, sig []byte, err error)) {
	for i, u := range uses {
		sig, err := k.Sign(ctx, u.TBS, u.Entry, u.Receipt)
		done(i, sig, err)
	}
}

// A key that fails leads to cert.aborted, forgets the person, and the same
// application may try again.
func TestFailedSignature(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	k := &badKey{IssuerKey: w.key, bad: 1}
	w.signing = k
	w.open()
	app := w.application(certifiedOf("総務　太郎"))
	if _, err := w.ca.Issue(ctx, app, "counter-terminal"); err == nil || strings.Contains(err.Error(), "総務") {
		t.Fatalf("%v", err)
	}
	rec, err := w.reg.Get(0)
	must(t, err)
	if rec.State != registry.Aborted || !rec.Key.IsZero() || rec.Certified.Name != "" {
		t.Error("the aborted record keeps the person")
	}
	if _, err := w.ca.Certificate(0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an aborted certificate: %v", err)
	}
	c, err := w.ca.Issue(ctx, app, "counter-terminal")
	must(t, err)
	if n, err := w.ca.Size(); c.Ordinal != 1 || n != 2 || err != nil {
		t.Errorf("ordinal %d of %d", c.Ordinal, n)
	}
	if _, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: 0, Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}}); codes(err) != "R204 R205" {
		t.Errorf("revoked what was never issued: %v", err)
	}
	w.check()
}

// TestHistories lives through random days and compares what every client could
// ask: list, OCSP state, status tree, registry.
func TestHistories(t *testing.T) {
	for seed := range uint64(3) {
		w := newWorld(t, worldOptions{})
		r := mrand.New(mrand.NewPCG(seed, 1))
		var ordinals []uint64
		for i := range 40 {
			w.clock.add(time.Duration(r.IntN(40)) * time.Hour)
			if len(ordinals) == 0 || r.IntN(3) == 0 {
				ordinals = append(ordinals, w.issue(fmt.Sprintf("住民　%c%c", 'あ'+rune(i), 'ア'+rune(seed))).Ordinal)
				continue
			}
			o := ordinals[r.IntN(len(ordinals))]
			switch r.IntN(5) {
			case 0, 1:
				raw, from := w.sendNotice(o)
				w.receive(raw, from)
			case 2:
				_, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: o, Ground: entry.GroundKeyLeak, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
				if err != nil && codes(err) != "R205" {
					t.Fatal(err)
				}
			case 3:
				_, err := w.ca.DailyHolders(ctx, Today(w.clock.now()))
				must(t, err)
			case 4:
				w.restart()
			}
		}
		w.check()
		w.compare()
	}
}

// compare holds the newest full list and the OCSP state against a status tree
// made from the log alone.
func (w *world) compare() {
	w.t.Helper()
	lists, err := w.ca.PublishCRLs(ctx)
	must(w.t, err)
	tree := status.New()
	var serials []string
	for _, e := range w.entries() {
		must(w.t, tree.Apply(e))
		if b, ok := e.Body.(*entry.CertIntent); ok {
			serials = append(serials, b.Serial)
		}
	}
	crl, err := x509.ParseRevocationList(lists[0].DER)
	must(w.t, err)
	listed := map[string]bool{}
	for _, e := range crl.RevokedCertificateEntries {
		listed[fmt.Sprintf("%032x", e.SerialNumber)] = true
	}
	if len(listed) != int(tree.Revoked()) {
		w.t.Errorf("the list has %d entries, the log %d revocations", len(listed), tree.Revoked())
	}
	must(w.t, w.ca.Follow(ctx))
	for o, serial := range serials {
		rec, err := w.reg.BySerial(serial)
		must(w.t, err)
		number := make([]byte, len(serial)/2)
		_, err = fmt.Sscanf(serial, "%x", &number)
		must(w.t, err)
		a := w.ca.State().Lookup(w.key.KeyID(), number)
		revoked := tree.State(uint64(o)) == status.Revoked
		if rec != uint64(o) || listed[serial] != revoked || (a.Status == revocation.Revoked) != revoked {
			w.t.Errorf("ordinal %d: tree %v, list %v, OCSP %v", o, tree.State(uint64(o)), listed[serial], a.Status)
		}
	}
}

// A responder works with an ordinary OCSP client: good, then revoked by notice.
func TestOCSPOverHTTP(t *testing.T) {
	w := newWorld(t, worldOptions{})
	resp, err := keystore.CreateResponder(keystore.SoftwareConfig{Path: filepath.Join(w.dir, "ocsp.key"), Passphrase: []byte("demo-passphrase"),
		Algorithm: keystore.P256, Gate: keystore.GateConfig{Journal: filepath.Join(w.dir, "ocsp-journal"), Now: w.clock.now}})
	must(t, err)
	defer resp.Close()
	must(t, w.ca.Close())
	trust, err := proof.LogOnly(w.logConf.VKey)
	must(t, err)
	key, err := keystore.CreateSoftware(keystore.SoftwareConfig{Path: filepath.Join(w.dir, "issuer2.key"), Passphrase: []byte("demo-passphrase"),
		Algorithm: keystore.RSA2048, Gate: keystore.GateConfig{Log: trust, Journal: filepath.Join(w.dir, "journal2"), Now: w.clock.now}})
	must(t, err)
	defer key.Close()
	c := catest.Certifier{T: t, Log: w.engine, Key: key, Base: testBase, Now: w.clock.now}
	w.key, w.signing, w.issuer = key, key, c.Root()
	answering := c.Responder(w.issuer, resp.Public())
	w.open()
	issuer, err := profile.NewIssuer(w.issuer)
	must(t, err)
	h, err := revocation.NewResponder(revocation.ResponderConfig{State: w.ca.State(), Issuer: issuer, Certificate: answering, Key: resp,
		Now: w.clock.now, Validity: 15 * time.Minute, Path: "/ocsp"})
	must(t, err)
	srv := httptest.NewServer(Public(w.ca, h))
	defer srv.Close()
	root, err := x509.ParseCertificate(w.issuer)
	must(t, err)
	cert, err := x509.ParseCertificate(w.issue("総務　太郎").DER)
	must(t, err)
	must(t, w.ca.Follow(ctx))
	ask := func() int {
		req, err := ocsp.CreateRequest(cert, root, &ocsp.RequestOptions{Hash: crypto.SHA256})
		must(t, err)
		answer, err := http.Post(srv.URL+"/ocsp", "application/ocsp-request", strings.NewReader(string(req)))
		must(t, err)
		defer answer.Body.Close()
		b := make([]byte, 1<<16)
		n, _ := answer.Body.Read(b)
		parsed, err := ocsp.ParseResponseForCert(b[:n], cert, root)
		must(t, err)
		return parsed.Status
	}
	if ask() != ocsp.Good {
		t.Error("an issued certificate is not good")
	}
	raw, from := w.sendNotice(0)
	w.receive(raw, from)
	must(t, w.ca.Follow(ctx))
	w.clock.add(16 * time.Minute)
	if ask() != ocsp.Revoked {
		t.Error("a revoked certificate is not revoked")
	}
}

func TestStatusOfErrors(t *testing.T) {
	for want, err := range map[int]error{
		http.StatusUnprocessableEntity: refused([]string{"A101", "A201"}), http.StatusConflict: refused([]string{"N203"}),
		http.StatusNotFound: ErrNotFound.Because(errors.New("x")), http.StatusServiceUnavailable: ErrUncertain.Because(errors.New("x")),
		http.StatusInternalServerError: errors.New("x"),
	} {
		if got := StatusOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	if StatusOf(ErrConflict) != http.StatusConflict || StatusOf(ErrBusy) != http.StatusServiceUnavailable || StatusOf(ErrClosed) != http.StatusServiceUnavailable {
		t.Error("status of a sentinel")
	}
	if r := refused(nil); r.Codes[0] != "N901" || !strings.Contains(r.Error(), "N901") {
		t.Errorf("a refusal without codes: %v", r)
	}
}
