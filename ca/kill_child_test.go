package ca

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// killPhases are what a process does, in order: its start with all that it
// resolves; what is asked of it again by those who got no answer from the one
// before; two issuances side by side; a notice about one certificate; a request
// to revoke the other; the lists; its orderly end.
var killPhases = []string{"start", "again", "issue", "notice", "request", "publish", "close"}

// killSteps counts a process's steps and ends it at one of them. A step is the
// moment before an operation that changes a file of the log or the registry,
// and the moments before, within and after each use of the key. "Within" is a
// moment that the clock picks while the key store checks the receipt, writes
// its journal and has the token sign.
type killSteps struct {
	run, at int
	until   string // phase of the chosen step, "": none

	mu     sync.Mutex
	phase  string
	counts map[string]int
	armed  bool // the chosen phase has begun
}

func (k *killSteps) enter(phase string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.phase = phase
	k.armed = k.armed || phase == k.until
}

// step is called before an operation.
func (k *killSteps) step(where string) {
	k.mu.Lock()
	k.counts[k.phase]++
	hit := k.armed && (k.phase != k.until || k.counts[k.phase] >= k.at)
	phase := k.phase
	if !hit {
		k.mu.Unlock()
		return
	}
	if where == keyWithin { // mu is free: other steps go on, and may be quicker
		k.armed = false
		k.mu.Unlock()
		go func() {
			time.Sleep(time.Duration(k.run*37%1500) * time.Microsecond)
			k.die(phase, where)
		}()
		return
	}
	k.die(phase, where) // mu is held: nobody else takes a step
}

