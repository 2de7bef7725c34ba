package profile

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/sukashi-project/sukashi/internal/attr"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The rules for a certificate's extensions; certRules lists them with the others.

func keyUsageExact(c *linted) string {
	want := []byte{0x03, 0x02, 0x01, 0x06}
	switch c.role {
	case Resident:
		want = []byte{0x03, 0x02, 0x06, 0xc0}
	case OCSP:
		want = []byte{0x03, 0x02, 0x07, 0x80}
	}
	if v, critical, ok := c.extension(idKeyUsage); !ok || !critical || !bytes.Equal(v, want) {
		return "keyUsage is not critical or not the one of the role"
	}
	return ""
}

func basicConstraintsExact(c *linted) string {
	v, critical, ok := c.extension(idConstraints)
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
func (c *linted) otherNames() (fields string, values []string, ok bool) {
	if c.names == nil {
		c.names = new(otherNames)
		c.names.fields, c.names.values, c.names.ok = c.readOtherNames()
	}
	return c.names.fields, c.names.values, c.names.ok
}

func (c *linted) readOtherNames() (fields string, values []string, ok bool) {
	v, _, found := c.extension(idSubjectAltName)
	names, ok := inside(v, cbasn1.SEQUENCE)
	if !found || !ok {
		return "", nil, false
	}
	var order [8]byte
	values = make([]string, 0, len(order))
	for !names.Empty() {
		var other, wrap, val cryptobyte.String
		var id []byte
		if len(values) == len(order) || !names.ReadASN1(&other, tagOtherName) || !readOID(&other, &id) ||
			!other.ReadASN1(&wrap, tagOtherName) || !other.Empty() ||
			!wrap.ReadASN1(&val, cbasn1.UTF8String) || !wrap.Empty() || !utf8.Valid(val) ||
			len(id) != len(attributeArc)+1 || string(id[:len(attributeArc)]) != attributeArc || id[len(id)-1] > 9 {
			return "", nil, false
		}
		order[len(values)] = '0' + id[len(id)-1]
		values = append(values, string(val))
	}
	return string(order[:len(values)]), values, true
}

// attributeArc is the content of OIDAttribute, to which one number is added.
const attributeArc = "\x2a\x83\x08\x8c\x9b\x55\x08\x05\x05"

func sixOtherNames(c *linted) string {
	if c.role != Resident {
		return ""
	}
	fields, _, ok := c.otherNames()
	if _, critical, _ := c.extension(idSubjectAltName); critical || !ok || fields != "143526" {
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
			case isDigit(r):
				run++
			case r != ' ' && r != '\u3000':
				run = 0
			}
			if run >= 11 {
				return "a name or address holds a row of eleven digits"
			}
		}
	}
	return ""
}

func isDigit(r rune) bool {
	switch r {
	case '〇', '一', '二', '三', '四', '五', '六', '七', '八', '九':
		return true
	}
	if r >= 0x3041 && r <= 0x9fff { // kana and kanji, which names and addresses are made of
		return false
	}
	return unicode.IsDigit(r)
}

func policyAllowed(c *linted) string {
	n, problem := c.policies()
	if problem != "" {
		return problem
	}
	if (c.role == Resident || c.role.named()) && n != 1 {
		return "not exactly one certificate policy"
	}
	return ""
}

// The production service's policies, and the one among them that is for tests.
const (
	productionArc = "\x2a\x83\x08\x8c\x9b\x55\x08\x05\x01"
	testPolicy    = productionArc + "\x00\x14"
)

func (c *linted) policies() (n int, problem string) {
	v, _, found := c.extension(idPolicies)
	if !found {
		return 0, ""
	}
	const unread = "certificatePolicies can't be read"
	list, ok := inside(v, cbasn1.SEQUENCE)
	if !ok || list.Empty() {
		return 0, unread
	}
	var first []byte
	for ; !list.Empty(); n++ {
		var policy, qualifiers cryptobyte.String
		var id []byte
		if !list.ReadASN1(&policy, cbasn1.SEQUENCE) || !readOID(&policy, &id) ||
			!policy.Empty() && (!policy.ReadASN1(&qualifiers, cbasn1.SEQUENCE) || !policy.Empty() || !readQualifiers(qualifiers)) {
			return 0, unread
		}
		if bytes.HasPrefix(id, []byte(productionArc)) && string(id) != testPolicy {
			return 0, "policy OID of the production service"
		}
		if n > 0 && bytes.Equal(first, id) || n > 1 {
			return 0, "more than two certificate policies, or one twice"
		}
		first = id
	}
	return n, ""
}

func readQualifiers(list cryptobyte.String) bool {
	ok := !list.Empty()
	for ok && !list.Empty() {
		var one, value cryptobyte.String
		var id []byte
		var tag cbasn1.Tag
		ok = list.ReadASN1(&one, cbasn1.SEQUENCE) && readOID(&one, &id) && one.ReadAnyASN1(&value, &tag) && one.Empty()
	}
	return ok
}

func distributionPoints(c *linted) string {
	v, _, found := c.extension(idDistribution)
	if !found && c.role != Resident && !c.role.named() {
		return ""
	}
	var point, name, full, uri cryptobyte.String
	zero := cbasn1.Tag(0).ContextSpecific().Constructed()
	points, ok := inside(v, cbasn1.SEQUENCE)
	if !ok || !points.ReadASN1(&point, cbasn1.SEQUENCE) || !points.Empty() ||
		!point.ReadASN1(&name, zero) || !point.Empty() || !name.ReadASN1(&full, zero) || !name.Empty() ||
		!full.ReadASN1(&uri, tagURI) || !readDirectory(&full) || !full.Empty() {
		return "cRLDistributionPoints is not one point with an address and a directory name"
	}
	if checkURI(string(uri)) != nil {
		return "the CRL's address is not an http one"
	}
	return ""
}

