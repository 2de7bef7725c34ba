package keystore

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Key labels on a token start with their role, so that an issuer key can't be
// opened as a responder's, which has a lower gate.
const (
	LabelIssuer = "sukashi-issuer"
	LabelOCSP   = "sukashi-ocsp"
)

// TokenConfig is a key on PKCS #11 tokens and its gate.
//
// Sessions come from a pool of the key store's own: a session that the token
// has lost is thrown away and never put back; a new one is opened, logged in and
// made to find the key again, because handles change. A wrong PIN is never tried
// twice: tokens lock after a few. A token that keeps failing is left alone for a
// while and the next one is used.
type TokenConfig struct {
	Tokens   []Token       // in order of preference; all hold the same key
	Label    string        // of the key, with LabelIssuer or LabelOCSP in front
	KeyID    entry.Digest  // SHA-256 of the expected SubjectPublicKeyInfo; zero: whatever key has the label
	Sessions int           // at most so many per token; 0: 8
	Failures int           // in a row, before a token is left alone; 0: 3
	Cooldown time.Duration // how long it is left alone; 0: one second
	Gate     GateConfig    // as for a software key; its clock also times the cooldown
}

// Token is one token of a module.
type Token struct {
	Module *Module
	Label  string // CKA_LABEL of the token itself, set when it was initialised
	PIN    string // of the user, not of the security officer
}

// maxSessions bounds a pool; tokens have limits of their own.
const maxSessions = 256

func (c *TokenConfig) validate(prefix string) error {
	if len(c.Tokens) == 0 || len(c.Tokens) > 8 {
		return errors.New("a key needs 1 to 8 tokens")
	}
	for _, t := range c.Tokens {
		if t.Module == nil || t.Label == "" || t.PIN == "" {
			return errors.New("a token needs a module, a label and a PIN")
		}
	}
	if !strings.HasPrefix(c.Label, prefix) {
		return fmt.Errorf("the key's label must start with %s for this role", prefix)
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
	if c.Sessions < 1 || c.Sessions > maxSessions || c.Failures < 1 || c.Cooldown < 0 || c.Gate.Now == nil {
		return errors.New("a token's pool needs 1 to 256 sessions, a limit of failures, a cooldown and a clock")
	}
	return nil
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

var errNoToken = errors.New("no token could make the signature")
