// Package pki reads certificates and revocation lists the way an outsider
// does: from their bytes alone, against DOMAIN 6.2 and RFC 5280.
//
// The CA builds these objects in ca/profile and ca/revocation. Nothing here
// shares code with those packages: a reader that shared the builder's bugs
// would confirm them. The standard library does the signature arithmetic and
// the outer certificate; the six attributes, distribution points and
// revocation lists are read by this package's own strict DER reader.
//
// The package does no I/O and has no clock. Its errors name the field that is
// wrong and never quote a value, because a value may be a person's.
//
//	c, err := pki.ParseCertificate(der)
//	…
//	err = c.SignedBy(issuer)      // signature only; validity is the caller's question
//	list, err := pki.ParseCRL(der)
//	entry, revoked := list.Find(c.Serial)
package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits on what is read.
const (
	MaxCertificate = 16 << 10  // bytes of one certificate
	MaxCRL         = 128 << 20 // bytes of one revocation list: about 2 million entries
)

// Object identifiers of DOMAIN 6.2 and RFC 5280.
const (
	// TestPolicy is the certificate policy of the test environment. The
	// production policy identifier never appears in this project's
	// certificates (DOMAIN 6.2).
	TestPolicy = "1.2.392.200149.8.5.1.0.20"
	// ProductionPolicy is the policy of real signing certificates: a
	// certificate of this project that carries it is refused.
	ProductionPolicy = "1.2.392.200149.8.5.1.1.20"

	oidSAN        = "2.5.29.17"
	oidCRLNumber  = "2.5.29.20"
	oidReason     = "2.5.29.21"
	oidInvalidity = "2.5.29.24"
	oidDelta      = "2.5.29.27"
	oidIDP        = "2.5.29.28"
	oidCDP        = "2.5.29.31"
	oidAKI        = "2.5.29.35"
)

// ErrSignature means that a signature was checked and is false.
var ErrSignature = errors.New("signature does not match")

// signatureAlgorithms are the algorithms that this reader accepts, by the DER
// of their AlgorithmIdentifier's OID. SHA-1 and MD5 are absent on purpose.
var signatureAlgorithms = map[string]x509.SignatureAlgorithm{
	"1.2.840.113549.1.1.11": x509.SHA256WithRSA,
	"1.2.840.113549.1.1.12": x509.SHA384WithRSA,
	"1.2.840.113549.1.1.13": x509.SHA512WithRSA,
	"1.2.840.10045.4.3.2":   x509.ECDSAWithSHA256,
	"1.2.840.10045.4.3.3":   x509.ECDSAWithSHA384,
	"1.2.840.10045.4.3.4":   x509.ECDSAWithSHA512,
}

// serialText is a serial in the form of the log's entries: lower-case hex of
// its bytes without leading zero bytes, at least one byte.
func serialText(content []byte) string {
	for len(content) > 1 && content[0] == 0 {
		content = content[1:]
	}
	return hex.EncodeToString(content)
}

// NormalSerial brings a serial as logged to the form of Certificate.Serial:
// without leading zero bytes.
func NormalSerial(s string) string {
	for len(s) > 2 && s[:2] == "00" {
		s = s[2:]
	}
	return s
}

// readSerial reads a positive INTEGER of at most 20 bytes (RFC 5280 4.1.2.2).
func readSerial(in *cryptobyte.String) (string, error) {
	var raw cryptobyte.String
	if !in.ReadASN1(&raw, cbasn1.INTEGER) || len(raw) == 0 || len(raw) > 21 {
		return "", errors.New("serial number is not an INTEGER of 1 to 20 bytes")
	}
	if raw[0]&0x80 != 0 || (len(raw) > 1 && raw[0] == 0 && raw[1]&0x80 == 0) {
		return "", errors.New("serial number is negative or not minimal")
	}
	s := serialText(raw)
	if len(s) > 40 {
		return "", errors.New("serial number has more than 20 bytes")
	}
	return s, nil
}

// readTime reads UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5.
func readTime(in *cryptobyte.String) (time.Time, error) {
	var raw cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1(&raw, &tag) {
		return time.Time{}, errors.New("time is missing")
	}
	layout := ""
	switch tag {
	case cbasn1.UTCTime:
		layout = "060102150405Z"
	case cbasn1.GeneralizedTime:
		layout = "20060102150405Z"
	default:
		return time.Time{}, errors.New("time is neither UTCTime nor GeneralizedTime")
	}
	t, err := time.Parse(layout, string(raw))
	if err != nil || len(raw) != len(layout) {
		return time.Time{}, errors.New("time is not in the form that RFC 5280 asks for")
	}
	if tag == cbasn1.UTCTime && t.Year() >= 2050 {
		t = t.AddDate(-100, 0, 0)
	}
	return t, nil
}

// extension is one extension of a certificate or list.
type extension struct {
	id       string
	critical bool
	value    cryptobyte.String
}

// readExtensions reads SEQUENCE OF Extension and refuses doubles.
func readExtensions(in *cryptobyte.String) ([]extension, error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return nil, errors.New("extensions are not a list")
	}
	var out []extension
	seen := map[string]bool{}
	for !list.Empty() {
		e, err := readExtension(&list)
		if err != nil {
			return nil, err
		}
		if seen[e.id] || len(out) == 64 {
			return nil, errors.New("an extension occurs twice, or there are more than 64")
		}
		seen[e.id] = true
		out = append(out, e)
	}
	return out, nil
}

func readExtension(list *cryptobyte.String) (extension, error) {
	var e extension
	var one cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) {
		return e, errors.New("an extension is malformed")
	}
	e.id = oid.String()
	if one.PeekASN1Tag(cbasn1.BOOLEAN) {
		// DER leaves a false default out, so a BOOLEAN here is true.
		if !one.ReadASN1Boolean(&e.critical) || !e.critical {
			return e, errors.New("an extension's critical flag is malformed")
		}
	}
	if !one.ReadASN1(&e.value, cbasn1.OCTET_STRING) || !one.Empty() {
		return e, fmt.Errorf("extension %s is malformed", e.id)
	}
	return e, nil
}

// readGeneralNames returns each GeneralName of a list as its whole DER.
func readGeneralNames(list cryptobyte.String) ([]string, error) {
	var out []string
	for !list.Empty() {
		var el cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1Element(&el, &tag) || len(out) == 32 {
			return nil, errors.New("a list of names is malformed")
		}
		out = append(out, string(el))
	}
	if len(out) == 0 {
		return nil, errors.New("a list of names is empty")
	}
	return out, nil
}
