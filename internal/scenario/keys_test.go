package scenario

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/catest"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/ledger/witness"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/pki"
)

// 18: every certificate in force is revoked for the key's sake; what was
// revoked before keeps its own reason.
func issuerKey(v *town) {
	gone, live := v.issue(v.pick(plain)), v.issue(v.pick(plain))
	v.tomorrow()
	v.change(register.Death, gone.Resident)
	equal(v.t, "notices", v.notify(), 1)
	v.publish()
	before, err := v.log.Status(ctx, live.Ordinal)
	must(v.t, err)
	officers := [2]string{"officer-1", "officer-2"}
	n, err := v.w.CA.Authority.RevokeAll(ctx, entry.GroundIssuerKey, officers)
	must(v.t, err)
	res, err := v.w.Ledger.Policy.VerifyStatus(before, live.Certificate)
	must(v.t, err)
	equal(v.t, "revoked at once", uint64(n), res.Root.Issued-res.Root.Revoked)
	v.is(live, status.Revoked, pki.ReasonCA)
	v.changed(gone)
	v.refused(live, agency.StepStatus)
	res, err = v.w.Ledger.Policy.VerifyStatus(v.receipt(live), live.Certificate)
	must(v.t, err)
	equal(v.t, "revoked of all issued", res.Root.Revoked, res.Root.Issued)
	again, err := v.w.CA.Authority.RevokeAll(ctx, entry.GroundIssuerKey, officers)
	must(v.t, err)
	equal(v.t, "revoked once more", again, 0)
}

// 19: a list past its next update is believed by nobody: not by an agency, not
// by openssl, and the council is told.
func staleList(v *town) {
	h := v.early["stale"]
	der := v.crlDER()
	list, err := pki.ParseCRL(der)
	must(v.t, err)
	with := func(der []byte) func(*agency.Trust) {
		return func(t *agency.Trust) { t.CRL = der }
	}
	equal(v.t, "accepted while fresh", v.agency(h, with(der)).Accepted, true)
	v.openssl(h, der, list.NextUpdate.Add(-time.Hour), "")
	v.clock.jump(list.NextUpdate.Sub(v.clock.Now()) + time.Hour)
	_, err = v.w.SendHolders(ctx) // news, so that there is a new status to ask for
	must(v.t, err)
	r := v.agency(h, with(der))
	equal(v.t, "accepted when stale", r.Accepted, false)
	equal(v.t, "refused at", r.Failed(), agency.StepCRL)
	v.openssl(h, der, v.clock.Now(), "CRL has expired")
	c, _ := v.audit(nil).Check("CRL-5")
	equal(v.t, "the council's class", c.Class, audit.ClassB)
	equal(v.t, "accepted with a new list", v.agency(h, with(v.crlDER())).Accepted, true)
	c, _ = v.audit(nil).Check("CRL-5")
	equal(v.t, "the council's class with a new list", c.Class, audit.ClassA)
}

