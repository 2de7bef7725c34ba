package scenario

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/catest"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	calink "github.com/sukashi-project/sukashi/ca/link"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy"
)

var errOutage = errors.New("outage")

// chance is a seeded coin that both sides' threads may toss.
type chance struct {
	mu sync.Mutex
	r  *randv2.Rand
}

// never is a coin that always falls on the good side.
var never = (*chance)(nil)

func (c *chance) of(p float64) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.Float64() < p
}

func (c *chance) n(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.IntN(n)
}

// shakyLog is the real log behind a connection that may be down, and whose
// answers get lost.
type shakyLog struct {
	mu     sync.Mutex
	engine *trillianlog.Engine
	down   bool
	lose   float64
	c      *chance
	lost   int
}

func (l *shakyLog) now() (*trillianlog.Engine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, ledger.ErrClosed.Because(errOutage)
	}
	return l.engine, nil
}

func (l *shakyLog) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	e, err := l.now()
	if err != nil {
		return nil, err
	}
	r, err := e.Append(ctx, entries...)
	if err == nil && l.c.of(l.lose) {
		l.mu.Lock()
		l.lost++
		l.mu.Unlock()
		return nil, ledger.ErrUncertain.Because(errOutage)
	}
	return r, err
}

func (l *shakyLog) NextSeq(ctx context.Context, by string) (uint64, error) {
	e, err := l.now()
	if err != nil {
		return 0, err
	}
	return e.NextSeq(ctx, by)
}

func (l *shakyLog) Lookup(ctx context.Context, by string, seq uint64) (uint64, []byte, error) {
	e, err := l.now()
	if err != nil {
		return 0, nil, err
	}
	return e.Lookup(ctx, by, seq)
}

func (l *shakyLog) Checkpoint(ctx context.Context) ([]byte, error) {
	e, err := l.now()
	if err != nil {
		return nil, err
	}
	return e.Checkpoint(ctx)
}

func (l *shakyLog) Entry(ctx context.Context, i uint64) ([]byte, error) {
	e, err := l.now()
	if err != nil {
		return nil, err
	}
	return e.Entry(ctx, i)
}

func (l *shakyLog) Entries(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	e, err := l.now()
	if err != nil {
		return err
	}
	return e.Entries(ctx, from, to, fn)
}

func (l *shakyLog) Size(ctx context.Context) (uint64, error) {
	e, err := l.now()
	if err != nil {
		return 0, err
	}
	return e.Size(ctx)
}

func (l *shakyLog) Proof(ctx context.Context, i uint64) (*proof.Receipt, error) {
	e, err := l.now()
	if err != nil {
		return nil, err
	}
	return e.Proof(ctx, i)
}

func (l *shakyLog) Status(ctx context.Context, o uint64) (*proof.StatusReceipt, error) {
	e, err := l.now()
	if err != nil {
		return nil, err
	}
	return e.Status(ctx, o)
}

// line is one direction of the link: it may be down, loses answers, delivers
// twice, and keeps copies that arrive again at any later time.
type line struct {
	to   func() http.Handler // nil: nobody is there
	down bool
	lose float64
	c    *chance
	old  []*stored

	lost, twice, late int
}

