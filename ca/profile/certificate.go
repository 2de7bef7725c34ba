package profile

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SerialSize is the length of a serial in bytes: 127 random bits (DOMAIN 10.9:
// serials in order would tell volume and order).
const SerialSize = 16

// NewSerial draws a serial from r (crypto/rand.Reader in production): positive,
// of exactly SerialSize bytes, so that its hex form has one length.
func NewSerial(r io.Reader) ([]byte, error) {
	b := make([]byte, SerialSize)
	for range 64 {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, fmt.Errorf("couldn't draw a serial: %w", err)
		}
		b[0] &= 0x7f
		if b[0] != 0 {
			return b, nil
		}
	}
	return nil, errors.New("couldn't draw a serial: the source gives no random bytes")
}

// Place is the municipality of a certificate, in the romanisation of DOMAIN 6.2.
type Place struct {
	Code         string // 全国地方公共団体コード, 6 digits
	Prefecture   string // "Nagano-ken"
	Municipality string // "Matsumoto-shi"
}

func (p Place) validate() error {
	if len(p.Code) != 6 || !digits(p.Code) {
		return errors.New("municipality code must have 6 digits")
	}
	if p.Prefecture == "" || p.Municipality == "" {
		return errors.New("municipality needs its names in roman letters")
	}
	return nil
}

func (p Place) vars(base string) vars {
	return vars{"base": base, "prefecture": p.Prefecture, "municipality": p.Municipality, "municipalityCode": p.Code}
}

// Issuer is what a certificate takes over from the key that will sign it.
type Issuer struct {
	Subject   []byte           // DER Name, byte for byte as in the issuer's certificate
	KeyID     []byte           // subjectKeyIdentifier of the issuer's certificate
	Key       entry.Digest     // SHA-256 of the issuer's SubjectPublicKeyInfo: cert.intent's issuer
	PublicKey crypto.PublicKey // of the issuer's certificate
	KeyBits   []byte           // content of its subjectPublicKey BIT STRING, which OCSP hashes
	Alg       SigAlg
}

// NewIssuer reads an issuer from its certificate.
func NewIssuer(der []byte) (*Issuer, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the issuer certificate: %w", err)
	}
	if !c.IsCA || len(c.SubjectKeyId) == 0 {
		return nil, errors.New("issuer certificate is not one of a CA with a key identifier")
	}
	alg, err := AlgFor(c.PublicKey)
	if err != nil {
		return nil, err
	}
	bits, err := KeyBits(c.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	return &Issuer{Subject: c.RawSubject, KeyID: c.SubjectKeyId, Key: entry.Sum(c.RawSubjectPublicKeyInfo),
		PublicKey: c.PublicKey, KeyBits: bits, Alg: alg}, nil
}

// Issuer returns what certificates take over from a root that this profile makes
// for a key, before that root is signed.
func (p *Profile) Issuer(pub crypto.PublicKey, baseURL string) (*Issuer, error) {
	if p.file.Role != Root {
		return nil, errors.New("only a root's profile makes an issuer")
	}
	spki, err := EncodeKey(pub)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the public key: %w", err)
	}
	i := &Issuer{Key: entry.Sum(spki), PublicKey: pub}
	if i.Subject, err = p.subject(vars{"base": baseURL}); err != nil {
		return nil, err
	}
	if i.KeyID, err = keyIdentifier(spki); err != nil {
		return nil, err
	}
	if i.KeyBits, err = KeyBits(spki); err != nil {
		return nil, err
	}
	i.Alg, err = AlgFor(pub)
	return i, err
}

// Request is everything that a certificate says and the profile does not.
// Members that a role doesn't use must be left at their zero value.
type Request struct {
	Serial    []byte           // big-endian, positive, 8 to 20 bytes (NewSerial)
	PublicKey crypto.PublicKey // RSA 2,048 to 4,096, P-256 or P-384
	NotBefore time.Time        // cut to whole seconds
	NotAfter  time.Time        // whole seconds; left zero where the profile counts years
	BaseURL   string           // "http://host:port", no slash at the end: CRL, OCSP, issuer and CPS addresses
	Issuer    *Issuer          // nil for a root, which issues itself
	Name      []byte           // of link and cross certificates: the subject's name, DER, byte for byte as in its own certificate

	// Of residents' certificates only.
	Ordinal    uint64         // position in the status tree
	Place      Place          // municipality
	CommonName string         // from CommonName
	Subject    attr.Certified // the six otherNames
}

