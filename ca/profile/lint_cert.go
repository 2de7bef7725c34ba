package profile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sukashi-project/sukashi/internal/attr"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// certRules are the house rules for certificates, one clause each.
var certRules = []certRule{
	{"C01", "RFC 5280 4.1.2.1", version3},
	{"C02", "RFC 5280 4.1.2.2, DOMAIN 10.9", serialForm},
	{"C03", "RFC 5280 4.1.1.2", signatureAlgorithm},
	{"C04", "RFC 5280 4.1.2.4, 4.1.2.6", namesPresent},
	{"C05", "DOMAIN 6.1, 10.4", endOfJapaneseDay},
	{"C06", "DOMAIN 6.2", lifetime},
	{"C07", "RFC 5280 4.1.2.7, DOMAIN 6.3", subjectKeyStrength},
	{"C08", "DOMAIN 6.2", subjectForm},
	{"C09", "RFC 5280 4.2.1.3, DOMAIN 6.2", keyUsageExact},
	{"C10", "RFC 5280 4.2.1.9", basicConstraintsExact},
	{"C11", "DOMAIN 6.2", sixOtherNames},
	{"C12", "DOMAIN 6.2", otherNameValues},
	{"C13", "DOMAIN PR-06", noLongNumbers},
	{"C14", "RFC 5280 4.2.1.4, DOMAIN 6.2", policyAllowed},
	{"C15", "RFC 5280 4.2.1.13, DOMAIN 6.2", distributionPoints},
	{"C16", "RFC 5280 4.2.2.1", accessAddresses},
	{"C17", "RFC 5280 4.2.1.1, DOMAIN 6.1", authorityKeyPresent},
	{"C18", "RFC 5280 4.2.1.2", subjectKeyPresent},
	{"C19", "RFC 5280 4.2", criticalKnown},
	{"C20", "RFC 5280 4.2", noRepeatedExtension},
	{"C21", "RFC 6960 4.2.2.2", responderForm},
	{"C22", "DESIGN 5", ordinalForm},
	{"C23", "RFC 5280 4.1.2.5", wholeSeconds},
	{"C24", "RFC 5280 4.2.1.5, 4.2.1.11", crossConstrained},
}

func version3(c *linted) string {
	if c.Version != 3 {
		return "version is not 3"
	}
	return ""
}

func serialForm(c *linted) string {
	if n := len(c.SerialNumber.Bytes()); c.SerialNumber.Sign() <= 0 || n < 8 || c.SerialNumber.BitLen() > 159 {
		return "serial is not positive with 64 to 159 bits"
	}
	return ""
}

func signatureAlgorithm(c *linted) string {
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384:
		return ""
	}
	return "signature algorithm is not one of the three in use"
}

func namesPresent(c *linted) string {
	if len(c.Issuer.Names) == 0 || len(c.Subject.Names) == 0 {
		return "issuer or subject is empty"
	}
	if (c.role == Root || c.role == Link) != bytes.Equal(c.RawIssuer, c.RawSubject) {
		return "issuer equals subject in something else than a root or link, or differs in one"
	}
	return ""
}

func endOfJapaneseDay(c *linted) string {
	if c.role != OCSP && c.NotAfter.UTC().Format("150405") != "145959" {
		return "validity does not end at 23:59:59 in Japan"
	}
	return ""
}

func lifetime(c *linted) string {
	if !c.NotBefore.Before(c.NotAfter) {
		return "validity ends before it starts"
	}
	if c.NotAfter.After(c.latestEnd()) {
		return "validity is longer than the role allows"
	}
	return ""
}

// latestEnd is the last moment at which a certificate of the role may end.
func (c *linted) latestEnd() time.Time {
	switch c.role {
	case Root, Link:
		return c.NotBefore.AddDate(30, 0, 1)
	case Cross, Resident: // a resident's: five birthdays, a leap day and the rest of the day
		return c.NotBefore.AddDate(5, 0, 2)
	case OCSP:
		return c.NotBefore.AddDate(1, 0, 1)
	}
	return c.NotBefore
}

