package path

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 verification only, for Options.Legacy: the test suite of NIST has DSA
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// family is a kind of public key.
type family int

const (
	familyRSA family = iota + 1
	familyECDSA
	familyEd25519
	familyDSA
)

// scheme is a signature algorithm that this package verifies.
type scheme struct {
	family family
	hash   crypto.Hash
	legacy bool
	null   bool // parameters NULL are allowed
}

var schemes = map[oid]scheme{
	mustOID("1.2.840.113549.1.1.11"):  {family: familyRSA, hash: crypto.SHA256, null: true},
	mustOID("1.2.840.113549.1.1.12"):  {family: familyRSA, hash: crypto.SHA384, null: true},
	mustOID("1.2.840.113549.1.1.13"):  {family: familyRSA, hash: crypto.SHA512, null: true},
	mustOID("1.2.840.10045.4.3.2"):    {family: familyECDSA, hash: crypto.SHA256},
	mustOID("1.2.840.10045.4.3.3"):    {family: familyECDSA, hash: crypto.SHA384},
	mustOID("1.2.840.10045.4.3.4"):    {family: familyECDSA, hash: crypto.SHA512},
	mustOID("1.3.101.112"):            {family: familyEd25519},
	mustOID("1.2.840.113549.1.1.5"):   {family: familyRSA, hash: crypto.SHA1, null: true, legacy: true},
	mustOID("1.2.840.10040.4.3"):      {family: familyDSA, hash: crypto.SHA1, legacy: true},
	mustOID("2.16.840.1.101.3.4.3.2"): {family: familyDSA, hash: crypto.SHA256, legacy: true},
}

// signed is what certificates and lists have in common: bytes, an algorithm
// and a signature over them.
type signed struct {
	tbs       []byte
	algorithm string // the AlgorithmIdentifier's DER, as it stands twice
	scheme    scheme // zero: not one of schemes
	signature []byte
}

// read splits SEQUENCE { tbs, algorithm, signature } and returns the content
// of tbs.
func (s *signed) read(der []byte) (cryptobyte.String, error) {
	in := cryptobyte.String(der)
	var outer, tbs, alg, body, bits cryptobyte.String
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Element(&tbs, asn1.SEQUENCE) ||
		!outer.ReadASN1Element(&alg, asn1.SEQUENCE) || !outer.ReadASN1(&bits, asn1.BIT_STRING) || len(bits) == 0 || !outer.Empty() {
		return nil, errors.New("not one signed object in DER form")
	}
	if bits[0] == 0 { // else not whole bytes: no signature of any scheme, and so a wrong one
		s.signature = bits[1:]
	}
	s.tbs, s.algorithm = tbs, string(alg)
	var ok bool
	if s.scheme, ok = readScheme(alg); !ok {
		return nil, errors.New("signature algorithm is malformed")
	}
	tbs.ReadASN1(&body, asn1.SEQUENCE)
	return body, nil
}

// readScheme returns the zero scheme for an algorithm that is not known.
func readScheme(alg cryptobyte.String) (scheme, bool) {
	var body cryptobyte.String
	if !alg.ReadASN1(&body, asn1.SEQUENCE) {
		return scheme{}, false
	}
	id, ok := readOID(&body)
	if !ok {
		return scheme{}, false
	}
	s := schemes[id]
	if !body.Empty() && (!s.null || string(body) != "\x05\x00") {
		return scheme{}, true
	}
	return s, true
}

// sameAlgorithm reads the second AlgorithmIdentifier (RFC 5280 4.1.1.2).
func (s *signed) sameAlgorithm(in *cryptobyte.String) error {
	var alg cryptobyte.String
	if !in.ReadASN1Element(&alg, asn1.SEQUENCE) || string(alg) != s.algorithm {
		return errors.New("the two algorithm identifiers differ")
	}
	return nil
}

// publicKey is a SubjectPublicKeyInfo.
type publicKey struct {
	raw    string // the whole DER
	family family // 0: not one of the families
	key    crypto.PublicKey
	// DSA only: the bare value, and parameters unless they are inherited
	// (RFC 3279 2.3.2).
	y      *big.Int
	params *dsa.Parameters
}

var (
	oidRSAKey     = mustOID("1.2.840.113549.1.1.1")
	oidECKey      = mustOID("1.2.840.10045.2.1")
	oidEd25519Key = mustOID("1.3.101.112")
	oidDSAKey     = mustOID("1.2.840.10040.4.1")
)