// CommonName returns the CN of DOMAIN 6.2: the request time in Japan as
// YYYYMMDDhhmmss, a 5-digit sequence and the 9-character counter identifier.
func CommonName(requested time.Time, sequence uint32, counter string) (string, error) {
	if sequence > 99999 {
		return "", errors.New("sequence has more than 5 digits")
	}
	if len(counter) != 9 || !alphanumeric(counter) {
		return "", errors.New("counter identifier must be 9 capital letters and digits")
	}
	return fmt.Sprintf("%s%05d%s", requested.In(JST).Format("20060102150405"), sequence, counter), nil
}

// JST is Japanese time, UTC+9 without daylight saving (DOMAIN 10.4).
var JST = time.FixedZone("JST", 9*60*60)

// EndOfDay returns 23:59:59 in Japan on t's Japanese day, moved by years.
func EndOfDay(t time.Time, years int) time.Time {
	j := t.In(JST)
	return time.Date(j.Year()+years, j.Month(), j.Day(), 23, 59, 59, 0, JST).UTC()
}

// KeyIdentifier returns the key identifier of RFC 7093 section 2 (1): the
// leftmost 160 bits of the SHA-256 of the subjectPublicKey.
func KeyIdentifier(pub crypto.PublicKey) ([]byte, error) {
	spki, err := EncodeKey(pub)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the public key: %w", err)
	}
	return keyIdentifier(spki)
}

func keyIdentifier(spki []byte) ([]byte, error) {
	bits, err := KeyBits(spki)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(bits)
	return sum[:20], nil
}

// KeyBits returns the content of the BIT STRING in a SubjectPublicKeyInfo.
func KeyBits(spki []byte) ([]byte, error) {
	var body cryptobyte.String
	var bits []byte
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !body.SkipASN1(asn1.SEQUENCE) || !body.ReadASN1BitStringAsBytes(&bits) {
		return nil, errors.New("public key is not a SubjectPublicKeyInfo")
	}
	return bits, nil
}

// input is a request with what follows from it.
type input struct {
	req     *Request
	vars    vars
	spki    []byte
	keyID   []byte
	name    []byte // issuer
	subject []byte
	alg     SigAlg
	frame   *frame
}

// BuildCertificateTBS returns the TBSCertificate for a request: the same bytes
// for the same request. A finding of the house lints is an error, so what comes
// out may be announced. The error never quotes an attribute.
func (p *Profile) BuildCertificateTBS(req Request) ([]byte, error) {
	in, err := p.prepare(&req)
	if err != nil {
		return nil, fmt.Errorf("couldn't build a %s certificate: %w", p.file.Role, err)
	}
	tbs, err := p.build(in)
	if err != nil {
		return nil, fmt.Errorf("couldn't build a %s certificate: %w", p.file.Role, err)
	}
	if f := Lint(tbs); len(f) > 0 {
		return nil, &LintError{f}
	}
	return tbs, nil
}

func (p *Profile) prepare(req *Request) (*input, error) {
	if err := checkURI(req.BaseURL); err != nil || req.BaseURL[len(req.BaseURL)-1] == '/' {
		return nil, errors.New("base address must be http:// without a slash at the end")
	}
	if len(req.Serial) < 8 || len(req.Serial) > 20 || req.Serial[0] == 0 || req.Serial[0] > 0x7f {
		return nil, errors.New("serial must be positive with 8 to 20 bytes")
	}
	spki, err := EncodeKey(req.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the public key: %w", err)
	}
	own, err := AlgFor(req.PublicKey)
	if err != nil {
		return nil, err
	}
	id, err := keyIdentifier(spki)
	if err != nil {
		return nil, err
	}
	in := &input{req: req, spki: spki, keyID: id, alg: own, vars: vars{"base": req.BaseURL}}
	if p.file.Role == Resident {
		if err := residentOnly(req); err != nil {
			return nil, err
		}
		in.vars = req.Place.vars(req.BaseURL)
		in.vars["commonName"] = req.CommonName
	} else if req.CommonName != "" || req.Place != (Place{}) || req.Subject != (attr.Certified{}) || req.Ordinal != 0 {
		return nil, errors.New("request has members that only residents' certificates use")
	}
	if err := p.period(req); err != nil {
		return nil, err
	}
	if err := p.issuer(in); err != nil {
		return nil, err
	}
	in.frame = p.frame(in)
	return in, p.naming(in)
}

// naming takes the subject from the profile or, for another CA, from the request.
func (p *Profile) naming(in *input) (err error) {
	if !p.file.Role.named() {
		if in.req.Name != nil {
			return errors.New("only link and cross certificates take their subject from the request")
		}
		in.subject, err = p.framedSubject(in)
		return err
	}
	if !oneSequence(in.req.Name) || (p.file.Role == Link) != bytes.Equal(in.req.Name, in.name) {
		return errors.New("a link certificate has its issuer's name, a cross certificate another one")
	}
	in.subject = in.req.Name
	return nil
}

