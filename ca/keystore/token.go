package keystore

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/internal/token"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Key labels on a token start with their role, so that an issuer key can't be
// opened as a responder's, which has a lower gate.
const (
	LabelIssuer = "sukashi-issuer"
	LabelOCSP   = "sukashi-ocsp"
)

// Module is a PKCS #11 library, loaded once and shared by all keys on its tokens.
type Module = token.Module

// Token is one token of a module.
type Token = token.Token

// OpenModule loads and initialises a library, as token.OpenModule does.
func OpenModule(path, parameters string) (*Module, error) { return token.OpenModule(path, parameters) }

// TokenDescription is what a token says of itself and of a key.
type TokenDescription = token.Description

// KEK is a key-encryption key on a token; it signs nothing, so it has no gate.
type KEK = token.KEK

// NewKEK returns the key-encryption key with this label on a token.
func NewKEK(t Token, label string) (*KEK, error) { return token.NewKEK(t, label) }

// TokenHas reports whether a token has a key under the label.
func TokenHas(t Token, label string) (bool, error) { return token.Has(t, label) }

// DescribeToken asks a token about itself and the private key under the label.
func DescribeToken(t Token, label string) (TokenDescription, error) { return token.Describe(t, label) }

// TokenConfig is a key on PKCS #11 tokens (package token has the pool of
// sessions) and its gate.
type TokenConfig struct {
	Tokens   []Token       // in order of preference; all hold the same key
	Label    string        // of the key, with LabelIssuer or LabelOCSP in front
	KeyID    entry.Digest  // SHA-256 of the expected SubjectPublicKeyInfo; zero: whatever key has the label
	Sessions int           // at most so many per token; 0: 8
	Failures int           // in a row, before a token is left alone; 0: 3
	Cooldown time.Duration // how long it is left alone; 0: one second
	Gate     GateConfig    // as for a software key; its clock also times the cooldown
}

// GenerateToken makes a key pair on a token, which never leaves it. The label is
// new and starts with LabelIssuer or LabelOCSP; alg is as in SoftwareConfig.
func GenerateToken(t Token, label, alg string) error {
	if !strings.HasPrefix(label, LabelIssuer) && !strings.HasPrefix(label, LabelOCSP) {
		return errors.New("a key's label must start with its role")
	}
	switch alg {
	case RSA2048, RSA3072, RSA4096, P256, P384:
		return token.Generate(t, label, alg)
	}
	return errors.New("unknown key algorithm")
}

// OpenToken opens an issuer key on tokens. Its Demo is false.
func OpenToken(c TokenConfig) (Key, error) {
	if err := c.Gate.validate(); err != nil {
		return nil, err
	}
	b, err := c.open(LabelIssuer)
	if err != nil {
		return nil, err
	}
	k, err := newGated(c.Gate, b)
	if err != nil {
		b.close()
		return nil, err
	}
	return k, nil
}

// OpenTokenResponder opens a responder key on tokens.
func OpenTokenResponder(c TokenConfig) (*Responder, error) {
	b, err := c.open(LabelOCSP)
	if err != nil {
		return nil, err
	}
	r, err := newResponder(c.Gate.Journal, c.Gate.Now, b)
	if err != nil {
		b.close()
		return nil, err
	}
	return r, nil
}

func (c TokenConfig) open(prefix string) (backend, error) {
	if !strings.HasPrefix(c.Label, prefix) {
		return nil, fmt.Errorf("the key's label must start with %s for this role", prefix)
	}
	k, err := token.Open(token.Config{Tokens: c.Tokens, Label: c.Label, SPKI: c.KeyID,
		Sessions: c.Sessions, Failures: c.Failures, Cooldown: c.Cooldown, Now: c.Gate.Now})
	if err != nil {
		return nil, err
	}
	return onToken{k}, nil
}

// onToken is a backend: one key on several tokens.
type onToken struct{ k *token.Key }

func (t onToken) public() crypto.PublicKey { return t.k.Public() }
func (t onToken) demo() bool               { return false }
func (t onToken) deterministic() bool      { return t.k.Deterministic() }
func (t onToken) ready() error             { return t.k.Ready() }
func (t onToken) distrust()                { t.k.Distrust() }
func (t onToken) close() error             { return t.k.Close() }

func (t onToken) sign(ctx context.Context, digest []byte, h crypto.Hash) ([]byte, error) {
	return t.k.Sign(ctx, digest, h)
}