func wholeSeconds(c *linted) string {
	for _, t := range []time.Time{c.NotBefore, c.NotAfter} {
		tag, text := cbasn1.UTCTime, t.UTC().Format("20060102150405Z")
		if t.UTC().Year() < 2050 {
			text = text[2:]
		} else {
			tag = cbasn1.GeneralizedTime
		}
		want := append([]byte{byte(tag), byte(len(text))}, text...)
		if !bytes.Contains(c.RawTBSCertificate, want) {
			return "a time is not UTCTime through 2049 and GeneralizedTime from 2050"
		}
	}
	return ""
}

func subjectKeyStrength(c *linted) string {
	if _, err := AlgFor(c.PublicKey); err != nil {
		return "subject key is neither RSA of 2048 to 4096 bits nor on P-256 or P-384"
	}
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && (k.E < 65537 || k.E%2 == 0 || k.N.Bit(0) == 0 || k.N.BitLen()%8 != 0) {
		return "RSA key has an even modulus, a small or even exponent or an odd length"
	}
	return ""
}

// subjectForm: C, L, L, CN for residents; the CN is time, sequence and counter,
// so it can't be a person's name.
func subjectForm(c *linted) string {
	if c.role == Cross {
		return "" // another CA's name is as that CA writes it
	}
	var n []Attribute
	in := cryptobyte.String(c.RawSubject)
	var rdns cryptobyte.String
	if !in.ReadASN1(&rdns, cbasn1.SEQUENCE) {
		return "subject can't be read"
	}
	for !rdns.Empty() {
		a, ok := readRDN(&rdns)
		if !ok {
			return "subject has an RDN with several attributes, another type or another string form"
		}
		n = append(n, a)
	}
	if c.role != Resident {
		return ""
	}
	if len(n) != 4 || n[0].Type != "C" || n[1].Type != "L" || n[2].Type != "L" || n[3].Type != "CN" {
		return "subject is not C, L, L, CN"
	}
	cn := n[3].Value
	if n[0].Value != "JP" || !roman(n[1].Value) || !roman(n[2].Value) {
		return "country is not JP or a place is not in roman letters"
	}
	if len(cn) != 28 || !digits(cn[:19]) || !alphanumeric(cn[19:]) {
		return "CN is not request time, sequence and counter identifier"
	}
	if _, err := time.Parse("20060102150405", cn[:14]); err != nil {
		return "CN does not start with a time"
	}
	return ""
}

func readRDN(rdns *cryptobyte.String) (Attribute, bool) {
	var set, seq, value cryptobyte.String
	var id asn1.ObjectIdentifier
	var tag cbasn1.Tag
	if !rdns.ReadASN1(&set, cbasn1.SET) || !set.ReadASN1(&seq, cbasn1.SEQUENCE) || !set.Empty() ||
		!seq.ReadASN1ObjectIdentifier(&id) || !seq.ReadAnyASN1(&value, &tag) || !seq.Empty() {
		return Attribute{}, false
	}
	for t, o := range attributeOIDs {
		if o.Equal(id) {
			want := cbasn1.UTF8String
			if t == "C" {
				want = cbasn1.PrintableString
			}
			return Attribute{t, string(value)}, tag == want && utf8.Valid(value)
		}
	}
	return Attribute{}, false
}

// roman accepts "Nagano-ken", "Kita-Azumi-gun Hakuba-mura".
func roman(s string) bool {
	for _, c := range s {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != ' ' && c != '\'' {
			return false
		}
	}
	return s != ""
}

func (c *linted) extension(id asn1.ObjectIdentifier) (value []byte, critical, found bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e.Value, e.Critical, true
		}
	}
	return nil, false, false
}

func keyUsageExact(c *linted) string {
	want := []byte{0x03, 0x02, 0x01, 0x06}
	switch c.role {
	case Resident:
		want = []byte{0x03, 0x02, 0x06, 0xc0}
	case OCSP:
		want = []byte{0x03, 0x02, 0x07, 0x80}
	}
	if v, critical, ok := c.extension(oidKeyUsage); !ok || !critical || !bytes.Equal(v, want) {
		return "keyUsage is not critical or not the one of the role"
	}
	return ""
}

