package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
)

// ResponseSigner is a delegated responder's key; *keystore.Responder is one.
type ResponseSigner interface {
	Public() crypto.PublicKey
	Alg() profile.SigAlg
	SignResponse(ctx context.Context, tbs []byte) ([]byte, error)
}

// ResponderConfig says for which issuer and with which key to answer.
type ResponderConfig struct {
	State       *State
	Issuer      *profile.Issuer
	Certificate []byte // DER of the delegated responder's certificate, by Issuer
	Key         ResponseSigner
	Now         func() time.Time
	Validity    time.Duration // nextUpdate − thisUpdate; DOMAIN 6.5: 15 minutes
	Path        string        // path under which the handler is mounted, such as "/ocsp"
	Cached      int           // responses kept signed; 0: 65,536
	InFlight    int           // signatures at a time, beyond which it answers tryLater; 0: 256
	// Archive is how long after a certificate's end its status is still
	// answered: the archive cutoff of a response is so much before its
	// producedAt (RFC 6960 4.4.4). 0: no cutoff is stated.
	Archive time.Duration
	// Proof returns the status receipt of a certificate, as a file, for a client
	// that asks for a ledger proof; an error leaves the proof out. nil: none.
	Proof func(ctx context.Context, ordinal uint64) ([]byte, error)
}

// Responder answers OCSP requests (RFC 6960, RFC 5019, RFC 9654) from the state.
// It is an http.Handler and safe for concurrent use.
type Responder struct {
	c         ResponderConfig
	keyHash   []byte // SHA-1 of the responder's key: its responderID
	sha1      hashes
	sha256    hashes
	cache     *cache
	inFlight  chan struct{}
	notAfter  time.Time
	notBefore time.Time
}

// hashes name the issuer in a CertID.
type hashes struct{ name, key []byte }

var (
	errBusy    = errors.New("too many signatures at once")                  // answered with tryLater
	errForeign = errors.New("none of the certificates is of this issuer's") // answered with unauthorized
)

// NewResponder checks that the certificate is a responder's, by this issuer and
// for this key.
func NewResponder(c ResponderConfig) (*Responder, error) {
	if c.State == nil || c.Issuer == nil || c.Key == nil || c.Now == nil {
		return nil, errors.New("responder needs a state, an issuer, a key and a clock")
	}
	if c.Validity < time.Minute || c.Validity > 7*24*time.Hour {
		return nil, errors.New("responder needs a validity of a minute to a week")
	}
	cert, err := x509.ParseCertificate(c.Certificate)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the responder's certificate: %w", err)
	}
	if err := delegated(cert, &c); err != nil {
		return nil, err
	}
	if c.Cached <= 0 {
		c.Cached = 1 << 16
	}
	if c.InFlight <= 0 {
		c.InFlight = 256
	}
	bits, err := profile.KeyBits(cert.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	id := sha1.Sum(bits)
	n1, k1 := sha1.Sum(c.Issuer.Subject), sha1.Sum(c.Issuer.KeyBits)
	n2, k2 := sha256.Sum256(c.Issuer.Subject), sha256.Sum256(c.Issuer.KeyBits)
	return &Responder{c: c, keyHash: id[:], sha1: hashes{n1[:], k1[:]}, sha256: hashes{n2[:], k2[:]},
		cache: newCache(c.Cached), inFlight: make(chan struct{}, c.InFlight), notBefore: cert.NotBefore, notAfter: cert.NotAfter}, nil
}

func delegated(cert *x509.Certificate, c *ResponderConfig) error {
	if len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageOCSPSigning || cert.IsCA {
		return errors.New("responder's certificate is not one for OCSP signing alone")
	}
	if !bytes.Equal(cert.AuthorityKeyId, c.Issuer.KeyID) || !bytes.Equal(cert.RawIssuer, c.Issuer.Subject) {
		return errors.New("responder's certificate is by another issuer")
	}
	issuer := &x509.Certificate{PublicKey: c.Issuer.PublicKey}
	if err := issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return fmt.Errorf("responder's certificate does not verify: %w", err)
	}
	type equaler interface{ Equal(crypto.PublicKey) bool }
	if k, ok := cert.PublicKey.(equaler); !ok || !k.Equal(c.Key.Public()) {
		return errors.New("responder's certificate is for another key")
	}
	return nil
}

// Answer is one response, as bytes and with what HTTP needs to know of it.
type answer struct {
	der        []byte
	this, next time.Time
	etag       string // of a response that may be cached, else ""
}

// Respond answers a DER OCSPRequest with a DER OCSPResponse, whatever the
// request is: errors become statuses of RFC 6960 2.3.
func (r *Responder) Respond(ctx context.Context, der []byte) []byte { return r.respond(ctx, der).der }

