package profile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The two AlgorithmIdentifiers on elliptic curves (RFC 5480 2.1.1) and that of
// RSA (RFC 3279 2.3.1), whole.
var (
	keyOnP256 = []byte{0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	keyOnP384 = []byte{0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}
	keyOfRSA  = []byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00}
)

var errKey = errors.New("public key is not a SubjectPublicKeyInfo of RSA, P-256 or P-384")

// EncodeKey returns the SubjectPublicKeyInfo of an RSA, P-256 or P-384 key:
// the bytes of x509.MarshalPKIXPublicKey, at a fifth of its cost.
func EncodeKey(pub crypto.PublicKey) ([]byte, error) {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return encodePoint(k)
	case *rsa.PublicKey:
		if k.N == nil || k.N.Sign() <= 0 || k.E <= 0 {
			return nil, errors.New("RSA key is not made of positive numbers")
		}
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(keyOfRSA)
			b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) {
				b.AddUint8(0)
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1BigInt(k.N)
					b.AddASN1Int64(int64(k.E))
				})
			})
		})
		return b.Bytes()
	}
	return nil, errKey
}

// encodePoint needs no long form of a length: both points are shorter than 128
// bytes.
func encodePoint(k *ecdsa.PublicKey) ([]byte, error) {
	alg := keyOnP256
	switch k.Curve {
	case elliptic.P256():
	case elliptic.P384():
		alg = keyOnP384
	default:
		return nil, errKey
	}
	point, err := k.Bytes()
	if err != nil {
		return nil, errors.New("public key is not a point of its curve")
	}
	out := make([]byte, 0, len(alg)+len(point)+5)
	out = append(out, byte(asn1.SEQUENCE), byte(len(alg)+len(point)+3))
	out = append(out, alg...)
	out = append(out, byte(asn1.BIT_STRING), byte(len(point)+1), 0)
	return append(out, point...), nil
}

// DecodeKey reads a SubjectPublicKeyInfo of an RSA, P-256 or P-384 key. It
// takes one encoding of each key and nothing else: what EncodeKey writes.
func DecodeKey(spki []byte) (crypto.PublicKey, error) {
	var body, alg cryptobyte.String
	var bits []byte
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Element(&alg, asn1.SEQUENCE) ||
		!body.ReadASN1BitStringAsBytes(&bits) || !body.Empty() {
		return nil, errKey
	}
	switch {
	case bytes.Equal(alg, keyOnP256):
		return decodePoint(elliptic.P256(), bits)
	case bytes.Equal(alg, keyOnP384):
		return decodePoint(elliptic.P384(), bits)
	case bytes.Equal(alg, keyOfRSA):
		return decodeRSA(bits)
	}
	return nil, errKey
}

func decodePoint(c elliptic.Curve, point []byte) (crypto.PublicKey, error) {
	k, err := ecdsa.ParseUncompressedPublicKey(c, point)
	if err != nil {
		return nil, errors.New("public key is not a point of its curve")
	}
	return k, nil
}

func decodeRSA(b []byte) (crypto.PublicKey, error) {
	var pair cryptobyte.String
	k := &rsa.PublicKey{N: new(big.Int)}
	in := cryptobyte.String(b)
	if !in.ReadASN1(&pair, asn1.SEQUENCE) || !in.Empty() || !pair.ReadASN1Integer(k.N) || !pair.ReadASN1Integer(&k.E) || !pair.Empty() ||
		k.N.Sign() <= 0 || k.E <= 0 {
		return nil, errKey
	}
	return k, nil
}
