//go:build cgo

package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"
	"github.com/sukashi-project/sukashi/internal/say"
)

// Key is one key on one or more tokens. It is safe for concurrent use.
type Key struct {
	pub   crypto.PublicKey
	pools []*pool
}

// Open opens what it can. The first token that answers says what the key is;
// one that does not answer now may come later, and must then have the same key.
func Open(c Config) (*Key, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	t := new(Key)
	var errs []error
	for _, tok := range c.Tokens {
		t.pools = append(t.pools, newPool(tok, c))
	}
	for _, p := range t.pools {
		s, err := p.acquire(context.Background())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.release(s, true)
		t.pub = s.pub
		break
	}
	if t.pub == nil {
		t.Close()
		return nil, say.New("token.key", "トークンの鍵を開けません。", "The key on the token can't be opened.").
			Hint("トークンの接続、ラベル、PINを確かめてください。", "Check the token's connection, labels and PIN.").Because(errors.Join(errs...))
	}
	spki, err := x509.MarshalPKIXPublicKey(t.pub)
	if err != nil || (c.SPKI != [32]byte{} && sha256.Sum256(spki) != c.SPKI) {
		t.Close()
		return nil, say.New("token.otherkey", "トークンの鍵は、想定した鍵ではありません。", "The key on the token is not the expected one.").Because(err)
	}
	for _, p := range t.pools {
		p.expect(t.pub)
	}
	return t, nil
}

// Public is the public key: *rsa.PublicKey, *ecdsa.PublicKey or
// ed25519.PublicKey.
func (t *Key) Public() crypto.PublicKey { return t.pub }

// Deterministic reports whether one input has one signature. PKCS #1 v1.5 and
// Ed25519 do; a token's ECDSA draws a nonce.
func (t *Key) Deterministic() bool {
	_, ecdsa := t.pub.(*ecdsa.PublicKey)
	return !ecdsa
}

// Close closes the sessions. Signatures after it fail.
func (t *Key) Close() error {
	for _, p := range t.pools {
		p.shut()
	}
	return nil
}

// Sign signs a digest made by h: RSA by PKCS #1 v1.5, ECDSA as ASN.1. Ed25519
// signs the message itself, and h is 0. It asks each token in turn; each gets a
// second try on a new session, because the first failure may only mean that the
// pool's sessions have died.
func (t *Key) Sign(ctx context.Context, digest []byte, h crypto.Hash) ([]byte, error) {
	errs := []error{ErrNone}
	for _, p := range t.pools {
		if p.resting() {
			continue
		}
		sig, err := p.sign(ctx, digest, h)
		if err == nil {
			return sig, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Ready reports whether a token could sign now: whether one of them has a session
// that is alive, or gives one that finds the key. It uses no key. What it says can
// be over in the next moment; it saves announcing what can't be signed.
func (t *Key) Ready() error {
	errs := []error{ErrNone}
	for _, p := range t.pools {
		if p.resting() {
			continue
		}
		err := p.ready()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Distrust is called when a signature did not verify: the token that made it is
// left alone for a while.
func (t *Key) Distrust() {
	for _, p := range t.pools {
		if p.usedLast() {
			p.evict()
			p.trip()
		}
	}
}

// pool holds the sessions of one token.
type pool struct {
	tok   Token
	label string
	slots chan struct{} // one for each session that may exist

	mu     sync.Mutex
	idle   []*session
	want   crypto.PublicKey // nil until known
	pin    error            // the PIN was refused: never try again
	closed bool
	last   bool // this pool made the newest signature
	brk    breaker

	opening sync.Mutex // one login at a time
}

// session is a logged-in session that has found the key.
type session struct {
	h      pkcs11.SessionHandle
	key    pkcs11.ObjectHandle
	pub    crypto.PublicKey
	tested bool // a signature of this session has been verified
}

func newPool(tok Token, c Config) *pool {
	return &pool{tok: tok, label: c.Label, slots: make(chan struct{}, c.Sessions),
		brk: breaker{limit: c.Failures, cooldown: c.Cooldown, now: c.Now}}
}

func (p *pool) expect(pub crypto.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want = pub
}

func (p *pool) resting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed || p.brk.open()
}

func (p *pool) trip() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.brk.trip()
}

func (p *pool) usedLast() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *pool) result(ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = ok
	p.brk.result(ok)
}

func (p *pool) sign(ctx context.Context, digest []byte, h crypto.Hash) ([]byte, error) {
	var err error
	for range 2 {
		var s *session
		if s, err = p.acquire(ctx); err != nil {
			break
		}
		var sig []byte
		sig, err = s.sign(p.tok.Module.ctx, digest, h)
		if err == nil && !s.tested {
			// The self-test of a new session is its first real signature: a
			// signature made only as a test would be a use of the key that no
			// entry of the log announces.
			if s.tested = Verifies(s.pub, h, digest, sig); !s.tested {
				err = errors.New("couldn't sign: the first signature of a new session does not verify")
			}
		}
		p.release(s, err == nil)
		if err == nil {
			p.result(true)
			return sig, nil
		}
		p.evict()
	}
	if ctx.Err() == nil {
		p.result(false)
	}
	return nil, err
}

// ready asks a session for its state, or opens a new one when the pool's have
// died. A token whose sessions are all at work answers: nobody waits for one. A
// token that does not is left alone as after a failed signature.
func (p *pool) ready() error {
	var err error
	for range 2 {
		select {
		case p.slots <- struct{}{}:
		default:
			return nil
		}
		var s *session
		if s, err = p.session(); err != nil {
			break
		}
		var info pkcs11.SessionInfo
		info, err = p.tok.Module.ctx.GetSessionInfo(s.h)
		if err == nil && info.State != pkcs11.CKS_RO_USER_FUNCTIONS && info.State != pkcs11.CKS_RW_USER_FUNCTIONS {
			err = errors.New("the token's session is not logged in any more")
		}
		p.release(s, err == nil)
		if err == nil {
			return nil
		}
		p.evict()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.brk.result(false)
	return err
}

// acquire takes an idle session or opens one.
func (p *pool) acquire(ctx context.Context) (*session, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.session()
}

// session is for who holds a slot; without a session it gives the slot back.
func (p *pool) session() (*session, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	s, err := p.open()
	if err != nil {
		<-p.slots
		return nil, err
	}
	return s, nil
}

// release puts a good session back and throws a bad one away.
func (p *pool) release(s *session, good bool) {
	p.mu.Lock()
	if good && !p.closed {
		p.idle = append(p.idle, s)
		s = nil
	}
	p.mu.Unlock()
	if s != nil {
		p.tok.Module.ctx.CloseSession(s.h) // it may be gone already
	}
	<-p.slots
}

// evict throws all idle sessions away: when one has died, the others have too.
func (p *pool) evict() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		p.tok.Module.ctx.CloseSession(s.h)
	}
}

func (p *pool) shut() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.evict()
}

