package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Reason codes of RFC 5280 5.3.1 that DOMAIN 6.4 uses.
const (
	ReasonUnspecified  = 0
	ReasonKey          = 1
	ReasonCA           = 2
	ReasonAffiliation  = 3
	ReasonSuperseded   = 4
	ReasonCessation    = 5
	ReasonHold         = 6
	reasonRemoveFromCL = 8
)

// Revoked is one entry of a revocation list.
type Revoked struct {
	Serial string    // lower-case hex without leading zero bytes
	Date   time.Time // revocationDate
	Reason int       // reason code; ReasonUnspecified when absent
}

// CRL is a revocation list of version 2 as read from its bytes, complete unless
// it has a base.
type CRL struct {
	Base       *uint64      // of a delta: number of the complete list that it builds on
	TBS        entry.Digest // SHA-256 of the TBSCertList, as in crl.published
	ThisUpdate time.Time
	NextUpdate time.Time
	Number     uint64
	Partition  []string  // full names of the issuingDistributionPoint; empty: no partition
	OnlyUsers  bool      // issuingDistributionPoint says: end-entity certificates only
	OnlyCAs    bool      // issuingDistributionPoint says: CA certificates only (an ARL)
	Entries    []Revoked // in the list's order
	IssuerID   []byte    // authorityKeyIdentifier, nil if absent

	tbs, signature []byte
	algorithm      x509.SignatureAlgorithm
	index          map[string]int
}

// ParseCRL is ParseList for complete lists alone.
func ParseCRL(der []byte) (*CRL, error) {
	c, err := ParseList(der)
	if err == nil && c.Base != nil {
		err = errors.New("this is a delta list, not a complete one")
	}
	return c, err
}

// ParseList reads one revocation list in DER, complete or delta. Indirect lists,
// lists for some reasons only, entries that a delta takes back (a revocation is
// final), unknown critical extensions, doubled serials and sloppy encodings are
// refused: an auditor must not skip what it can't read.
func ParseList(der []byte) (*CRL, error) {
	if len(der) == 0 || len(der) > MaxCRL {
		return nil, fmt.Errorf("revocation list must have 1 to %d bytes", MaxCRL)
	}
	in := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, errors.New("not one revocation list in DER form")
	}
	c := &CRL{tbs: tbs, TBS: entry.Sum(tbs)}
	outerAlg, err := readAlgorithm(&outer)
	if err != nil {
		return nil, err
	}
	var sig asn1.BitString
	if !outer.ReadASN1BitString(&sig) || !outer.Empty() || sig.BitLength%8 != 0 {
		return nil, errors.New("the list's signature is malformed")
	}
	c.signature, c.algorithm = sig.Bytes, signatureAlgorithms[outerAlg]
	if c.algorithm == 0 {
		return nil, errors.New("the list's signature algorithm is not accepted")
	}
	return c, c.readTBS(tbs, outerAlg)
}

// readAlgorithm reads an AlgorithmIdentifier and returns its OID.
func readAlgorithm(in *cryptobyte.String) (string, error) {
	var alg cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) {
		return "", errors.New("algorithm identifier is malformed")
	}
	if !alg.Empty() && string(alg) != "\x05\x00" {
		return "", errors.New("algorithm identifier has parameters that are not accepted")
	}
	return oid.String(), nil
}

func (c *CRL) readTBS(tbs cryptobyte.String, outerAlg string) error {
	var body, name cryptobyte.String
	var version int
	if !tbs.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Integer(&version) || version != 1 {
		return errors.New("revocation list is not of version 2")
	}
	alg, err := readAlgorithm(&body)
	if err != nil {
		return err
	}
	if alg != outerAlg {
		return errors.New("the two algorithm identifiers of the list differ")
	}
	if !body.ReadASN1Element(&name, cbasn1.SEQUENCE) {
		return errors.New("the list's issuer name is malformed")
	}
	if c.ThisUpdate, err = readTime(&body); err != nil {
		return err
	}
	if c.NextUpdate, err = readTime(&body); err != nil {
		return errors.New("the list has no nextUpdate")
	}
	if err := c.readEntries(&body); err != nil {
		return err
	}
	var wrapped cryptobyte.String
	if !body.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) || !body.Empty() {
		return errors.New("the list has no extensions or has trailing bytes")
	}
	exts, err := readExtensions(&wrapped)
	if err != nil {
		return err
	}
	if !wrapped.Empty() {
		return errors.New("the list has bytes after its extensions")
	}
	return c.readListExtensions(exts)
}

func (c *CRL) readEntries(body *cryptobyte.String) error {
	c.index = map[string]int{}
	if !body.PeekASN1Tag(cbasn1.SEQUENCE) {
		return nil
	}
	var list cryptobyte.String
	if !body.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return errors.New("the list's entries are malformed")
	}
	for !list.Empty() {
		r, err := readRevoked(&list)
		if err != nil {
			return err
		}
		if _, twice := c.index[r.Serial]; twice {
			return errors.New("a serial number occurs twice in the list")
		}
		c.index[r.Serial] = len(c.Entries)
		c.Entries = append(c.Entries, r)
	}
	return nil
}

