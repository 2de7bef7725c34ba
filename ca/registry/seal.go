package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const sealingVersion = "sukashi/registry/v2/row/"

func gcm(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// sealWith is AES-256-GCM with a random nonce in front, bound to name. A key
// seals a handful of values in its life, so nonces never collide.
func sealWith(key []byte, rand io.Reader, name, plain []byte) ([]byte, error) {
	g, err := gcm(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, g.NonceSize(), g.NonceSize()+len(plain)+g.Overhead())
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("couldn't draw a nonce: %w", err)
	}
	return g.Seal(nonce, nonce, plain, name), nil
}

func openWith(key, name, sealed []byte) ([]byte, error) {
	g, err := gcm(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < g.NonceSize() {
		return nil, errors.New("a sealed row is too short")
	}
	plain, err := g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], name)
	if err != nil {
		return nil, errors.New("a sealed row was altered or moved")
	}
	return plain, nil
}

// rowKey derives the key of a row that names no person.
func (r *Registry) rowKey(name string) ([]byte, error) {
	return hkdf.Expand(sha256.New, r.ring.get().Seal, sealingVersion+name, KeySize)
}

func (r *Registry) seal(name string, plain []byte) ([]byte, error) {
	k, err := r.rowKey(name)
	if err != nil {
		return nil, err
	}
	return sealWith(k, r.rand, []byte(name), plain)
}

func (r *Registry) sealJSON(name string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return r.seal(name, plain)
}

func (r *Registry) unsealJSON(name string, sealed []byte, v any) error {
	k, err := r.rowKey(name)
	if err != nil {
		return err
	}
	plain, err := openWith(k, []byte(name), sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// sealOwn seals under the key of number n of a tree, which dies with it.
func (r *Registry) sealOwn(t *tree, n uint64, name string, plain []byte) ([]byte, error) {
	k, err := t.key(n)
	if err != nil {
		return nil, err
	}
	return sealWith(k[:], r.rand, []byte(name), plain)
}

func (r *Registry) unsealOwn(t *tree, n uint64, name string, sealed []byte) ([]byte, error) {
	k, err := t.key(n)
	if err != nil {
		return nil, err
	}
	return openWith(k[:], []byte(name), sealed)
}
