package counter

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha512" // of a request with SHA-384 or SHA-512
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sukashi-project/sukashi/ca/profile"
)

// A certification request (RFC 2986 section 4) as an application holds it: its
// two parts and the key, of which nothing is believed yet.
type request struct {
	signed    []byte // CertificationRequestInfo
	spki      []byte
	algorithm []byte // AlgorithmIdentifier
	signature []byte
}

var errRequest = errors.New("the certification request is not readable")

// parseRequest reads DER in its one form: version 0, a key, and nothing more.
func parseRequest(der []byte) (r request, err error) {
	var outer, signed, info, version, subject, spki, attributes, algorithm cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1Element(&signed, asn1.SEQUENCE) || !outer.ReadASN1Element(&algorithm, asn1.SEQUENCE) ||
		!outer.ReadASN1BitStringAsBytes(&r.signature) || !outer.Empty() {
		return r, errRequest
	}
	in = signed
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&version, asn1.INTEGER) || !bytes.Equal(version, []byte{0}) ||
		!info.ReadASN1(&subject, asn1.SEQUENCE) || !info.ReadASN1Element(&spki, asn1.SEQUENCE) ||
		!info.ReadASN1(&attributes, asn1.Tag(0).ContextSpecific().Constructed()) || !info.Empty() {
		return r, errRequest
	}
	if !subject.Empty() || !attributes.Empty() {
		return r, errors.New("the certification request holds more than a public key")
	}
	r.signed, r.spki, r.algorithm = signed, spki, algorithm
	return r, nil
}

// requestHashes are the algorithms that a request may be signed with, by their
// whole AlgorithmIdentifier (RFC 4055 section 5, RFC 5758 section 3.2).
var (
	rsaHashes = map[string]crypto.Hash{
		"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00": crypto.SHA256,
		"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00": crypto.SHA384,
		"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00": crypto.SHA512,
	}
	ecdsaHashes = map[string]crypto.Hash{
		"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02": crypto.SHA256,
		"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03": crypto.SHA384,
		"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04": crypto.SHA512,
	}
)

// PublicKey returns the key to certify after verifying the proof of
// possession: the request is signed by its own key, with SHA-2. The request may
// name nobody and ask for nothing: everything in the certificate comes from the
// form and the profile. Keys are RSA with 2048 to 4096 bits and e = 65537, or
// P-256.
func (a *Application) PublicKey() (crypto.PublicKey, error) {
	r, err := parseRequest(a.Request)
	if err != nil {
		return nil, err
	}
	key, err := profile.DecodeKey(r.spki)
	if err != nil {
		return nil, errRequest
	}
	own := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 4096 || k.E != 65537 {
			return nil, errKind
		}
		h := rsaHashes[string(r.algorithm)]
		own = h != 0 && rsa.VerifyPKCS1v15(k, h, digest(h, r.signed), r.signature) == nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, errKind
		}
		h := ecdsaHashes[string(r.algorithm)]
		own = h != 0 && ecdsa.VerifyASN1(k, digest(h, r.signed), r.signature)
	}
	if !own {
		return nil, errors.New("the certification request is not signed by its own key")
	}
	return key, nil
}

var errKind = errors.New("the key is not of an accepted kind and size")

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