func accessAddresses(c *linted) string {
	v, _, found := c.extension(idInfoAccess)
	if !found && c.role != Resident {
		return ""
	}
	list, ok := inside(v, cbasn1.SEQUENCE)
	ocsp, issuers := 0, 0
	for ok && !list.Empty() {
		var one, uri cryptobyte.String
		var method []byte
		ok = list.ReadASN1(&one, cbasn1.SEQUENCE) && readOID(&one, &method) && one.ReadASN1(&uri, tagURI) && one.Empty()
		switch string(method) {
		case "\x2b\x06\x01\x05\x05\x07\x30\x01":
			ocsp++
		case "\x2b\x06\x01\x05\x05\x07\x30\x02":
			issuers++
		default:
			ok = false
		}
		if ok && checkURI(string(uri)) != nil {
			return "an address of authorityInfoAccess is not an http one"
		}
	}
	if !ok || c.role == Resident && (ocsp != 1 || issuers != 1) {
		return "authorityInfoAccess can't be read or has not one OCSP and one issuer address"
	}
	return ""
}

func authorityKeyPresent(c *linted) string {
	v, critical, ok := c.extension(idAuthorityKeyID)
	if c.role == Root {
		if ok {
			return "a root carries an authorityKeyIdentifier"
		}
		return ""
	}
	id, read := c.authorityKey(v)
	if critical || !read || len(id) == 0 {
		return "authorityKeyIdentifier is missing, critical, or holds more than the key identifier"
	}
	if own, ok := c.subjectKey(); c.role == Link && ok && bytes.Equal(id, own) {
		return "a link certificate is by the key that it certifies, or a root carries an authorityKeyIdentifier"
	}
	return ""
}

func (c *linted) authorityKey(value []byte) (id cryptobyte.String, ok bool) {
	body, ok := inside(value, cbasn1.SEQUENCE)
	ok = ok && body.ReadASN1(&id, cbasn1.Tag(0).ContextSpecific()) && body.Empty()
	return id, ok
}

func (c *linted) subjectKey() (id cryptobyte.String, ok bool) {
	v, critical, _ := c.extension(idSubjectKeyID)
	id, ok = inside(v, cbasn1.OCTET_STRING)
	return id, ok && !critical
}

func subjectKeyPresent(c *linted) string {
	id, ok := c.subjectKey()
	want, err := keyIdentifier(c.spki)
	if err != nil || !ok || !bytes.Equal(id, want) {
		return "subjectKeyIdentifier is missing, critical, or not that of the key"
	}
	return ""
}

// crossConstrained: the path through another CA must not widen what a policy
// stands for.
func crossConstrained(c *linted) string {
	pairs, mapped, hasMap := c.extension(idPolicyMappings)
	demand, demanded, hasDemand := c.extension(idPolicyConstraints)
	if c.role != Cross {
		if hasMap || hasDemand {
			return "policyMappings or policyConstraints in something else than a cross certificate"
		}
		return ""
	}
	if !mapped || !demanded || !readMappings(pairs) || len(demand) != 5 || string(demand[:4]) != "\x30\x03\x80\x01" || demand[4] > 16 {
		return "a cross certificate has no critical policyMappings or no critical policyConstraints"
	}
	return ""
}

func readMappings(value []byte) bool {
	list, ok := inside(value, cbasn1.SEQUENCE)
	ok = ok && !list.Empty()
	for ok && !list.Empty() {
		var pair cryptobyte.String
		var issuer, subject []byte
		ok = list.ReadASN1(&pair, cbasn1.SEQUENCE) && readOID(&pair, &issuer) && readOID(&pair, &subject) && pair.Empty()
	}
	return ok
}

// extensionsKnown: a certificate says nothing that no other lint has read.
func extensionsKnown(c *linted) string {
	for _, e := range c.extensions {
		switch string(e.id) {
		case idKeyUsage, idConstraints, idDistribution, idPolicies, idPolicyMappings, idPolicyConstraints, idAuthorityKeyID,
			idSubjectKeyID, idExtKeyUsage, idInfoAccess, idOCSPNoCheck, idOrdinal:
		case idSubjectAltName, idIssuerAltName:
			if !readNames(e.value) {
				return "an alternative name is neither a directory name nor another name, or can't be read"
			}
		default:
			return "an extension of a kind that no profile has"
		}
	}
	return ""
}

func criticalKnown(c *linted) string {
	for _, e := range c.extensions {
		switch id := string(e.id); {
		case !e.critical, id == idKeyUsage, id == idConstraints, id == idPolicies:
		case c.role == Cross && (id == idPolicyMappings || id == idPolicyConstraints):
		default:
			return "an extension is critical that clients need not know"
		}
	}
	return ""
}

func noRepeatedExtension(c *linted) string {
	for i, e := range c.extensions {
		for _, before := range c.extensions[:i] {
			if bytes.Equal(e.id, before.id) {
				return "an extension is there twice"
			}
		}
	}
	return ""
}

func responderForm(c *linted) string {
	purposes, _, found := c.extension(idExtKeyUsage)
	if c.role != OCSP {
		if found {
			return "extKeyUsage in a CA's certificate"
		}
		return ""
	}
	if string(purposes) != "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09" {
		return "extKeyUsage is not OCSPSigning alone"
	}
	if v, critical, ok := c.extension(idOCSPNoCheck); !ok || critical || !bytes.Equal(v, []byte{5, 0}) {
		return "ocsp-nocheck is missing, critical or not NULL"
	}
	return ""
}

func ordinalForm(c *linted) string {
	v, critical, ok := c.extension(idOrdinal)
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
