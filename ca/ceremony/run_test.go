package ceremony

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The first key of a CA on a token: made there, approved by two of three, logged
// before it is used, with a root to DOMAIN 6.1.
func TestInitOnToken(t *testing.T) {
	r := newRoom(t, keystore.RSA2048, true)
	p, err := r.ceremony().PlanInit()
	must(t, err)
	res := r.hold(p, nil)
	if got := kinds(r.bodies()); got != "key.created key.created" {
		t.Errorf("the log holds %s", got)
	}
	for _, b := range r.bodies() {
		if b.(*entry.KeyCreated).Record != res.Record {
			t.Error("an entry names another record than the transcript")
		}
	}
	g := r.generations()[0]
	root := parse(t, g.Issuer)
	if got := root.NotAfter.UTC().Format("150405"); got != "145959" || root.NotAfter.Sub(root.NotBefore) < 10*364*24*time.Hour {
		t.Errorf("the root ends %v", root.NotAfter)
	}
	if len(root.Subject.Names) != 4 || root.Subject.OrganizationalUnit[1] != "SUKASHI Test Certification Authority" || len(root.AuthorityKeyId) > 0 {
		t.Errorf("the root is %v", root.Subject)
	}
	r.pem("root.pem", "CERTIFICATE", g.Issuer)
	r.pem("ocsp.pem", "CERTIFICATE", g.Responder)
	r.tool(true, "ocsp.pem: OK", "openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "ocsp.pem")
	r.tool(true, "CA:TRUE", "openssl", "x509", "-in", "root.pem", "-noout", "-text")

	var tr transcript
	must(t, json.Unmarshal(r.file(g.Dir, fileTranscript), &tr))
	if len(tr.Approvals) != 2 || tr.Approvals[0].Officer != "officer-a" || len(tr.Keys) != 2 {
		t.Errorf("the transcript has %d approvals and %d keys", len(tr.Approvals), len(tr.Keys))
	}
	for _, k := range tr.Keys {
		if !k.Held.Bound() || !strings.Contains(k.Held.Manufacturer, "SoftHSM") {
			t.Errorf("%s: %+v", k.Label, k.Held)
		}
	}
	if bytes.Contains(r.file(g.Dir, fileTranscript), []byte("1234\"")) {
		t.Error("the PIN is in the transcript")
	}

	// Doing it again does nothing; planning another first generation is refused.
	again, err := r.ceremony().Run(t.Context(), p, nil)
	if err != nil || !again.Again || again.Record != res.Record || len(r.bodies()) != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := r.ceremony().PlanInit(); say.Code(err) != "ceremony.exists" {
		t.Errorf("a second first generation: %v", err)
	}
	// Another CA on the same log and token: its label is taken.
	r.cfg.Dir = filepath.Join(r.dir, "other")
	p, err = r.ceremony().PlanInit()
	must(t, err)
	r.approve(p, "officer-a", "officer-b")
	if _, err := r.ceremony().Run(t.Context(), p, nil); say.Code(err) != "ceremony.state" {
		t.Errorf("a second issuer on the log: %v", err)
	}
}

// A key that someone put under the label before the ceremony is not taken.
func TestForeignKeyIsNotTaken(t *testing.T) {
	r := newRoom(t, keystore.P256, true)
	must(t, r.host.Generate(IssuerLabel(1), keystore.P256))
	p, err := r.ceremony().PlanInit()
	must(t, err)
	r.approve(p, "officer-a", "officer-b")
	if _, err := r.ceremony().Run(t.Context(), p, nil); say.Code(err) != "ceremony.label" {
		t.Errorf("%v", err)
	}
}

func TestApprovals(t *testing.T) {
	r := newRoom(t, keystore.P256, false)
	p, err := r.ceremony().PlanInit()
	must(t, err)
	run := func() string {
		_, err := r.ceremony().Run(t.Context(), p, nil)
		return say.Code(err)
	}
	if got := run(); got != "ceremony.approvals" {
		t.Errorf("without approvals: %s", got)
	}
	r.approve(p, "officer-a")
	r.approve(p, "officer-a")
	if got := run(); got != "ceremony.approvals" {
		t.Errorf("one officer twice: %s", got)
	}
	if _, err := p.Approve(officerKey("stranger")); say.Code(err) != "ceremony.stranger" {
		t.Errorf("a stranger: %v", err)
	}
	other := *p
	other.Base = "http://evil.example"
	a, err := other.Approve(officerKey("officer-b"))
	must(t, err)
	d, err := p.Digest()
	must(t, err)
	for name, spoil := range map[string]func(a *Approval){
		"of another plan":             func(*Approval) {},
		"of another plan, relabelled": func(a *Approval) { a.Plan = d },
		"by another officer":          func(a *Approval) { a.Plan, a.Officer = d, "officer-c" },
		"by nobody":                   func(a *Approval) { a.Plan, a.Officer = d, "nobody" },
		"not a signature":             func(a *Approval) { a.Plan, a.Sig = d, "AAAA" },
	} {
		bad := *a
		spoil(&bad)
		list := []Approval{bad}
		good, err := p.Approve(officerKey("officer-a"))
		must(t, err)
		if p.approved(append(list, *good)) == nil {
			t.Errorf("an approval %s counts", name)
		}
		good2, err := p.Approve(officerKey("officer-b"))
		must(t, err)
		if name != "by another officer" && p.approved(append(list, *good, *good2)) == nil {
			t.Errorf("an approval %s beside two good ones is not noticed", name)
		}
	}
	if len(r.bodies()) != 0 {
		t.Error("something was logged without approval")
	}
	if has, _ := r.host.Has(IssuerLabel(1)); has {
		t.Error("a key was made without approval")
	}
}

// A crash at any step of the first two ceremonies: the next run goes on, and what
// comes out is whole. A half-made generation is never seen. The keys are P-256 on
// a token, so a signature that got lost can't be made again: the hardest case.
func TestCrashAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: some hundred keys on a token")
	}
	const most = 40
	labels := make([]string, most)
	for i := range labels {
		labels[i] = fmt.Sprintf("room-%d", i)
	}
	tokens := keystoretest.Tokens(t, labels...)
	steps := 0
	for crashed := true; crashed; steps++ {
		if steps == most {
			t.Fatal("the ceremonies have more steps than there are tokens")
		}
		r := newRoom(t, keystore.P256, false)
		r.useToken(tokens[steps])
		crash := &crasher{left: steps}
		if crashed = r.crashes(crash, (*Ceremony).PlanInit); !crashed {
			crashed = r.crashes(crash, (*Ceremony).PlanRollover)
		}
		checkJournal(t, r)
		r.engine.Close()
	}
	if steps < 25 {
		t.Errorf("only %d steps", steps)
	}
}

