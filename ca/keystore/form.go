package keystore

import (
	"bytes"
	"encoding/hex"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// checkForm holds the bytes against the kind of the entry that announces them.
// Without it, crl.published could announce a certificate: its digest would be
// in the log, but under a name where nobody looks for certificates.
func checkForm(body entry.Body, m measured) error {
	switch b := body.(type) {
	case *entry.CertIntent:
		serial, _, ok := certificateForm(m)
		if !ok {
			return refuse("a cert.intent announces something that is not a certificate")
		}
		if hex.EncodeToString(serial) != b.Serial {
			return refuse("the certificate's serial is not the announced one")
		}
	case *entry.KeyCreated:
		_, spki, ok := certificateForm(m)
		if !ok {
			return refuse("a key.created announces something that is not a certificate")
		}
		if entry.Sum(spki) != b.SPKI {
			return refuse("the certificate's key is not the announced one")
		}
	case *entry.CrossIntent:
		serial, spki, ok := certificateForm(m)
		if !ok {
			return refuse("a cross.intent announces something that is not a certificate")
		}
		if hex.EncodeToString(serial) != b.Serial || entry.Sum(spki) != b.SPKI {
			return refuse("the certificate's serial or key is not the announced one")
		}
	case *entry.CRLPublished:
		if !crlForm(m) {
			return refuse("a crl.published announces something that is not a revocation list")
		}
	}
	return nil
}

// certificateForm reads serial and SubjectPublicKeyInfo of a version 3
// TBSCertificate (RFC 5280 4.1).
func certificateForm(m measured) (serial, spki []byte, ok bool) {
	var body, version, key cryptobyte.String
	var n []byte
	in := cryptobyte.String(m.head)
	if m.size != int64(len(m.head)) || !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1(&version, asn1.Tag(0).ContextSpecific().Constructed()) || !bytes.Equal(version, []byte{2, 1, 2}) ||
		!body.ReadASN1Integer(&n) {
		return nil, nil, false
	}
	for range 4 { // signature, issuer, validity, subject
		if !body.SkipASN1(asn1.SEQUENCE) {
			return nil, nil, false
		}
	}
	if !body.ReadASN1Element(&key, asn1.SEQUENCE) {
		return nil, nil, false
	}
	return n, key, true
}

// crlForm reports whether the bytes are one SEQUENCE that starts like a version
// 2 TBSCertList (RFC 5280 5.1): no [0] in front, so that it can't be read as a
// version 3 certificate.
func crlForm(m measured) bool {
	body, ok := openSequence(m)
	var version int64
	return ok && body.ReadASN1Integer(&version) && version == 1 &&
		body.SkipASN1(asn1.SEQUENCE) && body.SkipASN1(asn1.SEQUENCE) &&
		(body.PeekASN1Tag(asn1.UTCTime) || body.PeekASN1Tag(asn1.GeneralizedTime))
}

// openSequence reads the header of a SEQUENCE that fills all the bytes, of which
// only the head is here.
func openSequence(m measured) (cryptobyte.String, bool) {
	h := m.head
	if len(h) < 2 || h[0] != 0x30 {
		return nil, false
	}
	n, at := int64(h[1]), 2
	if h[1] >= 0x80 {
		at += int(h[1] & 0x7f)
		if at > 6 || len(h) < at {
			return nil, false
		}
		n = 0
		for _, b := range h[2:at] {
			n = n<<8 | int64(b)
		}
	}
	return cryptobyte.String(h[at:]), int64(at)+n == m.size
}
