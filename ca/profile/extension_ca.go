package profile

import (
	"errors"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Extensions of certificates between CAs (RFC 5280 4.2.1.5, 4.2.1.11).
var (
	oidPolicyMappings    = encasn1.ObjectIdentifier{2, 5, 29, 33}
	oidPolicyConstraints = encasn1.ObjectIdentifier{2, 5, 29, 36}
	oidAnyPolicy         = encasn1.ObjectIdentifier{2, 5, 29, 32, 0}
)

// mapping says that the subject's policy counts as the issuer's.
type mapping struct {
	Issuer  string `json:"issuer" yaml:"issuer"`
	Subject string `json:"subject" yaml:"subject"`
}

type policyMappings []mapping

func (policyMappings) head() (encasn1.ObjectIdentifier, bool) { return oidPolicyMappings, true }

func (m policyMappings) check(r Role) error {
	if r != Cross || len(m) == 0 || len(m) > 16 {
		return errors.New("policyMappings has 1 to 16 pairs, in cross certificates alone")
	}
	for _, p := range m {
		for _, s := range []string{p.Issuer, p.Subject} {
			id, err := parseOID(s)
			if err != nil {
				return err
			}
			if id.Equal(oidAnyPolicy) || production(id) {
				return errors.New("anyPolicy and policies of the production service are not mapped")
			}
		}
	}
	return nil
}

func (m policyMappings) add(b *cryptobyte.Builder, _ *input) error {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, p := range m {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, s := range []string{p.Issuer, p.Subject} {
					id, err := parseOID(s)
					if err != nil {
						b.SetError(err)
						return
					}
					b.AddASN1ObjectIdentifier(id)
				}
			})
		}
	})
	return nil
}

// policyConstraints counts certificates after which a policy must be there.
type policyConstraints struct {
	RequireExplicitPolicy int `json:"requireExplicitPolicy" yaml:"requireExplicitPolicy"`
}

func (*policyConstraints) head() (encasn1.ObjectIdentifier, bool) { return oidPolicyConstraints, true }

func (p *policyConstraints) check(r Role) error {
	if r != Cross || p.RequireExplicitPolicy < 0 || p.RequireExplicitPolicy > 16 {
		return errors.New("policyConstraints has requireExplicitPolicy of 0 to 16, in cross certificates alone")
	}
	return nil
}

func (p *policyConstraints) add(b *cryptobyte.Builder, _ *input) error {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddUint8(uint8(p.RequireExplicitPolicy)) })
	})
	return nil
}
