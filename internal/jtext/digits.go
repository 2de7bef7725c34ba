package jtext

import (
	"sort"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// UnicodeVersion is the version of the table of digits and of every property
// that the scanner looks at; a decision records it.
const UnicodeVersion = unicode.Version

// digitRun is a run of characters with consecutive values.
type digitRun struct {
	first rune
	n     uint16
	value uint8
}

// DigitValue returns the whole number from 0 to 99 that a character stands
// for: decimal digits of every script, full-width, circled, bracketed and
// superscript forms, Roman and Suzhou numerals, counting rods, kanji numerals
// up to nine with their formal forms (大字), and by hand braille digits, dice,
// mahjong tiles and clock faces, which Unicode gives no value.
func DigitValue(r rune) (int, bool) {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0'), true
	case r < 0x80:
		return 0, false
	}
	i := sort.Search(len(digitRuns), func(i int) bool { return digitRuns[i].first > r }) - 1
	if i >= 0 && r < digitRuns[i].first+rune(digitRuns[i].n) {
		return int(digitRuns[i].value) + int(r-digitRuns[i].first), true
	}
	v, ok := moreDigits()[r]
	return v, ok
}

var moreDigits = sync.OnceValue(func() map[rune]int {
	m := map[rune]int{}
	for first, chars := range map[int]string{
		0: "⠚⠁⠃⠉⠙⠑⠋⠛⠓⠊", // braille
		1: "🀇🀈🀉🀊🀋🀌🀍🀎🀏",
	} {
		for i, r := range []rune(chars) {
			m[r] = first + i
		}
	}
	for i := range 9 { // bamboo and circle tiles
		m[0x1f010+rune(i)], m[0x1f019+rune(i)] = i+1, i+1
	}
	for i := range 6 {
		m['⚀'+rune(i)] = i + 1
	}
	for i := range 12 {
		m['🕐'+rune(i)] = i + 1
	}
	for _, r := range "○◯⚪⭕◎⚫●〇" {
		m[r] = 0
	}
	return m
})

// AsciiDigits is the digit view of a text: every character that stands for a
// number (DigitValue) as ASCII digits, characters that show nothing left out,
// and everything else as it is. It is for looking at, never for storing.
func AsciiDigits(s string) string {
	var b strings.Builder
	for _, u := range units(s) {
		if u.digits != "" {
			b.WriteString(u.digits)
		} else {
			b.WriteRune(u.r)
		}
	}
	return b.String()
}

// Invisible reports whether a character shows nothing: format characters
// (zero-width, bidirectional, tags), fillers and variation selectors.
func Invisible(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0:
		return true
	}
	if r < 0x80 {
		return false
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// unit is one visible character of a text with what it can mean in a number.
type unit struct {
	r      rune
	digits string // one or two ASCII digits, "" if it is no number
	class  class
	traits traits
}

type class uint8

const (
	other     class = iota
	arabic          // a number that is not kanji
	kanji           // a kanji numeral, which names and places are full of
	separator       // what may stand between the digits of one number
)

var twoDigits = func() (s [100]string) {
	for i := range s {
		s[i] = itoa(i)
	}
	return s
}()

// units drops what shows nothing and tells what the rest can mean. Tag digits
// (U+E0030–E0039) show nothing but are digits, so they stay.
func units(s string) []unit {
	if strings.ContainsFunc(s, needsComposing) {
		s = norm.NFC.String(width.Fold.String(s)) // ｾ and ﾞ make one ゼ
	}
	us := make([]unit, 0, len(s)/3+8)
	for _, r := range s {
		if g := glyphOf(r); g != nil {
			us = append(us, g.units...)
		} else {
			us = appendUnit(us, r, true)
		}
	}
	return us
}

func needsComposing(r rune) bool { return r >= 0xff66 && r <= 0xff9f || r == 0x3099 || r == 0x309a }

func newUnit(r rune, digits string, c class) unit {
	u := unit{r: r, digits: digits, class: c}
	u.traits = traitsOf(u)
	return u
}

func appendUnit(us []unit, r rune, decompose bool) []unit {
	if r >= 0xe0030 && r <= 0xe0039 {
		r -= 0xe0000
	}
	if v, ok := DigitValue(r); ok {
		c := arabic
		if unicode.Is(unicode.Han, r) {
			c = kanji
		}
		return append(us, newUnit(r, twoDigits[v], c))
	}
	if r < 0x80 {
		c := separator
		if unicode.IsLetter(r) {
			c = other
		}
		return append(us, newUnit(r, "", c))
	}
	if Invisible(r) || unicode.In(r, unicode.Mn, unicode.Me) && r != 0x3099 && r != 0x309a {
		return us
	}
	if kana := r >= 0x3041 && r <= 0x30fe; decompose && !kana && !unicode.Is(unicode.Han, r) {
		if nf := norm.NFKC.String(string(r)); nf != string(r) {
			for _, d := range nf {
				us = appendUnit(us, d, false)
			}
			return us
		}
	}
	c := other
	if IsHyphen(r) || unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsControl(r) {
		c = separator
	}
	return append(us, newUnit(r, "", c))
}
