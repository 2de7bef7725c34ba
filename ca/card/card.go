// Package card is a resident's IC card in software (DOMAIN 7).
//
// The resident, not the officer, makes the key pair: the card draws it inside
// and gives out only the public key. The private key exists outside the
// card's memory only sealed under a key derived from the signing PIN, and no
// method returns it. Signing needs a VERIFY with the signing PIN first (6 to
// 16 upper-case letters and digits); the fifth wrong PIN in a row blocks the
// card for good. As on the real card, the certificate is readable only after
// VERIFY, because it carries the holder's four attributes.
//
// The package never stores a PIN, never writes the private key in the clear
// and never signs without VERIFY. It stands in for a real card: the memory of
// this process is the card's inside, so it protects the file, not the host.
//
//	c, err := card.Generate(card.Config{Path: "card.json", Algorithm: card.RSA2048, PIN: "SAMPLE01"})
//	err = c.Verify("SAMPLE01")          // else Sign fails with ErrNotVerified
//	csr, err := c.Request()             // proof of possession of the key
//	err = c.Install(certificateDER)     // delivery at the counter
//	sig, err := c.Sign(nil, digest, crypto.SHA256)
//	c.Reset()                           // the card leaves the reader
package card

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Algorithm is the kind of key pair that a card holds.
type Algorithm string

// Algorithms. RSA2048 is what residents' cards hold (DOMAIN 6.2).
const (
	RSA2048 Algorithm = "rsa2048"
	P256    Algorithm = "p256"
)

// MaxTries is the number of wrong signing PINs in a row that blocks a card.
const MaxTries = 5

// DefaultIterations is the PBKDF2-HMAC-SHA-256 cost of sealing by the PIN.
const DefaultIterations = 600_000

// Errors that a caller may branch on.
var (
	ErrNotVerified   = errors.New("the signing PIN has not been verified")
	ErrBlocked       = errors.New("the card is blocked: too many wrong PINs")
	ErrNoCertificate = errors.New("the card holds no certificate yet")
)

// WrongPIN says how many tries are left. It never holds the PIN.
type WrongPIN struct{ Left int }

// Error is a sentence with the number of tries left.
func (e *WrongPIN) Error() string { return fmt.Sprintf("wrong signing PIN, %d tries left", e.Left) }

// Config says how a card is made.
type Config struct {
	Path       string    // file of the card; "" keeps it in memory only
	Algorithm  Algorithm // "" means RSA2048
	PIN        string    // first signing PIN, chosen by the resident
	Iterations int       // PBKDF2 cost; 0 means DefaultIterations
	Rand       io.Reader // nil means crypto/rand.Reader
}

// Card is one card. It is safe for concurrent use.
type Card struct {
	mu     sync.Mutex
	path   string
	rand   io.Reader
	file   file
	public crypto.PublicKey
	inside *opened // nil unless VERIFY succeeded since the last Reset
}

// opened is what VERIFY unlocks.
type opened struct {
	seal []byte // key derived from the PIN
	key  crypto.Signer
	cert []byte
}

// Generate makes a card with a fresh key pair and the given PIN. The card is
// not verified afterwards.
func Generate(cfg Config) (*Card, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Iterations == 0 {
		cfg.Iterations = DefaultIterations
	}
	if err := checkPIN(cfg.PIN); err != nil {
		return nil, err
	}
	key, alg, err := generate(cfg.Algorithm, cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("couldn't make the key pair: %w", err)
	}
	c := &Card{path: cfg.Path, rand: cfg.Rand, public: key.Public()}
	if err := c.file.init(alg, key, cfg); err != nil {
		return nil, err
	}
	if err := c.save(); err != nil {
		return nil, err
	}
	return c, nil
}

func generate(alg Algorithm, r io.Reader) (crypto.Signer, Algorithm, error) {
	switch alg {
	case "", RSA2048:
		k, err := rsa.GenerateKey(r, 2048)
		return k, RSA2048, err
	case P256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), r)
		return k, P256, err
	}
	return nil, "", errors.New("unknown algorithm")
}

// Public returns the public key; it needs no PIN.
func (c *Card) Public() crypto.PublicKey { return c.public }

// Algorithm returns the kind of the card's key pair.
func (c *Card) Algorithm() Algorithm { return c.file.Algorithm }