// openssl verifies the holder's certificate at a moment with a list; refusal
// "" means that it must hold.
func (v *town) openssl(h *holder, crl []byte, at time.Time, refusal string, roots ...[]byte) {
	v.t.Helper()
	bin, err := exec.LookPath("openssl")
	if err != nil {
		v.t.Log("openssl is not installed; its opinion is not asked")
		return
	}
	dir := v.t.TempDir()
	if roots == nil {
		roots = [][]byte{v.w.CA.Ceremony.Issuer}
	}
	file := func(name, kind string, ders ...[]byte) string {
		var b []byte
		for _, der := range ders {
			b = append(b, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		path := filepath.Join(dir, name)
		must(v.t, os.WriteFile(path, b, 0o600))
		return path
	}
	args := []string{"verify", "-x509_strict", "-attime", strconv.FormatInt(at.Unix(), 10), "-CAfile", file("roots.pem", "CERTIFICATE", roots...)}
	if crl != nil {
		args = append(args, "-crl_check", "-CRLfile", file("full.crl", "X509 CRL", crl))
	}
	out, err := exec.Command(bin, append(args, file("cert.pem", "CERTIFICATE", h.Certificate))...).CombinedOutput()
	if (err == nil) != (refusal == "") || !strings.Contains(string(out), refusal) {
		v.t.Errorf("openssl says %q (%v), want %q", out, err, refusal)
	}
}

// 14: the notice passes, and there is nothing left to revoke.
func expired(v *town) {
	h := v.early["expired"]
	cert, err := x509.ParseCertificate(h.Certificate)
	must(v.t, err)
	v.clock.jump(cert.NotAfter.Sub(v.clock.Now()) + time.Hour)
	mark := v.mark()
	equal(v.t, "outcome", v.change(register.Death, h.Resident).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, "notice.sent notice.received")
	v.refused(h, agency.StepChain)
	c, _ := v.audit(nil).Check("REV-3")
	if c.Class == audit.ClassD {
		v.t.Errorf("%v", c.Findings)
	}
	v.tomorrow()
	equal(v.t, "struck off", v.held(h), false)
}

// 21: what named the person is destroyed; every proof and the audit of the log
// still hold.
func retentionEnds(v *town) {
	h := v.early["erased"]
	cert, err := x509.ParseCertificate(h.Certificate)
	must(v.t, err)
	v.publish()
	size := v.mark()
	var at uint64
	var raw []byte
	must(v.t, v.log.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		if e, err := entry.Parse(b); err == nil {
			if x, ok := e.Body.(*entry.CertIssued); ok && x.Ordinal == h.Ordinal {
				at, raw = i, append([]byte{}, b...)
			}
		}
		return nil
	}))
	kept, err := v.log.Proof(ctx, at)
	must(v.t, err)

	v.clock.jump(cert.NotAfter.AddDate(ca.RetentionYears, 0, 0).Sub(v.clock.Now()))
	if err := v.w.CA.Authority.Erase(ctx, entry.BasisRetentionEnd, h.Ordinal); err == nil {
		v.t.Error("erased before retention was over")
	}
	v.clock.jump(2 * day)
	must(v.t, v.w.CA.Authority.Erase(ctx, entry.BasisRetentionEnd, h.Ordinal))
	if rec, err := v.w.CA.Registry.Get(h.Ordinal); err != nil || !rec.Key.IsZero() || rec.Certified.Name != "" || rec.DER != nil {
		v.t.Errorf("the registry still names the person (%v)", err)
	}
	equal(v.t, "erasures in the log", len(v.since(size, entry.KindErasure)), 1)
	_, err = v.w.Ledger.Policy.VerifyReceipt(kept, raw)
	must(v.t, err)
	fresh, err := v.log.Proof(ctx, at)
	must(v.t, err)
	_, err = v.w.Ledger.Policy.VerifyReceipt(fresh, raw)
	must(v.t, err)
	r := v.audit(nil)
	for _, code := range []string{"LOG-1", "LOG-2", "LOG-3", "LOG-4", "LOG-5", "LOG-9", "STA-1", "ERA-1"} {
		if c, _ := r.Check(code); c.Class != audit.ClassA {
			v.t.Errorf("%s after the erasure: %v", code, c.Findings)
		}
	}
}