// A software key signs deterministically: the lost signature comes again, and the
// log holds each announcement once.
func TestLostSignatureOfSoftwareKey(t *testing.T) {
	r := newRoom(t, keystore.P256, false)
	if !r.crashes(&crasher{left: 4}, (*Ceremony).PlanInit) { // the root's signature was made, its file not written
		t.Fatal("no crash")
	}
	if got := kinds(r.bodies()); got != "key.created key.created" {
		t.Errorf("the log holds %s", got)
	}
	checkJournal(t, r)
}

// crashes runs a plan with a crash, then again without, and reports whether there
// was one.
func (r *room) crashes(crash *crasher, plan func(*Ceremony) (*Plan, error)) bool {
	r.t.Helper()
	p, err := plan(r.ceremony())
	must(r.t, err)
	r.approve(p, "officer-a", "officer-b")
	before := len(r.generations())
	c := r.ceremony()
	c.at = crash.at
	_, err = c.Run(r.t.Context(), p, nil)
	crashed := errors.Is(err, errCrash)
	step := crash.steps[len(crash.steps)-1]
	if crashed {
		if len(r.generations()) != before {
			r.t.Fatalf("after a crash at %s a half-made generation is there", step)
		}
		_, err = r.ceremony().Run(r.t.Context(), p, nil)
	}
	if err != nil {
		r.t.Fatalf("after a crash at %s: %v", step, err)
	}
	if len(r.generations()) != before+1 {
		r.t.Fatalf("after a crash at %s the generation is not there", step)
	}
	return crashed
}

// checkJournal: every use of a key is announced in the log under the same digest.
func checkJournal(t *testing.T, r *room) {
	t.Helper()
	announced := map[entry.Digest]bool{}
	for _, b := range r.bodies() {
		switch b := b.(type) {
		case *entry.KeyCreated:
			announced[*b.TBS] = true
		case *entry.CrossIntent:
			announced[b.TBS] = true
		}
	}
	uses := 0
	for n := range r.generations() {
		n++
		c := r.ceremony()
		k, err := r.host.Issuer(IssuerLabel(n), c.gate(IssuerLabel(n)))
		must(t, err)
		must(t, k.Journal(func(u keystore.Record) error {
			uses++
			if !announced[u.TBS] {
				t.Error("the journal has a use that no entry announces")
			}
			return nil
		}))
		must(t, k.Close())
	}
	if want := map[int]int{1: 2, 2: 6}[len(r.generations())]; uses < want {
		t.Errorf("the journals have %d uses, at least %d were to be made", uses, want)
	}
}

// What a ceremony leaves is believed only after it was read back.
func TestReadBack(t *testing.T) {
	r := newRoom(t, keystore.P256, false)
	p, err := r.ceremony().PlanInit()
	must(t, err)
	r.approve(p, "officer-a", "officer-b")
	c := r.ceremony()
	d, err := p.Digest()
	must(t, err)
	work := filepath.Join(r.cfg.Dir, "work-"+d.String()[:16])
	c.at = func(step string) error {
		if step == "signed 1" { // the responder's certificate, spoilt on the disk
			path := filepath.Join(work, fileResponder)
			b := r.file(path)
			b[len(b)-1] ^= 1
			return os.WriteFile(path, b, 0o600)
		}
		return nil
	}
	if _, err := c.Run(t.Context(), p, nil); say.Code(err) != "ceremony.readback" {
		t.Errorf("a spoilt file passed: %v", err)
	}
	if len(r.generations()) != 0 {
		t.Error("a generation with a spoilt file is there")
	}
}
