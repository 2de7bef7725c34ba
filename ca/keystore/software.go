package keystore

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/internal/say"
	"golang.org/x/crypto/scrypt"
)

// Roles of a key. A key file opens only in its own role: an issuer key can't be
// used as a responder's, which has a lower gate.
const (
	RoleIssuer = "issuer"
	RoleOCSP   = "ocsp"
)

// Algorithms of keys, as in the log's key.created.
const (
	RSA2048 = "rsa2048"
	RSA3072 = "rsa3072"
	RSA4096 = "rsa4096"
	P256    = "p256"
	P384    = "p384"
)

// SoftwareConfig is a software key's file and gate.
type SoftwareConfig struct {
	Path       string     // key file
	Passphrase []byte     // at least 8 bytes
	Algorithm  string     // of a new key: RSA2048 (default), RSA3072, RSA4096, P256, P384
	Random     io.Reader  // for salt and nonce of a new key file; nil: crypto/rand
	Gate       GateConfig // of an issuer key: all of it; of a responder: Journal and Now
}

// CreateSoftware makes a new issuer key, encrypts it into c.Path, which must not
// exist, and opens it. Its first signature is the one on its own certificate,
// announced by key.created.
func CreateSoftware(c SoftwareConfig) (Key, error) {
	if err := createFile(c, RoleIssuer); err != nil {
		return nil, err
	}
	return OpenSoftware(c)
}

// GenerateSoftware makes a new key of a role and encrypts it into c.Path, which
// must not exist. It does not open it.
func GenerateSoftware(c SoftwareConfig, role string) error { return createFile(c, role) }

// OpenSoftware opens an issuer key made by CreateSoftware. Its Demo is true.
func OpenSoftware(c SoftwareConfig) (Key, error) {
	s, err := readFile(c, RoleIssuer)
	if err != nil {
		return nil, err
	}
	return newGated(c.Gate, s)
}

// software is a private key in memory.
type software struct{ key crypto.Signer }

func (s *software) public() crypto.PublicKey { return s.key.Public() }
func (s *software) demo() bool               { return true }
func (s *software) deterministic() bool      { return true }
func (s *software) distrust()                {}
func (s *software) ready() error             { return nil }
func (s *software) close() error             { return nil }

// sign gives no randomness to the signer: RSA PKCS #1 v1.5 needs none, and
// ECDSA is then deterministic by RFC 6979, which is what lets Resume work.
func (s *software) sign(_ context.Context, digest []byte, h crypto.Hash) ([]byte, error) {
	return s.key.Sign(nil, digest, h)
}

// demoWarning stands in every key file, where whoever finds it will see it.
const demoWarning = "DEMO KEY: a software key of sukashi. Not for a CA that anyone relies on. 試験用の鍵です。本番では使えません。"

// keyFile is the file's JSON. Everything but Sealed is authenticated with it.
type keyFile struct {
	Version int    `json:"v"`
	Warning string `json:"warning"`
	Role    string `json:"role"`
	Alg     string `json:"alg"`
	N       int    `json:"scrypt_n"`
	Salt    []byte `json:"salt"`
	Nonce   []byte `json:"nonce"`
	SPKI    []byte `json:"spki"`
	Sealed  []byte `json:"sealed,omitempty"`
}

const (
	scryptN = 1 << 15 // 32 MiB and about a tenth of a second
	maxFile = 32 << 10
)

func generate(alg string) (crypto.Signer, error) {
	bits := map[string]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}
	switch alg {
	case RSA2048, RSA3072, RSA4096:
		return rsa.GenerateKey(rand.Reader, bits[alg])
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, errors.New("unknown key algorithm")
}

func createFile(c SoftwareConfig, role string) error {
	if len(c.Passphrase) < 8 {
		return say.New("keystore.passphrase", "鍵のパスフレーズは8バイト以上にしてください。", "The key's passphrase must have at least 8 bytes.")
	}
	if c.Algorithm == "" {
		c.Algorithm = RSA2048
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	key, err := generate(c.Algorithm)
	if err != nil {
		return fmt.Errorf("couldn't make a key: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("couldn't encode the key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("couldn't encode the key: %w", err)
	}
	f := keyFile{Version: 1, Warning: demoWarning, Role: role, Alg: c.Algorithm, N: scryptN,
		Salt: make([]byte, 16), Nonce: make([]byte, 12), SPKI: spki}
	for _, b := range [][]byte{f.Salt, f.Nonce} {
		if _, err := io.ReadFull(c.Random, b); err != nil {
			return fmt.Errorf("couldn't draw a salt: %w", err)
		}
	}
	aead, header, err := f.cipher(c.Passphrase)
	if err != nil {
		return err
	}
	f.Sealed = aead.Seal(nil, f.Nonce, plain, header)
	out, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("couldn't encode the key file: %w", err)
	}
	return writeNew(c.Path, append(out, '\n'))
}

// cipher returns the file's AEAD and the bytes that it authenticates.
func (f keyFile) cipher(pass []byte) (cipher.AEAD, []byte, error) {
	f.Sealed = nil
	header, err := json.Marshal(f)
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't encode the key file: %w", err)
	}
	k, err := scrypt.Key(pass, f.Salt, f.N, 8, 1, 32)
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't derive the file's key: %w", err)
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't set up the file's cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't set up the file's cipher: %w", err)
	}
	return aead, header, nil
}

// writeNew writes a file that must not exist: content, fsync, then its name,
// then fsync of the directory.
func writeNew(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("couldn't make the key's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return say.New("keystore.exists", "鍵ファイルがすでにあります。上書きはしません。", "There is a key file already; it is not overwritten.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("couldn't make the key file: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("couldn't write the key file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func readFile(c SoftwareConfig, role string) (*software, error) {
	f, err := loadFile(c.Path)
	if err != nil {
		return nil, err
	}
	if f.Role != role {
		return nil, say.New("keystore.role", "この鍵は別の用途のものです。", "This key is for another role.")
	}
	aead, header, err := f.cipher(c.Passphrase)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, f.Nonce, f.Sealed, header)
	if err != nil {
		return nil, say.New("keystore.locked", "鍵を開けません。パスフレーズが違うか、ファイルが壊れています。",
			"The key can't be opened: wrong passphrase, or the file is damaged.").Because(err)
	}
	k, err := x509.ParsePKCS8PrivateKey(plain)
	clear(plain)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the key: %w", err)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, errors.New("couldn't read the key: it can't sign")
	}
	return &software{s}, nil
}

func loadFile(path string) (keyFile, error) {
	var f keyFile
	st, err := os.Stat(path)
	if err != nil {
		return f, fmt.Errorf("couldn't find the key file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return f, say.New("keystore.mode", "鍵ファイルを他の利用者が読めます。", "Other users can read the key file.").
			Hint("chmod 600 で所有者だけにしてください。", "Make it the owner's alone with chmod 600.")
	}
	if st.Size() > maxFile {
		return f, errors.New("key file is too large")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return f, fmt.Errorf("couldn't read the key file: %w", err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("couldn't read the key file: %w", err)
	}
	if f.Version != 1 || f.Warning != demoWarning || len(f.Salt) != 16 || len(f.Nonce) != 12 ||
		f.N < 1<<14 || f.N > 1<<20 || f.N&(f.N-1) != 0 {
		return f, errors.New("key file is not one of a software key")
	}
	return f, nil
}
