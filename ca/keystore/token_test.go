//go:build cgo

package keystore

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/token/tokentest"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// softHSM is one token of a test's own.
func softHSM(t testing.TB) Token {
	t.Helper()
	tokentest.SoftHSM(t, "one")
	mod, err := OpenModule(tokentest.Library, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mod.Close(); err != nil {
			t.Error(err)
		}
	})
	return Token{Module: mod, Label: "one", PIN: tokentest.PIN}
}

func generateToken(t testing.TB, tok Token, label, alg string) {
	t.Helper()
	if err := GenerateToken(tok, label, alg); err != nil {
		t.Fatal(err)
	}
}

func TestTokenSigns(t *testing.T) {
	tok := softHSM(t)
	for _, alg := range []string{RSA2048, P256} {
		t.Run(alg, func(t *testing.T) {
			l := newLog(t)
			label := LabelIssuer + "-" + alg
			generateToken(t, tok, label, alg)
			c := TokenConfig{Tokens: []Token{tok}, Label: label, Gate: GateConfig{Log: l.Policy(), Journal: t.TempDir(), Now: clock}}
			k, err := OpenToken(c)
			if err != nil {
				t.Fatal(err)
			}
			if k.Demo() {
				t.Error("a token's key says that it is a demo key")
			}
			tbs, logged := intent(t, l, k.KeyID(), 0)
			sig, err := k.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
			if err != nil {
				t.Fatal(err)
			}
			checkSignature(t, k, tbs, sig)
			again, err := k.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt)
			if alg == RSA2048 && (err != nil || !bytes.Equal(sig, again)) {
				t.Errorf("RSA is deterministic: %v", err)
			}
			if alg == P256 && !errors.Is(err, ErrNotDeterministic) {
				t.Errorf("a token's ECDSA is not: %v", err)
			}
			id := k.KeyID()
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			c.KeyID = id
			k, err = OpenToken(c)
			if err != nil {
				t.Fatal(err)
			}
			k.Close()
			c.KeyID = entry.Sum([]byte("another"))
			if _, err := OpenToken(c); say.Code(err) != "token.otherkey" {
				t.Errorf("another key was expected: %v", err)
			}
			if err := GenerateToken(tok, label, alg); err == nil {
				t.Error("two keys under one label")
			}
		})
	}
}

func TestTokenResponder(t *testing.T) {
	tok := softHSM(t)
	generateToken(t, tok, LabelOCSP, P256)
	c := TokenConfig{Tokens: []Token{tok}, Label: LabelOCSP, Gate: GateConfig{Journal: t.TempDir(), Now: clock}}
	r, err := OpenTokenResponder(c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.SignResponse(t.Context(), response); err != nil || r.Demo() {
		t.Errorf("%v", err)
	}
	if _, err := OpenToken(c); err == nil {
		t.Error("a responder's key opened as an issuer's")
	}
	c.Label = LabelIssuer
	if _, err := OpenTokenResponder(c); err == nil {
		t.Error("an issuer's key opened as a responder's")
	}
}

func TestTokenConfigRefuses(t *testing.T) {
	tok := softHSM(t)
	good := func() TokenConfig {
		return TokenConfig{Tokens: []Token{tok}, Label: LabelIssuer, Gate: GateConfig{Log: newLog(t).Policy(), Journal: t.TempDir(), Now: clock}}
	}
	for name, change := range map[string]func(*TokenConfig){
		"no token":       func(c *TokenConfig) { c.Tokens = nil },
		"no module":      func(c *TokenConfig) { c.Tokens[0].Module = nil },
		"no PIN":         func(c *TokenConfig) { c.Tokens[0].PIN = "" },
		"label":          func(c *TokenConfig) { c.Label = "key" },
		"many sessions":  func(c *TokenConfig) { c.Sessions = 1000 },
		"no clock":       func(c *TokenConfig) { c.Gate.Now = nil },
		"no log":         func(c *TokenConfig) { c.Gate.Log = nil },
		"no such token":  func(c *TokenConfig) { c.Tokens[0].Label = "two" },
		"no such key":    func(c *TokenConfig) { c.Label = LabelIssuer + "-other" },
		"no such key id": func(c *TokenConfig) { c.KeyID = entry.Sum(nil) },
	} {
		c := good()
		change(&c)
		if _, err := OpenToken(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := OpenModule(filepath.Join(t.TempDir(), "nothing.so"), ""); err == nil {
		t.Error("a library that is not there")
	}
	if err := GenerateToken(tok, LabelIssuer, "rsa1024"); err == nil {
		t.Error("a weak key")
	}
	if err := GenerateToken(tok, "key", P256); err == nil {
		t.Error("a label without a role")
	}
	if err := GenerateToken(tok, LabelIssuer, "ed25519"); err == nil {
		t.Error("a kind of key that no certificate has")
	}
}
