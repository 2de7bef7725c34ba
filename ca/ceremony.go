package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// CeremonyKey is what a ceremony needs of the issuer key; keystore.Key is one.
type CeremonyKey interface {
	Public() crypto.PublicKey
	KeyID() entry.Digest
	Sign(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error)
}

// CeremonyConfig is a key ceremony: an issuer key gets its self-signed
// certificate, a responder key its delegated one.
type CeremonyConfig struct {
	Log       ledger.Log
	Key       CeremonyKey
	Responder crypto.PublicKey // of the OCSP responder; nil: none
	Root      *profile.Profile // nil: the shipped one
	OCSP      *profile.Profile // nil: the shipped one
	BaseURL   string           // as in ca.Config
	Officers  []string         // ids of those present (transfer.IsOperator), at least two
	Now       func() time.Time
	Rand      io.Reader
}

// Ceremony is what a ceremony leaves: public material only.
type Ceremony struct {
	Issuer     []byte // self-signed certificate, DER (DOMAIN 6.1)
	Responder  []byte // OCSP responder's certificate, DER; nil if there was no key
	Transcript []byte // canonical JSON; its SHA-256 is the record digest in both key.created entries
	IssuerAt   uint64 // index of the issuer's key.created
}

// transcript says who did what to which keys. Members in name order.
type transcript struct {
	At        entry.Time   `json:"at"`
	BaseURL   string       `json:"base_url"`
	Issuer    *ceremonyKey `json:"issuer"`
	Officers  []string     `json:"officers"`
	Profiles  []string     `json:"profiles"`
	Responder *ceremonyKey `json:"responder,omitempty"`
	V         int          `json:"v"`
}

type ceremonyKey struct {
	Alg  string       `json:"alg"`
	SPKI entry.Digest `json:"spki"`
}

func keyOf(pub crypto.PublicKey) (*ceremonyKey, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	k := &ceremonyKey{SPKI: entry.Sum(spki)}
	switch p := pub.(type) {
	case *rsa.PublicKey:
		k.Alg = fmt.Sprintf("rsa%d", p.N.BitLen())
	case *ecdsa.PublicKey:
		k.Alg = fmt.Sprintf("p%d", p.Curve.Params().BitSize)
	default:
		return nil, errors.New("unknown kind of key")
	}
	return k, nil
}

func (c *CeremonyConfig) complete() error {
	if c.Log == nil || c.Key == nil || c.Now == nil || c.Rand == nil || c.BaseURL == "" {
		return errors.New("needs a log, a key, a clock, a random source and a base address")
	}
	seen := map[string]bool{}
	for _, o := range c.Officers {
		if !transfer.IsOperator(o) || seen[o] {
			return errors.New("officers must be different operator ids")
		}
		seen[o] = true
	}
	if len(seen) < 2 {
		return errors.New("needs two officers at least")
	}
	var err error
	if c.Root == nil {
		if c.Root, err = profile.Shipped(profile.Root); err != nil {
			return err
		}
	}
	if c.OCSP == nil {
		c.OCSP, err = profile.Shipped(profile.OCSP)
	}
	return err
}

// Init holds a key ceremony: the transcript is made, key.created is logged with
// the digest of the self-signed certificate's TBS, and only then the key signs
// its own certificate; likewise the responder's. It runs once per issuer key,
// before the authority is opened. The caller keeps what it returns.
func Init(ctx context.Context, cfg CeremonyConfig) (*Ceremony, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("couldn't hold the key ceremony: %w", err)
	}
	out, err := cfg.hold(ctx)
	if err != nil {
		return nil, fmt.Errorf("couldn't hold the key ceremony: %w", err)
	}
	return out, nil
}

func (c *CeremonyConfig) hold(ctx context.Context) (*Ceremony, error) {
	now := c.Now()
	t := transcript{At: entry.At(now), BaseURL: c.BaseURL, Officers: c.Officers, Profiles: []string{c.Root.Digest().String(), c.OCSP.Digest().String()}, V: 1}
	var err error
	if t.Issuer, err = keyOf(c.Key.Public()); err != nil {
		return nil, err
	}
	if c.Responder != nil {
		if t.Responder, err = keyOf(c.Responder); err != nil {
			return nil, err
		}
	}
	out := new(Ceremony)
	if out.Transcript, err = json.Marshal(t); err != nil {
		return nil, err
	}
	w, err := ledger.NewWriter(ctx, c.Log, entry.ByCA, c.Now)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	record := entry.Sum(out.Transcript)
	alg, err := profile.AlgFor(c.Key.Public())
	if err != nil {
		return nil, err
	}
	sign := signer{w: w, key: c.Key, alg: alg, record: record}
	out.Issuer, out.IssuerAt, err = sign.make(ctx, c.Root, keystore.RoleIssuer, t.Issuer, profile.Request{PublicKey: c.Key.Public(), NotBefore: now, BaseURL: c.BaseURL}, c.Rand)
	if err != nil || c.Responder == nil {
		return out, err
	}
	issuer, err := profile.NewIssuer(out.Issuer)
	if err != nil {
		return nil, err
	}
	out.Responder, _, err = sign.make(ctx, c.OCSP, keystore.RoleOCSP, t.Responder, profile.Request{PublicKey: c.Responder, NotBefore: now,
		NotAfter: profile.EndOfDay(now, 1).Add(-24 * time.Hour), BaseURL: c.BaseURL, Issuer: issuer}, c.Rand)
	return out, err
}

// signer announces a key's certificate and has it signed.
type signer struct {
	w      *ledger.Writer
	key    CeremonyKey
	alg    profile.SigAlg
	record entry.Digest
}

func (s signer) make(ctx context.Context, p *profile.Profile, role string, k *ceremonyKey, req profile.Request, random io.Reader) (der []byte, index uint64, err error) {
	if req.Serial, err = profile.NewSerial(random); err != nil {
		return nil, 0, err
	}
	tbs, err := p.BuildCertificateTBS(req)
	if err != nil {
		return nil, 0, err
	}
	digest := entry.Sum(tbs)
	logged, err := s.w.Append(ctx, &entry.KeyCreated{Role: role, Alg: k.Alg, SPKI: k.SPKI, Record: s.record, TBS: &digest})
	if err != nil {
		return nil, 0, err
	}
	sig, err := s.key.Sign(ctx, tbs, logged.Bytes, logged.Receipt)
	if err != nil {
		return nil, 0, err
	}
	der, err = profile.Assemble(tbs, s.alg, sig)
	return der, logged.Index, err
}
