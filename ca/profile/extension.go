package profile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of extensions (RFC 5280 section 4.2, RFC 6960 4.2.2.2.1).
var (
	oidSubjectKeyID    = encasn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage        = encasn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName  = encasn1.ObjectIdentifier{2, 5, 29, 17}
	oidIssuerAltName   = encasn1.ObjectIdentifier{2, 5, 29, 18}
	oidConstraints     = encasn1.ObjectIdentifier{2, 5, 29, 19}
	oidDistribution    = encasn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies        = encasn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID  = encasn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage     = encasn1.ObjectIdentifier{2, 5, 29, 37}
	oidInfoAccess      = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidOCSPNoCheck     = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidAccessOCSP      = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidAccessCAIssuers = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidQualifierCPS    = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidOCSPSigning     = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
)

// OIDOrdinal names the non-critical extension that holds the certificate's
// position in the status tree, an INTEGER (DESIGN section 5). Package comment:
// why it is not an arc under 2.25.
var OIDOrdinal = encasn1.ObjectIdentifier{2, 999, 20040129, 1}

// OIDLedgerProof is the non-critical extension of an OCSP request that asks for
// a status receipt, and of the answer that carries it (docs/formats.md).
var OIDLedgerProof = encasn1.ObjectIdentifier{2, 999, 20040129, 2}

// OIDAttribute is the arc of the six otherNames (DOMAIN 6.2); the last number
// is the field of package attr.
var OIDAttribute = encasn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5}

// OIDTestPolicy is the policy of the real service's test environment.
var OIDTestPolicy = encasn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 1, 0, 20}

// extension has exactly one member set: its kind.
type extension struct {
	KeyUsage     *keyUsage     `json:"keyUsage,omitempty" yaml:"keyUsage"`
	SubjectAlt   *subjectAlt   `json:"subjectAltName,omitempty" yaml:"subjectAltName"`
	IssuerAlt    *issuerAlt    `json:"issuerAltName,omitempty" yaml:"issuerAltName"`
	Constraints  *constraints  `json:"basicConstraints,omitempty" yaml:"basicConstraints"`
	Policies     *policies     `json:"certificatePolicies,omitempty" yaml:"certificatePolicies"`
	Distribution *distribution `json:"crlDistributionPoints,omitempty" yaml:"crlDistributionPoints"`
	InfoAccess   *infoAccess   `json:"authorityInfoAccess,omitempty" yaml:"authorityInfoAccess"`
	AuthorityKey *authorityKey `json:"authorityKeyIdentifier,omitempty" yaml:"authorityKeyIdentifier"`
	SubjectKey   *subjectKey   `json:"subjectKeyIdentifier,omitempty" yaml:"subjectKeyIdentifier"`
	ExtKeyUsage  *extKeyUsage  `json:"extKeyUsage,omitempty" yaml:"extKeyUsage"`
	NoCheck      *noCheck      `json:"ocspNoCheck,omitempty" yaml:"ocspNoCheck"`
	Ordinal      *ordinal      `json:"ordinal,omitempty" yaml:"ordinal"`

	Mappings       policyMappings     `json:"policyMappings,omitempty" yaml:"policyMappings"`
	PolicyDemanded *policyConstraints `json:"policyConstraints,omitempty" yaml:"policyConstraints"`
}

// part is one kind of extension.
type part interface {
	// head names the extension and says whether it is critical.
	head() (oid encasn1.ObjectIdentifier, critical bool)
	// check refuses settings that could never give a valid extension.
	check(r Role) error
	// add writes the extension's value, the inside of the OCTET STRING.
	add(b *cryptobyte.Builder, in *input) error
}

func (e *extension) part() (part, error) {
	var only part
	n := 0
	add := func(there bool, p part) {
		if there {
			only = p
			n++
		}
	}
	add(e.KeyUsage != nil, e.KeyUsage)
	add(e.SubjectAlt != nil, e.SubjectAlt)
	add(e.IssuerAlt != nil, e.IssuerAlt)
	add(e.Constraints != nil, e.Constraints)
	add(e.Policies != nil, e.Policies)
	add(e.Distribution != nil, e.Distribution)
	add(e.InfoAccess != nil, e.InfoAccess)
	add(e.AuthorityKey != nil, e.AuthorityKey)
	add(e.SubjectKey != nil, e.SubjectKey)
	add(e.ExtKeyUsage != nil, e.ExtKeyUsage)
	add(e.NoCheck != nil, e.NoCheck)
	add(e.Ordinal != nil, e.Ordinal)
	add(e.Mappings != nil, e.Mappings)
	add(e.PolicyDemanded != nil, e.PolicyDemanded)
	if n != 1 {
		return nil, errors.New("must have exactly one kind")
	}
	return only, nil
}

func (e *extension) validate(r Role) (oid string, err error) {
	p, err := e.part()
	if err != nil {
		return "", err
	}
	if err := p.check(r); err != nil {
		return "", err
	}
	id, _ := p.head()
	return id.String(), nil
}

