package path

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxCRL is the largest revocation list in bytes: about two million entries.
const MaxCRL = 128 << 20

var (
	oidCRLNumber         = mustOID("2.5.29.20")
	oidReasonCode        = mustOID("2.5.29.21")
	oidInvalidityDate    = mustOID("2.5.29.24")
	oidDeltaIndicator    = mustOID("2.5.29.27")
	oidIssuingPoint      = mustOID("2.5.29.28")
	oidCertificateIssuer = mustOID("2.5.29.29")
)

// removeFromCRL is the reason code of an entry that a delta takes back.
const removeFromCRL = 8

// CRL is a revocation list of version 2, complete or delta, as read from its
// bytes. Its entries stay as bytes and are scanned on lookup (about 30 ms for
// a million). It is read-only.
type CRL struct {
	ThisUpdate time.Time
	NextUpdate time.Time

	raw       []byte
	issuer    name
	issuerKey string
	signed    signed
	entries   cryptobyte.String
	number    string // content of the INTEGER; "" if absent
	base      string // delta: number of the complete list it starts from
	isDelta   bool
	authority authority
	scope     scope
}

// scope is an issuingDistributionPoint (RFC 5280 5.2.5); without one a list
// covers everything of its issuer.
type scope struct {
	raw       string
	has       bool
	name      pointName
	onlyUsers bool
	onlyCAs   bool
	onlyAttrs bool
	indirect  bool
	reasons   uint16
}

// ParseCRL reads one revocation list in DER. One with a critical extension that
// is not known, of the list or of an entry, is refused: it must not be used to
// say that a certificate is good (RFC 5280 5.2, 5.3).
func ParseCRL(der []byte) (*CRL, error) {
	if len(der) == 0 || len(der) > MaxCRL {
		return nil, fmt.Errorf("revocation list must have 1 to %d bytes", MaxCRL)
	}
	c := &CRL{raw: der, scope: scope{reasons: allReasons}}
	tbs, err := c.signed.read(der)
	if err == nil {
		err = c.readTBS(tbs)
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't read the revocation list: %w", err)
	}
	return c, nil
}

func (c *CRL) readTBS(b cryptobyte.String) error {
	var version int
	if !b.ReadASN1Integer(&version) || version != 1 {
		return errors.New("it is not of version 2")
	}
	if err := c.signed.sameAlgorithm(&b); err != nil {
		return err
	}
	var err error
	if c.issuer, _, err = readName(&b); err != nil {
		return err
	}
	c.issuerKey = c.issuer.key()
	var ok bool
	if c.ThisUpdate, ok = readTime(&b); !ok {
		return errors.New("thisUpdate is malformed")
	}
	if c.NextUpdate, ok = readTime(&b); !ok {
		return errors.New("nextUpdate is missing or malformed")
	}
	if b.PeekASN1Tag(asn1.SEQUENCE) && !b.ReadASN1(&c.entries, asn1.SEQUENCE) {
		return errors.New("entries are malformed")
	}
	var wrapped cryptobyte.String
	var has bool
	if !b.ReadOptionalASN1(&wrapped, &has, context(0).Constructed()) || !b.Empty() {
		return errors.New("bytes that do not belong there")
	}
	if has {
		list, err := readExtensions(wrapped)
		if err != nil {
			return err
		}
		if err := c.readExtensions(list); err != nil {
			return err
		}
	}
	return c.eachEntry(func(*revoked) bool { return true })
}

func (c *CRL) readExtensions(list []extension) error {
	for _, x := range list {
		ok := true
		switch x.id {
		case oidCRLNumber:
			c.number, ok = readInteger(&x.value, asn1.INTEGER)
			ok = ok && x.value.Empty() && c.number[0]&0x80 == 0
		case oidDeltaIndicator:
			c.isDelta = true
			c.base, ok = readInteger(&x.value, asn1.INTEGER)
			ok = ok && x.value.Empty() && c.base[0]&0x80 == 0
		case oidIssuingPoint:
			ok = c.scope.read(x.value)
		case oidAuthorityKeyID:
			ok = c.authority.read(x.value)
		case oidFreshest, oidIssuerAltName:
		default:
			if x.critical {
				return errors.New("it has a critical extension that is not known")
			}
		}
		if !ok {
			return fmt.Errorf("extension %s is malformed", x.id)
		}
	}
	return nil
}

