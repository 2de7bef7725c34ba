package profile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// Attribute is one attribute of a distinguished name. Every attribute is an RDN
// of its own: several OUs are several RDNs, as in the real certificates
// (crypto/x509/pkix would merge them into one).
type Attribute struct {
	Type  string `json:"type" yaml:"type"`   // C, O, OU, L, CN
	Value string `json:"value" yaml:"value"` // a template may hold {variables}
}

// Name is a distinguished name, first RDN first.
type Name []Attribute

// maxAttribute is the largest value in characters (RFC 5280 appendix A.1:
// ub-common-name, ub-organization-name and ub-organizational-unit-name are 64,
// ub-locality-name is 128; the smallest is used for all).
const maxAttribute = 64

var attributeOIDs = map[string]encasn1.ObjectIdentifier{
	"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "L": {2, 5, 4, 7}, "CN": {2, 5, 4, 3},
}

// DER returns the Name: C as PrintableString, everything else as UTF8String
// (RFC 5280 4.1.2.4, DOMAIN 6.2).
func (n Name) DER() ([]byte, error) {
	if len(n) == 0 {
		return nil, errors.New("name is empty")
	}
	for _, a := range n {
		if err := a.validate(); err != nil {
			return nil, err
		}
	}
	var rdns []byte
	for _, a := range n {
		rdns = a.append(rdns)
	}
	if len(rdns) > maxTBS {
		return nil, errors.New("name is too large")
	}
	return element(nil, asn1.SEQUENCE, rdns), nil
}

func (a Attribute) validate() error {
	if _, ok := attributeOIDs[a.Type]; !ok {
		return errors.New("name has an attribute type other than C, O, OU, L, CN")
	}
	if a.Type == "C" && (len(a.Value) != 2 || strings.ToUpper(a.Value) != a.Value || !upper(a.Value)) {
		return errors.New("country is not two capital letters")
	}
	n := utf8.RuneCountInString(a.Value)
	if !utf8.ValidString(a.Value) || n == 0 || n > maxAttribute || strings.ContainsAny(a.Value, "{}\x00") {
		return fmt.Errorf("value of %s is empty, too long or holds a character that it may not", a.Type)
	}
	return nil
}

func upper(s string) bool {
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// append appends the RDN of a valid attribute.
func (a Attribute) append(b []byte) []byte {
	tag := asn1.UTF8String
	if a.Type == "C" {
		tag = asn1.PrintableString
	}
	const oid = 5 // bytes of the identifier of any of them
	inner := oid + size(len(a.Value))
	b = header(header(b, asn1.SET, size(inner)), asn1.SEQUENCE, inner)
	b = header(identifier(b, attributeOIDs[a.Type]), tag, len(a.Value))
	return append(b, a.Value...)
}

// vars are the values of a template's {variables}.
type vars map[string]string

// expand replaces each {name}. An unknown or empty variable is an error: a
// certificate with a hole in it must not come into being.
func (v vars) expand(s string) (string, error) {
	if strings.IndexByte(s, '{') < 0 {
		return s, nil
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("template has a { without a }")
		}
		val, ok := v[name]
		if !ok || val == "" {
			return "", fmt.Errorf("template variable %q is unknown or has no value for this certificate", name)
		}
		out.WriteString(val)
		s = after
	}
}

// fill returns one attribute of a template with its variables filled in.
func (v vars) fill(a Attribute) (Attribute, error) {
	s, err := v.expand(a.Value)
	if err != nil {
		return a, err
	}
	filled := Attribute{a.Type, s}
	return filled, filled.validate()
}

func (v vars) name(n Name) (Name, error) {
	out := make(Name, len(n))
	for i, a := range n {
		s, err := v.expand(a.Value)
		if err != nil {
			return nil, err
		}
		out[i] = Attribute{a.Type, s}
	}
	return out, nil
}

// variables lists the {names} of a template, for checks at load time.
func variables(s string) []string {
	var out []string
	for {
		_, rest, found := strings.Cut(s, "{")
		if !found {
			return out
		}
		name, after, _ := strings.Cut(rest, "}")
		out = append(out, name)
		s = after
	}
}
