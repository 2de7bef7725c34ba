package jtext

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// Sizes of the two standards that make up the certificate repertoire.
const (
	CharactersJISX0208 = 6879 // rows 1–8 and 16–84
	CharactersJISX0212 = 6067
)

// repertoire is a bitmap over the Basic Multilingual Plane; both standards lie in it.
type repertoire [1 << 16 / 64]uint64

func (t *repertoire) has(r rune) bool {
	return r >= 0 && r < 1<<16 && t[r>>6]&(1<<(r&63)) != 0
}

type sets struct{ x0208, x0212, both repertoire }

// standards decodes every code point of EUC-JP. Decoding, not encoding, is the
// test: the encoder also knows vendor rows (13, 89–92) that are in neither
// standard, so ① or 髙 would encode (DOMAIN 10.6).
var standards = sync.OnceValue(func() *sets {
	t := new(sets)
	for row := 1; row <= 94; row++ {
		if row <= 8 || row >= 16 && row <= 84 {
			decodeRow(&t.x0208, nil, row)
		}
		decodeRow(&t.x0212, []byte{0x8f}, row)
	}
	for i := range t.both {
		t.both[i] = t.x0208[i] | t.x0212[i]
	}
	return t
})

func decodeRow(into *repertoire, prefix []byte, row int) {
	d := japanese.EUCJP.NewDecoder()
	for cell := 1; cell <= 94; cell++ {
		out, err := d.Bytes(append(append([]byte{}, prefix...), byte(0xa0+row), byte(0xa0+cell)))
		r, size := utf8.DecodeRune(out)
		if err != nil || size != len(out) || r == utf8.RuneError {
			continue
		}
		into[r>>6] |= 1 << (r & 63)
	}
}

// InRepertoire reports whether a certificate may hold the character: JIS X
// 0208 level 1, level 2 and non-kanji, or JIS X 0212 (DOMAIN 6.2, otherName .1).
func InRepertoire(r rune) bool {
	return standards().both.has(r)
}

// InJISX0208 reports whether the character is in JIS X 0208.
func InJISX0208(r rune) bool {
	return standards().x0208.has(r)
}