func readRevoked(list *cryptobyte.String) (Revoked, error) {
	var r Revoked
	var one cryptobyte.String
	var err error
	if !list.ReadASN1(&one, cbasn1.SEQUENCE) {
		return r, errors.New("an entry of the list is malformed")
	}
	if r.Serial, err = readSerial(&one); err != nil {
		return r, err
	}
	if r.Date, err = readTime(&one); err != nil {
		return r, err
	}
	if one.Empty() {
		return r, nil
	}
	exts, err := readExtensions(&one)
	if err != nil || !one.Empty() {
		return r, errors.New("an entry's extensions are malformed")
	}
	for _, e := range exts {
		switch {
		case e.id == oidReason:
			if !e.value.ReadASN1Enum(&r.Reason) || !e.value.Empty() ||
				r.Reason < 1 || r.Reason > 10 || r.Reason == 7 || r.Reason == reasonRemoveFromCL {
				return r, errors.New("an entry's reason code is not one of a complete list")
			}
		case e.id == oidInvalidity && !e.critical:
		case e.critical:
			return r, errors.New("an entry has an unknown critical extension")
		}
	}
	return r, nil
}

func (c *CRL) readListExtensions(exts []extension) error {
	var number bool
	for _, e := range exts {
		switch e.id {
		case oidCRLNumber:
			if !e.value.ReadASN1Integer(&c.Number) || !e.value.Empty() {
				return errors.New("the list's number is malformed")
			}
			number = true
		case oidIDP:
			if !e.critical {
				return errors.New("issuingDistributionPoint is not critical")
			}
			if err := c.readIDP(e.value); err != nil {
				return err
			}
		case oidAKI:
			var seq cryptobyte.String
			if !e.value.ReadASN1(&seq, cbasn1.SEQUENCE) {
				return errors.New("the list's authorityKeyIdentifier is malformed")
			}
			var id cryptobyte.String
			var has bool
			if !seq.ReadOptionalASN1(&id, &has, cbasn1.Tag(0).ContextSpecific()) {
				return errors.New("the list's authorityKeyIdentifier is malformed")
			}
			c.IssuerID = id
		case oidDelta:
			c.Base = new(uint64)
			if !e.critical || !e.value.ReadASN1Integer(c.Base) || !e.value.Empty() {
				return errors.New("the list's delta indicator is malformed or not critical")
			}
		default:
			if e.critical {
				return fmt.Errorf("the list has an unknown critical extension %s", e.id)
			}
		}
	}
	if !number {
		return errors.New("the list has no number")
	}
	return nil
}

// readIDP reads issuingDistributionPoint (RFC 5280 5.2.5).
func (c *CRL) readIDP(in cryptobyte.String) error {
	bad := errors.New("issuingDistributionPoint is malformed")
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return bad
	}
	names, err := readPointName(&seq)
	if err != nil {
		return bad
	}
	c.Partition = names
	for !seq.Empty() {
		var flag cryptobyte.String
		var tag cbasn1.Tag
		if !seq.ReadAnyASN1(&flag, &tag) {
			return bad
		}
		var which *bool
		switch tag {
		case cbasn1.Tag(1).ContextSpecific():
			which = &c.OnlyUsers
		case cbasn1.Tag(2).ContextSpecific():
			which = &c.OnlyCAs
		}
		if which == nil || string(flag) != "\xff" || c.OnlyUsers || c.OnlyCAs {
			return errors.New("the list covers some reasons or other issuers, or says its scope twice")
		}
		*which = true
	}
	return nil
}

// Find returns the list's entry for a serial.
func (c *CRL) Find(serial string) (Revoked, bool) {
	i, ok := c.index[NormalSerial(serial)]
	if !ok {
		return Revoked{}, false
	}
	return c.Entries[i], true
}

// SignedBy checks that issuer's key made the list's signature; ErrSignature
// when it did not.
func (c *CRL) SignedBy(issuer *Certificate) error {
	if err := issuer.std.CheckSignature(c.algorithm, c.tbs, c.signature); err != nil {
		return ErrSignature
	}
	return nil
}

// Covers reports whether the list's scope includes the certificate: a list
// without partition covers all certificates of its issuer; a partition covers
// those whose distribution point carries one of its names, byte for byte (RFC
// 5280 6.3.3 (b)(2)(i)). Whose list it is, SignedBy says.
func (c *CRL) Covers(cert *Certificate) bool {
	if (c.OnlyUsers && cert.IsCA) || (c.OnlyCAs && !cert.IsCA) {
		return false
	}
	if len(c.Partition) == 0 {
		return true
	}
	for _, p := range c.Partition {
		for _, q := range cert.Points {
			if p == q {
				return true
			}
		}
	}
	return false
}
