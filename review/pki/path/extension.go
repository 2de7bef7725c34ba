package path

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Extensions that this package processes.
var (
	oidSubjectKeyID      = mustOID("2.5.29.14")
	oidKeyUsage          = mustOID("2.5.29.15")
	oidSubjectAltName    = mustOID("2.5.29.17")
	oidIssuerAltName     = mustOID("2.5.29.18")
	oidBasicConstraints  = mustOID("2.5.29.19")
	oidNameConstraints   = mustOID("2.5.29.30")
	oidCRLPoints         = mustOID("2.5.29.31")
	oidPolicies          = mustOID("2.5.29.32")
	oidMappings          = mustOID("2.5.29.33")
	oidAuthorityKeyID    = mustOID("2.5.29.35")
	oidPolicyConstraints = mustOID("2.5.29.36")
	oidFreshest          = mustOID("2.5.29.46")
	oidExtKeyUsage       = mustOID("2.5.29.37")
	oidInhibitAny        = mustOID("2.5.29.54")

	anyPolicy = mustOID("2.5.29.32.0")
)

// Bits of keyUsage (RFC 5280 4.2.1.3).
const (
	usageCertSign = 1 << 5
	usageCRLSign  = 1 << 6
)

// extensions are the extensions of a certificate as section 6 needs them. A
// counter that is absent is -1.
type extensions struct {
	isCA            bool
	pathLen         int
	hasUsage        bool
	usage           uint16
	hasPolicies     bool
	policies        []oid
	mappings        [][2]oid // issuer's, subject's
	requireExplicit int
	inhibitMapping  int
	inhibitAny      int
	permitted       []generalName
	excluded        []generalName
	altNames        []generalName
	points          []point
	authority       authority
	subjectKeyID    string
	unknown         []oid // critical and not processed here
}

// readers processes one extension each. extKeyUsage and issuerAltName are
// known and put no condition on a path; which purposes are wanted is the
// caller's question.
var readers = map[oid]func(*extensions, cryptobyte.String) bool{
	oidSubjectKeyID:      (*extensions).readSubjectKeyID,
	oidKeyUsage:          (*extensions).readUsage,
	oidSubjectAltName:    (*extensions).readAltNames,
	oidIssuerAltName:     func(*extensions, cryptobyte.String) bool { return true },
	oidBasicConstraints:  (*extensions).readBasic,
	oidNameConstraints:   (*extensions).readNameConstraints,
	oidCRLPoints:         (*extensions).readPoints,
	oidPolicies:          (*extensions).readPolicies,
	oidMappings:          (*extensions).readMappings,
	oidAuthorityKeyID:    func(e *extensions, v cryptobyte.String) bool { return e.authority.read(v) },
	oidPolicyConstraints: (*extensions).readPolicyConstraints,
	oidFreshest:          func(*extensions, cryptobyte.String) bool { return true },
	oidExtKeyUsage:       func(*extensions, cryptobyte.String) bool { return true },
	oidInhibitAny:        (*extensions).readInhibitAny,
}

func (e *extensions) read(list []extension) error {
	e.pathLen, e.requireExplicit, e.inhibitMapping, e.inhibitAny = -1, -1, -1, -1
	for _, x := range list {
		read, known := readers[x.id]
		switch {
		case known && !read(e, x.value):
			return fmt.Errorf("extension %s is malformed", x.id)
		case !known && x.critical:
			e.unknown = append(e.unknown, x.id)
		}
	}
	return nil
}

func (e *extensions) readSubjectKeyID(v cryptobyte.String) bool {
	var id cryptobyte.String
	ok := v.ReadASN1(&id, asn1.OCTET_STRING) && v.Empty()
	e.subjectKeyID = string(id)
	return ok
}

func (e *extensions) readUsage(v cryptobyte.String) bool {
	var ok bool
	e.usage, ok = readBits(&v, asn1.BIT_STRING)
	e.hasUsage = true
	return ok && v.Empty()
}

func (e *extensions) readAltNames(v cryptobyte.String) bool {
	var list cryptobyte.String
	if !v.ReadASN1(&list, asn1.SEQUENCE) || !v.Empty() {
		return false
	}
	var err error
	e.altNames, err = readGeneralNames(list)
	return err == nil
}

func (e *extensions) readBasic(v cryptobyte.String) bool {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) || !v.Empty() {
		return false
	}
	if body.PeekASN1Tag(asn1.BOOLEAN) && !body.ReadASN1Boolean(&e.isCA) {
		return false
	}
	if body.Empty() {
		return true
	}
	var ok bool
	e.pathLen, ok = readCount(&body, asn1.INTEGER)
	return ok && body.Empty()
}

