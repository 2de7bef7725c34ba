package path

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// name is a distinguished name as it compares (RFC 5280 7.1): one string for
// each RDN in which case, runs of spaces, the string type and the order inside
// the set make no difference. It is for comparing only; nothing writes it.
type name []string

// key is the whole name as one comparable string.
func (n name) key() string {
	var b strings.Builder
	for _, rdn := range n {
		b.WriteString(prefixed(rdn))
	}
	return b.String()
}

// within reports whether the name is base or below it.
func (n name) within(base name) bool {
	return len(n) >= len(base) && slices.Equal(n[:len(base)], base)
}

func prefixed(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// Limits of one name.
const (
	maxRDN       = 64
	maxAttribute = 16
)

var errName = errors.New("a name is malformed")

// readName reads a Name and the e-mail addresses in it.
func readName(in *cryptobyte.String) (name, []string, error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, nil, errName
	}
	var out name
	var mails []string
	for !list.Empty() {
		var set cryptobyte.String
		if !list.ReadASN1(&set, asn1.SET) || len(out) == maxRDN {
			return nil, nil, errName
		}
		rdn, mail, err := readRDN(set)
		if err != nil {
			return nil, nil, err
		}
		out, mails = append(out, rdn), append(mails, mail...)
	}
	return out, mails, nil
}

var oidEmail = mustOID("1.2.840.113549.1.9.1")

// readRDN reads the content of one RelativeDistinguishedName.
func readRDN(set cryptobyte.String) (rdn string, mails []string, err error) {
	var parts []string
	for !set.Empty() {
		var one, value cryptobyte.String
		var tag asn1.Tag
		if !set.ReadASN1(&one, asn1.SEQUENCE) || len(parts) == maxAttribute {
			return "", nil, errName
		}
		id, ok := readOID(&one)
		if !ok || !one.ReadAnyASN1(&value, &tag) || !one.Empty() {
			return "", nil, errName
		}
		text, known, err := readString(value, tag)
		if err != nil {
			return "", nil, err
		}
		if id == oidEmail && known {
			mails = append(mails, text)
		}
		if known {
			parts = append(parts, prefixed(string(id))+"t"+prefixed(prepare(text)))
		} else {
			parts = append(parts, prefixed(string(id))+"b"+string([]byte{byte(tag)})+prefixed(string(value)))
		}
	}
	if len(parts) == 0 {
		return "", nil, errName
	}
	slices.Sort(parts)
	return strings.Join(parts, ""), mails, nil
}

// readString decodes a DirectoryString or IA5String; known is false for any
// other type, which compares byte for byte.
func readString(v cryptobyte.String, tag asn1.Tag) (s string, known bool, err error) {
	const teletex, universal, bmp = asn1.Tag(20), asn1.Tag(28), asn1.Tag(30)
	switch tag {
	case asn1.UTF8String:
		if strings.ToValidUTF8(string(v), "") != string(v) {
			return "", false, errName
		}
		return string(v), true, nil
	case asn1.PrintableString, asn1.IA5String, asn1.Tag(18): // 18: NumericString
		for _, b := range v {
			if b >= 0x80 {
				return "", false, errName
			}
		}
		return string(v), true, nil
	case teletex: // in practice Latin-1
		r := make([]rune, len(v))
		for i, b := range v {
			r[i] = rune(b)
		}
		return string(r), true, nil
	case bmp:
		return wide(v, 2)
	case universal:
		return wide(v, 4)
	}
	return "", false, nil
}

func wide(v []byte, size int) (string, bool, error) {
	if len(v)%size != 0 {
		return "", false, errName
	}
	var r []rune
	for ; len(v) > 0; v = v[size:] {
		c := rune(binary.BigEndian.Uint16(v))
		if size == 4 {
			c = rune(binary.BigEndian.Uint32(v))
		}
		if utf16.IsSurrogate(c) || c < 0 || c > unicode.MaxRune {
			return "", false, errName
		}
		r = append(r, c)
	}
	return string(r), true, nil
}

// prepare is the string preparation of RFC 4518 as RFC 5280 7.1 profiles it:
// fold case, NFKC, drop what is invisible, one space for a run of spaces.
// The result is compared and thrown away: a name as people write it never
// passes through here.
func prepare(s string) string {
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	s = strings.Map(func(r rune) rune {
		switch {
		case r == 0x00ad || r == 0x034f || r == 0x1806 || r == 0x200b || r == 0xfffc || r == 0xfeff:
			return -1
		case r >= 0xfe00 && r <= 0xfe0f || r >= 0x180b && r <= 0x180d:
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// kinds of GeneralName, by their tag (RFC 5280 4.2.1.6).
const (
	kindOther     = 0
	kindEmail     = 1
	kindDNS       = 2
	kindX400      = 3
	kindDirectory = 4
	kindEDI       = 5
	kindURI       = 6
	kindIP        = 7
	kindID        = 8
)

// generalName is one GeneralName. Value is the content, or for a directory
// name its key.
type generalName struct {
	kind  int
	value string
	dir   name // kindDirectory
}

func (g generalName) equal(h generalName) bool { return g.kind == h.kind && g.value == h.value }

func directory(n name) generalName {
	return generalName{kind: kindDirectory, value: n.key(), dir: n}
}

// maxNames is how many names one list may have.
const maxNames = 1024

// readGeneralNames reads the content of GeneralNames, at least one.
func readGeneralNames(list cryptobyte.String) ([]generalName, error) {
	var out []generalName
	for !list.Empty() {
		g, err := readGeneralName(&list)
		if err != nil || len(out) == maxNames {
			return nil, errName
		}
		out = append(out, g)
	}
	if len(out) == 0 {
		return nil, errName
	}
	return out, nil
}

func readGeneralName(in *cryptobyte.String) (generalName, error) {
	var value cryptobyte.String
	var tag asn1.Tag
	if !in.ReadAnyASN1(&value, &tag) {
		return generalName{}, errName
	}
	for kind := kindOther; kind <= kindID; kind++ {
		want := context(uint8(kind))
		if kind == kindOther || kind == kindX400 || kind == kindDirectory || kind == kindEDI {
			want = want.Constructed()
		}
		if tag != want {
			continue
		}
		if kind != kindDirectory {
			return generalName{kind: kind, value: string(value)}, nil
		}
		n, _, err := readName(&value)
		if err != nil || !value.Empty() {
			return generalName{}, errName
		}
		return directory(n), nil
	}
	return generalName{}, errName
}
