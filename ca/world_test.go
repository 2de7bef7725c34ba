package ca

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/catest"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

const (
	testBase = "http://127.0.0.1:8080"
	town     = "202011" // 長野市
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testClock is a clock that tests move.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *testClock) add(d time.Duration) { c.set(c.now().Add(d)) }

// world is a CA with a real ledger engine, key store, policy and registry, and
// the register side's pen for notice.sent.
type world struct {
	t       testing.TB
	clock   *testClock
	dir     string
	engine  *trillianlog.Engine
	log     ledger.Log // engine, or something that fails in front of it
	decider Decider
	key     keystore.Key
	signing IssuerKey // key, or something that fails in front of it
	issuer  []byte
	regKey  []byte
	reg     *registry.Registry
	ca      *Authority
	mode    string
	sender  *ledger.Writer
	serial  int // of applications
	logConf trillianlog.Config
	regFS   *kv.MemFS // nil: real files
	regWrap kv.FS     // regFS with something in front of it, or nil
	regDir  string
	regRand io.Reader

	ends       []func() error // what is open, closed when the test ends
	fickle     bool           // the key never makes the same signature twice
	stateDir   string         // Config.StateDir
	logger     *slog.Logger   // Config.Logger
	generation int            // 0 and 1: the first
	earlier    []Generation   // before the issuing one, newest first
}

type worldOptions struct {
	alg  string
	mode string
	disk bool   // real files instead of a file system in memory
	dir  string // for all files; "": a temporary one
	// refresh is how old a checkpoint becomes without news.
	refresh time.Duration
	// saved keeps what attachWorld needs.
	saved bool
	// token makes the issuer key on a token; nil: a software key.
	token func(alg string, gate keystore.GateConfig) keystore.Key
}

func newWorld(t testing.TB, o worldOptions) *world {
	t.Helper()
	if o.alg == "" {
		o.alg = keystore.P256
	}
	if o.mode == "" {
		o.mode = entry.ModeReference
	}
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	w := &world{t: t, dir: o.dir, mode: o.mode, regKey: []byte(strings.Repeat("k", registry.KeySize)),
		clock: &testClock{t: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)}}
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.test/1")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	w.logConf = trillianlog.Config{Dir: "/ledger", HeadDir: "/head", Origin: "log.test/1", Signer: signer, VKey: vkey,
		Now: w.clock.now, CacheBytes: 1 << 20, RefreshEvery: o.refresh}
	if o.disk {
		w.logConf.CacheBytes = 0
	}
	w.regDir, w.regRand = "/registry", rand.Reader
	if o.disk {
		w.logConf.Dir, w.logConf.HeadDir, w.regDir = filepath.Join(w.dir, "ledger"), filepath.Join(w.dir, "head"), filepath.Join(w.dir, "registry")
	} else {
		w.logConf.FS, w.regFS = kv.NewCrashableFS(), kv.NewCrashableFS()
	}
	w.openLog()
	w.approve()
	trust, err := proof.LogOnly(vkey)
	must(t, err)
	gate := keystore.GateConfig{Log: trust, Journal: filepath.Join(w.dir, "journal"), Now: w.clock.now}
	if o.token != nil {
		w.key = o.token(o.alg, gate)
	} else {
		w.key, err = keystore.CreateSoftware(keystore.SoftwareConfig{Path: filepath.Join(w.dir, "issuer.key"), Passphrase: []byte("demo-passphrase"),
			Algorithm: o.alg, Gate: gate})
		must(t, err)
	}
	t.Cleanup(func() { w.key.Close() })
	w.signing = w.key
	w.issuer = catest.Certifier{T: t, Log: w.engine, Key: w.key, Base: testBase, Now: w.clock.now}.Root()
	if o.saved {
		w.save(skey, vkey)
	}
	w.open()
	w.sender, err = ledger.NewWriter(ctx, w.engine, entry.ByNoticeSender, w.clock.now)
	must(t, err)
	t.Cleanup(func() { w.sender.Close() })
	return w
}

// save keeps what another process needs to go on with the world.
func (w *world) save(skey, vkey string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.dir, "log.key"), []byte(skey+"\n"+vkey), 0o600))
	must(w.t, os.WriteFile(filepath.Join(w.dir, "issuer.der"), w.issuer, 0o600))
}

// atEnd closes something when the test ends, in the order of Cleanup.
func (w *world) atEnd(end func() error) {
	if w.ends == nil {
		w.t.Cleanup(func() {
			for _, end := range slices.Backward(w.ends) {
				end()
			}
		})
	}
	w.ends = append(w.ends, end)
}

func (w *world) openLog() {
	w.t.Helper()
	e, err := trillianlog.Open(ctx, w.logConf)
	must(w.t, err)
	w.atEnd(e.Close)
	w.engine, w.log = e, e
}

func (w *world) approve() {
	w.t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(w.t, err)
	body, err := policy.Approve(policy.ShippedProposal(), priv)
	must(w.t, err)
	cw, err := ledger.NewWriter(ctx, w.engine, entry.ByCouncil, w.clock.now)
	must(w.t, err)
	defer cw.Close()
	logged, err := cw.Append(ctx, &body)
	must(w.t, err)
	if logged.Index != 1 {
		w.t.Fatal("policy.approved is not the first entry after genesis")
	}
	w.decider, err = sharedDecider()
	must(w.t, err)
}

