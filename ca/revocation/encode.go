package revocation

import (
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// One entry of a revokedCertificates list (RFC 5280 5.1.2.6), written by hand:
// there may be millions.
//
//	30 len
//	   02 len serial
//	   17 0d YYMMDDhhmmssZ            through 2049, else 18 0f YYYYMMDDhhmmssZ
//	   30 0c 30 0a 06 03 55 1d 15 04 03 0a 01 reason     left out for reason 0
const reasonSize = 14

func entrySize(c *cert) int { return 2 + entryBody(c) }

func entryBody(c *cert) int {
	n := 2 + int(c.serial.n) + 15
	if time.Unix(c.recorded, 0).UTC().Year() >= 2050 {
		n += 2
	}
	if Reason(entry.Grounds[c.ground]) != 0 {
		n += reasonSize
	}
	return n
}

// maxEntry is the largest entry: a serial of 20 bytes with its sign byte, a
// GeneralizedTime and a reason.
const maxEntry = 2 + 2 + 21 + 17 + reasonSize

func appendEntry(b []byte, c *cert) []byte {
	b = append(b, 0x30, byte(entryBody(c)), 0x02, c.serial.n)
	b = append(b, c.serial.bytes()...)
	b = appendTime(b, c.recorded)
	if r := Reason(entry.Grounds[c.ground]); r != 0 {
		b = append(b, 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, byte(r))
	}
	return b
}

func appendTime(b []byte, unix int64) []byte {
	t := time.Unix(unix, 0).UTC()
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	if y >= 2050 {
		b = append(b, 0x18, 0x0f)
		b = append2(b, y/100)
	} else {
		b = append(b, 0x17, 0x0d)
	}
	for _, n := range [...]int{y % 100, int(mo), d, h, mi, s} {
		b = append2(b, n)
	}
	return append(b, 'Z')
}

func append2(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// appendHeader writes a DER tag and length.
func appendHeader(b []byte, tag byte, n int) []byte {
	b = append(b, tag)
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0x81, byte(n))
	case n < 1<<16:
		return append(b, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
