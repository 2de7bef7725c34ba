package revocation

import (
	"time"

	encasn1 "encoding/asn1"

	"github.com/sukashi-project/sukashi/ca/profile"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var oidBasicResponse = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

// OCSPResponseStatus values (RFC 6960 4.2.1).
const (
	statusMalformed = 1
	statusInternal  = 2
	statusTryLater  = 3
	statusForbidden = 6 // unauthorized
)

// errorResponse is an unsigned response with a status alone.
func errorResponse(status byte) []byte { return []byte{0x30, 0x03, 0x0a, 0x01, status} }

// single is one SingleResponse before encoding.
type single struct {
	id     []byte // CertID as asked
	answer Answer
	exts   []byte // Extension after Extension; nil: none
}

// singleExtensions encodes what goes beside a known certificate's status: the
// archive cutoff (RFC 6960 4.4.4) and the ledger proof, if any.
func singleExtensions(cutoff time.Time, receipt []byte) ([]byte, error) {
	var b cryptobyte.Builder
	if !cutoff.IsZero() {
		var v cryptobyte.Builder
		v.AddASN1GeneralizedTime(cutoff)
		profile.AddExtension(&b, oidArchive, false, v.BytesOrPanic())
	}
	if receipt != nil {
		var v cryptobyte.Builder
		v.AddASN1OctetString(receipt)
		profile.AddExtension(&b, profile.OIDLedgerProof, false, v.BytesOrPanic())
	}
	return b.Bytes()
}

// responseData encodes a ResponseData (RFC 6960 4.2.1).
func responseData(keyHash []byte, singles []single, this, next time.Time, r *request) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(keyHash) })
		b.AddASN1GeneralizedTime(this)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, s := range singles {
				s.add(b, this, next)
			}
		})
		if r.hasNonce {
			b.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addNonce(b, r.nonce) })
			})
		}
	})
	return b.Bytes()
}

func addNonce(b *cryptobyte.Builder, nonce []byte) {
	var v cryptobyte.Builder
	v.AddASN1OctetString(nonce)
	profile.AddExtension(b, oidNonce, false, v.BytesOrPanic())
}

func (s single) add(b *cryptobyte.Builder, this, next time.Time) {
	zero := asn1.Tag(0).ContextSpecific()
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(s.id)
		switch s.answer.Status {
		case Good:
			b.AddASN1(zero, func(*cryptobyte.Builder) {})
		case Revoked:
			b.AddASN1((zero + 1).Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(s.answer.At)
				if s.answer.Reason != 0 {
					b.AddASN1(zero.Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.answer.Reason)) })
				}
			})
		default:
			b.AddASN1(zero+2, func(*cryptobyte.Builder) {})
		}
		b.AddASN1GeneralizedTime(this)
		b.AddASN1(zero.Constructed(), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(next) })
		if len(s.exts) > 0 {
			b.AddASN1((zero + 1).Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(s.exts) })
			})
		}
	})
}

// okResponse wraps a signed ResponseData with the responder's certificate.
func okResponse(tbs []byte, alg profile.SigAlg, sig, cert []byte) ([]byte, error) {
	n := len(tbs) + len(sig) + len(cert) + 80
	basic := cryptobyte.NewBuilder(make([]byte, 0, n))
	basic.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg.DER())
		b.AddASN1BitString(sig)
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(cert) })
		})
	})
	inner, err := basic.Bytes()
	if err != nil {
		return nil, err
	}
	out := cryptobyte.NewBuilder(make([]byte, 0, n+40))
	out.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasicResponse)
				b.AddASN1OctetString(inner)
			})
		})
	})
	return out.Bytes()
}