// encode returns the whole Extension.
func (e *extension) encode(in *input) ([]byte, error) {
	p, err := e.part()
	if err != nil {
		return nil, err
	}
	value := cryptobyte.NewBuilder(make([]byte, 0, 512))
	if err := p.add(value, in); err != nil {
		return nil, err
	}
	v, err := value.Bytes()
	if err != nil {
		return nil, err
	}
	if len(v) > maxTBS {
		return nil, errors.New("extension is too large")
	}
	oid, critical := p.head()
	var room [32]byte
	head := identifier(room[:0], oid)
	if critical { // DEFAULT FALSE is not written
		head = append(head, byte(asn1.BOOLEAN), 1, 0xff)
	}
	out := header(make([]byte, 0, len(v)+len(head)+8), asn1.SEQUENCE, len(head)+size(len(v)))
	return element(append(out, head...), asn1.OCTET_STRING, v), nil
}

// AddExtension writes one Extension (RFC 5280 4.1), in certificates, CRLs and
// OCSP alike. DEFAULT FALSE: critical is written only when true.
func AddExtension(b *cryptobyte.Builder, oid encasn1.ObjectIdentifier, critical bool, value []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(value)
	})
}

type keyUsage struct {
	Critical bool     `json:"critical,omitempty" yaml:"critical"`
	Bits     []string `json:"bits" yaml:"bits"`
}

// usageBits are the bit numbers of RFC 5280 4.2.1.3. contentCommitment is the
// present name of nonRepudiation.
var usageBits = map[string]int{
	"digitalSignature": 0, "contentCommitment": 1, "keyEncipherment": 2, "dataEncipherment": 3,
	"keyAgreement": 4, "keyCertSign": 5, "cRLSign": 6,
}

func (k *keyUsage) head() (encasn1.ObjectIdentifier, bool) { return oidKeyUsage, k.Critical }

func (k *keyUsage) check(Role) error {
	if len(k.Bits) == 0 {
		return errors.New("keyUsage needs a bit")
	}
	for _, n := range k.Bits {
		if _, ok := usageBits[n]; !ok {
			return errors.New("keyUsage has an unknown bit")
		}
	}
	return nil
}

func (k *keyUsage) add(b *cryptobyte.Builder, _ *input) error {
	var bits byte
	last := 0
	for _, n := range k.Bits {
		bits |= 0x80 >> usageBits[n]
		last = max(last, usageBits[n])
	}
	b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) { // named bit list: trailing zeros cut (X.690 11.2.2)
		b.AddUint8(uint8(7 - last))
		b.AddUint8(bits)
	})
	return nil
}

type constraints struct {
	CA      bool `json:"ca" yaml:"ca"`
	PathLen *int `json:"pathLen,omitempty" yaml:"pathLen"` // CAs that may follow, self-issued ones not counted
}

func (c *constraints) head() (encasn1.ObjectIdentifier, bool) { return oidConstraints, true }
func (c *constraints) check(r Role) error {
	if c.CA != r.ca() {
		return errors.New("basicConstraints says CA in roots, link and cross certificates alone")
	}
	if c.PathLen != nil && (r != Cross || *c.PathLen < 0 || *c.PathLen > 16) {
		return errors.New("only cross certificates limit the path, to 0 to 16 CAs")
	}
	return nil
}
func (c *constraints) add(b *cryptobyte.Builder, _ *input) error {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if c.CA {
			b.AddASN1Boolean(true)
		}
		if c.PathLen != nil {
			b.AddASN1Int64(int64(*c.PathLen))
		}
	})
	return nil
}

type policies struct {
	Critical bool   `json:"critical,omitempty" yaml:"critical"`
	OID      string `json:"oid" yaml:"oid"`
	CPS      string `json:"cps,omitempty" yaml:"cps"`
}

func (p *policies) head() (encasn1.ObjectIdentifier, bool) { return oidPolicies, p.Critical }
func (p *policies) check(r Role) error {
	id, err := parseOID(p.OID)
	if err != nil {
		return err
	}
	if production(id) {
		return errors.New("the policy OID belongs to the production service")
	}
	return r.checkText(p.CPS)
}
func (p *policies) add(b *cryptobyte.Builder, in *input) error {
	id, err := parseOID(p.OID)
	if err != nil {
		return err
	}
	cps, err := in.vars.expand(p.CPS)
	if err != nil {
		return err
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(id)
			if cps == "" {
				return
			}
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidQualifierCPS)
					b.AddASN1(asn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(cps)) })
				})
			})
		})
	})
	return nil
}

// production reports whether a policy is one of the real service's: its arc
// 1.2.392.200149.8.5.1 except the test policy.
func production(id encasn1.ObjectIdentifier) bool {
	arc := OIDTestPolicy[:7]
	return len(id) >= len(arc) && id[:len(arc)].Equal(arc) && !id.Equal(OIDTestPolicy)
}

