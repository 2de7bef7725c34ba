//go:build !cgo

package keystore

import "errors"

// Module is a PKCS #11 library. This build has none: it was made without cgo.
type Module struct{}

var errNoCgo = errors.New("this program was built without cgo and can't use PKCS #11 tokens")

// OpenModule fails: PKCS #11 needs cgo.
func OpenModule(path, parameters string) (*Module, error) { return nil, errNoCgo }

// Close does nothing.
func (*Module) Close() error { return nil }

// GenerateToken fails: PKCS #11 needs cgo.
func GenerateToken(Token, string, string) error { return errNoCgo }

func openTokens(TokenConfig) (backend, error) { return nil, errNoCgo }
