// Package ca is the certification authority of DESIGN section 6: it issues
// certificates, receives change notices, revokes, and publishes revocation
// lists, and it does each of these only after the ledger holds the entry that
// announces it.
//
// What it promises:
//
//   - No certificate is signed unless its cert.intent is in the log (P2): the
//     only way to the issuer key is keystore.Key.Sign with the receipt.
//   - Ordinals are gapless and ascend in log order.
//   - Every open intent ends as issued or aborted, exactly once, whatever
//     crashes (P9): Open resolves what an earlier run left open.
//   - A change notice leads to exactly one revocation, or to the recorded fact
//     that there was nothing left to revoke (IN-02); revocation is final (IN-06).
//   - One live certificate per person as far as four attributes can tell
//     (Article 6): an equal certificate in force stops an issuance unless an
//     officer states in the application that it is another person's (twins
//     exist; the statement is part of the request and kept in the record).
//
// It never imports the register's side, never sees a resident code, and writes
// no attribute into a log, an error or the ledger.
//
//	a, err := ca.Open(ctx, ca.Config{…})
//	cert, err := a.Issue(ctx, application, "counter-terminal")
//	rev, err := a.RevokeOnRequest(ctx, ca.RevocationRequest{…})
//	done, err := a.ReceiveNotice(ctx, raw, ca.Arrival{…})
package ca

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/policy"
)

// Decider decides over facts; *policy.Decider is one.
type Decider interface {
	Decide(ctx context.Context, f *policy.Facts) entry.Decision
}

// IssuerKey is what the authority needs of the issuer key; keystore.Key is one.
type IssuerKey interface {
	KeyID() entry.Digest
	Sign(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error)
	SignAll(ctx context.Context, uses []keystore.ToSign, done func(i int, sig []byte, err error))
	SignStream(ctx context.Context, tbs io.WriterTo, entryBytes []byte, r *proof.Receipt) ([]byte, error)
	Resume(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error)
	Ready() error
	Used(index uint64) bool
}

var _ IssuerKey = keystore.Key(nil)

// Config is everything that an authority needs; Open checks it once.
type Config struct {
	Log        ledger.Log
	Reader     ledger.Reader // of the same log
	Registry   *registry.Registry
	Key        IssuerKey
	Issuer     []byte           // issuer certificate, DER
	Profile    *profile.Profile // of residents' certificates
	BaseURL    string           // http://host:port of CRL, OCSP and issuer certificate, as certificates name it
	Earlier    []Generation     // issuer keys before Key, newest first
	Lease      Lease            // nil: the registry admits one process only
	Decider    Decider
	NoticeMode string        // entry.ModeReference or entry.ModeEcho: the mode of the link
	CRLLife    time.Duration // nextUpdate − thisUpdate; 0 means 48 hours (lists are made daily, DOMAIN 6.5)
	// DeltaLife is nextUpdate − thisUpdate of delta lists; 0 means an eighth of
	// CRLLife, less than 0 that there are none.
	DeltaLife time.Duration
	// StateDir is where snapshots of the revocation state are kept, so that a
	// start need not read the whole log; "": none, it reads it.
	StateDir string
	Now      func() time.Time
	Rand     io.Reader    // for serials and record keys; crypto/rand.Reader in production
	Logger   *slog.Logger // nil: silent. Gets counts, ordinals and codes, never a person
}

