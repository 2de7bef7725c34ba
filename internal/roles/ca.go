package roles

import (
	"context"
	"crypto/rand"
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
	// Holder is who waits for the lease of a registry in PostgreSQL.
	Holder   string
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

// openKeysAndRegistry opens the keys first: whoever has them is the CA. Only
// where another process may hold the registry's lease is the lease waited for
// first, because who waits must not hold the keys' journals.
func (c *CA) openKeysAndRegistry(ctx context.Context) (all []ca.Generation, lease ca.Lease, err error) {
	if c.cfg.Keys.Authority.Postgres != "" {
		if lease, err = c.openRegistry(ctx); err != nil {
			return nil, nil, err
		}
		all, err = c.openKeys()
		return all, lease, err
	}
	if all, err = c.openKeys(); err != nil {
		return nil, nil, err
	}
	lease, err = c.openRegistry(ctx)
	return all, lease, err
}

// openKeys opens the generations' keys behind their gates, newest first.
func (c *CA) openKeys() ([]ca.Generation, error) {
	gs, err := ceremony.Generations(c.cfg.Keys)
	if err != nil {
		return nil, err
	}
	if len(gs) == 0 {
		return nil, say.New("ceremony.none", "認証局の鍵がまだありません。", "The CA has no key yet.").
			Hint("sukashi ca init で作ります。", "sukashi ca init makes it.")
	}
	var all []ca.Generation
	for i := len(gs) - 1; i >= 0; i-- {
		c.generations = append(c.generations, gs[i])
		g := ca.Generation{Issuer: gs[i].Issuer, BaseURL: gs[i].Base}
		c.Numbers[gs[i].Key] = gs[i].Number
		label := ceremony.IssuerLabel(gs[i].Number)
		has, err := c.cfg.Host.Has(label)
		if err == nil && (has || len(all) == 0) { // an earlier key may have been destroyed; the issuing one is needed
			var key keystore.Key
			if key, err = c.cfg.Host.Issuer(label, c.gate(label)); err == nil {
				c.closers.add(key.Close)
				g.Key = key
			}
		}
		if err != nil {
			return nil, inUse(err)
		}
		all = append(all, g)
	}
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
	store, err := pgstore.Open(ctx, pgstore.Config{URL: string(url), Holder: c.cfg.Holder})
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
	for i, g := range c.generations {
		label := ceremony.ResponderLabel(g.Number)
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
	}
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
