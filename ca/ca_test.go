package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// Scenario 1 of DOMAIN 11.4, and everything that follows: issue, tell, notice,
// revoke, publish.
func TestWholeLife(t *testing.T) {
	for _, alg := range []string{"p256", "rsa2048"} {
		for _, mode := range []string{notice.Reference, notice.Echo} {
			t.Run(alg+"/"+mode, func(t *testing.T) {
				w := newWorld(t, worldOptions{alg: alg, mode: mode, disk: true})
				a, b := w.issue("総務　太郎"), w.issue("総務　花子")
				if a.Ordinal != 0 || b.Ordinal != 1 {
					t.Fatalf("ordinals %d %d", a.Ordinal, b.Ordinal)
				}
				root, err := x509.ParseCertificate(w.issuer)
				must(t, err)
				cert, err := x509.ParseCertificate(a.DER)
				must(t, err)
				must(t, cert.CheckSignatureFrom(root))
				list, err := w.ca.DailyHolders(ctx, "2026-11-23")
				must(t, err)
				if list.New != 2 || list.Gone != 0 || list.Total != 2 {
					t.Errorf("list %+v", list)
				}
				raw, from := w.sendNotice(0)
				out, err := w.ca.ReceiveNotice(ctx, raw, from)
				must(t, err)
				if out.Revocation == nil || out.Revocation.Ordinal != 0 || out.Revocation.Ground != entry.GroundChange || out.Revocation.Cause != out.Index {
					t.Fatalf("outcome %+v", out)
				}
				crls, err := w.ca.PublishCRLs(ctx)
				must(t, err)
				if len(crls) != 2 {
					t.Fatalf("%d lists", len(crls))
				}
				for _, c := range crls {
					crl, err := x509.ParseRevocationList(c.DER)
					must(t, err)
					must(t, crl.CheckSignatureFrom(root))
					if len(crl.RevokedCertificateEntries) != 1 || crl.RevokedCertificateEntries[0].SerialNumber.Cmp(cert.SerialNumber) != 0 {
						t.Errorf("list %s doesn't hold the one revoked certificate", c.Partition)
					}
				}
				w.clock.add(24 * time.Hour)
				list, err = w.ca.DailyHolders(ctx, "2026-11-24")
				must(t, err)
				if list.New != 0 || list.Gone != 1 || list.Total != 1 || list.Seq != 1 {
					t.Errorf("list %+v", list)
				}
				w.check()
				w.restart()
				w.check()
				if again, err := w.ca.Certificate(0); err != nil || !again.Revoked || !bytes.Equal(again.DER, a.DER) {
					t.Errorf("after restart: %v", err)
				}
			})
		}
	}
}

func codes(err error) string {
	var r *Refused
	if !errors.As(err, &r) {
		return ""
	}
	return strings.Join(r.Codes, " ")
}

func TestIssueIsIdempotent(t *testing.T) {
	w := newWorld(t, worldOptions{})
	app := w.application(certifiedOf("総務　太郎"))
	first, err := w.ca.Issue(ctx, app, "counter-terminal")
	must(t, err)
	for range 2 {
		again, err := w.ca.Issue(ctx, app, "counter-terminal")
		if err != nil || again.Ordinal != first.Ordinal || !bytes.Equal(again.DER, first.DER) {
			t.Fatalf("again: %v", err)
		}
		w.restart()
	}
	other := *app
	other.Certified = certifiedOf("別人　一郎")
	if _, err := w.ca.Issue(ctx, &other, "counter-terminal"); !errors.Is(err, ErrConflict) {
		t.Errorf("another application under one id: %v", err)
	}
	w.check()
}

func TestIssueRefuses(t *testing.T) {
	w := newWorld(t, worldOptions{})
	first := w.application(certifiedOf("総務　太郎"))
	_, err := w.ca.Issue(ctx, first, "counter-terminal")
	must(t, err)
	before := len(w.entries())
	same := w.application(certifiedOf("総務　太郎"))
	if _, err := w.ca.Issue(ctx, same, "counter-terminal"); codes(err) != "A206" {
		t.Errorf("second certificate for one person: %v", err)
	}
	key := w.application(certifiedOf("総務　花子"))
	key.Request = first.Request
	if _, err := w.ca.Issue(ctx, key, "counter-terminal"); codes(err) != "A208" {
		t.Errorf("key certified twice: %v", err)
	}
	if _, err := w.ca.Issue(ctx, w.application(certifiedOf("総務　花子")), ""); codes(err) != "A201" {
		t.Errorf("nameless counter: %v", err)
	}
	unchecked := w.application(certifiedOf("総務　花子"))
	unchecked.Check.Existence = false
	if _, err := w.ca.Issue(ctx, unchecked, "counter-terminal"); codes(err) != "A202 A204" {
		t.Errorf("existence not checked: %v", err)
	}
	outside := w.application(certifiedOf("髙橋　一郎"))
	if _, err := w.ca.Issue(ctx, outside, "counter-terminal"); codes(err) != "A205" && codes(err) != "A205 A210" {
		t.Errorf("character outside the repertoire: %v", err)
	}
	coded := w.application(certifiedOf("９９９９９０００－０１７　太郎"))
	if _, err := w.ca.Issue(ctx, coded, "counter-terminal"); !strings.Contains(codes(err), "A401") {
		t.Errorf("resident code in the name: %v", err)
	}
	broken := w.application(certifiedOf("総務　花子"))
	broken.Request = bytes.Clone(broken.Request)
	broken.Request[len(broken.Request)-1] ^= 1
	if _, err := w.ca.Issue(ctx, broken, "counter-terminal"); codes(err) != "A207" {
		t.Errorf("no possession: %v", err)
	}
	malformed := w.application(certifiedOf("総務　花子"))
	malformed.ID = "x"
	if _, err := w.ca.Issue(ctx, malformed, "counter-terminal"); codes(err) != "A101" {
		t.Errorf("malformed: %v", err)
	}
	if n := len(w.entries()) - before; n != 0 {
		t.Errorf("refusals left %d entries at once", n)
	}
	w.clock.add(2 * time.Minute)
	w.issue("総務　花子") // takes the next ordinal: refusals leave no gap
	must(t, w.ca.Close())
	if count[*entry.SecurityEvent](w.entries()) == 0 {
		t.Error("refusals are not on record")
	}
	w.check()
}