// Authority is a running CA. It is safe for concurrent use. Only one per
// registry and log acts at a time: of several on one database, the others wait
// in pgstore.Open, and Config.Lease ends one that was replaced.
type Authority struct {
	cfg    Config
	issuer *profile.Issuer
	cert   *x509.Certificate // the issuer's
	reg    *registry.Registry
	rand   *lockedRand
	log    *slog.Logger

	own  *ledger.Writer // entries by ca-server
	link *ledger.Writer // entries by juki-link-server

	tracker tracker
	tally   tally

	jobs      chan *job   // applications that wait for an ordinal
	begun     chan begun  // groups whose records are written
	announced chan []*job // groups whose intents are logged
	signed    chan *job   // certificates that are not on disk yet
	stored    chan []*job // and those that no cert.issued is logged for
	closed    chan struct{}
	signers   sync.WaitGroup
	quit      chan struct{}
	senders   sync.WaitGroup // callers about to queue an application
	loop      sync.WaitGroup // sequencer
	flight    sync.WaitGroup // issuances between record and end
	issueMu   sync.Mutex     // held while a group is decided on; before revMu
	next      uint64         // guarded by issueMu: next ordinal
	unsure    atomic.Bool    // an append ended without a certain answer
	settled   atomic.Uint64  // how often something unsure was settled
	mu        sync.Mutex
	pending   map[string]*job // by application id

	state                       *revocation.State // what the log says; follows it
	ended                       bool              // Key was succeeded or leaked before Open
	generations                 []*generation     // the issuing one first
	fresh                       chan struct{}     // one token: something was logged
	doom                        chan struct{}     // one token: keys wait to be destroyed
	followMu                    sync.Mutex        // one reader of the log at a time; guards stateAt
	stateAt                     uint64            // log size of the newest snapshot of state
	crlMu                       sync.Mutex        // one publication of lists at a time
	stop                        context.CancelFunc
	listAlarms, responderAlarms *alarms
	responders                  atomic.Pointer[[]ResponderState] // those that answer
	newest                      sync.Map                         // ListState by row: the newest list of each partition

	revMu sync.Mutex // one revocation, notice or list at a time
	// Guarded by revMu.
	nextNotice  uint64
	lastRefused [sha256.Size]byte // bytes and expected sequence of the newest refused notice
	lastRefusal *Outcome
	linkKeys    *LinkKeys // sign the daily counts; nil: none are exchanged
}

// Errors that callers may branch on, equal by code for errors.Is.
var (
	ErrClosed = say.New("ca.closed", "認証局は停止しています。", "The CA is closed.")
	ErrBusy   = say.New("ca.busy", "認証局が混み合っています。", "The CA is busy.").
			Hint("同じ申請をもう一度送ってください。二重に発行されることはありません。", "Send the same application again; nothing is issued twice.")
	ErrKeyAway = say.New("ca.key-away", "認証局の署名鍵に接続できないため、いまは発行できません。何も記録していません。", "The CA's signing key can't be reached, so nothing can be issued now. Nothing was recorded.").
			Hint("しばらくしてから同じ申請をもう一度送ってください。続くときは、認証局の運用者に伝えてください。", "Send the same application again later. If it goes on, tell the CA's operator.")
	ErrUncertain = say.New("ca.uncertain", "発行が終わったかどうか確認中です。", "It is not yet certain whether the issuance finished.").
			Hint("同じ申請をもう一度送ってください。二重に発行されることはありません。", "Send the same application again; nothing is issued twice.")
	ErrNotFound = say.New("ca.notfound", "その証明書はありません。", "There is no such certificate.")
	ErrConflict = say.New("ca.application-conflict", "同じ申請番号で別の内容の申請がすでにあります。",
		"Another application with this id is on record.")
	ErrBehind = say.New("ca.registry-behind", "発行記録がログより古いため、起動できません。",
		"The registry is older than the log, so the CA can't start.").
		Hint("発行記録の最新のバックアップから戻してください。古いもので続けると、発行済みの証明書を見失います。",
			"Restore the newest copy of the registry; going on with an old one would lose certificates that exist.")
	ErrLogBehind = say.New("ca.log-behind", "ログが発行記録より古いため、起動できません。", "The log is older than the registry, so the CA can't start.").
			Hint("ログの復元を確かめてください。", "Check how the log was restored.")
)

