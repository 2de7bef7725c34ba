package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// attributeArc is the arc of the otherName identifiers of DOMAIN 6.2; its last
// component 1 to 6 is the field name of package attr.
var attributeArc = asn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5}

// Certificate is a certificate as read from its bytes.
type Certificate struct {
	Raw       []byte       // the whole DER
	Digest    entry.Digest // SHA-256 of Raw, as in cert.issued
	TBS       entry.Digest // SHA-256 of the TBSCertificate, as in cert.intent
	SPKI      entry.Digest // SHA-256 of SubjectPublicKeyInfo, as in key.created
	Serial    string       // lower-case hex without leading zero bytes
	NotBefore time.Time
	NotAfter  time.Time
	IsCA      bool
	KeyUsage  x509.KeyUsage
	Policies  []string // certificate policy identifiers, dotted
	SubjectID []byte   // subjectKeyIdentifier, nil if absent
	IssuerID  []byte   // authorityKeyIdentifier's key identifier, nil if absent

	// Points are the names of the CRL distribution points, each as the DER of
	// its GeneralName: for JPKI a directoryName per municipality.
	Points []string
	// UnknownCritical are the critical extensions that neither the standard
	// library nor this package understands. A certificate that has any is not
	// accepted (RFC 5280 4.2).
	UnknownCritical []string

	attributes *attr.Certified
	std        *x509.Certificate
}

// ParseCertificate reads one certificate of at most MaxCertificate bytes.
// Attributes are read when a subjectAltName carries them; use Attributes.
func ParseCertificate(der []byte) (*Certificate, error) {
	if len(der) == 0 || len(der) > MaxCertificate {
		return nil, fmt.Errorf("certificate must have 1 to %d bytes", MaxCertificate)
	}
	std, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("not one X.509 certificate in DER form")
	}
	if std.Version != 3 {
		return nil, errors.New("certificate is not of version 3")
	}
	c := &Certificate{
		Raw: std.Raw, Digest: entry.Sum(std.Raw), TBS: entry.Sum(std.RawTBSCertificate),
		SPKI: entry.Sum(std.RawSubjectPublicKeyInfo), Serial: serialText(std.SerialNumber.Bytes()),
		NotBefore: std.NotBefore, NotAfter: std.NotAfter,
		IsCA: std.BasicConstraintsValid && std.IsCA, KeyUsage: std.KeyUsage,
		SubjectID: std.SubjectKeyId, IssuerID: std.AuthorityKeyId, std: std,
	}
	for _, p := range std.Policies {
		c.Policies = append(c.Policies, p.String())
	}
	for _, id := range std.UnhandledCriticalExtensions {
		c.UnknownCritical = append(c.UnknownCritical, id.String())
	}
	if err := c.readExtensions(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) readExtensions() error {
	for _, e := range c.std.Extensions {
		value := cryptobyte.String(e.Value)
		switch e.Id.String() {
		case oidCDP:
			points, err := readDistributionPoints(value)
			if err != nil {
				return err
			}
			c.Points = points
			c.known(oidCDP)
		case oidSAN:
			a, err := readAttributes(value)
			if err != nil {
				return err
			}
			if a != nil {
				c.attributes = a
				c.known(oidSAN)
			}
		}
	}
	return nil
}

// known strikes an extension that this package read itself off the unknown ones.
func (c *Certificate) known(id string) {
	c.UnknownCritical = slices.DeleteFunc(c.UnknownCritical, func(s string) bool { return s == id })
}

// Attributes returns the six otherName values, or false for a certificate
// without them (a CA's, for example).
func (c *Certificate) Attributes() (attr.Certified, bool) {
	if c.attributes == nil {
		return attr.Certified{}, false
	}
	return *c.attributes, true
}

// X509 returns the standard library's reading, for signature checks.
func (c *Certificate) X509() *x509.Certificate { return c.std }

// SignedBy checks that issuer's key made c's signature. Names, validity and
// usage are not looked at. The error is ErrSignature when it is false.
func (c *Certificate) SignedBy(issuer *Certificate) error {
	if err := issuer.std.CheckSignature(c.std.SignatureAlgorithm, c.std.RawTBSCertificate, c.std.Signature); err != nil {
		return ErrSignature
	}
	return nil
}

// readDistributionPoints reads cRLDistributionPoints (RFC 5280 4.2.1.13) and
// returns every full name. Points split by reason or with another CRL issuer
// are refused: this CA has none.
func readDistributionPoints(in cryptobyte.String) ([]string, error) {
	bad := errors.New("cRLDistributionPoints is malformed")
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, bad
	}
	var out []string
	for !list.Empty() {
		var point cryptobyte.String
		if !list.ReadASN1(&point, cbasn1.SEQUENCE) {
			return nil, bad
		}
		names, err := readPointName(&point)
		if err != nil || !point.Empty() || len(out) > 32 {
			return nil, bad
		}
		out = append(out, names...)
	}
	return out, nil
}

// readPointName reads an optional DistributionPointName with a full name.
func readPointName(in *cryptobyte.String) ([]string, error) {
	var name, full cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&name, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, errors.New("distribution point is malformed")
	}
	if !has {
		return nil, nil
	}
	if !name.ReadASN1(&full, cbasn1.Tag(0).ContextSpecific().Constructed()) || !name.Empty() {
		return nil, errors.New("distribution point has no full name")
	}
	return readGeneralNames(full)
}

// readAttributes reads the six otherNames of DOMAIN 6.2 from subjectAltName.
// It returns nil when there is no otherName of the arc at all, and an error
// when they are there but not exactly the six, each once, as UTF8String.
func readAttributes(in cryptobyte.String) (*attr.Certified, error) {
	bad := errors.New("subjectAltName is malformed")
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, bad
	}
	values := map[int]string{}
	for !list.Empty() {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1(&name, &tag) {
			return nil, bad
		}
		if tag != cbasn1.Tag(0).ContextSpecific().Constructed() {
			continue // directoryName and others: not an attribute
		}
		field, value, err := readOtherName(name)
		if err != nil {
			return nil, err
		}
		if field == 0 {
			continue
		}
		if _, twice := values[field]; twice {
			return nil, errors.New("an attribute occurs twice in subjectAltName")
		}
		values[field] = value
	}
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) != 6 {
		return nil, errors.New("subjectAltName does not hold the six attributes")
	}
	a := &attr.Certified{Name: values[1], NameMap: values[2], Sex: values[3],
		BirthDate: values[4], Address: values[5], AddressMap: values[6]}
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("the attributes break their form: %w", err)
	}
	return a, nil
}

// readOtherName returns the last OID component 1 to 6 and the value, or 0 for
// an otherName outside the arc.
func readOtherName(in cryptobyte.String) (int, string, error) {
	var oid asn1.ObjectIdentifier
	var explicit, value cryptobyte.String
	if !in.ReadASN1ObjectIdentifier(&oid) ||
		!in.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return 0, "", errors.New("an otherName is malformed")
	}
	n := len(attributeArc)
	if len(oid) != n+1 || !oid[:n].Equal(attributeArc) {
		return 0, "", nil
	}
	field := oid[n]
	if field < 1 || field > 6 {
		return 0, "", errors.New("an attribute outside the six is in subjectAltName")
	}
	if !explicit.ReadASN1(&value, cbasn1.UTF8String) || !explicit.Empty() {
		return 0, "", errors.New("an attribute is not one UTF8String")
	}
	return field, string(value), nil
}