// readPublicKey reads a key. One of an unknown kind is kept: it only matters
// when it has to verify something.
func readPublicKey(in *cryptobyte.String) (publicKey, error) {
	bad := errors.New("public key is malformed")
	var raw, spki, alg cryptobyte.String
	if !in.ReadASN1Element(&raw, asn1.SEQUENCE) {
		return publicKey{}, bad
	}
	p := publicKey{raw: string(raw)}
	if body := raw; !body.ReadASN1(&spki, asn1.SEQUENCE) || !spki.ReadASN1(&alg, asn1.SEQUENCE) {
		return p, bad
	}
	id, ok := readOID(&alg)
	if !ok {
		return p, bad
	}
	switch id {
	case oidRSAKey, oidECKey, oidEd25519Key:
		key, err := x509.ParsePKIXPublicKey(raw)
		if err != nil {
			return p, nil
		}
		p.key, p.family = key, families[id]
	case oidDSAKey:
		var bits []byte
		if !spki.ReadASN1BitStringAsBytes(&bits) || !p.readDSA(alg, bits) {
			return p, bad
		}
		p.family = familyDSA
	}
	return p, nil
}

var families = map[oid]family{oidRSAKey: familyRSA, oidECKey: familyECDSA, oidEd25519Key: familyEd25519}

func (p *publicKey) readDSA(params cryptobyte.String, bits cryptobyte.String) bool {
	p.y = new(big.Int)
	if !bits.ReadASN1Integer(p.y) || !bits.Empty() || p.y.Sign() <= 0 {
		return false
	}
	if params.Empty() || string(params) == "\x05\x00" {
		return true // inherited
	}
	d := dsa.Parameters{P: new(big.Int), Q: new(big.Int), G: new(big.Int)}
	var body cryptobyte.String
	if !params.ReadASN1(&body, asn1.SEQUENCE) || !params.Empty() || !body.ReadASN1Integer(d.P) ||
		!body.ReadASN1Integer(d.Q) || !body.ReadASN1Integer(d.G) || !body.Empty() {
		return false
	}
	if d.P.Sign() <= 0 || d.Q.Sign() <= 0 || d.G.Sign() <= 0 || d.P.BitLen() > 4096 || d.Q.BitLen() > 256 {
		return false
	}
	p.params = &d
	return true
}

// inherits reports whether the key needs the parameters of a key above.
func (p *publicKey) inherits() bool { return p.family == familyDSA && p.params == nil }

// below returns the key as it works under an issuer's working key: a DSA key
// without parameters takes the issuer's (RFC 5280 6.1.4 (e), (f)).
func (p publicKey) below(issuer *publicKey) publicKey {
	if p.inherits() && issuer.family == familyDSA {
		p.params = issuer.params
	}
	return p
}

// Errors of verify.
var (
	errAlgorithm = errors.New("the algorithm is not accepted")
	errSignature = errors.New("the signature does not match")
)

// Sizes of an RSA key in bits. The upper one bounds the work of a check.
const (
	minRSA = 2048
	maxRSA = 8192
)

// verify checks a signature: errAlgorithm when key or scheme are not accepted,
// errSignature when they are and it is false.
func (p *publicKey) verify(s *signed, legacy bool) error {
	if s.scheme.family == 0 || s.scheme.family != p.family || (s.scheme.legacy && !legacy) {
		return errAlgorithm
	}
	if !p.acceptable(legacy) {
		return errAlgorithm
	}
	if !p.matches(s) {
		return errSignature
	}
	return nil
}

func (p *publicKey) acceptable(legacy bool) bool {
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() <= maxRSA && (k.N.BitLen() >= minRSA || legacy && k.N.BitLen() >= 1024)
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize >= 256
	case ed25519.PublicKey:
		return true
	}
	return p.family == familyDSA && p.params != nil && legacy
}

func (p *publicKey) matches(s *signed) bool {
	digest := s.tbs
	switch s.scheme.hash {
	case crypto.SHA1:
		d := sha1.Sum(s.tbs)
		digest = d[:]
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
		h := s.scheme.hash.New()
		h.Write(s.tbs)
		digest = h.Sum(nil)
	}
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, s.scheme.hash, digest, s.signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, s.signature)
	case ed25519.PublicKey:
		return ed25519.Verify(k, s.tbs, s.signature)
	}
	return p.matchesDSA(digest, s.signature)
}

func (p *publicKey) matchesDSA(digest, sig []byte) bool {
	in := cryptobyte.String(sig)
	var body cryptobyte.String
	r, t := new(big.Int), new(big.Int)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Integer(r) || !body.ReadASN1Integer(t) || !body.Empty() {
		return false
	}
	if n := (p.params.Q.BitLen() + 7) / 8; len(digest) > n {
		digest = digest[:n]
	}
	return dsa.Verify(&dsa.PublicKey{Parameters: *p.params, Y: p.y}, digest, r, t)
}
