package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SigAlg is a signature algorithm of certificates, CRLs and OCSP responses.
type SigAlg int

// The algorithms in use (RFC 4055 section 5, RFC 5758 section 3.2).
const (
	SHA256WithRSA SigAlg = iota + 1
	ECDSAWithSHA256
	ECDSAWithSHA384
)

// AlgFor returns the algorithm for an issuer's public key: RSA of 2,048 to
// 4,096 bits, P-256 or P-384.
func AlgFor(pub crypto.PublicKey) (SigAlg, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 4096 {
			return 0, fmt.Errorf("RSA modulus of %d bits is outside 2048 to 4096", n)
		}
		return SHA256WithRSA, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return ECDSAWithSHA256, nil
		case elliptic.P384():
			return ECDSAWithSHA384, nil
		}
	}
	return 0, errors.New("public key is neither RSA nor on P-256 or P-384")
}

// Hash returns the digest that the algorithm signs.
func (a SigAlg) Hash() crypto.Hash {
	if a == ECDSAWithSHA384 {
		return crypto.SHA384
	}
	return crypto.SHA256
}

// X509 returns the algorithm's name in crypto/x509.
func (a SigAlg) X509() x509.SignatureAlgorithm {
	switch a {
	case SHA256WithRSA:
		return x509.SHA256WithRSA
	case ECDSAWithSHA256:
		return x509.ECDSAWithSHA256
	case ECDSAWithSHA384:
		return x509.ECDSAWithSHA384
	}
	return x509.UnknownSignatureAlgorithm
}

// DER returns the AlgorithmIdentifier.
func (a SigAlg) DER() []byte {
	switch a {
	case SHA256WithRSA: // 1.2.840.113549.1.1.11, parameters NULL (RFC 4055 section 5)
		return []byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00}
	case ECDSAWithSHA256: // 1.2.840.10045.4.3.2, parameters absent (RFC 5758 section 3.2)
		return []byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}
	case ECDSAWithSHA384: // 1.2.840.10045.4.3.3
		return []byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}
	}
	return nil
}

func (a SigAlg) valid() error {
	if a.DER() == nil {
		return errors.New("signature algorithm is not set")
	}
	return nil
}

// MaxSignature is the largest signature in bytes that Assemble takes (RSA-4096).
const MaxSignature = 512

// Assemble joins a TBSCertificate or TBSCertList with its signature. It does
// not look inside tbs beyond its being one SEQUENCE; the caller compares what
// was signed with what was logged (Cut gives the signed part back).
func Assemble(tbs []byte, a SigAlg, sig []byte) ([]byte, error) {
	if err := a.valid(); err != nil {
		return nil, err
	}
	if !oneSequence(tbs) {
		return nil, errors.New("tbs is not one DER SEQUENCE")
	}
	if len(sig) == 0 || len(sig) > MaxSignature {
		return nil, fmt.Errorf("signature has %d bytes, not 1 to %d", len(sig), MaxSignature)
	}
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, len(tbs)+len(sig)+32))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(a.DER())
		b.AddASN1BitString(sig)
	})
	return b.Bytes()
}

// Cut takes a certificate or CRL apart: the exact bytes that are signed, the
// outer AlgorithmIdentifier and the signature. It reads what Assemble writes.
func Cut(der []byte) (tbs, alg, sig []byte, err error) {
	var outer, t, a cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1Element(&t, asn1.SEQUENCE) || !outer.ReadASN1Element(&a, asn1.SEQUENCE) ||
		!outer.ReadASN1BitStringAsBytes(&sig) || !outer.Empty() {
		return nil, nil, nil, errors.New("not a signed DER structure")
	}
	return t, a, sig, nil
}

func oneSequence(b []byte) bool {
	var body cryptobyte.String
	in := cryptobyte.String(b)
	return in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty()
}