func (e *extensions) readInhibitAny(v cryptobyte.String) bool {
	var ok bool
	e.inhibitAny, ok = readCount(&v, asn1.INTEGER)
	return ok && v.Empty()
}

func (e *extensions) readPolicyConstraints(v cryptobyte.String) bool {
	var body cryptobyte.String
	ok := v.ReadASN1(&body, asn1.SEQUENCE) && v.Empty() && !body.Empty()
	if ok && body.PeekASN1Tag(context(0)) {
		e.requireExplicit, ok = readCount(&body, context(0))
	}
	if ok && body.PeekASN1Tag(context(1)) {
		e.inhibitMapping, ok = readCount(&body, context(1))
	}
	return ok && body.Empty()
}

// maxPolicies is how many policies or mappings one certificate may have.
const maxPolicies = 256

// readPolicies reads the identifiers. Qualifiers are for people (RFC 5280
// 4.2.1.4) and decide nothing.
func (e *extensions) readPolicies(v cryptobyte.String) bool {
	var list cryptobyte.String
	if !v.ReadASN1(&list, asn1.SEQUENCE) || !v.Empty() || list.Empty() {
		return false
	}
	e.hasPolicies = true
	seen := map[oid]bool{}
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) || len(e.policies) == maxPolicies {
			return false
		}
		id, ok := readOID(&one)
		if !ok || seen[id] || !one.SkipOptionalASN1(asn1.SEQUENCE) || !one.Empty() {
			return false
		}
		seen[id] = true
		e.policies = append(e.policies, id)
	}
	return true
}

func (e *extensions) readMappings(v cryptobyte.String) bool {
	var list cryptobyte.String
	if !v.ReadASN1(&list, asn1.SEQUENCE) || !v.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) || len(e.mappings) == maxPolicies {
			return false
		}
		from, ok := readOID(&one)
		to, ok2 := readOID(&one)
		if !ok || !ok2 || !one.Empty() {
			return false
		}
		e.mappings = append(e.mappings, [2]oid{from, to})
	}
	return true
}

func (e *extensions) readNameConstraints(v cryptobyte.String) bool {
	var body cryptobyte.String
	if !v.ReadASN1(&body, asn1.SEQUENCE) || !v.Empty() || body.Empty() {
		return false
	}
	var ok, ok2 bool
	e.permitted, ok = readSubtrees(&body, 0)
	e.excluded, ok2 = readSubtrees(&body, 1)
	return ok && ok2 && body.Empty()
}

// readSubtrees reads [n] GeneralSubtrees. minimum must be 0 and maximum absent
// (RFC 5280 4.2.1.10).
func readSubtrees(in *cryptobyte.String, n uint8) ([]generalName, bool) {
	var list cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&list, &has, context(n).Constructed()) {
		return nil, false
	}
	var out []generalName
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) || len(out) == maxNames {
			return nil, false
		}
		g, err := readGeneralName(&one)
		if err != nil || !one.Empty() {
			return nil, false
		}
		out = append(out, g)
	}
	return out, !has || len(out) > 0
}

// authority is an authorityKeyIdentifier.
type authority struct {
	raw     string // as it stands, to compare a delta with its base
	keyID   string
	issuers []generalName
	serial  string
}

func (a *authority) read(v cryptobyte.String) bool {
	var body, id, names cryptobyte.String
	var hasID, hasNames bool
	a.raw = string(v)
	if !v.ReadASN1(&body, asn1.SEQUENCE) || !v.Empty() || !body.ReadOptionalASN1(&id, &hasID, context(0)) ||
		!body.ReadOptionalASN1(&names, &hasNames, context(1).Constructed()) {
		return false
	}
	a.keyID = string(id)
	if hasNames {
		var err error
		if a.issuers, err = readGeneralNames(names); err != nil {
			return false
		}
	}
	if body.PeekASN1Tag(context(2)) {
		var ok bool
		if a.serial, ok = readInteger(&body, context(2)); !ok {
			return false
		}
	}
	return body.Empty()
}

// allows reports whether issuer can be the certificate that a names.
func (a *authority) allows(issuer *Certificate) bool {
	if a.keyID != "" && issuer.ext.subjectKeyID != "" && a.keyID != issuer.ext.subjectKeyID {
		return false
	}
	return true
}
