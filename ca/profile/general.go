package profile

import (
	"errors"
	"unicode"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// GeneralName choices (RFC 5280 4.2.1.6).
var (
	tagOtherName = asn1.Tag(0).ContextSpecific().Constructed()
	tagDirectory = asn1.Tag(4).ContextSpecific().Constructed()
	tagURI       = asn1.Tag(6).ContextSpecific()
)

func addURI(b *cryptobyte.Builder, uri string) {
	b.AddASN1(tagURI, func(b *cryptobyte.Builder) {
		if err := checkURI(uri); err != nil {
			b.SetError(err)
			return
		}
		b.AddBytes([]byte(uri))
	})
}

// checkURI wants an http address in ASCII: what is fetched over it is signed,
// and https would need a revocation check of its own (RFC 5280 section 8).
func checkURI(uri string) error {
	if len(uri) < len("http://x") || len(uri) > 512 || uri[:7] != "http://" {
		return errors.New("address is not an http:// one of at most 512 bytes")
	}
	for _, c := range uri {
		if c <= ' ' || c > unicode.MaxASCII || c == 0x7f {
			return errors.New("address holds a character outside printable ASCII")
		}
	}
	return nil
}

func addDirectory(b *cryptobyte.Builder, name []byte) {
	b.AddASN1(tagDirectory, func(b *cryptobyte.Builder) { b.AddBytes(name) })
}

type subjectAlt struct {
	Directory  Name `json:"directory,omitempty" yaml:"directory"`
	Attributes bool `json:"attributes,omitempty" yaml:"attributes"`
}

func (*subjectAlt) head() (encasn1.ObjectIdentifier, bool) { return oidSubjectAltName, false }

func (s *subjectAlt) check(r Role) error {
	if (len(s.Directory) > 0) == s.Attributes {
		return errors.New("subjectAltName has either a directory name or the attributes")
	}
	if s.Attributes {
		if r != Resident {
			return errors.New("only residents' certificates have the attributes")
		}
		return nil
	}
	return r.checkName(s.Directory)
}

func (s *subjectAlt) add(b *cryptobyte.Builder, in *input) error {
	if !s.Attributes {
		return addDirectories(b, s.Directory, in)
	}
	names := make([]byte, 0, 512)
	var room [32]byte
	arc := identifier(room[:0], OIDAttribute)
	arc[1]++                                      // and one number more, which is the field's
	for _, slot := range in.req.Subject.Slots() { // the observed order .1 .4 .3 .5 .2 .6
		text := size(len(slot.Value))
		names = header(names, tagOtherName, len(arc)+1+size(text))
		names = append(append(names, arc...), slot.Field[0]-'0')
		names = header(header(names, tagOtherName, text), asn1.UTF8String, len(slot.Value))
		names = append(names, slot.Value...)
	}
	b.AddBytes(element(make([]byte, 0, len(names)+4), asn1.SEQUENCE, names))
	return nil
}

type issuerAlt struct {
	Directory Name `json:"directory" yaml:"directory"`
}

func (*issuerAlt) head() (encasn1.ObjectIdentifier, bool) { return oidIssuerAltName, false }
func (s *issuerAlt) check(r Role) error                   { return r.checkName(s.Directory) }
func (s *issuerAlt) add(b *cryptobyte.Builder, in *input) error {
	return addDirectories(b, s.Directory, in)
}

// addDirectories writes GeneralNames with one directoryName.
func addDirectories(b *cryptobyte.Builder, n Name, in *input) error {
	filled, err := in.vars.name(n)
	if err != nil {
		return err
	}
	der, err := filled.DER()
	if err != nil {
		return err
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addDirectory(b, der) })
	return nil
}

// distribution is one DistributionPoint with two names for the same CRL: an
// address that every client can fetch and the directory name that the real
// service uses. The CRL's issuingDistributionPoint repeats both, so that one of
// them always matches (RFC 5280 6.3.3 (b)(2)(i)).
type distribution struct {
	Directory Name   `json:"directory" yaml:"directory"`
	URI       string `json:"uri" yaml:"uri"`
}

func (*distribution) head() (encasn1.ObjectIdentifier, bool) { return oidDistribution, false }

func (d *distribution) check(r Role) error {
	if d.URI == "" {
		return errors.New("a distribution point needs an address")
	}
	if err := r.checkName(d.Directory); err != nil {
		return err
	}
	return r.checkText(d.URI)
}

func (d *distribution) add(b *cryptobyte.Builder, in *input) error {
	names, err := d.names(in.vars)
	if err != nil {
		return err
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(names) })
	})
	return nil
}

// names returns the DistributionPointName, [0] { fullName [0] GeneralNames }.
func (d *distribution) names(v vars) ([]byte, error) {
	dir, err := v.name(d.Directory)
	if err != nil {
		return nil, err
	}
	der, err := dir.DER()
	if err != nil {
		return nil, err
	}
	uri, err := v.expand(d.URI)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(zero, func(b *cryptobyte.Builder) {
		b.AddASN1(zero, func(b *cryptobyte.Builder) {
			addURI(b, uri) // first: crypto/x509 stops reading at the first other name
			addDirectory(b, der)
		})
	})
	return b.Bytes()
}

// DistributionPoint returns the DER of the DistributionPointName that
// certificates of this profile carry for a municipality. The municipality's CRL
// repeats it in its issuingDistributionPoint.
func (p *Profile) DistributionPoint(place Place, base string) ([]byte, error) {
	if err := place.validate(); err != nil {
		return nil, err
	}
	for i := range p.file.Extensions {
		if d := p.file.Extensions[i].Distribution; d != nil {
			return d.names(place.vars(base))
		}
	}
	return nil, errors.New("profile has no distribution point")
}

// AddURIPoint writes CRLDistributionPoints of one point with one address, as
// freshestCRL uses them (RFC 5280 5.2.6).
func AddURIPoint(b *cryptobyte.Builder, uri string) {
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(zero, func(b *cryptobyte.Builder) {
				b.AddASN1(zero, func(b *cryptobyte.Builder) { addURI(b, uri) })
			})
		})
	})
}
