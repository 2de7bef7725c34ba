package path

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// oid is the content of an OBJECT IDENTIFIER. Kept as bytes, an identifier
// with a 128-bit arc is as good as any other.
type oid string

// parseOID reads the dotted form.
func parseOID(dotted string) (oid, error) {
	bad := errors.New("not an object identifier in dotted form")
	parts := strings.Split(dotted, ".")
	if len(parts) < 2 || len(parts) > 64 {
		return "", bad
	}
	var arcs []*big.Int
	for _, p := range parts {
		n, ok := new(big.Int).SetString(p, 10)
		if !ok || n.Sign() < 0 || n.BitLen() > 256 {
			return "", bad
		}
		arcs = append(arcs, n)
	}
	first, second := arcs[0], arcs[1]
	if first.Cmp(big.NewInt(2)) > 0 || (first.Cmp(big.NewInt(2)) < 0 && second.Cmp(big.NewInt(39)) > 0) {
		return "", bad
	}
	arcs[1] = new(big.Int).Add(new(big.Int).Mul(first, big.NewInt(40)), second)
	var out []byte
	for _, n := range arcs[1:] {
		out = append(out, base128(n)...)
	}
	return oid(out), nil
}

func base128(n *big.Int) []byte {
	out := []byte{byte(new(big.Int).And(n, big.NewInt(0x7f)).Int64())}
	for n = new(big.Int).Rsh(n, 7); n.Sign() > 0; n = new(big.Int).Rsh(n, 7) {
		out = append([]byte{0x80 | byte(new(big.Int).And(n, big.NewInt(0x7f)).Int64())}, out...)
	}
	return out
}

// mustOID is for the constants of this package.
func mustOID(dotted string) oid {
	o, err := parseOID(dotted)
	if err != nil {
		panic(err)
	}
	return o
}

// String returns the dotted form.
func (o oid) String() string {
	var parts []string
	n := new(big.Int)
	for i := 0; i < len(o); i++ {
		n.Or(new(big.Int).Lsh(n, 7), big.NewInt(int64(o[i]&0x7f)))
		if o[i]&0x80 != 0 {
			continue
		}
		if len(parts) == 0 {
			first := int64(min(2, n.Int64()/40))
			if !n.IsInt64() {
				first = 2
			}
			parts = append(parts, strconv.FormatInt(first, 10))
			n.Sub(n, big.NewInt(first*40))
		}
		parts = append(parts, n.String())
		n = new(big.Int)
	}
	return strings.Join(parts, ".")
}

// readOID reads an OBJECT IDENTIFIER in minimal form.
func readOID(in *cryptobyte.String) (oid, bool) {
	var raw cryptobyte.String
	if !in.ReadASN1(&raw, asn1.OBJECT_IDENTIFIER) || len(raw) == 0 || len(raw) > 128 || raw[len(raw)-1]&0x80 != 0 {
		return "", false
	}
	start := true
	for _, b := range raw {
		if start && b == 0x80 {
			return "", false
		}
		start = b&0x80 == 0
	}
	return oid(raw), true
}

// context returns the context-specific tag n, primitive.
func context(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific() }

// readInteger reads an INTEGER in minimal form and returns its content. A
// negative one is returned too: a serial number may be one (RFC 5280 4.1.2.2).
func readInteger(in *cryptobyte.String, tag asn1.Tag) (string, bool) {
	var raw cryptobyte.String
	if !in.ReadASN1(&raw, tag) || len(raw) == 0 {
		return "", false
	}
	if len(raw) > 1 && (raw[0] == 0 && raw[1]&0x80 == 0 || raw[0] == 0xff && raw[1]&0x80 != 0) {
		return "", false
	}
	return string(raw), true
}

// maxSkip bounds the counters of policy and path length extensions; any
// larger number means the same for a path of Limits.Depth certificates.
const maxSkip = 1 << 16