type stored struct {
	r    *http.Request
	body []byte
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	h := l.to()
	if l.down || h == nil {
		return nil, errOutage
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m := &stored{r, body}
	l.old = append(l.old, m)
	if l.c.of(0.1) {
		return nil, errOutage // it arrives later, if at all
	}
	resp := m.deliver(h)
	if l.c.of(0.1) {
		l.twice++
		resp = m.deliver(h)
	}
	if l.c.of(l.lose) {
		l.lost++
		return nil, errOutage
	}
	return resp, nil
}

func (m *stored) deliver(h http.Handler) *http.Response {
	in := m.r.Clone(context.Background())
	in.RequestURI, in.Body = m.r.URL.RequestURI(), io.NopCloser(bytes.NewReader(m.body))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	return rec.Result()
}

// stray lets an old copy arrive again, in any order.
func (l *line) stray() {
	if h := l.to(); h != nil && !l.down && len(l.old) > 0 {
		l.late++
		l.old[l.c.n(len(l.old))].deliver(h)
	}
}

// sides are the two real ends with their real stores over one real log, with
// faults between them.
type sides struct {
	t     testing.TB
	c     *chance
	at    time.Time
	atMu  sync.Mutex
	dir   string
	fs    kv.FS
	conf  trillianlog.Config
	log   *shakyLog
	key   keystore.Key
	cert  []byte
	dec   *policy.Decider
	keys  [2]*rsa.PrivateKey // register, CA
	reg   *registry.Registry
	auth  *ca.Authority // nil: down
	caMux http.Handler
	out   *calink.Sender
	juki  *juki.Office // nil: down
	link  *link.Server
	m1    *line // CA to register
	m3    *line // register to CA

	council   ed25519.PublicKey
	stopped   bool // the register's link server does nothing
	residents []people.Resident
	applied   int
	serial    int
	restarts  [3]int // ledger, CA, register
}

func (s *sides) now() time.Time {
	s.atMu.Lock()
	defer s.atMu.Unlock()
	return s.at
}

func (s *sides) pass(d time.Duration) {
	s.atMu.Lock()
	defer s.atMu.Unlock()
	s.at = s.at.Add(d)
}

func newSides(t testing.TB, seed uint64, residents int) *sides {
	t.Helper()
	s := &sides{t: t, c: &chance{r: randv2.New(randv2.NewPCG(seed, 7))}, at: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), dir: t.TempDir(), fs: kv.NewMemFS()}
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.test/outage")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	s.conf = trillianlog.Config{Dir: "/ledger", HeadDir: "/head", Origin: "log.test/outage", Signer: signer, VKey: vkey, Now: s.now, FS: s.fs, CacheBytes: 1 << 20}
	s.log = &shakyLog{c: s.c}
	s.openLog()
	t.Cleanup(s.close)
	s.approve()
	trust, err := proof.LogOnly(vkey)
	must(t, err)
	s.key, err = keystore.CreateSoftware(keystore.SoftwareConfig{Path: filepath.Join(s.dir, "issuer.key"), Passphrase: []byte("a test's key"), Algorithm: keystore.P256,
		Gate: keystore.GateConfig{Log: trust, Journal: filepath.Join(s.dir, "journal"), Now: s.now}})
	must(t, err)
	s.cert = catest.Certifier{T: t, Log: s.log, Key: s.key, Base: "http://ca.test", Now: s.now}.Root()
	for i := range s.keys {
		s.keys[i], err = rsa.GenerateKey(rand.Reader, 2048)
		must(t, err)
	}
	s.m1 = &line{c: s.c, to: func() http.Handler {
		if s.juki == nil {
			return nil
		}
		return s.link.Handler()
	}}
	s.m3 = &line{c: s.c, to: func() http.Handler {
		if s.auth == nil {
			return nil
		}
		return s.caMux
	}}
	s.openCA()
	s.openJuki()
	s.residents, err = people.Generate(seed+100, 4*residents)
	must(t, err)
	s.settleDown(residents)
	return s
}

// settleDown takes over residents whose names are all different, so that a
// certificate tells whose it is.
func (s *sides) settleDown(n int) {
	s.t.Helper()
	names := map[string]bool{}
	var rs []people.Resident
	var in []register.Resident
	for _, r := range s.residents {
		if plain(r) && !names[r.Attr.Name] && len(rs) < n {
			names[r.Attr.Name] = true
			rs = append(rs, r)
			in = append(in, register.Resident{Code: r.Code, Municipality: r.Municipality, Attr: r.Attr})
		}
	}
	s.residents = rs
	_, err := s.juki.Register.Import(in)
	must(s.t, err)
}

func (s *sides) openLog() {
	s.t.Helper()
	e, err := trillianlog.Open(ctx, s.conf)
	must(s.t, err)
	s.log.mu.Lock()
	s.log.engine = e
	s.log.mu.Unlock()
}

func (s *sides) approve() {
	s.t.Helper()
	council, priv, err := ed25519.GenerateKey(rand.Reader)
	must(s.t, err)
	s.council = council
	body, err := policy.Approve(policy.ShippedProposal(), priv)
	must(s.t, err)
	w, err := ledger.NewWriter(ctx, s.log, entry.ByCouncil, s.now)
	must(s.t, err)
	defer w.Close()
	logged, err := w.Append(ctx, &body)
	must(s.t, err)
	s.dec, err = policy.NewDecider(ctx, policy.Shipped(), logged.Index)
	must(s.t, err)
}