// Scenario 8: twins need a person's word, and then each has a certificate.
func TestTwins(t *testing.T) {
	w := newWorld(t, worldOptions{mode: notice.Echo})
	w.issue("双子　一")
	second := w.application(certifiedOf("双子　一"))
	if _, err := w.ca.Issue(ctx, second, "counter-terminal"); codes(err) != "A206" {
		t.Fatalf("twin without a word: %v", err)
	}
	second.Twin = true
	twin, err := w.ca.Issue(ctx, second, "counter-terminal")
	must(t, err)
	// A change of the second twin revokes the second twin's certificate, also
	// where the notice says no more than the four attributes.
	raw, from := w.sendNotice(twin.Ordinal)
	out, err := w.ca.ReceiveNotice(ctx, raw, from)
	must(t, err)
	if out.Revocation == nil || out.Revocation.Ordinal != twin.Ordinal {
		t.Fatalf("outcome %+v", out)
	}
	w.check()
	must(t, w.ca.Close())
	seen := false
	for _, e := range w.entries() {
		b, ok := e.Body.(*entry.SecurityEvent)
		seen = seen || ok && b.Code == eventTwin && b.Count == 1
	}
	if !seen {
		t.Error("that Article 6 was set aside is not on record")
	}
}

func TestRenewal(t *testing.T) {
	w := newWorld(t, worldOptions{})
	old := w.issue("総務　太郎")
	app := w.application(certifiedOf("総務　太郎"))
	app.Renews = old.Serial
	fresh, err := w.ca.Issue(ctx, app, "counter-terminal")
	must(t, err)
	before, err := w.ca.Certificate(old.Ordinal)
	must(t, err)
	rec, err := w.reg.Get(old.Ordinal)
	must(t, err)
	if !before.Revoked || rec.Ground != entry.GroundRenewed || fresh.Revoked {
		t.Error("the renewed certificate must be revoked, the new one not")
	}
	wrong := w.application(certifiedOf("総務　花子"))
	wrong.Renews = fresh.Serial
	if _, err := w.ca.Issue(ctx, wrong, "counter-terminal"); codes(err) != "A206" {
		t.Errorf("renewing another person's certificate: %v", err)
	}
	w.check()
}

func TestConcurrentIssue(t *testing.T) {
	w := newWorld(t, worldOptions{})
	const n = 40
	var wg sync.WaitGroup
	var certs, twice [n]*Certificate
	for i := range n {
		app := w.application(certifiedOf(fmt.Sprintf("住民　第%c号", 'あ'+rune(i))))
		for _, out := range []*[n]*Certificate{&certs, &twice} { // everyone twice at the same time
			wg.Add(1)
			go func() {
				defer wg.Done()
				c, err := w.ca.Issue(ctx, app, "counter-terminal")
				if err != nil {
					t.Error(err)
					return
				}
				out[i] = c
			}()
		}
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for i, c := range certs {
		if c == nil || seen[c.Ordinal] {
			t.Fatal("an ordinal was given twice")
		}
		if twice[i] == nil || twice[i].Ordinal != c.Ordinal {
			t.Fatal("one application gave two certificates")
		}
		seen[c.Ordinal] = true
	}
	if count[*entry.CertIntent](w.entries()) != n {
		t.Error("an application was issued twice")
	}
	w.check()
}

func TestOpenRefusesConfigurations(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for name, spoil := range map[string]func(*Config){
		"no log": func(c *Config) { c.Log = nil }, "no clock": func(c *Config) { c.Now = nil },
		"no mode": func(c *Config) { c.NoticeMode = "" }, "negative life": func(c *Config) { c.CRLLife = -1 },
		"no issuer": func(c *Config) { c.Issuer = []byte("x") }, "no base": func(c *Config) { c.BaseURL = "" },
		"no decider": func(c *Config) { c.Decider = nil }, "no reader": func(c *Config) { c.Reader = nil },
	} {
		c := w.config()
		spoil(&c)
		if a, err := Open(ctx, c); err == nil {
			a.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// An old backup of the registry must not go on as if nothing had happened.
func TestOldRegistryIsRefused(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	must(t, w.ca.Close())
	must(t, w.reg.Close())
	fresh, err := registry.Open(t.TempDir(), registry.Config{Key: w.regKey, Rand: bytes.NewReader(make([]byte, 1<<12))})
	must(t, err)
	t.Cleanup(func() { fresh.Close() })
	w.reg = fresh
	if err := w.tryOpen(); !errors.Is(err, ErrBehind) {
		t.Errorf("empty registry over a log with certificates: %v", err)
	}
	must(t, fresh.SetCursor(entry.ByCA, 1000))
	if err := w.tryOpen(); !errors.Is(err, ErrLogBehind) {
		t.Errorf("log older than the registry: %v", err)
	}
}

func TestClosedAuthority(t *testing.T) {
	w := newWorld(t, worldOptions{})
	app := w.application(certifiedOf("総務　太郎"))
	must(t, w.ca.Close())
	must(t, w.ca.Close())
	if _, err := w.ca.Issue(ctx, app, "counter-terminal"); say.Code(err) != "ca.closed" {
		t.Errorf("issued after Close: %v", err)
	}
}
