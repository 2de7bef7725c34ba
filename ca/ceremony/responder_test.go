package ceremony

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// answers starts the newest responder of a generation, as a role does.
func (r *room) answers(s *revocation.State, g Generation) (url string, stop func()) {
	r.t.Helper()
	issuer, err := profile.NewIssuer(g.Issuer)
	must(r.t, err)
	key, err := r.host.Responder(g.ResponderLabel, r.ceremony().gate(g.ResponderLabel))
	must(r.t, err)
	h, err := revocation.NewResponder(revocation.ResponderConfig{State: s, Issuer: issuer, Certificate: g.Responder, Key: key,
		Now: time.Now, Validity: 15 * time.Minute, Path: "/ocsp"})
	must(r.t, err)
	srv := httptest.NewServer(h)
	return srv.URL + "/ocsp", func() {
		srv.Close()
		must(r.t, key.Close())
	}
}

// A generation's responder is renewed on the token: another key, approved by two,
// logged before it is certified. openssl takes the answers of both, those of the old
// one after the renewal, too; a key without a certificate answers nothing.
func TestResponderIsRenewed(t *testing.T) {
	r := newRoom(t, keystore.P256, true)
	p, err := r.ceremony().PlanInit()
	r.hold(p, err)
	first := r.generations()[0]
	r.pem("root.pem", "CERTIFICATE", first.Issuer)
	r.pem("leaf.pem", "CERTIFICATE", r.resident(1, 0))
	state := r.state()
	ask := func(g Generation, file string) {
		t.Helper()
		url, stop := r.answers(state, g)
		defer stop()
		r.tool(true, "Response verify OK", "openssl", "ocsp", "-url", url, "-issuer", "root.pem", "-CAfile", "root.pem", "-cert", "leaf.pem", "-respout", file, "-no_nonce")
		r.tool(true, "leaf.pem: good", "openssl", "ocsp", "-url", url, "-issuer", "root.pem", "-CAfile", "root.pem", "-cert", "leaf.pem")
	}
	ask(first, "first.der")

	p, err = r.ceremony().PlanResponder(1)
	must(t, err)
	if _, err := r.ceremony().Run(t.Context(), p, nil); say.Code(err) != "ceremony.approvals" {
		t.Errorf("without approvals: %v", err)
	}
	res := r.hold(p, nil)
	g := r.generations()[0]
	last := r.bodies()[len(r.bodies())-1].(*entry.KeyCreated)
	old, next := parse(t, first.Responder), parse(t, g.Responder)
	switch {
	case len(r.generations()) != 1 || g.Responders != 2 || g.ResponderLabel != ResponderLabel(1, 2) || g.Key != first.Key:
		t.Errorf("the generation is %+v", g)
	case last.Role != keystore.RoleOCSP || last.Record != res.Record || *last.TBS != entry.Sum(next.RawTBSCertificate):
		t.Errorf("the log says %+v", last)
	case string(old.RawSubjectPublicKeyInfo) == string(next.RawSubjectPublicKeyInfo):
		t.Error("the key is the old one")
	case len(r.bodies()) != 3 || next.NotAfter.Sub(next.NotBefore) > 366*24*time.Hour:
		t.Error("more was logged, or the certificate lives too long")
	}
	ask(g, "second.der")
	for _, file := range []string{"first.der", "second.der"} {
		r.tool(true, "Response verify OK", "openssl", "ocsp", "-respin", file, "-issuer", "root.pem", "-CAfile", "root.pem", "-cert", "leaf.pem", "-no_nonce")
	}
	// the old key is not the new certificate's
	issuer, err := profile.NewIssuer(g.Issuer)
	must(t, err)
	key, err := r.host.Responder(first.ResponderLabel, r.ceremony().gate(first.ResponderLabel))
	must(t, err)
	defer key.Close()
	if _, err := revocation.NewResponder(revocation.ResponderConfig{State: state, Issuer: issuer, Certificate: g.Responder, Key: key, Now: time.Now, Validity: time.Hour}); err == nil {
		t.Error("the old key answers under the new certificate")
	}
	if p, err = r.ceremony().PlanResponder(1); err != nil || p.Responder.Label != ResponderLabel(1, 3) {
		t.Errorf("the one after is %+v, %v", p, err)
	}
}

// A crash at any step of the renewal: until it is whole, the old responder is the
// newest one, and the next run goes on.
func TestResponderCrashes(t *testing.T) {
	r := newRoom(t, keystore.P256, true)
	p, err := r.ceremony().PlanInit()
	r.hold(p, err)
	steps := 0
	for crashed := true; crashed; steps++ {
		if p, err = r.ceremony().PlanResponder(1); err != nil {
			t.Fatal(err)
		}
		r.approve(p, "officer-b", "officer-c")
		before := r.generations()[0]
		c, crash := r.ceremony(), &crasher{left: steps}
		c.at = crash.at
		_, err = c.Run(t.Context(), p, nil)
		if crashed = err != nil; crashed {
			if now := r.generations()[0]; now.Responders != before.Responders || string(now.Responder) != string(before.Responder) {
				t.Fatalf("step %d: a half-made responder is there", steps)
			}
			_, err = r.ceremony().Run(t.Context(), p, nil)
		}
		must(t, err)
		if g := r.generations()[0]; g.Responders != before.Responders+1 {
			t.Fatalf("step %d: %d responders", steps, g.Responders)
		}
		r.now = r.now.Add(time.Second)
	}
	if steps < 6 {
		t.Errorf("only %d steps", steps)
	}
	checkJournal(t, r)
	leak, err := r.ceremony().PlanLeak(1)
	r.hold(leak, err)
	p, err = r.ceremony().PlanResponder(1)
	must(t, err)
	r.approve(p, "officer-a", "officer-b")
	if _, err := r.ceremony().Run(t.Context(), p, nil); say.Code(err) != "ceremony.state" {
		t.Errorf("a leaked key certifies a responder: %v", err)
	}
	if has, _ := r.host.Has(p.Responder.Label); has {
		t.Error("a key was made")
	}
	if _, err := r.ceremony().PlanResponder(2); say.Code(err) != "ceremony.generation" {
		t.Errorf("a responder of no generation: %v", err)
	}
}
