package card

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is the card as it lies on disk: everything secret or personal is
// sealed with AES-256-GCM under PBKDF2-HMAC-SHA-256 of the PIN.
type file struct {
	Version     int       `json:"version"` // 1
	Algorithm   Algorithm `json:"algorithm"`
	Public      []byte    `json:"public"` // SubjectPublicKeyInfo
	Salt        []byte    `json:"salt"`
	Iterations  int       `json:"iterations"`
	Tries       int       `json:"tries"`                 // wrong PINs left
	Key         []byte    `json:"key"`                   // sealed PKCS#8
	Certificate []byte    `json:"certificate,omitempty"` // sealed DER
}

const (
	fileVersion   = 1
	maxFile       = 64 << 10
	maxIterations = 10_000_000 // a file must not make VERIFY run for hours
	saltSize      = 16
)

func (f *file) init(alg Algorithm, key crypto.Signer, cfg Config) error {
	if cfg.Iterations < 1 || cfg.Iterations > maxIterations {
		return fmt.Errorf("iterations must be 1 to %d", maxIterations)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("couldn't encode the key: %w", err)
	}
	defer clear(pkcs8)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("couldn't encode the public key: %w", err)
	}
	*f = file{Version: fileVersion, Algorithm: alg, Public: spki, Salt: make([]byte, saltSize), Iterations: cfg.Iterations, Tries: MaxTries}
	if _, err := io.ReadFull(cfg.Rand, f.Salt); err != nil {
		return fmt.Errorf("couldn't draw a salt: %w", err)
	}
	k, err := f.derive(cfg.PIN)
	if err != nil {
		return err
	}
	f.Key, err = seal(cfg.Rand, k, pkcs8, "key")
	return err
}

func (f *file) derive(pin string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, pin, f.Salt, f.Iterations, 32)
}

// open unseals the card's inside. A PIN of a wrong form is a wrong PIN.
func (f *file) open(pin string) (*opened, error) {
	if err := checkPIN(pin); err != nil {
		return nil, err
	}
	k, err := f.derive(pin)
	if err != nil {
		return nil, err
	}
	pkcs8, err := unseal(k, f.Key, "key")
	if err != nil {
		return nil, err
	}
	defer clear(pkcs8)
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, errors.New("couldn't decode the sealed key")
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("the sealed key can't sign")
	}
	in := &opened{seal: k, key: key}
	if f.Certificate != nil {
		if in.cert, err = unseal(k, f.Certificate, "certificate"); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// seal returns nonce ‖ ciphertext. The purpose binds a sealed value to its
// place: the certificate can't be put where the key belongs.
func seal(r io.Reader, key, plain []byte, purpose string) ([]byte, error) {
	g, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, g.NonceSize(), g.NonceSize()+len(plain)+g.Overhead())
	if _, err := io.ReadFull(r, nonce); err != nil {
		return nil, fmt.Errorf("couldn't draw a nonce: %w", err)
	}
	return g.Seal(nonce, nonce, plain, []byte("sukashi/card/v1/"+purpose)), nil
}

func unseal(key, sealed []byte, purpose string) ([]byte, error) {
	g, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < g.NonceSize() {
		return nil, errors.New("sealed value is too short")
	}
	return g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], []byte("sukashi/card/v1/"+purpose))
}

// Load reads a card that Generate wrote. It is not verified. A nil random
// source means crypto/rand.Reader.
func Load(path string, random io.Reader) (*Card, error) {
	fh, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't open the card: %w", err)
	}
	defer fh.Close()
	b, err := io.ReadAll(io.LimitReader(fh, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the card: %w", err)
	}
	f, pub, err := parse(b)
	if err != nil {
		return nil, err
	}
	if random == nil {
		random = rand.Reader
	}
	return &Card{path: path, rand: random, file: f, public: pub}, nil
}

// parse reads a card file's bytes.
func parse(b []byte) (file, crypto.PublicKey, error) {
	var f file
	if len(b) > maxFile {
		return f, nil, errors.New("the card file is too large")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || dec.More() {
		return f, nil, errors.New("the card file is not readable")
	}
	if f.Version != fileVersion {
		return f, nil, fmt.Errorf("the card file has version %d, this program reads %d", f.Version, fileVersion)
	}
	if f.Tries < 0 || f.Tries > MaxTries || f.Iterations < 1 || f.Iterations > maxIterations ||
		(f.Algorithm != RSA2048 && f.Algorithm != P256) || len(f.Salt) != saltSize {
		return f, nil, errors.New("the card file holds a value out of range")
	}
	pub, err := x509.ParsePKIXPublicKey(f.Public)
	if err != nil {
		return f, nil, fmt.Errorf("couldn't read the card's public key: %w", err)
	}
	return f, pub, nil
}

// save replaces the card's file: temporary file, fsync, rename, fsync of the
// directory, so that a crash leaves the old card or the new one.
func (c *Card) save() error {
	if c.path == "" {
		return nil
	}
	b, err := json.Marshal(c.file)
	if err != nil {
		return err
	}
	if err := replaceFile(c.path, b); err != nil {
		return fmt.Errorf("couldn't write the card: %w", err)
	}
	return nil
}

func replaceFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".card-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(b); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
