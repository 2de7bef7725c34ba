package revocation

import (
	"bytes"
	"crypto"
	"errors"

	encasn1 "encoding/asn1"

	"github.com/sukashi-project/sukashi/ca/profile"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits on an OCSP request.
const (
	// MaxRequest is the largest request in bytes.
	MaxRequest = 8 << 10
	// MaxCertIDs is the largest number of certificates asked for at once.
	MaxCertIDs = 32
	// MaxNonce is the longest nonce; the shortest has one byte (RFC 9654 2.1).
	MaxNonce = 128
)

var (
	oidNonce   = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidArchive = encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}
)

// errMalformed is answered with malformedRequest (RFC 6960 2.3).
var errMalformed = errors.New("not an OCSP request of a form that this responder takes")

// request is a parsed OCSPRequest. A signature on it is read over: everyone may
// ask.
type request struct {
	ids      []certID
	nonce    []byte // nil: none
	hasNonce bool
	proof    bool // profile.OIDLedgerProof is asked for
}

// certID names a certificate (RFC 6960 4.1.1).
type certID struct {
	raw      []byte      // the whole CertID, repeated in the response
	hash     crypto.Hash // SHA1, SHA256, or 0 for another one
	variant  byte        // hash and parameter form, for the cache
	nameHash []byte
	keyHash  []byte
	serial   []byte // unsigned
}

var (
	algSHA1   = []byte{0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a}
	algSHA256 = []byte{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}
)

// parseRequest reads a DER OCSPRequest of at most MaxRequest bytes.
func parseRequest(b []byte) (*request, error) {
	var outer, tbs, list cryptobyte.String
	in := cryptobyte.String(b)
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	if len(b) > MaxRequest || !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, asn1.SEQUENCE) {
		return nil, errMalformed
	}
	if !outer.Empty() && (!outer.SkipASN1(zero) || !outer.Empty()) { // optionalSignature
		return nil, errMalformed
	}
	if !tbs.SkipOptionalASN1(zero) || !tbs.SkipOptionalASN1(zero+1) || !tbs.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, errMalformed
	}
	r := new(request)
	for !list.Empty() {
		if len(r.ids) == MaxCertIDs {
			return nil, errMalformed
		}
		id, ok := readCertID(&list)
		if !ok {
			return nil, errMalformed
		}
		r.ids = append(r.ids, id)
	}
	if len(r.ids) == 0 || !r.extensions(tbs) {
		return nil, errMalformed
	}
	return r, nil
}

func readCertID(list *cryptobyte.String) (certID, bool) {
	var one, raw, body, alg, name, key cryptobyte.String
	var id certID
	if !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1Element(&raw, asn1.SEQUENCE) {
		return id, false
	}
	if !one.Empty() && !plainExtensions(one, 0) {
		return id, false
	}
	id.raw = raw
	if !raw.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&alg, asn1.SEQUENCE) ||
		!body.ReadASN1(&name, asn1.OCTET_STRING) || !body.ReadASN1(&key, asn1.OCTET_STRING) ||
		!body.ReadASN1Integer(&id.serial) || !body.Empty() {
		return id, false
	}
	id.nameHash, id.keyHash = name, key
	null := bytes.HasSuffix(alg, []byte{5, 0})
	if null {
		alg = alg[:len(alg)-2]
		id.variant = 1
	}
	switch {
	case bytes.Equal(alg, algSHA1):
		id.hash = crypto.SHA1
	case bytes.Equal(alg, algSHA256):
		id.hash = crypto.SHA256
		id.variant |= 2
	}
	return id, true
}

// plainExtensions reads [tag] Extensions in which nothing is critical, and
// ignores them.
func plainExtensions(in cryptobyte.String, tag uint8) bool {
	ok := true
	return eachExtension(in, tag, func(_ encasn1.ObjectIdentifier, critical bool, _ []byte) { ok = ok && !critical }) && ok
}

func eachExtension(in cryptobyte.String, tag uint8, fn func(encasn1.ObjectIdentifier, bool, []byte)) bool {
	var wrap, list cryptobyte.String
	if !in.ReadASN1(&wrap, asn1.Tag(tag).ContextSpecific().Constructed()) || !in.Empty() ||
		!wrap.ReadASN1(&list, asn1.SEQUENCE) || !wrap.Empty() {
		return false
	}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var id encasn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&ext, asn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&id) ||
			(ext.PeekASN1Tag(asn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical)) ||
			!ext.ReadASN1(&value, asn1.OCTET_STRING) || !ext.Empty() {
			return false
		}
		fn(id, critical, value)
	}
	return true
}

// extensions reads [2] requestExtensions: the nonce and the wish for a ledger
// proof. A critical one that is not
// known, a second nonce or a nonce of a wrong length is a malformed request.
func (r *request) extensions(in cryptobyte.String) bool {
	if in.Empty() {
		return true
	}
	ok := true
	read := eachExtension(in, 2, func(id encasn1.ObjectIdentifier, critical bool, value []byte) {
		if id.Equal(profile.OIDLedgerProof) {
			r.proof = true
			return
		}
		if !id.Equal(oidNonce) {
			ok = ok && !critical
			return
		}
		var nonce cryptobyte.String
		v := cryptobyte.String(value)
		if r.hasNonce || !v.ReadASN1(&nonce, asn1.OCTET_STRING) || !v.Empty() || len(nonce) == 0 || len(nonce) > MaxNonce {
			ok = false
			return
		}
		r.nonce, r.hasNonce = nonce, true
	})
	return read && ok
}
