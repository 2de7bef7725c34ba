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
	"strconv"
	"sync"
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
	return sealInto(g, rand, name, append(roomFor(len(plain)), plain...))
}

// Sizes of AES-GCM, as cipher.NewGCM has them.
const (
	nonceSize = 12
	tagSize   = 16
)

// roomFor returns a buffer for sealInto: what it has is for the nonce, behind
// that the caller appends a plain text of about this size.
func roomFor(plain int) []byte { return make([]byte, nonceSize, nonceSize+plain+tagSize) }

// sealInto seals the plain text in a buffer of roomFor where it lies.
func sealInto(g cipher.AEAD, rand io.Reader, name, b []byte) ([]byte, error) {
	nonce := b[:nonceSize]
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("couldn't draw a nonce: %w", err)
	}
	return g.Seal(nonce, nonce, b[nonceSize:], name), nil
}

func openWith(key, name, sealed []byte) ([]byte, error) {
	g, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return open(g, name, sealed)
}

func open(g cipher.AEAD, name, sealed []byte) ([]byte, error) {
	if len(sealed) < nonceSize {
		return nil, errors.New("a sealed row is too short")
	}
	plain, err := g.Open(nil, sealed[:nonceSize], sealed[nonceSize:], name)
	if err != nil {
		return nil, errors.New("a sealed row was altered or moved")
	}
	return plain, nil
}

// blockKeys holds the keys of public parts that were used last. Records of
// neighbouring ordinals share one: a thousand times a handful of writes and a
// few dozen new indexes are far from the 2^32 random nonces that a key may see
// (NIST SP 800-38D, 8.3), and a key need not be derived and expanded for every
// write.
type blockKeys struct {
	mu  sync.Mutex
	all map[uint64]cipher.AEAD
}

const (
	blockSize = 1024
	maxBlocks = 64
)

// public returns the key of the public part of a record.
func (r *Registry) public(ordinal uint64) (cipher.AEAD, error) {
	k, block := &r.publics, ordinal/blockSize
	k.mu.Lock()
	defer k.mu.Unlock()
	if g, ok := k.all[block]; ok {
		return g, nil
	}
	key, err := r.rowKey("publics/" + strconv.FormatUint(block, 10))
	if err != nil {
		return nil, err
	}
	g, err := gcm(key)
	if err != nil {
		return nil, err
	}
	if len(k.all) >= maxBlocks || k.all == nil {
		k.all = map[uint64]cipher.AEAD{}
	}
	k.all[block] = g
	return g, nil
}

// sealPublic makes the public part of a row.
func (r *Registry) sealPublic(h *held) error {
	g, err := r.public(h.rec.Ordinal)
	if err != nil {
		return err
	}
	plain := appendPublic(roomFor(publicSize+len(h.rec.Application)+len(h.outcome)), &public{h.rec, h.row.Person, h.row.Doomed, h.outcome})
	h.row.Public, err = sealInto(g, r.rand, partName(publicName, h.rec.Ordinal), plain)
	return err
}

// publicSize is about what a public part has besides what varies most.
const publicSize = 256

func (r *Registry) openPublic(ordinal uint64, sealed []byte) (*public, error) {
	g, err := r.public(ordinal)
	if err != nil {
		return nil, err
	}
	plain, err := open(g, partName(publicName, ordinal), sealed)
	if err != nil {
		return nil, err
	}
	return parsePublic(plain, ordinal)
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
func (r *Registry) sealOwn(t *tree, n uint64, name, plain []byte) ([]byte, error) {
	k, err := t.key(n)
	if err != nil {
		return nil, err
	}
	return sealWith(k[:], r.rand, name, plain)
}

func (r *Registry) unsealOwn(t *tree, n uint64, name, sealed []byte) ([]byte, error) {
	k, err := t.key(n)
	if err != nil {
		return nil, err
	}
	return openWith(k[:], name, sealed)
}
