package path

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxCertificate is the largest certificate in bytes.
const MaxCertificate = 64 << 10

// Certificate is a certificate as read from its bytes. It is read-only.
type Certificate struct {
	Raw       []byte
	Digest    [32]byte // SHA-256 of Raw
	NotBefore time.Time
	NotAfter  time.Time

	version         int
	serial          string // content of the INTEGER
	issuer, subject name
	issuerKey       string // issuer.key(), compared often
	subjectKey      string
	mails           []string // e-mail addresses inside the subject
	signed          signed
	key             publicKey
	ext             extensions
}

// ParseCertificate reads one certificate in DER. A certificate that is well
// formed but can't be valid (an unknown critical extension, a forbidden key)
// parses; Verify refuses it with its reason.
func ParseCertificate(der []byte) (*Certificate, error) {
	if len(der) == 0 || len(der) > MaxCertificate {
		return nil, fmt.Errorf("certificate must have 1 to %d bytes", MaxCertificate)
	}
	c := &Certificate{Raw: der, Digest: sha256.Sum256(der)}
	tbs, err := c.signed.read(der)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the certificate: %w", err)
	}
	if err := c.readTBS(tbs); err != nil {
		return nil, fmt.Errorf("couldn't read the certificate: %w", err)
	}
	return c, nil
}

func (c *Certificate) readTBS(b cryptobyte.String) error {
	var v cryptobyte.String
	var has, ok bool
	if !b.ReadOptionalASN1(&v, &has, context(0).Constructed()) {
		return errors.New("version is malformed")
	}
	if has && (!v.ReadASN1Integer(&c.version) || !v.Empty() || c.version < 1 || c.version > 2) {
		return errors.New("version is malformed")
	}
	if c.serial, ok = readInteger(&b, asn1.INTEGER); !ok || len(c.serial) > 64 {
		return errors.New("serial number is malformed")
	}
	if err := c.signed.sameAlgorithm(&b); err != nil {
		return err
	}
	var err error
	if c.issuer, _, err = readName(&b); err != nil {
		return err
	}
	var validity cryptobyte.String
	if !b.ReadASN1(&validity, asn1.SEQUENCE) {
		return errors.New("validity is malformed")
	}
	if c.NotBefore, ok = readTime(&validity); !ok {
		return errors.New("notBefore is malformed")
	}
	if c.NotAfter, ok = readTime(&validity); !ok || !validity.Empty() {
		return errors.New("notAfter is malformed")
	}
	if c.subject, c.mails, err = readName(&b); err != nil {
		return err
	}
	c.issuerKey, c.subjectKey = c.issuer.key(), c.subject.key()
	if c.key, err = readPublicKey(&b); err != nil {
		return err
	}
	return c.readRest(b)
}

// readRest reads unique identifiers (passed over, RFC 5280 4.1.2.8) and extensions.
func (c *Certificate) readRest(b cryptobyte.String) error {
	var wrapped cryptobyte.String
	var has bool
	if !b.SkipOptionalASN1(context(1)) || !b.SkipOptionalASN1(context(2)) ||
		!b.ReadOptionalASN1(&wrapped, &has, context(3).Constructed()) || !b.Empty() {
		return errors.New("bytes that do not belong there")
	}
	if !has {
		return nil
	}
	if c.version != 2 {
		return errors.New("extensions in a certificate that is not of version 3")
	}
	list, err := readExtensions(wrapped)
	if err != nil {
		return err
	}
	return c.ext.read(list)
}

// selfIssued reports whether issuer and subject are one name (RFC 5280 6.1).
func (c *Certificate) selfIssued() bool { return c.issuerKey == c.subjectKey }

// mayBeIssuedBy reports whether names and key identifiers allow that issuer
// signed c. An identifier that one side lacks says nothing.
func (c *Certificate) mayBeIssuedBy(issuer *Certificate) bool {
	return c.issuerKey == issuer.subjectKey && c.ext.authority.allows(issuer)
}