func basicConstraintsExact(c *linted) string {
	v, critical, ok := c.extension(oidConstraints)
	free := bytes.Equal(v, []byte{0x30, 0x03, 0x01, 0x01, 0xff})
	limited := len(v) == 8 && bytes.Equal(v[:7], []byte{0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01}) && v[7] <= 16
	switch {
	case !c.role.ca() && ok:
		return "basicConstraints in a certificate that is not a CA's"
	case c.role.ca() && (!critical || free == (c.role == Cross) || limited != (c.role == Cross)):
		return "basicConstraints is not critical CA:TRUE, with a path length in a cross certificate and without one elsewhere"
	}
	return ""
}

// otherNames are the values of a SAN of UTF8String otherNames in order, read
// once for all rules about them.
func (c *linted) otherNames() (fields []string, values []string, ok bool) {
	if c.names == nil {
		c.names = new(otherNames)
		c.names.fields, c.names.values, c.names.ok = c.readOtherNames()
	}
	return c.names.fields, c.names.values, c.names.ok
}

func (c *linted) readOtherNames() (fields []string, values []string, ok bool) {
	v, _, found := c.extension(oidSubjectAltName)
	var names cryptobyte.String
	in := cryptobyte.String(v)
	if !found || !in.ReadASN1(&names, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, nil, false
	}
	for !names.Empty() {
		var other, wrap, val cryptobyte.String
		var id asn1.ObjectIdentifier
		if !names.ReadASN1(&other, tagOtherName) || !other.ReadASN1ObjectIdentifier(&id) ||
			!other.ReadASN1(&wrap, tagOtherName) || !other.Empty() ||
			!wrap.ReadASN1(&val, cbasn1.UTF8String) || !wrap.Empty() || !utf8.Valid(val) ||
			len(id) != len(OIDAttribute)+1 || !id[:len(OIDAttribute)].Equal(OIDAttribute) {
			return nil, nil, false
		}
		fields = append(fields, string(rune('0'+id[len(id)-1])))
		values = append(values, string(val))
	}
	return fields, values, true
}

func sixOtherNames(c *linted) string {
	if c.role != Resident {
		return ""
	}
	fields, _, ok := c.otherNames()
	if _, critical, _ := c.extension(oidSubjectAltName); critical || !ok || strings.Join(fields, "") != "143526" {
		return "subjectAltName is not the six UTF8String otherNames .1 .4 .3 .5 .2 .6, not critical"
	}
	return ""
}

func otherNameValues(c *linted) string {
	_, v, ok := c.otherNames()
	if c.role != Resident || !ok || len(v) != 6 {
		return "" // C11 speaks
	}
	s := attr.Certified{Name: v[0], BirthDate: v[1], Sex: v[2], Address: v[3], NameMap: v[4], AddressMap: v[5]}
	if s.Validate() != nil {
		return "an attribute has not the form of the table, or a map not one digit per character"
	}
	return ""
}

// noLongNumbers: a resident code has 11 digits; no name and no address has so
// many in a row, in any script. Separators don't end a row.
func noLongNumbers(c *linted) string {
	_, v, ok := c.otherNames()
	if c.role != Resident || !ok || len(v) != 6 {
		return ""
	}
	for _, s := range []string{v[0], v[3]} {
		run := 0
		for _, r := range s {
			switch {
			case unicode.IsDigit(r) || strings.ContainsRune("〇一二三四五六七八九", r):
				run++
			case !strings.ContainsRune(" \u3000", r):
				run = 0
			}
			if run >= 11 {
				return "a name or address holds a row of eleven digits"
			}
		}
	}
	return ""
}

func policyAllowed(c *linted) string {
	for _, p := range c.PolicyIdentifiers {
		if production(p) {
			return "policy OID of the production service"
		}
	}
	if (c.role == Resident || c.role.named()) && len(c.PolicyIdentifiers) != 1 {
		return "not exactly one certificate policy"
	}
	return ""
}