// Open starts an authority: it checks the configuration, brings the registry up
// to the log and resolves every issuance, revocation, notice and list that an
// earlier run left open.
func Open(ctx context.Context, cfg Config) (*Authority, error) {
	a, err := newAuthority(cfg)
	if err != nil {
		return nil, fmt.Errorf("couldn't start the CA: %w", err)
	}
	var fenced *fencedLog
	if cfg.Lease != nil {
		fenced = &fencedLog{Log: cfg.Log, lease: cfg.Lease}
		a.cfg.Log = fenced
	}
	if a.own, err = ledger.NewWriter(ctx, a.cfg.Log, entry.ByCA, cfg.Now); err != nil {
		return nil, fmt.Errorf("couldn't start the CA: %w", err)
	}
	if a.link, err = ledger.NewWriter(ctx, a.cfg.Log, entry.ByCALink, cfg.Now); err != nil {
		a.own.Close()
		return nil, fmt.Errorf("couldn't start the CA: %w", err)
	}
	if fenced != nil {
		err = a.takeOver(ctx, fenced)
	}
	if err == nil {
		a.ended, err = a.keyEnded(ctx)
	}
	if err == nil {
		err = a.resolve(ctx)
	}
	if err != nil {
		a.own.Close()
		a.link.Close()
		return nil, fmt.Errorf("couldn't start the CA: %w", err)
	}
	a.restoreState(ctx)
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	a.loop.Add(4)
	go a.sequence()
	go a.announcing(context.Background())
	for range signers {
		a.signers.Go(func() { a.signing(context.Background()) })
	}
	go a.storing()
	go a.closing(context.Background())
	go a.watchLists(following)
	go a.follow(following)
	go a.shredding(following)
	a.shredSoon()
	a.news()
	return a, nil
}

const (
	queueLength    = 4096
	defaultCRLLife = 48 * time.Hour
)

func newAuthority(cfg Config) (*Authority, error) {
	switch {
	case cfg.Log == nil || cfg.Reader == nil || cfg.Registry == nil || cfg.Key == nil || cfg.Profile == nil || cfg.Decider == nil:
		return nil, errors.New("needs a log, a registry, an issuer key, a profile and a decider")
	case cfg.Now == nil || cfg.Rand == nil:
		return nil, errors.New("needs a clock and a random source")
	case cfg.NoticeMode != entry.ModeReference && cfg.NoticeMode != entry.ModeEcho:
		return nil, errors.New("needs the notice mode of the link")
	case cfg.CRLLife < 0:
		return nil, errors.New("lists can't live for less than nothing")
	case cfg.Profile.Role() != profile.Resident:
		return nil, errors.New("needs a profile of residents' certificates")
	}
	if cfg.CRLLife == 0 {
		cfg.CRLLife = defaultCRLLife
	}
	switch {
	case cfg.DeltaLife < 0:
		cfg.DeltaLife = 0
	case cfg.DeltaLife == 0:
		cfg.DeltaLife = max(time.Minute, (cfg.CRLLife / 8).Truncate(time.Second))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cert, err := issuerCert(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	state := revocation.NewState()
	generations, err := generationsOf(&cfg, state)
	if err != nil {
		return nil, err
	}
	return &Authority{cfg: cfg, issuer: generations[0].issuer, cert: cert, reg: cfg.Registry, rand: &lockedRand{r: cfg.Rand}, log: cfg.Logger,
		state: state, generations: generations, listAlarms: newListAlarms(), responderAlarms: newResponderAlarms(), fresh: make(chan struct{}, 1), doom: make(chan struct{}, 1),
		jobs: make(chan *job, queueLength), begun: make(chan begun), announced: make(chan []*job), signed: make(chan *job, maxEnding), stored: make(chan []*job), closed: make(chan struct{}), quit: make(chan struct{}), pending: map[string]*job{}}, nil
}

// Close ends what is in flight and stops. It closes neither the log nor the
// registry nor the key.
func (a *Authority) Close() error {
	a.mu.Lock()
	select {
	case <-a.quit:
		a.mu.Unlock()
		return nil
	default:
	}
	close(a.quit)
	a.stop()
	a.mu.Unlock()
	a.loop.Wait()
	close(a.begun)
	a.flight.Wait()
	close(a.announced)
	a.signers.Wait()
	close(a.signed)
	<-a.closed
	a.revMu.Lock()
	defer a.revMu.Unlock()
	a.flushTally(context.Background())
	return errors.Join(a.own.Close(), a.link.Close())
}

// Issuer returns the issuer certificate's DER.
func (a *Authority) Issuer() []byte { return a.cfg.Issuer }

// lockedRand lets goroutines share a source that isn't safe for concurrent use.
type lockedRand struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedRand) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return io.ReadFull(l.r, p)
}