type infoAccess struct {
	OCSP      string `json:"ocsp" yaml:"ocsp"`
	CAIssuers string `json:"caIssuers,omitempty" yaml:"caIssuers"`
}

func (a *infoAccess) head() (encasn1.ObjectIdentifier, bool) { return oidInfoAccess, false }
func (a *infoAccess) check(r Role) error {
	if a.OCSP == "" {
		return errors.New("authorityInfoAccess needs an OCSP address")
	}
	return r.checkText(a.OCSP + a.CAIssuers)
}
func (a *infoAccess) add(b *cryptobyte.Builder, in *input) error {
	ocsp, err := in.vars.expand(a.OCSP)
	if err != nil {
		return err
	}
	issuers, err := in.vars.expand(a.CAIssuers)
	if err != nil {
		return err
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addAccess(b, oidAccessOCSP, ocsp)
		if issuers != "" {
			addAccess(b, oidAccessCAIssuers, issuers)
		}
	})
	return nil
}

func addAccess(b *cryptobyte.Builder, method encasn1.ObjectIdentifier, uri string) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(method)
		addURI(b, uri)
	})
}

type authorityKey struct{}

func (*authorityKey) head() (encasn1.ObjectIdentifier, bool) { return oidAuthorityKeyID, false }
func (*authorityKey) check(r Role) error {
	if r == Root {
		return errors.New("a root carries no authorityKeyIdentifier (DOMAIN 6.1)")
	}
	return nil
}
func (*authorityKey) add(b *cryptobyte.Builder, in *input) error {
	AddAuthorityKeyID(b, in.req.Issuer.KeyID)
	return nil
}

// AddAuthorityKeyID writes the value of an authorityKeyIdentifier with the key
// identifier alone: all generations share one DN, so only the key tells them
// apart (DOMAIN 6.1).
func AddAuthorityKeyID(b *cryptobyte.Builder, keyID []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(keyID) })
	})
}

type subjectKey struct{}

func (*subjectKey) head() (encasn1.ObjectIdentifier, bool) { return oidSubjectKeyID, false }
func (*subjectKey) check(Role) error                       { return nil }
func (*subjectKey) add(b *cryptobyte.Builder, in *input) error {
	b.AddASN1OctetString(in.keyID)
	return nil
}

type extKeyUsage struct {
	Purposes []string `json:"purposes" yaml:"purposes"`
}

func (*extKeyUsage) head() (encasn1.ObjectIdentifier, bool) { return oidExtKeyUsage, false }
func (e *extKeyUsage) check(r Role) error {
	if r != OCSP || len(e.Purposes) != 1 || e.Purposes[0] != "OCSPSigning" {
		return errors.New("the only purpose in use is OCSPSigning, for the ocsp role")
	}
	return nil
}
func (*extKeyUsage) add(b *cryptobyte.Builder, _ *input) error {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidOCSPSigning) })
	return nil
}

type noCheck struct{}

func (*noCheck) head() (encasn1.ObjectIdentifier, bool) { return oidOCSPNoCheck, false }
func (*noCheck) check(r Role) error {
	if r != OCSP {
		return errors.New("ocspNoCheck is for the ocsp role")
	}
	return nil
}
func (*noCheck) add(b *cryptobyte.Builder, _ *input) error {
	b.AddBytes([]byte{0x05, 0x00})
	return nil
}

type ordinal struct {
	OID string `json:"oid" yaml:"oid"`
}

func (o *ordinal) head() (encasn1.ObjectIdentifier, bool) {
	id, _ := parseOID(o.OID) // checked at load
	return id, false
}

func (o *ordinal) check(r Role) error {
	if r != Resident {
		return errors.New("only residents' certificates have an ordinal")
	}
	// The file names it so that a reader sees it there; lints, auditors and
	// agencies know no other.
	if id, err := parseOID(o.OID); err != nil || !id.Equal(OIDOrdinal) {
		return errors.Join(err, fmt.Errorf("ordinal's OID is not %v", OIDOrdinal))
	}
	return nil
}
func (o *ordinal) add(b *cryptobyte.Builder, in *input) error {
	b.AddASN1Uint64(in.req.Ordinal)
	return nil
}

// parseOID reads dotted numbers. Arcs of more than 31 bits are refused: Go's
// crypto/x509 can't read an extension under one.
func parseOID(s string) (encasn1.ObjectIdentifier, error) {
	fields := strings.Split(s, ".")
	if len(fields) < 3 || len(fields) > 20 {
		return nil, errors.New("OID must have 3 to 20 numbers")
	}
	out := make(encasn1.ObjectIdentifier, len(fields))
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 31)
		if err != nil || (len(f) > 1 && f[0] == '0') {
			return nil, fmt.Errorf("number %d of the OID is not one of at most 31 bits", i+1)
		}
		out[i] = int(n)
	}
	if out[0] > 2 || (out[0] < 2 && out[1] > 39) {
		return nil, errors.New("OID has no such first arcs")
	}
	return out, nil
}