// 22: zeros in the certificate where the birth date is unknown, an end of
// validity that no birthday could have brought earlier, and a correction
// revokes.
func birthDateUnknown(v *town) {
	h := v.issue(v.pick(func(r people.Resident) bool {
		return strings.HasSuffix(r.Attr.BirthDate, "00") && r.SubstituteName == "" && r.SubstituteAddress == ""
	}))
	c, err := pki.ParseCertificate(h.Certificate)
	must(v.t, err)
	a, _ := c.Attributes()
	equal(v.t, "certified birth date", a.BirthDate, h.Attr.BirthDate)
	if latest := v.clock.Now().AddDate(5, 0, 0); c.X509().NotAfter.After(latest) {
		v.t.Errorf("valid until %s, later than five years", c.X509().NotAfter)
	}
	v.accepted(h)
	v.tomorrow()
	known := h.Resident
	known.Attr.BirthDate = "319500101"
	equal(v.t, "outcome", v.change(register.BirthDateCorrection, known).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.changed(h)
}

// 23: validity ends with the fifth birthday's day in Japan; in a common year
// that is 28 February, never 1 March.
func leapDay(v *town) {
	h := v.issue(v.pick(func(r people.Resident) bool {
		return strings.HasSuffix(r.Attr.BirthDate, "0229") && r.SubstituteName == "" && r.SubstituteAddress == ""
	}))
	c, err := pki.ParseCertificate(h.Certificate)
	must(v.t, err)
	a, _ := c.Attributes()
	equal(v.t, "certified birth date", a.BirthDate[5:], "0229")
	end := c.X509().NotAfter.In(jtext.JST())
	want := 28
	if time.Date(end.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay() == 366 {
		want = 29
	}
	equal(v.t, "ends on", end.Format("01-02 15:04:05"), "02-"+strconv.Itoa(want)+" 23:59:59")
	v.valid(h)
	v.accepted(h)
	v.tomorrow()
}

// 24: generations 1 and 3 of the issuer have the name of ours and other keys.
// A verifier that goes by the name fails; by the key it succeeds.
func generations(v *town) {
	h := v.issued()
	v.crlDER() // news, so that there is a new status to ask for
	ours := v.w.CA.Ceremony.Issuer
	first, third := v.generation("first"), v.generation("third")
	for _, der := range [][]byte{first, third} {
		c, err := x509.ParseCertificate(der)
		must(v.t, err)
		equal(v.t, "the generations' names", string(c.RawSubject), string(v.w.CA.Issuer.RawSubject))
	}
	roots := func(ders ...[]byte) func(*agency.Trust) { return func(t *agency.Trust) { t.Issuers = ders } }
	r := v.agency(h, roots(first, third))
	equal(v.t, "accepted under the others", r.Accepted, false)
	equal(v.t, "refused at", r.Failed(), agency.StepChain)
	for _, order := range [][][]byte{{first, ours, third}, {third, first, ours}, {ours, third, first}} {
		equal(v.t, "accepted among the three", v.agency(h, roots(order...)).Accepted, true)
		v.openssl(h, nil, v.clock.Now(), "", order...)
		pool := x509.NewCertPool()
		for _, der := range order {
			c, err := x509.ParseCertificate(der)
			must(v.t, err)
			pool.AddCert(c)
		}
		c, err := x509.ParseCertificate(h.Certificate)
		must(v.t, err)
		chains, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: v.clock.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil || len(chains) != 1 || !chains[0][1].Equal(v.w.CA.Issuer) {
			v.t.Errorf("crypto/x509: %v, %d chains", err, len(chains))
		}
	}
	v.openssl(h, nil, v.clock.Now(), "error", first, third)
}

// generation is the certificate of another issuer key, from a ceremony of its
// own with a ledger of its own.
func (v *town) generation(name string) []byte {
	v.t.Helper()
	dir := v.t.TempDir()
	log, vkey := v.engine(dir, "sukashi.example/"+name)
	believed, err := proof.LogOnly(vkey)
	must(v.t, err)
	key, err := keystore.CreateSoftware(keystore.SoftwareConfig{Path: filepath.Join(dir, "issuer.key"), Passphrase: []byte("a test's key"),
		Algorithm: keystore.P256, Gate: keystore.GateConfig{Log: believed, Journal: filepath.Join(dir, "journal"), Now: v.clock.Now}})
	must(v.t, err)
	v.t.Cleanup(func() { _ = key.Close() })
	return catest.Certifier{T: v.t, Log: log, Key: key, Base: v.w.Ledger.PublicURL, Now: v.clock.Now}.Root()
}

func (v *town) engine(dir, origin string) (*trillianlog.Engine, string) {
	v.t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	must(v.t, err)
	signer, err := note.NewSigner(skey)
	must(v.t, err)
	e, err := trillianlog.Open(ctx, trillianlog.Config{Dir: filepath.Join(dir, "store"), HeadDir: filepath.Join(dir, "head"), Origin: origin,
		Signer: signer, VKey: vkey, Now: v.clock.Now})
	must(v.t, err)
	v.t.Cleanup(func() { _ = e.Close() })
	return e, vkey
}

// 25: the alarm of an announced test is told apart from one that nobody
// announced.
func alarm(v *town) {
	w, err := v.w.OperatorWriter(ctx)
	must(v.t, err)
	defer w.Close()
	add := func(b entry.Body) uint64 {
		v.t.Helper()
		l, err := w.Append(ctx, b)
		must(v.t, err)
		return l.Index
	}
	begin := v.clock.Now().Add(time.Hour)
	test := add(&entry.TestAnnounced{Code: entry.EventAlarm, From: entry.At(begin), To: entry.At(begin.Add(2 * time.Hour))})
	v.clock.jump(2 * time.Hour)
	now := entry.At(v.clock.Now())
	within := add(&entry.SecurityEvent{Code: entry.EventAlarm, Count: 3, From: entry.At(now.Std().Add(-10 * time.Minute)), To: now})
	v.clock.jump(3 * time.Hour)
	now = entry.At(v.clock.Now())
	outside := add(&entry.SecurityEvent{Code: entry.EventAlarm, Count: 1, From: now, To: now})
	r := v.audit(nil)
	c, _ := r.Check("SEC-1")
	class := map[uint64]audit.Class{}
	for _, f := range c.Findings {
		class[f.Entries[len(f.Entries)-1]] = f.Class
	}
	equal(v.t, "the announced test's alarm", class[within], audit.ClassA)
	equal(v.t, "the alarm nobody announced", class[outside], audit.ClassB)
	for _, e := range r.Security {
		if e.Code == entry.EventAlarm {
			equal(v.t, "announced", e.Announced, e.Index == within)
			equal(v.t, "by entry", e.Test, map[bool]uint64{true: test}[e.Index == within])
		}
	}
}

// 20: the log's operator shows two auditors two histories that begin alike.
// Each alone finds nothing; the witnesses sign only one of them; and the two
// auditors have proof as soon as they compare what they were shown.
func fork(v *town) {
	v.publish()
	dir := v.t.TempDir()
	for _, d := range [][2]string{{filepath.Join(v.w.Dirs.Ledger, "store"), "store"}, {v.w.Dirs.Head, "head"}} {
		must(v.t, os.CopyFS(filepath.Join(dir, d[1]), os.DirFS(d[0])))
	}
	skey, err := os.ReadFile(filepath.Join(v.w.Dirs.Ledger, "log.key"))
	must(v.t, err)
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	must(v.t, err)
	other, err := trillianlog.Open(ctx, trillianlog.Config{Dir: filepath.Join(dir, "store"), HeadDir: filepath.Join(dir, "head"),
		Origin: world.Origin, Signer: signer, VKey: v.w.Ledger.VKey, Now: v.clock.Now})
	must(v.t, err)
	defer other.Close()

	shown := v.issue(v.pick(plain)) // the first auditor sees it, the second never will
	v.publish()
	w, err := ledger.NewWriter(ctx, other, entry.ByOperator, v.clock.Now)
	must(v.t, err)
	now := entry.At(v.clock.Now())
	for range 2 { // as many entries as the issue took
		_, err = w.Append(ctx, &entry.SecurityEvent{Code: "drill", Count: 1, From: now, To: now})
		must(v.t, err)
	}
	bent, err := other.Publish(ctx)
	must(v.t, err)

	logOnly, err := proof.LogOnly(v.w.Ledger.VKey)
	must(v.t, err)
	logged := func(r *audit.Result, code string) audit.Class {
		c, _ := r.Check(code)
		return c.Class
	}
	alone := func(s *audit.Source) { // as somebody who knows no witness
		s.Policy = logOnly
		s.Checkpoint, err = logOnly.Strip(s.Checkpoint)
		must(v.t, err)
	}
	first := v.audit(alone)
	second := v.audit(func(s *audit.Source) {
		s.Policy, s.Log, s.Checkpoint, s.Receipt = logOnly, other, bent, other.Proof
	})
	for _, code := range []string{"LOG-3", "LOG-4", "LOG-5"} {
		equal(v.t, "first auditor alone, "+code, logged(first, code), audit.ClassA)
		equal(v.t, "second auditor alone, "+code, logged(second, code), audit.ClassA)
	}
	equal(v.t, "sizes of the two histories", first.Size, second.Size)
	both := v.audit(func(s *audit.Source) { alone(s); s.Earlier = [][]byte{bent} })
	equal(v.t, "the two compared", logged(both, "LOG-9"), audit.ClassD)
	v.valid(shown)

	// With witnesses it does not get that far.
	c, err := witness.NewClient(witness.ClientConfig{Policy: v.w.Ledger.Policy, HTTP: http.DefaultClient, Now: time.Now})
	must(v.t, err)
	if _, err := c.Cosign(ctx, bent, func(old uint64) ([]tlog.Hash, error) { return other.Consistency(ctx, old, second.Size) }); err == nil {
		v.t.Error("the witnesses signed both histories")
	}
	witnessed := v.audit(func(s *audit.Source) { s.Log, s.Checkpoint, s.Receipt = other, bent, other.Proof })
	equal(v.t, "shown to who asks for witnesses", logged(witnessed, "LOG-5"), audit.ClassD)
}
