package path

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// allReasons are the bits of ReasonFlags (RFC 5280 4.2.1.13); bit 0 is unused.
const allReasons = 0x1fe

// pointName is a DistributionPointName: full names, or one RDN below a CRL
// issuer's name.
type pointName struct {
	has      bool
	full     []generalName
	relative string
}

// names returns the names that it stands for, below the given issuers.
func (p pointName) names(below []name) []generalName {
	if p.relative == "" {
		return p.full
	}
	var out []generalName
	for _, n := range below {
		out = append(out, directory(append(append(name{}, n...), p.relative)))
	}
	return out
}

// readPointName reads an optional [0] DistributionPointName.
func readPointName(in *cryptobyte.String) (pointName, bool) {
	var wrapped, body cryptobyte.String
	p := pointName{}
	if !in.ReadOptionalASN1(&wrapped, &p.has, context(0).Constructed()) {
		return p, false
	}
	if !p.has {
		return p, true
	}
	var tag asn1.Tag
	if !wrapped.ReadAnyASN1(&body, &tag) || !wrapped.Empty() {
		return p, false
	}
	var err error
	switch tag {
	case context(0).Constructed():
		p.full, err = readGeneralNames(body)
	case context(1).Constructed():
		p.relative, _, err = readRDN(body)
	default:
		return p, false
	}
	return p, err == nil
}

// point is one distribution point of a certificate.
type point struct {
	name      pointName
	reasons   uint16 // allReasons when absent
	crlIssuer []generalName
}

// maxPoints is how many distribution points one certificate may have.
const maxPoints = 64

func (e *extensions) readPoints(v cryptobyte.String) bool {
	var list cryptobyte.String
	if !v.ReadASN1(&list, asn1.SEQUENCE) || !v.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) || len(e.points) == maxPoints {
			return false
		}
		p, ok := readPoint(one)
		if !ok {
			return false
		}
		e.points = append(e.points, p)
	}
	return true
}

func readPoint(in cryptobyte.String) (point, bool) {
	p := point{reasons: allReasons}
	var ok bool
	if p.name, ok = readPointName(&in); !ok {
		return p, false
	}
	if in.PeekASN1Tag(context(1)) {
		if p.reasons, ok = readBits(&in, context(1)); !ok {
			return p, false
		}
		p.reasons &= allReasons
	}
	var issuers cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&issuers, &has, context(2).Constructed()) || !in.Empty() {
		return p, false
	}
	if has {
		var err error
		if p.crlIssuer, err = readGeneralNames(issuers); err != nil {
			return p, false
		}
	}
	// Reasons alone name no list (4.2.1.13).
	return p, p.name.has || has
}

// directories returns the directory names in a list, as names.
func directories(list []generalName) []name {
	var out []name
	for _, g := range list {
		if g.kind == kindDirectory {
			out = append(out, g.dir)
		}
	}
	return out
}

// shareOne reports whether two lists have a name in common.
func shareOne(a, b []generalName) bool {
	for _, x := range a {
		for _, y := range b {
			if x.equal(y) {
				return true
			}
		}
	}
	return false
}