func (*killSteps) die(phase, where string) {
	fmt.Fprintf(os.Stdout, "dying %s %s\n", phase, where)
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// TestKillChild is the process of TestKills.
func TestKillChild(t *testing.T) {
	dir := os.Getenv("SUKASHI_KILL_DIR")
	k := &killSteps{counts: map[string]int{}}
	var label string
	if dir == "" || !scan(os.Getenv("SUKASHI_KILL_AT")+" -", "%s %d %d %s", &label, &k.run, &k.at, &k.until) {
		t.Skip("skipped: runs only in the processes that TestKills starts")
	}
	k.enter("start")
	memory := rememberedDecisions(t, dir)
	w := attachWorld(t, dir, attached{run: k.run, token: keystoretest.Existing(t, killToken), label: label, steps: k, decider: memory})
	k.enter("again")
	w.redeliver()
	k.enter("issue")
	var certs [2]*Certificate
	var wg sync.WaitGroup
	for n := range certs {
		app := w.numbered(2*k.run + n)
		b, err := app.Marshal()
		must(t, err)
		w.remember("application", n, b)
		wg.Go(func() { certs[n] = w.apply(app) })
	}
	wg.Wait()
	k.enter("notice")
	next, err := w.engine.NextSeq(ctx, entry.ByNoticeSender)
	must(t, err)
	raw, err := notice.Notice{Mode: w.mode, Seq: next, Ordinal: certs[0].Ordinal}.Marshal()
	must(t, err)
	w.remember("notice", int(next), raw)
	raw, from := w.sendNotice(certs[0].Ordinal)
	w.deliver(raw, from)
	k.enter("request")
	w.remember("request", 0, fmt.Append(nil, certs[1].Ordinal))
	w.ask(certs[1].Ordinal)
	k.enter("publish")
	must(t, w.ca.Follow(ctx))
	w.clock.add(deltaWait) // what this process revoked is due for a delta, on lists of those before it
	_, err = w.ca.PublishDeltas(ctx)
	must(t, err)
	_, err = w.ca.PublishCRLs(ctx)
	must(t, err)
	k.enter("close")
	must(t, w.ca.Close())
	w.sender.Close()
	must(t, errors.Join(w.reg.Close(), w.engine.Close(), w.key.Close()))
	memory.keep(t)
	for p, n := range k.counts {
		fmt.Printf("steps %s %d\n", p, n)
	}
}

// kept is a file of those who ask the CA for something: a counter, the
// register's link, an officer. They are other machines, which nobody kills.
func (w *world) kept(what string, n int) string {
	return filepath.Join(w.dir, fmt.Sprintf("%s-%d", what, n))
}

// remember keeps such a file, whole or not at all.
func (w *world) remember(what string, n int, b []byte) {
	w.t.Helper()
	must(w.t, os.WriteFile(w.kept(what, n)+".new", b, 0o600))
	must(w.t, os.Rename(w.kept(what, n)+".new", w.kept(what, n)))
}

func (w *world) apply(app *counter.Application) *Certificate {
	c, err := w.ca.Issue(ctx, app, "counter-terminal")
	if err != nil {
		w.t.Error(err)
		os.Exit(1)
	}
	fmt.Printf("acknowledged certificate %d %s\n", c.Ordinal, entry.Sum(c.DER))
	return c
}

func (w *world) deliver(raw []byte, from Arrival) {
	w.t.Helper()
	out, err := w.ca.ReceiveNotice(ctx, raw, from)
	must(w.t, err)
	if out.Revocation == nil {
		w.t.Fatalf("a notice revoked nothing")
	}
	fmt.Printf("acknowledged revocation %d\n", out.Revocation.Ordinal)
}

func (w *world) ask(ordinal uint64) {
	w.t.Helper()
	_, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: ordinal, Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
	if codes(err) != "R205" { // done before
		must(w.t, err)
	}
	fmt.Printf("acknowledged revocation %d\n", ordinal)
}

// redeliver asks again what the process before may not have answered: the newest
// applications, the newest notice (as the register's outbox does), the newest
// request.
func (w *world) redeliver() {
	w.t.Helper()
	for n := range 2 {
		if b, err := os.ReadFile(w.kept("application", n)); err == nil {
			app, err := counter.Parse(b)
			must(w.t, err)
			w.apply(app)
		}
	}
	next, err := w.engine.NextSeq(ctx, entry.ByNoticeSender)
	must(w.t, err)
	if next > 0 {
		raw, err := os.ReadFile(w.kept("notice", int(next-1)))
		must(w.t, err)
		w.deliver(raw, arrival())
	}
	if b, err := os.ReadFile(w.kept("request", 0)); err == nil {
		var o uint64
		if scan(string(b), "%d", &o) {
			w.ask(o)
		}
	}
}

// remembered decides as the real rules decided before for the same facts; what
// was never asked before it asks them.
type remembered struct {
	path string
	mu   sync.Mutex
	by   map[string]entry.Decision
	real bool // the rules were asked
}

func rememberedDecisions(t testing.TB, dir string) *remembered {
	t.Helper()
	r := &remembered{path: filepath.Join(dir, "decisions.json"), by: map[string]entry.Decision{}}
	b, err := os.ReadFile(r.path)
	if err == nil {
		err = json.Unmarshal(b, &r.by)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return r
}

func (r *remembered) Decide(ctx context.Context, f *policy.Facts) entry.Decision {
	var key strings.Builder
	key.WriteString(string(f.Ruleset()))
	for _, name := range f.Missing() {
		key.WriteString(" ?" + name)
	}
	for _, name := range policy.FactNames(f.Ruleset()) {
		if f.Get(name) {
			key.WriteString(" " + name)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.by[key.String()]
	if !ok {
		rules, err := sharedDecider()
		if err != nil {
			panic(err)
		}
		d, r.real = rules.Decide(ctx, f), true
		r.by[key.String()] = d
	}
	return d
}

func (r *remembered) keep(t testing.TB) {
	t.Helper()
	if b, err := json.Marshal(r.by); err != nil || r.real && os.WriteFile(r.path, b, 0o600) != nil {
		t.Error("couldn't keep the decisions")
	}
}

// attached is how a saved world is opened again.
type attached struct {
	run     int            // in which minute of the story
	token   keystore.Token // that holds the issuer key
	label   string         // of that key
	steps   *killSteps     // nil: nothing is counted
	decider Decider        // nil: the real rules
}

// attachWorld opens a saved world.
func attachWorld(t testing.TB, dir string, o attached) *world {
	t.Helper()
	keys, err := os.ReadFile(filepath.Join(dir, "log.key"))
	must(t, err)
	skey, vkey, _ := strings.Cut(string(keys), "\n")
	signer, err := note.NewSigner(skey)
	must(t, err)
	w := &world{t: t, dir: dir, mode: entry.ModeReference, regKey: []byte(strings.Repeat("k", registry.KeySize)),
		clock: &testClock{t: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC).Add(time.Duration(o.run) * time.Minute)}}
	w.logConf = trillianlog.Config{Dir: filepath.Join(dir, "ledger"), HeadDir: filepath.Join(dir, "head"), Origin: "log.test/1", Signer: signer, VKey: vkey,
		Now: w.clock.now, CacheBytes: 1 << 20}
	w.regDir, w.regRand = filepath.Join(dir, "registry"), rand.Reader
	w.logConf.SnapshotEvery = 1000
	if o.steps != nil {
		w.logConf.FS = kv.Wrap(kv.Disk(), func(op string) error { o.steps.step("log/" + op); return nil })
		w.regWrap = kv.Wrap(kv.Disk(), func(op string) error { o.steps.step("registry/" + op); return nil })
	}
	w.openLog()
	if w.decider = o.decider; w.decider == nil {
		w.decider, err = sharedDecider()
		must(t, err)
	}
	trust, err := proof.LogOnly(vkey)
	must(t, err)
	w.key, err = keystore.OpenToken(keystore.TokenConfig{Tokens: []keystore.Token{o.token}, Label: o.label,
		Gate: keystore.GateConfig{Log: trust, Journal: filepath.Join(dir, "journal"), Now: w.clock.now}})
	must(t, err)
	t.Cleanup(func() { w.key.Close() })
	w.signing = w.key
	if o.steps != nil {
		w.signing = steppedKey{w.key, o.steps.step}
	}
	w.issuer, err = os.ReadFile(filepath.Join(dir, "issuer.der"))
	must(t, err)
	w.open()
	w.sender, err = ledger.NewWriter(ctx, w.engine, entry.ByNoticeSender, w.clock.now)
	must(t, err)
	t.Cleanup(func() { w.sender.Close() })
	return w
}

// steppedKey counts the moments before, within and after each use.
type steppedKey struct {
	IssuerKey
	step func(where string)
}

// keyWithin is the step within a use of the key.
const keyWithin = "key/within"

func (k steppedKey) begin() {
	k.step("key/before")
	k.step(keyWithin)
}

func (k steppedKey) Sign(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	k.begin()
	defer k.step("key/after")
	return k.IssuerKey.Sign(ctx, tbs, e, r)
}

func (k steppedKey) SignAll(ctx context.Context, uses []keystore.ToSign, done func(i int, sig []byte, err error)) {
	oneByOne(ctx, k, uses, done)
}

func (k steppedKey) SignStream(ctx context.Context, tbs io.WriterTo, e []byte, r *proof.Receipt) ([]byte, error) {
	k.begin()
	defer k.step("key/after")
	return k.IssuerKey.SignStream(ctx, tbs, e, r)
}

func (k steppedKey) Resume(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	k.begin()
	defer k.step("key/after")
	return k.IssuerKey.Resume(ctx, tbs, e, r)
}
