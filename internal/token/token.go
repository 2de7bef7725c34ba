// Package token signs with keys that live on PKCS #11 tokens and never leave
// them. It is the only importer of a PKCS #11 library and the only use of cgo.
//
// It decides nothing about what is signed: package ca/keystore puts its gate in
// front of an issuer's key, package ledger/logkey signs checkpoints. Only these
// two and their ceremony may import it, which the house test holds.
//
// Sessions come from a pool of its own: a session that the token has lost is
// thrown away and never put back; a new one is opened, logged in and made to
// find the key again, because handles change. A wrong PIN is never tried twice:
// tokens lock after a few. A token that keeps failing is left alone for a while
// and the next one is used.
package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"time"
)

// Algorithms of keys, as in the log's key.created.
const (
	RSA2048 = "rsa2048"
	RSA3072 = "rsa3072"
	RSA4096 = "rsa4096"
	P256    = "p256"
	P384    = "p384"
	Ed25519 = "ed25519"
)

// Config is one key that is held by one or more tokens.
type Config struct {
	Tokens   []Token          // in order of preference; all hold the same key
	Label    string           // CKA_LABEL of the key pair
	SPKI     [32]byte         // SHA-256 of the expected SubjectPublicKeyInfo; zero: whatever key has the label
	Sessions int              // at most so many per token; 0: 8
	Failures int              // in a row, before a token is left alone; 0: 3
	Cooldown time.Duration    // how long it is left alone; 0: one second
	Now      func() time.Time // times the cooldown
}

// Token is one token of a module.
type Token struct {
	Module *Module
	Label  string // CKA_LABEL of the token itself, set when it was initialised
	PIN    string // of the user, not of the security officer
}

// maxSessions bounds a pool; tokens have limits of their own.
const maxSessions = 256

func (c *Config) validate() error {
	if len(c.Tokens) == 0 || len(c.Tokens) > 8 {
		return errors.New("a key needs 1 to 8 tokens")
	}
	for _, t := range c.Tokens {
		if t.Module == nil || t.Label == "" || t.PIN == "" {
			return errors.New("a token needs a module, a label and a PIN")
		}
	}
	if c.Label == "" {
		return errors.New("a key on a token needs a label")
	}
	if c.Sessions == 0 {
		c.Sessions = 8
	}
	if c.Failures == 0 {
		c.Failures = 3
	}
	if c.Cooldown == 0 {
		c.Cooldown = time.Second
	}
	if c.Sessions < 1 || c.Sessions > maxSessions || c.Failures < 1 || c.Cooldown < 0 || c.Now == nil {
		return errors.New("a token's pool needs 1 to 256 sessions, a limit of failures, a cooldown and a clock")
	}
	return nil
}

// Verifies reports whether sig is a signature as Key.Sign makes them: PKCS #1
// v1.5, ASN.1 ECDSA, or Ed25519, whose digest is the message itself.
func Verifies(pub crypto.PublicKey, h crypto.Hash, digest, sig []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, h, digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	case ed25519.PublicKey:
		return h == 0 && ed25519.Verify(k, digest, sig)
	}
	return false
}

// breaker leaves a failing token alone for a while.
type breaker struct {
	limit    int
	cooldown time.Duration
	now      func() time.Time
	failures int
	until    time.Time
}

func (b *breaker) open() bool { return b.failures >= b.limit && b.now().Before(b.until) }

// result counts a use. After the cooldown one more failure is enough to be left
// alone again.
func (b *breaker) result(ok bool) {
	if ok {
		b.failures = 0
		return
	}
	b.failures = min(b.failures+1, b.limit)
	if b.failures == b.limit {
		b.until = b.now().Add(b.cooldown)
	}
}

func (b *breaker) trip() {
	b.failures = b.limit
	b.until = b.now().Add(b.cooldown)
}

// ErrNone says that no token could make the signature; the reasons are beside it.
var ErrNone = errors.New("no token could make the signature")
