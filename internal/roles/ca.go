package roles

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/pgstore"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// CAConfig is what the authority over a ceremony's keys needs. All but
// StateDir, Profile and Logger are required.
type CAConfig struct {
	Keys   *ceremony.Config // with its section authority
	Host   ceremony.Host    // of these keys
	Log    ledger.Log
	Reader ledger.Reader // of the same log
	// Holder is who asks for the lease of a registry in PostgreSQL.
	Holder string
	// Standby waits while another process has that lease or the keys' journals.
	// Without it that is an error.
	Standby  bool
	StateDir string           // snapshots of the revocation state; "": none
	Profile  *profile.Profile // of residents' certificates; nil: the shipped one
	Now      func() time.Time
	Logger   *slog.Logger
}

// CA is the authority with its registry and keys.
type CA struct {
	Authority *ca.Authority
	Registry  *registry.Registry
	Numbers   map[entry.Digest]int // generations by key
	// Lost is closed when another process has taken the registry over; nil: an
	// embedded registry, which admits no other.
	Lost <-chan struct{}

	cfg         CAConfig
	trust       *proof.Policy
	generations []ceremony.Generation // the issuing one first
	closers     closers
}

// OpenCA opens the authority with the newest generation's key as the issuing
// one. With a registry in PostgreSQL it waits until this process is the active
// one.
func OpenCA(ctx context.Context, cfg CAConfig) (*CA, error) {
	c := &CA{cfg: cfg, Numbers: map[entry.Digest]int{}}
	if err := c.open(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends what is in flight and lets go of the registry and the keys.
func (c *CA) Close() error { return c.closers.close() }

func (c *CA) open(ctx context.Context) (err error) {
	keys := c.cfg.Keys
	if keys.Authority == nil {
		return say.New("ca.authority", "設定に authority(発行記録の場所)がありません。", "The configuration has no authority (where the CA's records are).")
	}
	if c.trust, err = proof.LogOnly(keys.Log.VKey); err != nil {
		return err
	}
	decider, err := Decider(ctx, c.cfg.Log) // before anything waits for a lease: it says early what is missing
	if err != nil {
		return err
	}
	all, lease, err := c.openKeysAndRegistry(ctx)
	if err != nil {
		return err
	}
	resident := c.cfg.Profile
	if resident == nil {
		if resident, err = profile.Shipped(profile.Resident); err != nil {
			return err
		}
	}
	c.Authority, err = ca.Open(ctx, ca.Config{Log: c.cfg.Log, Reader: c.cfg.Reader, Registry: c.Registry, Lease: lease, Key: all[0].Key, Issuer: all[0].Issuer,
		Profile: resident, BaseURL: all[0].BaseURL, Earlier: all[1:], Decider: decider, NoticeMode: keys.Authority.NoticeMode,
		StateDir: c.cfg.StateDir, Now: c.cfg.Now, Rand: rand.Reader, Logger: c.cfg.Logger})
	if err != nil {
		return err
	}
	c.closers.add(c.Authority.Close)
	return nil
}

// openKeysAndRegistry opens the keys first: whoever has them is the CA. Only a
// standby waits for the registry's lease first, because who waits must not hold
// the keys' journals.
func (c *CA) openKeysAndRegistry(ctx context.Context) (all []ca.Generation, lease ca.Lease, err error) {
	if c.cfg.Standby && c.cfg.Keys.Authority.Postgres != "" {
		return c.standBy(ctx)
	}
	if all, err = c.openKeys(); err != nil {
		return nil, nil, inUse(err)
	}
	lease, err = c.openRegistry(ctx)
	return all, lease, err
}

// A process that was replaced on the same machine notices it within a second
// and ends its requests; until then it has the journals.
const (
	journalWait = 30 * time.Second
	journalLook = 100 * time.Millisecond
)

// standBy waits for the lease and then for the journals. When the replaced
// process lives on with them (a stopped one does), the lease is given back:
// another standby may have journals of its own, and this one waits its turn.
func (c *CA) standBy(ctx context.Context) ([]ca.Generation, ca.Lease, error) {
	mark := len(c.closers)
	for {
		lease, err := c.openRegistry(ctx)
		if err != nil {
			return nil, nil, err
		}
		all, err := c.keysOfReplaced(ctx)
		if err == nil || !errors.Is(err, keystore.ErrInUse) {
			return all, lease, err
		}
		c.warn("the process that was replaced still has the signing journals; end it. This one stands by again", err)
		err = c.closers[mark:].close()
		c.closers = c.closers[:mark]
		if err != nil {
			return nil, nil, err
		}
	}
}

func (c *CA) keysOfReplaced(ctx context.Context) ([]ca.Generation, error) {
	until := time.After(journalWait)
	for first := true; ; first = false {
		all, err := c.openKeys()
		if !errors.Is(err, keystore.ErrInUse) {
			return all, err
		}
		if first {
			c.warn("waits for the signing journals of the process that was replaced", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.Lost:
			return nil, err
		case <-until:
			return nil, err
		case <-time.After(journalLook):
		}
	}
}

func (c *CA) warn(what string, err error) {
	if c.cfg.Logger != nil {
		c.cfg.Logger.Warn(what, "code", say.Code(err))
	}
}

// openKeys opens the generations' keys behind their gates, newest first.
func (c *CA) openKeys() (all []ca.Generation, err error) {
	gs, err := ceremony.Generations(c.cfg.Keys)
	if err != nil {
		return nil, err
	}
	if len(gs) == 0 {
		return nil, say.New("ceremony.none", "認証局の鍵がまだありません。", "The CA has no key yet.").
			Hint("sukashi ca init で作ります。", "sukashi ca init makes it.")
	}
	var opened closers
	c.generations = nil
	for i := len(gs) - 1; i >= 0; i-- {
		c.generations = append(c.generations, gs[i])
		g := ca.Generation{Issuer: gs[i].Issuer, BaseURL: gs[i].Base}
		c.Numbers[gs[i].Key] = gs[i].Number
		label := ceremony.IssuerLabel(gs[i].Number)
		has, err := c.cfg.Host.Has(label)
		if err == nil && (has || len(all) == 0) { // an earlier key may have been destroyed; the issuing one is needed
			var key keystore.Key
			if key, err = c.cfg.Host.Issuer(label, c.gate(label)); err == nil {
				opened.add(key.Close)
				g.Key = key
			}
		}
		if err != nil {
			return nil, errors.Join(err, opened.close())
		}
		all = append(all, g)
	}
	c.closers = append(c.closers, opened...)
	return all, nil
}

func (c *CA) gate(label string) keystore.GateConfig {
	return ceremony.Gate(c.cfg.Keys, c.trust, label, c.cfg.Now)
}

// inUse says in words that another process has the keys.
func inUse(err error) error {
	if !errors.Is(err, keystore.ErrInUse) {
		return err
	}
	return say.New("ceremony.in-use", "認証局が動いているため、鍵を使えません。", "The CA is running, so its key can't be used.").
		Hint("認証局を停止してから、もう一度実行してください。", "Stop the CA and run again.").Because(err)
}

// openRegistry opens the records where the configuration says they are.
func (c *CA) openRegistry(ctx context.Context) (ca.Lease, error) {
	a := c.cfg.Keys.Authority
	conf := registry.Config{Rand: rand.Reader}
	if err := c.keyOfRing(&conf); err != nil {
		return nil, err
	}
	if a.Postgres == "" {
		reg, err := registry.Open(a.Registry, conf)
		if err != nil {
			return nil, err
		}
		c.Registry = reg
		c.closers.add(reg.Close)
		return nil, nil
	}
	url, err := ceremony.Secret(a.Postgres)
	if err != nil {
		return nil, err
	}
	store, err := pgstore.Open(ctx, pgstore.Config{URL: string(url), Holder: c.cfg.Holder, Busy: c.busy})
	if err != nil {
		return nil, err
	}
	reg, err := registry.OpenStore(store, filepath.Join(a.Registry, "keys"), conf)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	c.Registry, c.Lost = reg, store.Lost()
	c.closers.add(reg.Close) // closes the store
	return store, nil
}

// busy says that another process is active, and whether this one waits.
func (c *CA) busy(holder string) error {
	if !c.cfg.Standby {
		return say.New("ca.leased", "認証局が動いているため、発行記録を使えません。使用中: "+holder, "The CA is running, so its records can't be used. In use by: "+holder).
			Hint("認証局と待機系をすべて停止してから、もう一度実行してください。", "Stop the CA and every standby, and run again.")
	}
	if c.cfg.Logger != nil {
		c.cfg.Logger.Info("stands by: another process is active", "holder", holder)
	}
	return nil
}

// keyOfRing gives the key-encryption key of the registry's key ring: a token's,
// or the operator's.
func (c *CA) keyOfRing(conf *registry.Config) error {
	a := c.cfg.Keys.Authority
	if a.KEK != "" {
		kek, err := ceremony.KEK(c.cfg.Host, a.KEK)
		if err != nil {
			return err
		}
		conf.KEK = kek
		return nil
	}
	text, err := ceremony.Secret(a.RegistryKey)
	if err != nil {
		return err
	}
	conf.Key, err = hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(conf.Key) != registry.KeySize {
		return say.New("ca.registry-key", "発行記録の鍵のファイルが正しくありません。", "The registry's key file is not one.")
	}
	return nil
}

// Public opens the responders' keys and returns what every client may fetch, by
// generation: issuer certificates, revocation lists, OCSP.
func (c *CA) Public() (http.Handler, error) {
	handlers := make([]http.Handler, len(c.generations))
	var responders []ca.ResponderState
	for i, g := range c.generations {
		label := g.ResponderLabel
		has, err := c.cfg.Host.Has(label)
		if err != nil {
			return nil, err
		}
		if !has && i > 0 { // destroyed with its generation
			continue
		}
		key, err := c.cfg.Host.Responder(label, c.gate(label))
		if err != nil {
			return nil, inUse(err)
		}
		c.closers.add(key.Close)
		base := strings.TrimPrefix(g.Base, c.cfg.Keys.Base)
		if handlers[i], err = Responder(c.Authority, OCSP{Issuer: g.Issuer, Certificate: g.Responder, Key: key, Path: base + OCSPPath, Status: c.cfg.Reader.Status, Now: c.cfg.Now}); err != nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(g.Responder)
		if err != nil {
			return nil, err
		}
		responders = append(responders, ca.ResponderState{Issuer: g.Key, NotAfter: cert.NotAfter})
	}
	c.Authority.WatchResponders(responders...)
	return ca.Public(c.Authority, handlers[0], handlers[1:]...), nil
}

// OCSPPath is where a generation's responder answers, below its base address.
const OCSPPath = "/ocsp"

// OCSP is one generation's responder.
type OCSP struct {
	Issuer      []byte // DER
	Certificate []byte // the responder's, DER
	Key         *keystore.Responder
	Path        string
	Status      func(ctx context.Context, ordinal uint64) (*proof.StatusReceipt, error)
	Now         func() time.Time
}

const (
	// ocspValidity is how long an answer without a nonce may be believed.
	ocspValidity = 15 * time.Minute
	// Statuses stay in the log; ten years is what Cabinet Order 408 asks of
	// issuance records.
	ocspArchive = 10 * 365 * 24 * time.Hour
)

// Responder answers from the authority's state, with a status receipt where one
// is asked for.
func Responder(a *ca.Authority, o OCSP) (http.Handler, error) {
	issuer, err := profile.NewIssuer(o.Issuer)
	if err != nil {
		return nil, err
	}
	return revocation.NewResponder(revocation.ResponderConfig{State: a.State(), Issuer: issuer, Certificate: o.Certificate,
		Key: o.Key, Now: o.Now, Validity: ocspValidity, Path: o.Path, Archive: ocspArchive,
		Proof: func(ctx context.Context, ordinal uint64) ([]byte, error) {
			r, err := o.Status(ctx, ordinal)
			if err != nil {
				return nil, err
			}
			return r.Marshal(), nil
		}})
}
