package profile

import (
	"bytes"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ocspView is a ResponseData as the lints see it.
type ocspView struct {
	keyHash  []byte
	produced time.Time
	singles  []ocspSingle
	exts     []crlExt
}

type ocspSingle struct {
	id         []byte
	status     byte // 0 good, 1 revoked, 2 unknown
	at         time.Time
	reason     int // -1: none
	this, next time.Time
	exts       []crlExt
}

type ocspRule struct {
	code, clause string
	check        func(*ocspView) string
}

// ocspRules are the house rules for OCSP responses.
var ocspRules = []ocspRule{
	{"O01", "RFC 6960 4.2.1", ocspKeyHash},
	{"O02", "RFC 6960 4.2.2.1, RFC 5019 2.2.4", ocspTimes},
	{"O03", "RFC 6960 2.1", ocspAnswers},
	{"O04", "DOMAIN 6.4", ocspReasons},
	{"O05", "RFC 9654 2.1", ocspNonce},
	{"O06", "RFC 6960 4.4, docs/formats.md", ocspSingleExtensions},
}

// LintOCSP checks a ResponseData against the house rules.
func LintOCSP(tbs []byte) []Finding {
	v, ok := readOCSP(tbs)
	if !ok {
		return []Finding{{"O00", "RFC 6960 4.2.1", "the bytes are not a version 1 response by key"}}
	}
	var out []Finding
	for _, r := range ocspRules {
		if text := r.check(v); text != "" {
			out = append(out, Finding{r.code, r.clause, text})
		}
	}
	return out
}

func readOCSP(tbs []byte) (*ocspView, bool) {
	var body, id, list, key cryptobyte.String
	v := new(ocspView)
	in := cryptobyte.String(tbs)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1(&id, asn1.Tag(2).ContextSpecific().Constructed()) || !id.ReadASN1(&key, asn1.OCTET_STRING) || !id.Empty() ||
		!body.ReadASN1GeneralizedTime(&v.produced) || !body.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, false
	}
	v.keyHash = key
	for !list.Empty() {
		s, ok := readSingle(&list)
		if !ok {
			return nil, false
		}
		v.singles = append(v.singles, s)
	}
	if body.Empty() {
		return v, true
	}
	var wrap, exts cryptobyte.String
	if !body.ReadASN1(&wrap, asn1.Tag(1).ContextSpecific().Constructed()) || !body.Empty() ||
		!wrap.ReadASN1(&exts, asn1.SEQUENCE) || !wrap.Empty() {
		return nil, false
	}
	var ok bool
	v.exts, ok = readExtensions(exts)
	return v, ok
}

func readSingle(list *cryptobyte.String) (ocspSingle, bool) {
	var one, id, status, next cryptobyte.String
	var tag asn1.Tag
	s := ocspSingle{reason: -1}
	zero := asn1.Tag(0).ContextSpecific()
	if !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1Element(&id, asn1.SEQUENCE) || !one.ReadAnyASN1(&status, &tag) {
		return s, false
	}
	s.id = id
	switch {
	case tag == zero && len(status) == 0:
	case tag == zero+2 && len(status) == 0:
		s.status = 2
	case tag == (zero + 1).Constructed():
		s.status = 1
		if !s.readRevoked(status) {
			return s, false
		}
	default:
		return s, false
	}
	if !one.ReadASN1GeneralizedTime(&s.this) || !one.ReadASN1(&next, zero.Constructed()) ||
		!next.ReadASN1GeneralizedTime(&s.next) || !next.Empty() {
		return s, false
	}
	if one.Empty() {
		return s, true
	}
	var wrap, exts cryptobyte.String
	if !one.ReadASN1(&wrap, (zero+1).Constructed()) || !one.Empty() || !wrap.ReadASN1(&exts, asn1.SEQUENCE) || !wrap.Empty() {
		return s, false
	}
	var ok bool
	s.exts, ok = readExtensions(exts)
	return s, ok
}

func (s *ocspSingle) readRevoked(in cryptobyte.String) bool {
	if !in.ReadASN1GeneralizedTime(&s.at) {
		return false
	}
	if in.Empty() {
		return true
	}
	var wrap cryptobyte.String
	return in.ReadASN1(&wrap, asn1.Tag(0).ContextSpecific().Constructed()) && in.Empty() && wrap.ReadASN1Enum(&s.reason) && wrap.Empty()
}

func ocspKeyHash(v *ocspView) string {
	if len(v.keyHash) != 20 {
		return "responder id is not the SHA-1 of the key"
	}
	return ""
}

func ocspTimes(v *ocspView) string {
	for _, s := range v.singles {
		if s.this.After(v.produced) || !v.produced.Before(s.next) || s.next.Sub(s.this) > 7*24*time.Hour {
			return "not thisUpdate, producedAt, nextUpdate in this order within a week"
		}
		if s.status == 1 && s.at.After(v.produced) {
			return "a revocation is later than the response"
		}
	}
	return ""
}

func ocspAnswers(v *ocspView) string {
	if len(v.singles) == 0 {
		return "no answer"
	}
	for i, s := range v.singles {
		for _, other := range v.singles[:i] {
			if bytes.Equal(other.id, s.id) && other.status != s.status {
				return "two answers for one certificate"
			}
		}
	}
	return ""
}

func ocspReasons(v *ocspView) string {
	for _, s := range v.singles {
		if s.reason != -1 && (s.reason < 1 || s.reason > 5) {
			return "a reason that is not in use"
		}
	}
	return ""
}

func ocspNonce(v *ocspView) string {
	for i, e := range v.exts {
		if i > 0 || e.id != "1.3.6.1.5.5.7.48.1.2" || e.critical {
			return "an extension other than one nonce"
		}
		var nonce cryptobyte.String
		in := cryptobyte.String(e.value)
		if !in.ReadASN1(&nonce, asn1.OCTET_STRING) || !in.Empty() || len(nonce) == 0 || len(nonce) > 128 {
			return "nonce has not 1 to 128 bytes"
		}
	}
	return ""
}

// ocspSingleExtensions: an archive cutoff before the response, a ledger proof,
// nothing else, nothing critical, nothing for what was never issued.
func ocspSingleExtensions(v *ocspView) string {
	for _, s := range v.singles {
		if len(s.exts) > 0 && s.status == 2 {
			return "an extension beside an unknown certificate"
		}
		for _, e := range s.exts {
			in := cryptobyte.String(e.value)
			var cutoff time.Time
			var receipt cryptobyte.String
			switch {
			case e.critical:
				return "a critical extension of an answer"
			case e.id == "1.3.6.1.5.5.7.48.1.6":
				if !in.ReadASN1GeneralizedTime(&cutoff) || !in.Empty() || !cutoff.Before(v.produced) {
					return "archive cutoff is not a time before the response"
				}
			case e.id == OIDLedgerProof.String():
				if !in.ReadASN1(&receipt, asn1.OCTET_STRING) || !in.Empty() || len(receipt) == 0 {
					return "ledger proof is not an octet string"
				}
			default:
				return "an extension that is not in use"
			}
		}
	}
	return ""
}
