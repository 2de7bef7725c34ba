package profile

import (
	"bytes"
	"time"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// crlView is a revocation list as the lints see it, entries aside.
type crlView struct {
	alg        []byte
	issuer     []byte
	this, next time.Time
	hasEntries bool // revokedCertificates is present
	entries    int
	badEntry   string
	exts       []crlExt
}

type crlExt struct {
	id       string
	critical bool
	value    []byte
}

func (v *crlView) ext(id string) *crlExt {
	for i := range v.exts {
		if v.exts[i].id == id {
			return &v.exts[i]
		}
	}
	return nil
}

// The identifiers of RFC 5280 section 5.2.
const (
	idCRLNumber = "2.5.29.20"
	idReason    = "2.5.29.21"
	idDelta     = "2.5.29.27"
	idIssuing   = "2.5.29.28"
	idAKI       = "2.5.29.35"
	idFreshest  = "2.5.29.46"
)

type crlRule struct {
	code, clause string
	check        func(*crlView) string
}

// crlRules are the house rules for revocation lists.
var crlRules = []crlRule{
	{"L01", "RFC 5280 5.1.1.2", crlAlgorithm},
	{"L02", "RFC 5280 5.1.2.3", crlIssuer},
	{"L03", "RFC 5280 5.1.2.5", crlPeriod},
	{"L04", "RFC 5280 5.1.2.6", crlNotEmpty},
	{"L05", "RFC 5280 5.1.2.6, 5.3.1, DOMAIN 6.4", crlEntries},
	{"L06", "RFC 5280 5.2.1", crlAuthorityKey},
	{"L07", "RFC 5280 5.2.3", crlNumber},
	{"L08", "RFC 5280 5.2.5", crlIssuingPoint},
	{"L09", "RFC 5280 5.2.4", crlDelta},
	{"L10", "RFC 5280 5.2", crlKnownOnce},
}

// LintCRL checks a TBSCertList against the house rules. It reads the entries one
// by one and keeps none.
func LintCRL(tbs []byte) []Finding {
	v, ok := readCRL(tbs)
	if !ok {
		return []Finding{{"L00", "RFC 5280 5.1", "the bytes are not a version 2 revocation list"}}
	}
	var out []Finding
	for _, r := range crlRules {
		if text := r.check(v); text != "" {
			out = append(out, Finding{r.code, r.clause, text})
		}
	}
	return out
}

func readCRL(tbs []byte) (*crlView, bool) {
	var body, alg, issuer cryptobyte.String
	var version int64
	v := new(crlView)
	in := cryptobyte.String(tbs)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Integer(&version) || version != 1 ||
		!body.ReadASN1Element(&alg, asn1.SEQUENCE) || !body.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
		!readTime(&body, &v.this) || !readTime(&body, &v.next) {
		return nil, false
	}
	v.alg, v.issuer = alg, issuer
	if body.PeekASN1Tag(asn1.SEQUENCE) {
		var list cryptobyte.String
		if !body.ReadASN1(&list, asn1.SEQUENCE) {
			return nil, false
		}
		v.hasEntries = true
		v.readEntries(list)
	}
	var wrap, exts cryptobyte.String
	if !body.ReadASN1(&wrap, asn1.Tag(0).ContextSpecific().Constructed()) || !body.Empty() ||
		!wrap.ReadASN1(&exts, asn1.SEQUENCE) || !wrap.Empty() {
		return nil, false
	}
	var ok bool
	v.exts, ok = readExtensions(exts)
	return v, ok
}

// readTime reads a Time in the one form that RFC 5280 allows for its year.
func readTime(s *cryptobyte.String, t *time.Time) bool {
	if s.PeekASN1Tag(asn1.UTCTime) {
		return s.ReadASN1UTCTime(t) && t.Year() < 2050
	}
	return s.ReadASN1GeneralizedTime(t) && t.Year() >= 2050
}

func readExtensions(in cryptobyte.String) ([]crlExt, bool) {
	var out []crlExt
	for !in.Empty() {
		var ext, value cryptobyte.String
		var id encasn1.ObjectIdentifier
		var critical bool
		if !in.ReadASN1(&ext, asn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&id) {
			return nil, false
		}
		if ext.PeekASN1Tag(asn1.BOOLEAN) && (!ext.ReadASN1Boolean(&critical) || !critical) {
			return nil, false // DEFAULT FALSE is not written in DER
		}
		if !ext.ReadASN1(&value, asn1.OCTET_STRING) || !ext.Empty() {
			return nil, false
		}
		out = append(out, crlExt{id.String(), critical, value})
	}
	return out, true
}

// readEntries remembers the first thing that is wrong with any entry.
func (v *crlView) readEntries(list cryptobyte.String) {
	seen := map[string]bool{}
	for !list.Empty() {
		var e cryptobyte.String
		var serial []byte
		var at time.Time
		v.entries++
		switch {
		case !list.ReadASN1(&e, asn1.SEQUENCE) || !e.ReadASN1Integer(&serial) || !readTime(&e, &at):
			v.badEntry = "an entry can't be read"
			return
		case len(serial) > 20 || seen[string(serial)]:
			v.badEntry = "a serial is there twice or has more than 20 bytes"
		case at.After(v.this):
			v.badEntry = "a revocation date is after thisUpdate"
		case !e.Empty() && !reasonExtension(e):
			v.badEntry = "an entry has another extension than a reason in use"
		}
		seen[string(serial)] = true
	}
}

// reasonExtension accepts exactly one non-critical reasonCode of DOMAIN 6.4.
// Hold and removeFromCRL are not in use: a revocation is final.
func reasonExtension(e cryptobyte.String) bool {
	var exts cryptobyte.String
	if !e.ReadASN1(&exts, asn1.SEQUENCE) || !e.Empty() {
		return false
	}
	list, ok := readExtensions(exts)
	return ok && len(list) == 1 && list[0].id == idReason && !list[0].critical && len(list[0].value) == 3 &&
		list[0].value[0] == 0x0a && list[0].value[1] == 1 && list[0].value[2] >= 1 && list[0].value[2] <= 5
}

func crlAlgorithm(v *crlView) string {
	for _, a := range []SigAlg{SHA256WithRSA, ECDSAWithSHA256, ECDSAWithSHA384} {
		if bytes.Equal(v.alg, a.DER()) {
			return ""
		}
	}
	return "signature algorithm is not one of the three in use"
}

func crlIssuer(v *crlView) string {
	if len(v.issuer) <= 2 {
		return "issuer is empty"
	}
	return ""
}

// NoNextUpdate is the nextUpdate of a key's last list: there will be no other.
// It is the date that RFC 5280 4.1.2.5 has for "no well-defined end".
var NoNextUpdate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func crlPeriod(v *crlView) string {
	if !v.this.Before(v.next) || (v.next.After(v.this.AddDate(1, 0, 1)) && !v.next.Equal(NoNextUpdate)) {
		return "nextUpdate is neither within a year after thisUpdate nor that of a last list"
	}
	return ""
}

func crlNotEmpty(v *crlView) string {
	if v.hasEntries && v.entries == 0 {
		return "revokedCertificates is there and empty"
	}
	return ""
}

func crlEntries(v *crlView) string { return v.badEntry }

func crlAuthorityKey(v *crlView) string {
	if e := v.ext(idAKI); e == nil || e.critical || len(e.value) < 5 || e.value[2] != 0x80 {
		return "authorityKeyIdentifier is missing, critical or without a key identifier"
	}
	return ""
}

func crlNumber(v *crlView) string {
	e := v.ext(idCRLNumber)
	var n uint64
	if e == nil || e.critical {
		return "cRLNumber is missing or critical"
	}
	in := cryptobyte.String(e.value)
	if !in.ReadASN1Integer(&n) || !in.Empty() || n == 0 {
		return "cRLNumber is not a positive INTEGER"
	}
	return ""
}

// onlyCACerts is SEQUENCE { [2] TRUE }: the list of CA certificates.
var onlyCACerts = []byte{0x30, 0x03, 0x82, 0x01, 0xff}

func crlIssuingPoint(v *crlView) string {
	e := v.ext(idIssuing)
	if e == nil || (e.critical && bytes.Equal(e.value, onlyCACerts)) {
		return ""
	}
	var idp, name, full cryptobyte.String
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	in := cryptobyte.String(e.value)
	if !e.critical || !in.ReadASN1(&idp, asn1.SEQUENCE) || !in.Empty() || !idp.ReadASN1(&name, zero) || !idp.Empty() ||
		!name.ReadASN1(&full, zero) || !name.Empty() || full.Empty() {
		return "issuingDistributionPoint is not critical, or neither a full name alone nor onlyContainsCACerts alone"
	}
	return ""
}

func crlDelta(v *crlView) string {
	e := v.ext(idDelta)
	if e == nil {
		return ""
	}
	var base, n uint64
	in := cryptobyte.String(e.value)
	if !e.critical || !in.ReadASN1Integer(&base) || !in.Empty() {
		return "deltaCRLIndicator is not critical or not an INTEGER"
	}
	if num := v.ext(idCRLNumber); num != nil {
		in = num.value
		if in.ReadASN1Integer(&n) && base >= n {
			return "a delta is not newer than its base"
		}
	}
	if v.ext(idFreshest) != nil {
		return "a delta points to another delta"
	}
	return ""
}

func crlKnownOnce(v *crlView) string {
	known := map[string]bool{idCRLNumber: true, idDelta: true, idIssuing: true, idAKI: true, idFreshest: true}
	for _, e := range v.exts {
		if !known[e.id] {
			return "an extension is there twice or not one in use"
		}
		known[e.id] = false
	}
	return ""
}
