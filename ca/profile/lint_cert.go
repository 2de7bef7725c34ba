package profile

import (
	"bytes"
	"crypto/rsa"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// certRules are the house rules for certificates, one clause each.
var certRules = []certRule{
	{"C01", "RFC 5280 4.1.2.1", version3},
	{"C02", "RFC 5280 4.1.2.2, DOMAIN 10.9", serialForm},
	{"C03", "RFC 5280 4.1.1.2", signatureAlgorithm},
	{"C04", "RFC 5280 4.1.2.4, 4.1.2.6", namesPresent},
	{"C05", "DOMAIN 6.1, 10.4", endOfJapaneseDay},
	{"C06", "DOMAIN 6.2", lifetime},
	{"C07", "RFC 5280 4.1.2.7, DOMAIN 6.3", subjectKeyStrength},
	{"C08", "DOMAIN 6.2", subjectForm},
	{"C09", "RFC 5280 4.2.1.3, DOMAIN 6.2", keyUsageExact},
	{"C10", "RFC 5280 4.2.1.9", basicConstraintsExact},
	{"C11", "DOMAIN 6.2", sixOtherNames},
	{"C12", "DOMAIN 6.2", otherNameValues},
	{"C13", "DOMAIN PR-06", noLongNumbers},
	{"C14", "RFC 5280 4.2.1.4, DOMAIN 6.2", policyAllowed},
	{"C15", "RFC 5280 4.2.1.13, DOMAIN 6.2", distributionPoints},
	{"C16", "RFC 5280 4.2.2.1", accessAddresses},
	{"C17", "RFC 5280 4.2.1.1, DOMAIN 6.1", authorityKeyPresent},
	{"C18", "RFC 5280 4.2.1.2", subjectKeyPresent},
	{"C19", "RFC 5280 4.2", criticalKnown},
	{"C20", "RFC 5280 4.2", noRepeatedExtension},
	{"C21", "RFC 6960 4.2.2.2", responderForm},
	{"C22", "DESIGN 5", ordinalForm},
	{"C23", "RFC 5280 4.1.2.5", wholeSeconds},
	{"C24", "RFC 5280 4.2.1.5, 4.2.1.11", crossConstrained},
	{"C25", "RFC 5280 4.2, DOMAIN 6", extensionsKnown},
}

func version3(c *linted) string {
	if c.version != 2 {
		return "version is not 3"
	}
	return ""
}

func serialForm(c *linted) string {
	if n := len(c.serial); n < 8 || n > 20 || c.serial[0] == 0 && c.serial[1] == 0 {
		return "serial is not positive with 64 to 159 bits"
	}
	return ""
}

func signatureAlgorithm(c *linted) string {
	for _, a := range []SigAlg{SHA256WithRSA, ECDSAWithSHA256, ECDSAWithSHA384} {
		if bytes.Equal(c.algorithm, a.DER()) {
			return ""
		}
	}
	return "signature algorithm is not one of the three in use"
}

func namesPresent(c *linted) string {
	if len(c.issuer) <= 2 || len(c.subject) <= 2 {
		return "issuer or subject is empty"
	}
	if (c.role == Root || c.role == Link) != bytes.Equal(c.issuer, c.subject) {
		return "issuer equals subject in something else than a root or link, or differs in one"
	}
	return ""
}

func endOfJapaneseDay(c *linted) string {
	if c.role != OCSP && !c.endsDay() {
		return "validity does not end at 23:59:59 in Japan"
	}
	return ""
}

// endsDay: 23:59:59 in Japan is 14:59:59 UTC, in which certificates are written.
func (c *linted) endsDay() bool {
	h, m, s := c.notAfter.UTC().Clock()
	return h == 14 && m == 59 && s == 59
}

func lifetime(c *linted) string {
	if !c.notBefore.Before(c.notAfter) {
		return "validity ends before it starts"
	}
	if c.notAfter.After(c.latestEnd()) {
		return "validity is longer than the role allows"
	}
	return ""
}

// latestEnd is the last moment at which a certificate of the role may end.
func (c *linted) latestEnd() time.Time {
	switch c.role {
	case Root, Link:
		return c.notBefore.AddDate(30, 0, 1)
	case Cross, Resident: // a resident's: five birthdays, a leap day and the rest of the day
		return c.notBefore.AddDate(5, 0, 2)
	case OCSP:
		return c.notBefore.AddDate(1, 0, 1)
	}
	return c.notBefore
}

func wholeSeconds(c *linted) string {
	for i, t := range []time.Time{c.notBefore, c.notAfter} {
		tag, layout := cbasn1.UTCTime, "060102150405Z"
		if t.UTC().Year() >= 2050 {
			tag, layout = cbasn1.GeneralizedTime, "20060102150405Z"
		}
		var room [17]byte
		if !bytes.Equal(c.validity[i], t.UTC().AppendFormat(append(room[:0], byte(tag), byte(len(layout))), layout)) {
			return "a time is not UTCTime through 2049 and GeneralizedTime from 2050"
		}
	}
	return ""
}

func subjectKeyStrength(c *linted) string {
	if _, err := AlgFor(c.key); err != nil {
		return "subject key is neither RSA of 2048 to 4096 bits nor on P-256 or P-384"
	}
	if k, ok := c.key.(*rsa.PublicKey); ok && (k.E < 65537 || k.E%2 == 0 || k.N.Bit(0) == 0 || k.N.BitLen()%8 != 0) {
		return "RSA key has an even modulus, a small or even exponent or an odd length"
	}
	return ""
}

// subjectForm: C, L, L, CN for residents; the CN is time, sequence and counter,
// so it can't be a person's name.
func subjectForm(c *linted) string {
	if c.role == Cross {
		return "" // another CA's name is as that CA writes it
	}
	rdns, ok := inside(c.subject, cbasn1.SEQUENCE)
	if !ok {
		return "subject can't be read"
	}
	var n [4]Attribute
	count := 0
	for ; !rdns.Empty(); count++ {
		a, ok := readRDN(&rdns)
		if !ok {
			return "subject has an RDN with several attributes, another type or another string form"
		}
		if count < len(n) {
			n[count] = a
		}
	}
	if c.role != Resident {
		return ""
	}
	if count != 4 || n[0].Type != "C" || n[1].Type != "L" || n[2].Type != "L" || n[3].Type != "CN" {
		return "subject is not C, L, L, CN"
	}
	cn := n[3].Value
	if n[0].Value != "JP" || !roman(n[1].Value) || !roman(n[2].Value) {
		return "country is not JP or a place is not in roman letters"
	}
	if len(cn) != 28 || !digits(cn[:19]) || !alphanumeric(cn[19:]) {
		return "CN is not request time, sequence and counter identifier"
	}
	if _, err := time.Parse("20060102150405", cn[:14]); err != nil {
		return "CN does not start with a time"
	}
	return ""
}

func readRDN(rdns *cryptobyte.String) (Attribute, bool) {
	var set, seq, value cryptobyte.String
	var id []byte
	var tag cbasn1.Tag
	if !rdns.ReadASN1(&set, cbasn1.SET) || !set.ReadASN1(&seq, cbasn1.SEQUENCE) || !set.Empty() ||
		!readOID(&seq, &id) || !seq.ReadAnyASN1(&value, &tag) || !seq.Empty() {
		return Attribute{}, false
	}
	want := cbasn1.UTF8String
	a := Attribute{Value: string(value)}
	switch string(id) {
	case "\x55\x04\x06":
		a.Type, want = "C", cbasn1.PrintableString
	case "\x55\x04\x0a":
		a.Type = "O"
	case "\x55\x04\x0b":
		a.Type = "OU"
	case "\x55\x04\x07":
		a.Type = "L"
	case "\x55\x04\x03":
		a.Type = "CN"
	default:
		return a, false
	}
	return a, tag == want && isString(tag, value)
}

// roman accepts "Nagano-ken", "Kita-Azumi-gun Hakuba-mura".
func roman(s string) bool {
	for _, c := range s {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != ' ' && c != '\'' {
			return false
		}
	}
	return s != ""
}