func (s *scope) read(v cryptobyte.String) bool {
	s.raw, s.has = string(v), true
	var b cryptobyte.String
	if !v.ReadASN1(&b, asn1.SEQUENCE) || !v.Empty() {
		return false
	}
	var ok [5]bool
	s.name, ok[0] = readPointName(&b)
	s.onlyUsers, ok[1] = readFlag(&b, 1)
	s.onlyCAs, ok[2] = readFlag(&b, 2)
	if ok[0] && ok[1] && ok[2] && b.PeekASN1Tag(context(3)) {
		if s.reasons, ok[3] = readBits(&b, context(3)); !ok[3] {
			return false
		}
		s.reasons &= allReasons
	}
	s.indirect, ok[3] = readFlag(&b, 4)
	s.onlyAttrs, ok[4] = readFlag(&b, 5)
	return ok == [5]bool{true, true, true, true, true} && b.Empty()
}

// revoked is one entry of a list.
type revoked struct {
	serial string
	issuer string // name key of the certificate's issuer
	reason int
	at     time.Time
}

// eachEntry reads the entries in order until fn returns false. The issuer of
// an entry of an indirect list holds on until the next one that names it
// (RFC 5280 5.3.3).
func (c *CRL) eachEntry(fn func(*revoked) bool) error {
	list := c.entries
	r := revoked{issuer: c.issuerKey}
	for !list.Empty() {
		if err := r.read(&list, c.scope.indirect); err != nil {
			return err
		}
		if !fn(&r) {
			return nil
		}
	}
	return nil
}

func (r *revoked) read(list *cryptobyte.String, indirect bool) error {
	bad := errors.New("an entry is malformed")
	var one, wrapped cryptobyte.String
	var ok bool
	if !list.ReadASN1(&one, asn1.SEQUENCE) {
		return bad
	}
	if r.serial, ok = readInteger(&one, asn1.INTEGER); !ok {
		return bad
	}
	r.reason = 0
	if r.at, ok = readTime(&one); !ok {
		return bad
	}
	if one.Empty() {
		return nil
	}
	if !one.ReadASN1Element(&wrapped, asn1.SEQUENCE) || !one.Empty() {
		return bad
	}
	exts, err := readExtensions(wrapped)
	if err != nil {
		return err
	}
	for _, x := range exts {
		switch x.id {
		case oidReasonCode:
			if !x.value.ReadASN1Enum(&r.reason) || !x.value.Empty() || r.reason < 0 || r.reason > 10 {
				return bad
			}
		case oidCertificateIssuer:
			if err := r.readIssuer(x.value, indirect); err != nil {
				return err
			}
		case oidInvalidityDate:
		default:
			if x.critical {
				return errors.New("an entry has a critical extension that is not known")
			}
		}
	}
	return nil
}

func (r *revoked) readIssuer(v cryptobyte.String, indirect bool) error {
	bad := errors.New("an entry's certificateIssuer is malformed")
	var list cryptobyte.String
	if !v.ReadASN1(&list, asn1.SEQUENCE) || !v.Empty() || !indirect {
		return bad
	}
	names, err := readGeneralNames(list)
	if err != nil {
		return bad
	}
	dirs := directories(names)
	if len(dirs) != 1 {
		return bad
	}
	r.issuer = dirs[0].key()
	return nil
}

// find returns the entry of a certificate.
func (c *CRL) find(issuer, serial string) (out revoked, found bool) {
	_ = c.eachEntry(func(r *revoked) bool { // read once already: it can't fail
		if r.serial == serial && r.issuer == issuer {
			out, found = *r, true
		}
		return !found
	})
	return out, found
}

// current reports whether the list is in force at a moment, by clocks that
// differ by no more than skew.
func (c *CRL) current(t time.Time, skew time.Duration) bool {
	return !t.Add(skew).Before(c.ThisUpdate) && !t.After(c.NextUpdate)
}

// lessNumber compares two non-negative INTEGER contents in minimal form.
func lessNumber(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}