// Tries returns how many wrong PINs are left before the card blocks; 0 means
// blocked. It is what an empty VERIFY (63 Cx) tells (DOMAIN 7).
func (c *Card) Tries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file.Tries
}

// Verify presents the signing PIN. A wrong one gives *WrongPIN or, at the
// last try, ErrBlocked, and takes back an earlier VERIFY.
//
// The try is counted down in the file before the PIN is compared: pulling the
// card at the right moment doesn't buy a free guess.
func (c *Card) Verify(pin string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside = nil
	if c.file.Tries <= 0 {
		return ErrBlocked
	}
	c.file.Tries--
	if err := c.save(); err != nil {
		return err
	}
	in, err := c.file.open(pin)
	if err != nil {
		if c.file.Tries == 0 {
			return ErrBlocked
		}
		return &WrongPIN{Left: c.file.Tries}
	}
	c.file.Tries = MaxTries
	if err := c.save(); err != nil {
		return err
	}
	c.inside = in
	return nil
}

// Reset forgets the VERIFY, as when the card leaves the reader.
func (c *Card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside = nil
}

// Sign implements crypto.Signer after VERIFY: RSASSA-PKCS1-v1_5 (as the real
// card; PSS is refused) or ECDSA in ASN.1 form, over a SHA-256, SHA-384 or
// SHA-512 digest. The random source is the card's own; the argument is ignored.
func (c *Card) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss {
		return nil, errors.New("the card signs with PKCS#1 v1.5 only")
	}
	switch opts.HashFunc() {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return nil, errors.New("the card signs SHA-256, SHA-384 and SHA-512 digests only")
	}
	if len(digest) != opts.HashFunc().Size() {
		return nil, errors.New("digest has the wrong length for its hash")
	}
	c.mu.Lock()
	in := c.inside
	c.mu.Unlock()
	if in == nil {
		return nil, ErrNotVerified
	}
	return in.key.Sign(c.rand, digest, opts)
}

// Request returns a PKCS#10 request signed by the card's key: the proof that
// the applicant holds the private key of the public key in it. It names
// nobody. It needs VERIFY.
func (c *Card) Request() ([]byte, error) {
	alg := x509.SHA256WithRSA
	if c.Algorithm() == P256 {
		alg = x509.ECDSAWithSHA256
	}
	der, err := x509.CreateCertificateRequest(c.rand, &x509.CertificateRequest{Subject: pkix.Name{}, SignatureAlgorithm: alg}, c)
	if err != nil {
		return nil, fmt.Errorf("couldn't make the certification request: %w", err)
	}
	return der, nil
}

// Install writes the delivered certificate to the card. It is refused unless
// it certifies this card's public key. It needs VERIFY: the holder enters the
// PIN at the delivery desk.
func (c *Card) Install(der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("couldn't read the certificate: %w", err)
	}
	type equaler interface{ Equal(crypto.PublicKey) bool }
	if p, ok := c.public.(equaler); !ok || !p.Equal(cert.PublicKey) {
		return errors.New("the certificate is for another key")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside == nil {
		return ErrNotVerified
	}
	before := c.file.Certificate
	if c.file.Certificate, err = seal(c.rand, c.inside.seal, der, "certificate"); err != nil {
		return err
	}
	if err := c.save(); err != nil {
		c.file.Certificate = before
		return err
	}
	c.inside.cert = append([]byte(nil), der...)
	return nil
}

// Certificate returns the certificate's DER. It needs VERIFY.
func (c *Card) Certificate() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.inside == nil:
		return nil, ErrNotVerified
	case c.inside.cert == nil:
		return nil, ErrNoCertificate
	}
	return append([]byte(nil), c.inside.cert...), nil
}

// checkPIN holds the rule of the signing PIN: 6 to 16 upper-case letters and
// digits (DOMAIN 7).
func checkPIN(pin string) error {
	if len(pin) < 6 || len(pin) > 16 {
		return errors.New("the signing PIN has 6 to 16 characters")
	}
	for _, ch := range []byte(pin) {
		if (ch < 'A' || ch > 'Z') && (ch < '0' || ch > '9') {
			return errors.New("the signing PIN has upper-case letters A to Z and digits only")
		}
	}
	return nil
}