// open makes a session from nothing: the token's slot, which may have changed,
// a session, the login, the key.
func (p *pool) open() (*session, error) {
	p.opening.Lock()
	defer p.opening.Unlock()
	p.mu.Lock()
	refused, want := p.pin, p.want
	p.mu.Unlock()
	if refused != nil {
		return nil, refused
	}
	s, err := p.tok.login(pkcs11.CKF_SERIAL_SESSION)
	if wrongPIN(err) {
		err = say.New("token.pin", "トークンのPINが違います。ロックを避けるため、再試行しません。", "The token's PIN is wrong. It is not tried again, so that the token does not lock.").Because(err)
		p.mu.Lock()
		p.pin = err
		p.mu.Unlock()
	}
	if err != nil {
		return nil, err
	}
	out, err := findKey(p.tok.Module.ctx, s, p.label)
	if err == nil && want != nil && !equalKeys(want, out.pub) {
		err = errors.New("the token holds another key under this label")
	}
	if err != nil {
		p.tok.Module.ctx.CloseSession(s)
		return nil, err
	}
	return out, nil
}

func equalKeys(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

func wrongPIN(err error) bool {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED:
		return true
	}
	return false
}

// digestInfo is the DER in front of the digest in PKCS #1 v1.5 (RFC 8017 9.2).
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

func (s *session) sign(c *pkcs11.Ctx, digest []byte, h crypto.Hash) ([]byte, error) {
	switch k := s.pub.(type) {
	case *rsa.PublicKey:
		if h != crypto.SHA256 {
			return nil, errors.New("RSA signs SHA-256 only")
		}
		return s.raw(c, pkcs11.CKM_RSA_PKCS, append(bytes.Clone(digestInfo), digest...), k.Size())
	case *ecdsa.PublicKey:
		n := (k.Curve.Params().BitSize + 7) / 8
		rs, err := s.raw(c, pkcs11.CKM_ECDSA, digest, 2*n)
		if err != nil {
			return nil, err
		}
		return ecdsaDER(rs[:n], rs[n:])
	case ed25519.PublicKey:
		if h != 0 {
			return nil, errors.New("Ed25519 signs messages, not digests")
		}
		return s.raw(c, ckmEdDSA, digest, ed25519.SignatureSize)
	}
	return nil, errors.New("the key's type is not in use")
}

func (s *session) raw(c *pkcs11.Ctx, mechanism uint, b []byte, size int) ([]byte, error) {
	if err := c.SignInit(s.h, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, s.key); err != nil {
		return nil, fmt.Errorf("couldn't start a signature: %w", err)
	}
	sig, err := c.Sign(s.h, b)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign: %w", err)
	}
	if len(sig) != size {
		return nil, errors.New("couldn't sign: the token's signature has a wrong length")
	}
	return sig, nil
}