func (s *sides) openCA() {
	s.t.Helper()
	var err error
	s.reg, err = registry.Open("/registry", registry.Config{Key: []byte(strings.Repeat("k", registry.KeySize)), Rand: rand.Reader, FS: s.fs})
	must(s.t, err)
	p, err := profile.Shipped(profile.Resident)
	must(s.t, err)
	s.auth, err = ca.Open(ctx, ca.Config{Log: s.log, Reader: s.log, Registry: s.reg, Key: s.key, Issuer: s.cert, Profile: p, BaseURL: "http://ca.test",
		Decider: s.dec, NoticeMode: entry.ModeReference, Now: s.now, Rand: rand.Reader})
	must(s.t, err)
	must(s.t, s.auth.ExchangeCounts(ca.LinkKeys{Own: s.keys[1], Peer: &s.keys[0].PublicKey}))
	s.caMux, err = calink.Handler(s.auth, func(*http.Request) (string, bool) { return entry.ByRegisterLink, true })
	must(s.t, err)
	s.out, err = calink.NewSender(calink.SenderConfig{Outbox: s.auth, Client: &http.Client{Transport: s.m1}, URL: "https://register.test"})
	must(s.t, err)
}

func (s *sides) closeCA() {
	s.t.Helper()
	must(s.t, s.auth.Close())
	must(s.t, s.reg.Close())
	s.auth = nil
}

func (s *sides) openJuki() {
	s.t.Helper()
	small := kv.Options{CacheBytes: 1 << 20, MemTable: 1 << 20, FS: s.fs}
	var err error
	s.juki, err = juki.Open(juki.Config{Dir: "/juki", Now: s.now, KV: small})
	must(s.t, err)
	s.link, err = link.New(link.Config{Engine: s.juki.Matching, Register: s.juki.Register, Log: s.log, Decider: s.dec, Keys: &link.Keys{Own: s.keys[0], Peer: &s.keys[1].PublicKey},
		Client: &http.Client{Transport: s.m3}, URL: "https://ca.test", Now: s.now, Peer: func(*http.Request) (string, bool) { return entry.ByCALink, true }})
	must(s.t, err)
}

func (s *sides) closeJuki() {
	s.t.Helper()
	must(s.t, s.juki.Close())
	s.juki = nil
}

func (s *sides) close() {
	if s.juki != nil {
		s.closeJuki()
	}
	if s.auth != nil {
		s.closeCA()
	}
	if s.key != nil {
		must(s.t, s.key.Close())
	}
	must(s.t, s.log.engine.Close())
}

// restart stops one of the three and starts it again on its own stores.
func (s *sides) restart(which int) {
	s.t.Helper()
	s.restarts[which]++
	switch which {
	case 0:
		must(s.t, s.log.engine.Close())
		s.openLog()
	case 1:
		if s.auth != nil && !s.log.down {
			calm := s.calm()
			s.closeCA()
			s.openCA()
			calm()
		}
	case 2:
		if s.juki != nil {
			s.closeJuki()
			s.openJuki()
		}
	}
}

// calm stops the losses of the log's answers while something must not fail.
func (s *sides) calm() func() {
	lose := s.log.lose
	s.log.lose = 0
	return func() { s.log.lose = lose }
}

func cardRequest() ([]byte, error) {
	c, err := card.Generate(card.Config{Algorithm: card.P256, PIN: "SAMPLE01", Iterations: 1})
	if err != nil {
		return nil, err
	}
	if err := c.Verify("SAMPLE01"); err != nil {
		return nil, err
	}
	return c.Request()
}

// apply brings the next resident to the counter.
func (s *sides) apply() {
	s.t.Helper()
	if s.applied == len(s.residents) || s.juki == nil || s.auth == nil {
		return
	}
	r := s.residents[s.applied]
	s.applied++
	if rec, err := s.juki.Register.Record(r.Code); err != nil || rec.Current().Deleted || rec.Current().Attr != r.Attr {
		return // has changed before applying
	}
	_, err := s.juki.Register.RecordExport(r.Code, r.Municipality, "op-3", nil)
	must(s.t, err)
	req, err := cardRequest()
	must(s.t, err)
	zeros := func(v string) string { return strings.Repeat("0", len([]rune(v))) }
	s.serial++
	app := &counter.Application{ID: fmt.Sprintf("%s%05d%s", s.now().In(profile.JST).Format("20060102150405"), s.serial, "202011A01"), Municipality: r.Municipality,
		Certified: attr.Certified{Name: r.Attr.Name, NameMap: zeros(r.Attr.Name), BirthDate: r.Attr.BirthDate, Sex: r.Attr.Sex, Address: r.Attr.Address, AddressMap: zeros(r.Attr.Address)},
		Request:   req, Check: counter.Check{Authenticity: counter.DrivingLicence, Existence: true, Officer: "op-7"}}
	_, _ = s.auth.Issue(ctx, app, "counter") // what became of it is read from the registry at the end
}
