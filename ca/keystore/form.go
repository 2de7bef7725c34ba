package keystore

import (
	"bytes"
	encasn1 "encoding/asn1"
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
		number, base, ok := crlForm(m)
		if !ok {
			return refuse("a crl.published announces something that is not a revocation list")
		}
		if number != b.Number {
			return refuse("the list's number is not the announced one")
		}
		if base != deref(b.Base) {
			return refuse("the list builds on another list than announced")
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

// crlForm reads cRLNumber and the delta's BaseCRLNumber (0: a complete list) of
// a version 2 TBSCertList (RFC 5280 5.1, 5.2.3, 5.2.4): no [0] in front, so that
// it can't be read as a version 3 certificate. The entries, which may be many
// millions of bytes, are stepped over; the extensions are the last thing in it.
func crlForm(m measured) (number, base uint64, ok bool) {
	body, ok := openSequence(m)
	var version int64
	if !ok || !body.ReadASN1Integer(&version) || version != 1 ||
		!body.SkipASN1(asn1.SEQUENCE) || !body.SkipASN1(asn1.SEQUENCE) || !skipTime(&body) {
		return 0, 0, false
	}
	if atTime(body) && !skipTime(&body) { // nextUpdate
		return 0, 0, false
	}
	left := m.size - int64(len(m.head)-len(body)) // from here to the end
	if body.PeekASN1Tag(asn1.SEQUENCE) {
		n, at, ok := header(body)
		if !ok {
			return 0, 0, false
		}
		left -= int64(at) + n
	}
	if left <= 0 || left > int64(len(m.tail)) {
		return 0, 0, false
	}
	return crlNumbers(m.tail[len(m.tail)-int(left):])
}

// Extensions of a list that the gate reads (RFC 5280 5.2.3, 5.2.4).
var (
	oidCRLNumber = encasn1.ObjectIdentifier{2, 5, 29, 20}
	oidDelta     = encasn1.ObjectIdentifier{2, 5, 29, 27}
)

// crlNumbers reads both numbers out of crlExtensions.
func crlNumbers(exts cryptobyte.String) (number, base uint64, ok bool) {
	var outer, all cryptobyte.String
	if !exts.ReadASN1(&outer, asn1.Tag(0).ContextSpecific().Constructed()) || !exts.Empty() ||
		!outer.ReadASN1(&all, asn1.SEQUENCE) || !outer.Empty() {
		return 0, 0, false
	}
	for !all.Empty() {
		var ext, value cryptobyte.String
		var id encasn1.ObjectIdentifier
		if !all.ReadASN1(&ext, asn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&id) ||
			!ext.SkipOptionalASN1(asn1.BOOLEAN) || !ext.ReadASN1(&value, asn1.OCTET_STRING) || !ext.Empty() {
			return 0, 0, false
		}
		into := &number
		switch {
		case id.Equal(oidCRLNumber):
		case id.Equal(oidDelta):
			into = &base
		default:
			continue
		}
		// Once each, and not zero, so that zero means that it is not there.
		if *into != 0 || !value.ReadASN1Integer(into) || !value.Empty() || *into == 0 {
			return 0, 0, false
		}
	}
	return number, base, number != 0
}

func atTime(s cryptobyte.String) bool {
	return s.PeekASN1Tag(asn1.UTCTime) || s.PeekASN1Tag(asn1.GeneralizedTime)
}

func skipTime(s *cryptobyte.String) bool {
	var unused cryptobyte.String
	var tag asn1.Tag
	return atTime(*s) && s.ReadAnyASN1(&unused, &tag)
}

func deref(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}

// openSequence reads the header of a SEQUENCE that fills all the bytes, of which
// only the head is here.
func openSequence(m measured) (cryptobyte.String, bool) {
	if len(m.head) == 0 || m.head[0] != 0x30 {
		return nil, false
	}
	n, at, ok := header(m.head)
	if !ok {
		return nil, false
	}
	return cryptobyte.String(m.head[at:]), int64(at)+n == m.size
}

// header reads the length of an element whose content may not be here, and where
// its content starts.
func header(b []byte) (n int64, at int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	n, at = int64(b[1]), 2
	if b[1] >= 0x80 {
		at += int(b[1] & 0x7f)
		if at > 6 || len(b) < at {
			return 0, 0, false
		}
		n = 0
		for _, c := range b[2:at] {
			n = n<<8 | int64(c)
		}
	}
	return n, at, true
}