func (r *Responder) respond(ctx context.Context, der []byte) answer {
	req, err := parseRequest(der)
	if err != nil {
		return answer{der: errorResponse(statusMalformed)}
	}
	a, err := r.answer(ctx, req)
	switch {
	case errors.Is(err, errBusy) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return answer{der: errorResponse(statusTryLater)}
	case errors.Is(err, errForeign):
		return answer{der: errorResponse(statusForbidden)}
	case err != nil:
		return answer{der: errorResponse(statusInternal)}
	}
	return a
}

func (r *Responder) answer(ctx context.Context, req *request) (answer, error) {
	singles := make([]single, len(req.ids))
	foreign := 0
	for i := range req.ids {
		says, own := r.lookup(&req.ids[i])
		singles[i] = single{id: req.ids[i].raw, answer: says}
		if !own {
			foreign++
		}
	}
	if foreign == len(singles) {
		return answer{}, errForeign // RFC 5019 2.2.3; and no signature for nothing
	}
	now := r.c.Now().UTC().Truncate(time.Second)
	if now.Before(r.notBefore) || !now.Before(r.notAfter) {
		return answer{}, errors.New("responder's certificate is not valid now") // cached answers have ended as well
	}
	only := &singles[0]
	if len(singles) > 1 || req.hasNonce || req.proof || only.answer.Status == Unknown {
		return r.sign(ctx, singles, now, req)
	}
	k := cacheKey{only.answer.Ordinal, req.ids[0].variant}
	if a, ok := r.cache.get(k, only.answer, now); ok {
		return a, nil
	}
	a, err := r.sign(ctx, singles, now, req)
	if err != nil {
		return answer{}, err
	}
	a.etag = etag(a.der)
	// Half of the validity: whoever is served from the cache has the other half.
	r.cache.put(k, only.answer, a, now.Add(r.c.Validity/2))
	return a, nil
}

// lookup answers for a CertID of this issuer. Another issuer's, or one by a hash
// that is not in use, is unknown (never good) and not own.
func (r *Responder) lookup(id *certID) (says Answer, own bool) {
	h := r.sha1
	switch id.hash {
	case crypto.SHA1:
	case crypto.SHA256:
		h = r.sha256
	default:
		return Answer{}, false
	}
	if !bytes.Equal(id.nameHash, h.name) || !bytes.Equal(id.keyHash, h.key) {
		return Answer{}, false
	}
	return r.c.State.Lookup(r.c.Issuer.Key, id.serial), true
}

// extend adds the extensions of each known certificate. Only a request for one
// certificate gets a proof: a receipt has 4 kB, and whoever wants several asks
// for several.
func (r *Responder) extend(ctx context.Context, singles []single, now time.Time, req *request) error {
	var cutoff time.Time
	if r.c.Archive > 0 {
		cutoff = now.Add(-r.c.Archive)
	}
	for i := range singles {
		s := &singles[i]
		if s.answer.Status == Unknown {
			continue
		}
		var receipt []byte
		if req.proof && len(singles) == 1 && r.c.Proof != nil {
			// Without a receipt (not published yet, log out of reach) the answer
			// is still an answer.
			receipt, _ = r.c.Proof(ctx, s.answer.Ordinal)
		}
		var err error
		if s.exts, err = singleExtensions(cutoff, receipt); err != nil {
			return err
		}
	}
	return nil
}

func (r *Responder) sign(ctx context.Context, singles []single, now time.Time, req *request) (answer, error) {
	select {
	case r.inFlight <- struct{}{}:
		defer func() { <-r.inFlight }()
	default:
		return answer{}, errBusy
	}
	next := now.Add(r.c.Validity)
	if next.After(r.notAfter) { // nobody can check it after that
		next = r.notAfter
	}
	for _, s := range singles {
		if s.answer.Status == Revoked && s.answer.At.After(now) {
			return answer{}, errors.New("a revocation was recorded later than now")
		}
	}
	if err := r.extend(ctx, singles, now, req); err != nil {
		return answer{}, fmt.Errorf("couldn't encode the response's extensions: %w", err)
	}
	tbs, err := responseData(r.keyHash, singles, now, next, req)
	if err != nil {
		return answer{}, fmt.Errorf("couldn't encode the response: %w", err)
	}
	if f := profile.LintOCSP(tbs); len(f) > 0 {
		return answer{}, &profile.LintError{Findings: f}
	}
	sig, err := r.c.Key.SignResponse(ctx, tbs)
	if err != nil {
		return answer{}, fmt.Errorf("couldn't sign the response: %w", err)
	}
	der, err := okResponse(tbs, r.c.Key.Alg(), sig, r.c.Certificate)
	if err != nil {
		return answer{}, fmt.Errorf("couldn't encode the response: %w", err)
	}
	return answer{der: der, this: now, next: next}, nil
}