// readCount reads a non-negative INTEGER under a tag, cut off at maxSkip.
func readCount(in *cryptobyte.String, tag asn1.Tag) (int, bool) {
	raw, ok := readInteger(in, tag)
	if !ok || raw[0]&0x80 != 0 {
		return 0, false
	}
	n := 0
	for _, b := range []byte(raw) {
		if n = n<<8 | int(b); n > maxSkip {
			return maxSkip, true
		}
	}
	return n, true
}

// readTime reads UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5.
func readTime(in *cryptobyte.String) (time.Time, bool) {
	var raw cryptobyte.String
	var tag asn1.Tag
	if !in.ReadAnyASN1(&raw, &tag) {
		return time.Time{}, false
	}
	layout := "060102150405Z"
	switch tag {
	case asn1.UTCTime:
	case asn1.GeneralizedTime:
		layout = "20060102150405Z"
	default:
		return time.Time{}, false
	}
	t, err := time.Parse(layout, string(raw))
	if err != nil || len(raw) != len(layout) {
		return time.Time{}, false
	}
	if tag == asn1.UTCTime {
		// YY below 50 is 20YY (4.1.2.5.1); package time draws the line at 69.
		t = t.AddDate(2000+t.Year()%100-t.Year(), 0, 0)
		if t.Year() >= 2050 {
			t = t.AddDate(-100, 0, 0)
		}
	}
	return t, true
}

// readBits reads a named BIT STRING of at most 16 bits: bit n of the result is
// bit n of ASN.1.
func readBits(in *cryptobyte.String, tag asn1.Tag) (uint16, bool) {
	var raw cryptobyte.String
	if !in.ReadASN1(&raw, tag) || len(raw) < 1 || len(raw) > 3 || raw[0] > 7 || (len(raw) == 1 && raw[0] != 0) {
		return 0, false
	}
	var out uint16
	for i := 0; i < (len(raw)-1)*8; i++ {
		if raw[1+i/8]&(0x80>>(i%8)) != 0 {
			if i >= (len(raw)-1)*8-int(raw[0]) {
				return 0, false // a padding bit that is not zero
			}
			out |= 1 << i
		}
	}
	return out, true
}

// readFlag reads an optional [n] BOOLEAN DEFAULT FALSE.
func readFlag(in *cryptobyte.String, n uint8) (bool, bool) {
	var raw cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&raw, &has, context(n)) {
		return false, false
	}
	if !has {
		return false, true
	}
	if len(raw) != 1 || raw[0] != 0xff && raw[0] != 0 {
		return false, false
	}
	return raw[0] == 0xff, true
}

// extension is one extension of a certificate, list or list entry.
type extension struct {
	id       oid
	critical bool
	value    cryptobyte.String
}

// maxExtensions is how many extensions one object may have.
const maxExtensions = 64

// readExtensions reads SEQUENCE OF Extension and refuses doubles.
func readExtensions(in cryptobyte.String) ([]extension, error) {
	bad := errors.New("extensions are malformed")
	var list cryptobyte.String
	if !in.ReadASN1(&list, asn1.SEQUENCE) || !in.Empty() {
		return nil, bad
	}
	var out []extension
	seen := map[oid]bool{}
	for !list.Empty() {
		var e extension
		var one cryptobyte.String
		var ok bool
		if !list.ReadASN1(&one, asn1.SEQUENCE) {
			return nil, bad
		}
		if e.id, ok = readOID(&one); !ok || seen[e.id] || len(out) == maxExtensions {
			return nil, bad
		}
		if one.PeekASN1Tag(asn1.BOOLEAN) && !one.ReadASN1Boolean(&e.critical) {
			return nil, bad
		}
		if !one.ReadASN1(&e.value, asn1.OCTET_STRING) || !one.Empty() {
			return nil, bad
		}
		seen[e.id] = true
		out = append(out, e)
	}
	return out, nil
}
