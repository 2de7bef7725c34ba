//go:build !cgo

package token

import (
	"context"
	"crypto"
	"errors"
)

// Module is a PKCS #11 library. This build has none: it was made without cgo.
type Module struct{}

var errNoCgo = errors.New("this program was built without cgo and can't use PKCS #11 tokens")

// OpenModule fails: PKCS #11 needs cgo.
func OpenModule(path, parameters string) (*Module, error) { return nil, errNoCgo }

// Close does nothing.
func (*Module) Close() error { return nil }

// Generate fails: PKCS #11 needs cgo.
func Generate(Token, string, string) error { return errNoCgo }

// Key is a key on tokens. This build can't open one.
type Key struct{}

// Open fails: PKCS #11 needs cgo.
func Open(c Config) (*Key, error) { return nil, errors.Join(errNoCgo, c.validate()) }

// Public returns nil.
func (*Key) Public() crypto.PublicKey { return nil }

// Deterministic returns false.
func (*Key) Deterministic() bool { return false }

// Sign fails: PKCS #11 needs cgo.
func (*Key) Sign(context.Context, []byte, crypto.Hash) ([]byte, error) { return nil, errNoCgo }

// Ready says that it can't.
func (*Key) Ready() error { return errNoCgo }

// Distrust does nothing.
func (*Key) Distrust() {}

// Close does nothing.
func (*Key) Close() error { return nil }

// KEK is a key-encryption key on a token. This build can't use one.
type KEK struct{}

// NewKEK fails: PKCS #11 needs cgo.
func NewKEK(Token, string) (*KEK, error) { return nil, errNoCgo }

// New fails: PKCS #11 needs cgo.
func (*KEK) New() (string, error) { return "", errNoCgo }

// Wrap fails: PKCS #11 needs cgo.
func (*KEK) Wrap(string, []byte) ([]byte, error) { return nil, errNoCgo }

// Unwrap fails: PKCS #11 needs cgo.
func (*KEK) Unwrap(string, []byte) ([]byte, error) { return nil, errNoCgo }

// Keep fails: PKCS #11 needs cgo.
func (*KEK) Keep(string) error { return errNoCgo }

// Has fails: PKCS #11 needs cgo.
func Has(Token, string) (bool, error) { return false, errNoCgo }

// Describe fails: PKCS #11 needs cgo.
func Describe(Token, string) (Description, error) { return Description{}, errNoCgo }
