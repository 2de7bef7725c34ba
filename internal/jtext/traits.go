package jtext

import (
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// traits say in which views of the scanner a character can take part. From them
// sum tells which views can find nothing in a value, and those are passed over:
// an honest name or address is looked at once instead of twelve times.
// TestPassedOver holds every view that is passed over to what it would find.
type traits uint16

const (
	looksLike  traits = 1 << iota // a letter that is read for a digit
	counts                        // a unit: 十, 万, 億
	spoken                        // may be of a digit spelled out, or is one
	unspoken                      // may stand between such
	inRow                         // of one of letterRows
	betweenRow                    // dropped from rows
	inToken                       // letter or digit
	visible                       // in ASCII and not a space
	latin                         // that, and neither digit nor hyphen
)

// traitsOf mirrors how the views read a unit: each line names its view.
func traitsOf(u unit) (t traits) {
	set := func(on bool, f traits) {
		if on {
			t |= f
		}
	}
	_, like := lookalikes()[u.r]
	set(like && u.digits == "", looksLike)                                  // scanLookalikes
	set(u.digits == "" && strings.ContainsRune(countingUnits, u.r), counts) // scanCounted
	r, dropped := spokenRune(u)
	set(!dropped && wordRunes()[r], spoken) // scanSpoken
	set(dropped, unspoken)
	if u.digits != "" && u.class == arabic { // scanEncoded
		return t | inToken | visible
	}
	r = unicode.ToLower(toKatakana(u.r))
	set(betweenRows(r), betweenRow)
	set(!betweenRows(r) && rowRunes()[r], inRow)
	set(unicode.IsLetter(r) || unicode.IsDigit(r), inToken)
	ascii := u.r < 0x80 && !unicode.IsSpace(u.r)
	set(ascii, visible)
	set(ascii && u.r != '-', latin)
	return t
}

// countingUnits are what counter.take reads.
const countingUnits = "十拾什百佰陌千仟阡万萬億亿"

// wordRunes are the characters of words, and the digits.
var wordRunes = sync.OnceValue(func() map[rune]bool {
	m := map[rune]bool{}
	for w := range words() {
		for _, r := range w {
			m[r] = true
		}
	}
	for r := '0'; r <= '9'; r++ {
		m[r] = true
	}
	return m
})

// rowRunes are the characters of letterRows.
var rowRunes = sync.OnceValue(func() map[rune]bool {
	m := map[rune]bool{}
	for _, row := range letterRows {
		for _, r := range row.letters {
			m[r] = true
		}
	}
	return m
})

// sum is what a value has of each trait: how many characters, or the longest
// stretch of them.
type sum struct {
	units, digits, looksLike, counts, spoken, rows, tokens, visible int
	latin                                                           bool
}

func sumOf(us []unit) sum {
	s := sum{units: len(us)}
	word, row, token := 0, 0, false
	for i := range us {
		t := us[i].traits
		s.digits += len(us[i].digits)
		if t&looksLike != 0 {
			s.looksLike++
		}
		if t&counts != 0 {
			s.counts++
		}
		if t&spoken != 0 {
			word++
			s.spoken = max(s.spoken, word)
		} else if t&unspoken == 0 {
			word = 0
		}
		if t&inRow != 0 {
			row++
			s.rows = max(s.rows, row)
		} else if t&betweenRow == 0 {
			row = 0
		}
		if in := t&inToken != 0; in != token {
			token = in
			if in {
				s.tokens++
			}
		}
		if t&visible != 0 {
			s.visible++
		}
		s.latin = s.latin || t&latin != 0
	}
	return s
}

// minDigits is how many digits every view needs before it finds a number.
const minDigits = 11

// glyph is what units and hidden need to know of one character, worked out once.
type glyph struct {
	units  []unit
	hidden bool
}

// pages of glyphs of the Basic Multilingual Plane, filled at first use; a page
// takes a fraction of a millisecond and all of them take 4 MB. The planes above
// are rare and are looked up each time.
type page [256]glyph

var pages [256]atomic.Pointer[page]

// glyphOf returns nil for a character that has no page.
func glyphOf(r rune) *glyph {
	if r < 0 || r > 0xffff {
		return nil
	}
	p := pages[r>>8].Load()
	if p == nil {
		p = new(page)
		for i := range p {
			c := r&^0xff | rune(i)
			p[i] = glyph{appendUnit(nil, c, true), hides(c)}
		}
		pages[r>>8].Store(p)
	}
	return &p[r&0xff]
}
