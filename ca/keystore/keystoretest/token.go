package keystoretest

import (
	"testing"

	"github.com/sukashi-project/sukashi/internal/token"
	"github.com/sukashi-project/sukashi/internal/token/tokentest"
)

// Tokens are fresh SoftHSM tokens of a test's own, with these labels. It must
// be called at most once in a test: a process has one SoftHSM.
func Tokens(t testing.TB, labels ...string) []token.Token {
	t.Helper()
	tokentest.SoftHSM(t, labels...)
	mod, err := token.OpenModule(tokentest.Library, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mod.Close(); err != nil {
			t.Error(err)
		}
	})
	out := make([]token.Token, len(labels))
	for i, l := range labels {
		out[i] = token.Token{Module: mod, Label: l, PIN: tokentest.PIN}
	}
	return out
}

// Existing opens a token of the SoftHSM that SOFTHSM2_CONF names, in a process
// that a test with Tokens has started.
func Existing(t testing.TB, label string) token.Token {
	t.Helper()
	mod, err := token.OpenModule(tokentest.Library, "")
	if err != nil {
		t.Fatal(err)
	}
	return token.Token{Module: mod, Label: label, PIN: tokentest.PIN}
}