func distributionPoints(c *linted) string {
	if c.role != Resident && !c.role.named() {
		return ""
	}
	v, _, _ := c.extension(oidDistribution)
	var points, point, name, full, dir, uri cryptobyte.String
	zero := cbasn1.Tag(0).ContextSpecific().Constructed()
	in := cryptobyte.String(v)
	if !in.ReadASN1(&points, cbasn1.SEQUENCE) || !points.ReadASN1(&point, cbasn1.SEQUENCE) || !points.Empty() ||
		!point.ReadASN1(&name, zero) || !point.Empty() || !name.ReadASN1(&full, zero) || !name.Empty() ||
		!full.ReadASN1(&uri, tagURI) || !full.ReadASN1(&dir, tagDirectory) || !full.Empty() {
		return "cRLDistributionPoints is not one point with an address and a directory name"
	}
	if checkURI(string(uri)) != nil {
		return "the CRL's address is not an http one"
	}
	return ""
}

func accessAddresses(c *linted) string {
	if c.role == Resident && (len(c.OCSPServer) != 1 || len(c.IssuingCertificateURL) != 1) {
		return "authorityInfoAccess has not one OCSP and one issuer address"
	}
	for _, u := range append(c.OCSPServer, c.IssuingCertificateURL...) {
		if checkURI(u) != nil {
			return "an address of authorityInfoAccess is not an http one"
		}
	}
	return ""
}

func authorityKeyPresent(c *linted) string {
	v, critical, ok := c.extension(oidAuthorityKeyID)
	if c.role == Root {
		if ok {
			return "a root carries an authorityKeyIdentifier"
		}
		return ""
	}
	if critical || len(c.AuthorityKeyId) == 0 || len(v) != len(c.AuthorityKeyId)+4 {
		return "authorityKeyIdentifier is missing, critical, or holds more than the key identifier"
	}
	if c.role == Link && bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId) {
		return "a link certificate is by the key that it certifies, or a root carries an authorityKeyIdentifier"
	}
	return ""
}

func subjectKeyPresent(c *linted) string {
	_, critical, _ := c.extension(oidSubjectKeyID)
	want, err := keyIdentifier(c.RawSubjectPublicKeyInfo)
	if err != nil || critical || !bytes.Equal(c.SubjectKeyId, want) {
		return "subjectKeyIdentifier is missing, critical, or not that of the key"
	}
	return ""
}

// crossConstrained: the path through another CA must not widen what a policy
// stands for.
func crossConstrained(c *linted) string {
	_, mapped, hasMap := c.extension(oidPolicyMappings)
	_, demanded, hasDemand := c.extension(oidPolicyConstraints)
	if c.role != Cross {
		if hasMap || hasDemand {
			return "policyMappings or policyConstraints in something else than a cross certificate"
		}
		return ""
	}
	if !hasMap || !mapped || !hasDemand || !demanded {
		return "a cross certificate has no critical policyMappings or no critical policyConstraints"
	}
	return ""
}

func criticalKnown(c *linted) string {
	for _, e := range c.Extensions {
		if c.role == Cross && (e.Id.Equal(oidPolicyMappings) || e.Id.Equal(oidPolicyConstraints)) {
			continue
		}
		if e.Critical && !e.Id.Equal(oidKeyUsage) && !e.Id.Equal(oidConstraints) && !e.Id.Equal(oidPolicies) {
			return "an extension is critical that clients need not know"
		}
	}
	return ""
}

func noRepeatedExtension(c *linted) string {
	for i, e := range c.Extensions {
		for _, before := range c.Extensions[:i] {
			if e.Id.Equal(before.Id) {
				return "an extension is there twice"
			}
		}
	}
	return ""
}

func responderForm(c *linted) string {
	if c.role != OCSP {
		return ""
	}
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageOCSPSigning || len(c.UnknownExtKeyUsage) > 0 {
		return "extKeyUsage is not OCSPSigning alone"
	}
	if v, critical, ok := c.extension(oidOCSPNoCheck); !ok || critical || !bytes.Equal(v, []byte{5, 0}) {
		return "ocsp-nocheck is missing, critical or not NULL"
	}
	return ""
}

func ordinalForm(c *linted) string {
	v, critical, ok := c.extension(OIDOrdinal)
	if c.role != Resident {
		if ok {
			return "an ordinal in a certificate that is not a resident's"
		}
		return ""
	}
	var n uint64
	in := cryptobyte.String(v)
	if !ok || critical || !in.ReadASN1Integer(&n) || !in.Empty() || n > 1<<53-1 {
		return "the ordinal is missing, critical or not an INTEGER of at most 53 bits"
	}
	return ""
}