func residentOnly(req *Request) error {
	if err := req.Place.validate(); err != nil {
		return err
	}
	if len(req.CommonName) != 28 || !digits(req.CommonName[:19]) || !alphanumeric(req.CommonName[19:]) {
		return errors.New("common name is not time, sequence and counter identifier")
	}
	if req.Ordinal > 1<<53-1 {
		return errors.New("ordinal is larger than 2^53-1")
	}
	return req.Subject.Validate()
}

func (p *Profile) period(req *Request) error {
	req.NotBefore = req.NotBefore.UTC().Truncate(time.Second)
	if y := p.file.Validity.Years; y > 0 {
		if !req.NotAfter.IsZero() {
			return errors.New("the profile counts the years itself")
		}
		req.NotAfter = EndOfDay(req.NotBefore, y)
	}
	req.NotAfter = req.NotAfter.UTC()
	switch d := req.NotAfter.Sub(req.NotBefore); {
	case req.NotBefore.Year() < 1950 || req.NotAfter.Year() > 9999 || req.NotAfter.Nanosecond() != 0:
		return errors.New("validity can't be written")
	case d <= 0:
		return errors.New("validity ends before it starts")
	case p.file.Validity.MaxDays > 0 && d > time.Duration(p.file.Validity.MaxDays)*24*time.Hour:
		return errors.New("validity is longer than the profile allows")
	}
	return nil
}

func (p *Profile) issuer(in *input) error {
	if p.file.Role == Root {
		if in.req.Issuer != nil {
			return errors.New("a root issues itself")
		}
		var err error
		in.name, err = p.subject(in.vars)
		return err
	}
	if in.req.Issuer == nil {
		return errors.New("issuer is missing")
	}
	i := in.req.Issuer
	if err := i.Alg.valid(); err != nil {
		return err
	}
	if len(i.KeyID) == 0 || !oneSequence(i.Subject) || bytes.Equal(i.KeyID, in.keyID) {
		return errors.New("issuer has no name or key identifier, or is the key itself")
	}
	in.name, in.alg = i.Subject, i.Alg
	return nil
}

func (p *Profile) subject(v vars) ([]byte, error) {
	n, err := v.name(p.file.Subject)
	if err != nil {
		return nil, err
	}
	return n.DER()
}

// framedSubject is subject with what the frame holds of it.
func (p *Profile) framedSubject(in *input) ([]byte, error) {
	if len(p.file.Subject) == 0 {
		return nil, errors.New("name is empty")
	}
	rdns := make([]byte, 0, 256)
	for i, a := range p.file.Subject {
		if rdn := in.frame.rdns[i]; rdn != nil {
			rdns = append(rdns, rdn...)
			continue
		}
		filled, err := in.vars.fill(a)
		if err != nil {
			return nil, err
		}
		rdns = filled.append(rdns)
	}
	return element(make([]byte, 0, len(rdns)+4), asn1.SEQUENCE, rdns), nil
}

// maxTBS is the largest TBSCertificate that is built: lengths take two bytes.
const maxTBS = 60_000

func (p *Profile) build(in *input) ([]byte, error) {
	extensions, err := p.extensions(in)
	if err != nil {
		return nil, err
	}
	n := len(extensions) + len(in.name) + len(in.subject) + len(in.spki) + 256
	if n > maxTBS {
		return nil, errors.New("certificate is too large")
	}
	alg := in.alg.DER()
	b := append(make([]byte, 0, n), 0xa0, 3, 2, 1, 2) // version 3
	b = element(b, asn1.INTEGER, in.req.Serial)
	b = append(append(b, alg...), in.name...)
	var times [40]byte
	b = element(b, asn1.SEQUENCE, moment(moment(times[:0], in.req.NotBefore), in.req.NotAfter))
	b = append(append(b, in.subject...), in.spki...)
	b = header(b, asn1.Tag(3).ContextSpecific().Constructed(), size(len(extensions)))
	b = element(b, asn1.SEQUENCE, extensions)
	return element(make([]byte, 0, len(b)+4), asn1.SEQUENCE, b), nil
}

func (p *Profile) extensions(in *input) ([]byte, error) {
	all := make([]byte, 0, 1024)
	for i := range p.file.Extensions {
		if ext := in.frame.extensions[i]; ext != nil {
			all = append(all, ext...)
			continue
		}
		ext, err := p.file.Extensions[i].encode(in)
		if err != nil {
			return nil, err
		}
		all = append(all, ext...)
	}
	return all, nil
}

// AddTime writes a Time: UTCTime through 2049, GeneralizedTime from 2050
// (RFC 5280 4.1.2.5, 5.1.2.4).
func AddTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC()
	if t.Year() < 2050 {
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