// sharedDecider is compiled once: in every test world the policy is approved
// by entry 1.
var sharedDecider = sync.OnceValues(func() (*policy.Decider, error) { return policy.NewDecider(ctx, policy.Shipped(), 1) })

func (w *world) config() Config {
	p, err := profile.Shipped(profile.Resident)
	must(w.t, err)
	return Config{Log: w.log, Reader: w.engine, Registry: w.reg, Key: w.signing, Issuer: w.issuer, Profile: p, BaseURL: w.base(), Earlier: w.earlier,
		Decider: w.decider, NoticeMode: w.mode, Now: w.clock.now, Rand: rand.Reader, StateDir: w.stateDir, Logger: w.logger}
}

func (w *world) tryOpen() error {
	var err error
	if w.reg == nil {
		conf := registry.Config{Key: w.regKey, Rand: w.regRand}
		if w.regFS != nil {
			conf.FS = w.regFS
		}
		if w.regWrap != nil {
			conf.FS = w.regWrap
		}
		if w.reg, err = registry.Open(w.regDir, conf); err != nil {
			return err
		}
		w.atEnd(w.reg.Close)
	}
	w.ca, err = Open(ctx, w.config())
	if err == nil {
		w.atEnd(w.ca.Close)
	}
	return err
}

func (w *world) open() {
	w.t.Helper()
	must(w.t, w.tryOpen())
}

// restart closes and opens authority and registry.
func (w *world) restart() {
	w.t.Helper()
	must(w.t, w.ca.Close())
	must(w.t, w.reg.Close())
	w.reg = nil
	w.open()
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

func certifiedOf(name string) attr.Certified {
	return attr.Certified{Name: name, NameMap: strings.Repeat("0", len([]rune(name))), BirthDate: "319620617", Sex: attr.Male,
		Address: "長野県長野市大字鶴賀", AddressMap: "0000000000"}
}

// request is a fresh key's proof of possession.
func request(t testing.TB) []byte {
	t.Helper()
	c, err := card.Generate(card.Config{Algorithm: card.P256, PIN: "SAMPLE01", Iterations: 1})
	must(t, err)
	must(t, c.Verify("SAMPLE01"))
	r, err := c.Request()
	must(t, err)
	return r
}

func (w *world) application(c attr.Certified) *counter.Application {
	w.serial++
	id := fmt.Sprintf("%s%05d%s", w.clock.now().In(profile.JST).Format("20060102150405"), w.serial, "202011A01")
	return &counter.Application{ID: id, Municipality: town, Certified: c, Request: request(w.t),
		Check: counter.Check{Authenticity: counter.DrivingLicence, Existence: true, Officer: "op-7"}}
}

func (w *world) issue(name string) *Certificate {
	w.t.Helper()
	c, err := w.ca.Issue(ctx, w.application(certifiedOf(name)), "counter-terminal")
	must(w.t, err)
	return c
}

// sendNotice does the register side's part: it logs notice.sent about a
// certificate and returns the bytes and how they arrive.
func (w *world) sendNotice(ordinal uint64) ([]byte, Arrival) {
	w.t.Helper()
	rec, err := w.reg.Get(ordinal)
	must(w.t, err)
	return w.sendNoticeAs(rec)
}

func (w *world) sendNoticeAs(rec *registry.Record) ([]byte, Arrival) {
	w.t.Helper()
	next, err := w.engine.NextSeq(ctx, entry.ByNoticeSender)
	must(w.t, err)
	n := notice.Notice{Mode: w.mode, Seq: next, Ordinal: rec.Ordinal}
	if w.mode == notice.Echo {
		four := rec.Certified.Attributes()
		n.Ordinal, n.Echo = 0, &four
	}
	raw, err := n.Marshal()
	must(w.t, err)
	d := w.decider.Decide(ctx, policy.NoticeSendCheck{Bytes: raw, Mode: w.mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink,
		NextSeq: next, Match: found(rec), Metadata: policy.LinkMetadata(policy.PathNotices)}.Facts())
	if !d.Allow {
		w.t.Fatalf("the register side refuses its own notice: %v", d.Codes)
	}
	digest, err := rec.Key.Notice(next, raw)
	must(w.t, err)
	holder, err := rec.Key.Holder(next, rec.Ordinal)
	must(w.t, err)
	_, err = w.sender.Append(ctx, &entry.NoticeSent{Decision: d, Digest: digest, Holder: holder, Mode: w.mode, Notice: next})
	must(w.t, err)
	return raw, arrival()
}

func arrival() Arrival {
	return Arrival{Sender: entry.ByNoticeSender, Metadata: policy.LinkMetadata(policy.PathNotices)}
}

// entries returns the whole log, and fails if the log and the CA's registry
// don't say the same.
func (w *world) entries() []entry.Entry {
	w.t.Helper()
	size, err := w.engine.Size(ctx)
	must(w.t, err)
	var out []entry.Entry
	must(w.t, w.engine.Entries(ctx, 0, size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		out = append(out, e)
		return err
	}))
	return out
}

func count[T entry.Body](es []entry.Entry) (n int) {
	for _, e := range es {
		if _, ok := e.Body.(T); ok {
			n++
		}
	}
	return n
}
