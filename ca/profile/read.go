package profile

import (
	"bytes"
	"crypto"
	"errors"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// linted is a certificate as the lints see it: read again from the bytes, by a
// reader that shares nothing with the builder that wrote them. It takes only
// what a certificate of this CA can hold, in DER and with nothing left over;
// what crypto/x509 can't read, it doesn't read either, or a lint finds it
// (TestNothingThatX509Refuses).
type linted struct {
	role       Role
	version    int64
	serial     []byte // content of the INTEGER
	algorithm  []byte // whole AlgorithmIdentifier
	issuer     []byte // whole Names
	subject    []byte
	validity   [2][]byte // whole Times
	notBefore  time.Time
	notAfter   time.Time
	spki       []byte
	key        crypto.PublicKey // nil if it is none of RSA, P-256, P-384
	extensions []readExtension
	space      [12]readExtension // most certificates' extensions need no other
	names      *otherNames       // once read
}

// Extensions by the content of their identifiers, as they stand in the bytes.
const (
	idSubjectKeyID      = "\x55\x1d\x0e"
	idKeyUsage          = "\x55\x1d\x0f"
	idSubjectAltName    = "\x55\x1d\x11"
	idIssuerAltName     = "\x55\x1d\x12"
	idConstraints       = "\x55\x1d\x13"
	idDistribution      = "\x55\x1d\x1f"
	idPolicies          = "\x55\x1d\x20"
	idPolicyMappings    = "\x55\x1d\x21"
	idAuthorityKeyID    = "\x55\x1d\x23"
	idPolicyConstraints = "\x55\x1d\x24"
	idExtKeyUsage       = "\x55\x1d\x25"
	idInfoAccess        = "\x2b\x06\x01\x05\x05\x07\x01\x01"
	idOCSPNoCheck       = "\x2b\x06\x01\x05\x05\x07\x30\x01\x05"
	idOrdinal           = "\x88\x37\x89\xc7\x93\x41\x01"
)

type readExtension struct {
	id       []byte // content of the OBJECT IDENTIFIER
	critical bool
	value    []byte // content of the OCTET STRING
}

var errRead = errors.New("not a TBSCertificate")

// parseTBS reads a TBSCertificate (RFC 5280 4.1).
func parseTBS(tbs []byte) (*linted, error) {
	c := new(linted)
	in := cryptobyte.String(tbs)
	var body, validity cryptobyte.String
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() ||
		!body.ReadOptionalASN1Integer(&c.version, asn1.Tag(0).ContextSpecific().Constructed(), int64(0)) ||
		!body.ReadASN1((*cryptobyte.String)(&c.serial), asn1.INTEGER) || !natural(c.serial) ||
		!body.ReadASN1Element((*cryptobyte.String)(&c.algorithm), asn1.SEQUENCE) ||
		!readName(&body, &c.issuer) ||
		!body.ReadASN1(&validity, asn1.SEQUENCE) || !readEitherTime(&validity, &c.validity[0], &c.notBefore) ||
		!readEitherTime(&validity, &c.validity[1], &c.notAfter) || !validity.Empty() ||
		!readName(&body, &c.subject) ||
		!body.ReadASN1Element((*cryptobyte.String)(&c.spki), asn1.SEQUENCE) ||
		!c.readExtensions(&body) || !body.Empty() {
		return nil, errRead
	}
	c.key, _ = DecodeKey(c.spki)
	c.role = c.roleOf()
	return c, nil
}

// roleOf tells what a certificate is for from its own bytes.
func (c *linted) roleOf() Role {
	_, _, purposes := c.extension(idExtKeyUsage)
	_, _, authority := c.extension(idAuthorityKeyID)
	constraints, _, _ := c.extension(idConstraints)
	ca := len(constraints) > 2 && bytes.HasPrefix(constraints[2:], []byte{0x01, 0x01, 0xff})
	switch {
	case ca && !authority:
		return Root
	case ca && bytes.Equal(c.issuer, c.subject):
		return Link
	case ca:
		return Cross
	case purposes:
		return OCSP
	}
	return Resident
}

func (c *linted) readExtensions(body *cryptobyte.String) bool {
	c.extensions = c.space[:0]
	var wrap, list cryptobyte.String
	if !body.ReadASN1(&wrap, asn1.Tag(3).ContextSpecific().Constructed()) ||
		!wrap.ReadASN1(&list, asn1.SEQUENCE) || !wrap.Empty() {
		return false
	}
	for !list.Empty() {
		var e readExtension
		var one, critical cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) || !readOID(&one, &e.id) ||
			!one.ReadOptionalASN1(&critical, &e.critical, asn1.BOOLEAN) ||
			e.critical && !bytes.Equal(critical, []byte{0xff}) || // DER writes no FALSE where it is the default
			!one.ReadASN1((*cryptobyte.String)(&e.value), asn1.OCTET_STRING) || !one.Empty() {
			return false
		}
		c.extensions = append(c.extensions, e)
	}
	return true
}

