package profile

import (
	"time"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// What differs between residents' certificates is written straight into one
// slice: a cryptobyte.Builder makes a child, a closure and a copy for each of
// the thirty elements that lie in one another, which was half of the time.

// header appends tag and length of an element with n bytes of content, of at
// most 65,535.
func header(b []byte, tag asn1.Tag, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(tag), byte(n))
	case n < 0x100:
		return append(b, byte(tag), 0x81, byte(n))
	}
	return append(b, byte(tag), 0x82, byte(n>>8), byte(n))
}

// size is how long an element with n bytes of content is.
func size(n int) int {
	switch {
	case n < 0x80:
		return n + 2
	case n < 0x100:
		return n + 3
	}
	return n + 4
}

// element appends one element with what is inside it.
func element(b []byte, tag asn1.Tag, content []byte) []byte {
	return append(header(b, tag, len(content)), content...)
}

// identifier appends an OBJECT IDENTIFIER, whose numbers parseOID or a constant
// has checked.
func identifier(b []byte, oid encasn1.ObjectIdentifier) []byte {
	at := len(b)
	b = append(b, byte(asn1.OBJECT_IDENTIFIER), 0)
	b = base128(b, oid[0]*40+oid[1])
	for _, n := range oid[2:] {
		b = base128(b, n)
	}
	b[at+1] = byte(len(b) - at - 2)
	return b
}

func base128(b []byte, n int) []byte {
	shift := 0
	for n>>(shift+7) > 0 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, 0x80|byte(n>>shift))
	}
	return append(b, byte(n)&0x7f)
}

// moment appends a Time as AddTime does.
func moment(b []byte, t time.Time) []byte {
	tag, layout := asn1.UTCTime, "060102150405Z"
	if t = t.UTC(); t.Year() >= 2050 {
		tag, layout = asn1.GeneralizedTime, "20060102150405Z"
	}
	return t.AppendFormat(header(b, tag, len(layout)), layout)
}