func (c *linted) extension(id string) (value []byte, critical, found bool) {
	for _, e := range c.extensions {
		if string(e.id) == id {
			return e.value, e.critical, true
		}
	}
	return nil, false, false
}

// natural reports whether the content of an INTEGER is one of DER's and not
// negative.
func natural(b []byte) bool {
	return len(b) > 0 && b[0] < 0x80 && (len(b) == 1 || b[0] != 0 || b[1] >= 0x80)
}

// readEitherTime reads a Time in either form; which one it has to be is for C23.
func readEitherTime(in *cryptobyte.String, raw *[]byte, t *time.Time) bool {
	var tag asn1.Tag
	if !in.ReadAnyASN1Element((*cryptobyte.String)(raw), &tag) {
		return false
	}
	again := cryptobyte.String(*raw)
	if tag == asn1.UTCTime {
		return again.ReadASN1UTCTime(t)
	}
	return again.ReadASN1GeneralizedTime(t)
}

// readOID reads an OBJECT IDENTIFIER whose arcs are written in DER and have at
// most 31 bits, as crypto/x509 wants them.
func readOID(in *cryptobyte.String, id *[]byte) bool {
	if !in.ReadASN1((*cryptobyte.String)(id), asn1.OBJECT_IDENTIFIER) || len(*id) == 0 {
		return false
	}
	n, first := uint64(0), true
	for _, b := range *id {
		if first && b == 0x80 {
			return false
		}
		if n = n<<7 | uint64(b&0x7f); n >= 1<<31 {
			return false
		}
		if first = b < 0x80; first {
			n = 0
		}
	}
	return first
}

// readName reads a Name whole: at least one attribute, each of a string type
// that crypto/x509 reads. How this CA's own names look is for the lints.
func readName(in *cryptobyte.String, name *[]byte) bool {
	if !in.ReadASN1Element((*cryptobyte.String)(name), asn1.SEQUENCE) {
		return false
	}
	rdns, ok := inside(*name, asn1.SEQUENCE)
	for ok && !rdns.Empty() {
		var set, attribute, value cryptobyte.String
		var id []byte
		var tag asn1.Tag
		ok = rdns.ReadASN1(&set, asn1.SET) && !set.Empty()
		for ok && !set.Empty() {
			ok = set.ReadASN1(&attribute, asn1.SEQUENCE) && readOID(&attribute, &id) && attribute.ReadAnyASN1(&value, &tag) &&
				attribute.Empty() && isString(tag, value)
		}
	}
	return ok
}

// isString reports whether the content of a string has its type's characters
// (X.680 clause 41).
func isString(tag asn1.Tag, value []byte) bool {
	switch tag {
	case asn1.UTF8String:
		return utf8.Valid(value)
	case asn1.PrintableString:
		return bytes.IndexFunc(value, func(r rune) bool { return !printable(r) }) < 0
	case asn1.IA5String:
		return bytes.IndexFunc(value, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	case asn1.T61String:
		return true
	case tagBMPString:
		return isBMP(value)
	}
	return false
}

// tagBMPString is a string of two bytes for each character, which other CAs
// have in their names.
const tagBMPString asn1.Tag = 30

// isBMP wants whole characters, no halves of others and none that is reserved.
func isBMP(value []byte) bool {
	for ; len(value) > 1; value = value[2:] {
		c := rune(value[0])<<8 | rune(value[1])
		if c >= 0xd800 && c <= 0xdfff || c >= 0xfdd0 && c <= 0xfdef || c >= 0xfffe {
			return false
		}
	}
	return len(value) == 0
}

func printable(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '\'' && r <= ')' || r >= '+' && r <= ':' || r == ' ' || r == '=' || r == '?'
}

// inside returns the content of bytes that are one element of the tag.
func inside(b []byte, tag asn1.Tag) (content cryptobyte.String, ok bool) {
	in := cryptobyte.String(b)
	ok = in.ReadASN1(&content, tag) && in.Empty()
	return content, ok
}

// readNames reads the GeneralNames of subjectAltName and issuerAltName:
// directory names and other names, nothing else.
func readNames(value []byte) bool {
	names, ok := inside(value, asn1.SEQUENCE)
	ok = ok && !names.Empty()
	for ok && !names.Empty() {
		var other cryptobyte.String
		if names.PeekASN1Tag(tagDirectory) {
			ok = readDirectory(&names)
			continue
		}
		var id []byte
		ok = names.ReadASN1(&other, tagOtherName) && readOID(&other, &id) && other.SkipASN1(tagOtherName) && other.Empty()
	}
	return ok
}

// readDirectory reads a directoryName.
func readDirectory(in *cryptobyte.String) bool {
	var dir cryptobyte.String
	var name []byte
	return in.ReadASN1(&dir, tagDirectory) && readName(&dir, &name) && dir.Empty()
}
