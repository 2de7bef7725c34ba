package jtext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ScannerVersion counts the versions of the views; together with
// UnicodeVersion it says what a decision looked at.
const ScannerVersion = 1

// Findings says what Scan found. The zero value means nothing. It never says
// where or what, so that it can be logged (DOMAIN PR-09).
type Findings struct {
	ResidentCode     bool // eleven digits with the check digit of DOMAIN 10.1, in some view
	IndividualNumber bool // twelve digits with the check digit of DOMAIN 10.2, in some view
	LongDigits       bool // eleven or more digits with nothing but separators between
	Hidden           bool // what a reader cannot see, private or unassigned characters, many variation selectors
	Encoded          bool // what looks like encoded data, or a value too long to look at
}

// Any reports whether anything was found.
func (f Findings) Any() bool { return f != Findings{} }

func (f *Findings) add(g Findings) {
	f.ResidentCode = f.ResidentCode || g.ResidentCode
	f.IndividualNumber = f.IndividualNumber || g.IndividualNumber
	f.LongDigits = f.LongDigits || g.LongDigits
	f.Hidden = f.Hidden || g.Hidden
	f.Encoded = f.Encoded || g.Encoded
}

// FindResidentCode reports whether a text holds a resident code in one of the
// views of docs/POLICY.md: digits of any script, spelled out, spaced out,
// hidden among other text, reversed, look-alikes, encoded.
func FindResidentCode(text string) bool { return Scan(text).ResidentCode }

// maxScan is how many bytes of one value are looked at: no attribute may be as
// long. It bounds the work, too (BenchmarkScanWorst).
const maxScan = 2048

// Scan looks for resident codes and individual numbers in values that a person
// may write freely, in each and split over several; the order of the values
// matters little. Typed values (dates, codes of municipalities) do not belong
// in it, though a value that is nothing but a date is not counted as part of a
// split number.
//
// A scanner finds, it does not prove: docs/POLICY.md gives its recall, its
// false refusals and what it misses.
func Scan(values ...string) Findings {
	var f Findings
	digits := 0
	for _, v := range values {
		whole := len(v) <= maxScan
		if !whole {
			f.Encoded = true
			cut := maxScan
			for cut > 0 && !utf8.RuneStart(v[cut]) {
				cut--
			}
			v = v[:cut]
		}
		f.Hidden = f.Hidden || hidden(v)
		us := units(v)
		s := sumOf(us)
		f.add(scanUnits(us, s, 0))
		if digits += s.digits; !whole {
			digits = minDigits // the rest may have them
		}
	}
	if len(values) > 1 && digits >= minDigits {
		f.add(scanSplit(values))
	}
	return f
}

// scanValue looks at one value; depth counts how often it has been decoded.
func scanValue(v string, depth int) Findings {
	us := units(v)
	return scanUnits(us, sumOf(us), depth)
}

// scanUnits looks at one value in every view that can find something in it.
func scanUnits(us []unit, s sum, depth int) Findings {
	var f Findings
	if s.digits >= minDigits {
		f.add(scanRuns(us))
		f.add(scanGathered(us))
		for _, part := range splitUnits(us, func(u unit) bool { return unicode.IsSpace(u.r) }) {
			f.add(scanGathered(part))
		}
	}
	if s.digits >= minTrue && s.digits+s.looksLike >= minDigits {
		f.add(scanLookalikes(us))
	}
	if s.spoken >= minDigits {
		f.add(scanSpoken(us))
	}
	if s.counts > 0 {
		f.add(scanCounted(us))
	}
	if depth <= maxDepth {
		f.add(scanEncoded(us, s, depth))
	}
	return f
}

// number checks a whole number written with these ASCII digits, forwards and
// backwards.
func number(digits string) Findings {
	back := reversed(digits)
	return Findings{
		ResidentCode:     ValidResidentCode(digits) || ValidResidentCode(back),
		IndividualNumber: ValidIndividualNumber(digits) || ValidIndividualNumber(back),
	}
}

// windows checks every eleven and twelve digits in a row.
func windows(digits string) Findings {
	var f Findings
	for i := 0; i+11 <= len(digits); i++ {
		f.add(number(digits[i : i+11]))
		if i+12 <= len(digits) {
			f.add(number(digits[i : i+12]))
		}
	}
	return f
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// maxGap is how many other characters may stand between two digits of a number
// that hides in text, as 9ば9ば9. An address has 番地 between its numbers, but
// not eleven digits.
const maxGap = 2

// scanRuns looks at digits with separators between them, and with up to maxGap
// other characters between; the latter not in plain addresses (scanGathered
// says why).
func scanRuns(us []unit) Findings {
	var f Findings
	var near, far strings.Builder
	gap, address := 0, plainAddress(us)
	end := func(b *strings.Builder, long bool) {
		if b.Len() >= 11 {
			f.LongDigits = f.LongDigits || long
			f.add(windows(b.String()))
		}
		b.Reset()
	}
	for _, u := range us {
		switch {
		case u.digits != "":
			near.WriteString(u.digits)
			far.WriteString(u.digits)
			gap = 0
		case u.class == other:
			end(&near, true)
			if gap++; gap > maxGap && !address {
				end(&far, false)
			}
		}
	}
	end(&near, true)
	if !address {
		end(&far, false)
	}
	return f
}

// scanGathered looks at all digits of a value taken together, with and without
// kanji numerals, if they are exactly as many as a number has. It leaves plain
// addresses alone: one honest address in some thousands has eleven digits
// (１２０９番地１６　２１号棟２１３号), and one in ten of those would be refused
// for a check digit that is right by chance.
func scanGathered(us []unit) Findings {
	if plainAddress(us) {
		return Findings{}
	}
	all, plain := gather(us)
	f := number(plain)
	if all != plain {
		f.add(number(all))
	}
	return f
}

// splitUnits cuts at characters of a kind; nil if there is none.
func splitUnits(us []unit, at func(unit) bool) [][]unit {
	var parts [][]unit
	last := 0
	for i, u := range us {
		if at(u) {
			parts = append(parts, us[last:i])
			last = i + 1
		}
	}
	if parts == nil {
		return nil
	}
	return append(parts, us[last:])
}

func gather(us []unit) (all, plain string) {
	var a, p strings.Builder
	for _, u := range us {
		a.WriteString(u.digits)
		if u.class == arabic {
			p.WriteString(u.digits)
		}
	}
	return a.String(), p.String()
}

// An address has a few numbers of a few digits.
const (
	maxNumbers     = 5
	maxNumberWidth = 4
)

// plainAddress reports whether a value begins like an address and has no more
// and no longer numbers than one. Kanji numerals in names of places count as
// no number.
func plainAddress(us []unit) bool {
	if len(us) < 3 || !isAddress(us) {
		return false
	}
	numbers, width := 0, 0
	for _, u := range us {
		if u.class != arabic {
			width = 0
			continue
		}
		if width == 0 {
			numbers++
		}
		if width += len(u.digits); width > maxNumberWidth {
			return false
		}
	}
	return numbers <= maxNumbers
}

// isAddress reports whether a value names a prefecture and a municipality
// before its first digit, as addresses on records do.
func isAddress(us []unit) bool {
	prefecture := false
	for i, u := range us {
		switch {
		case u.class == arabic || i > 40:
			return false
		case strings.ContainsRune("都道府県", u.r) && i >= 2 && i <= 3:
			prefecture = true
		case strings.ContainsRune("市区町村", u.r) && prefecture:
			return true
		}
	}
	return false
}

// maxSelectors is how many variation selectors one value may have. Each can
// carry eight bits; a code needs 34, a real name has one or two.
const maxSelectors = 3

// hidden reports whether a value holds what a reader cannot see or nobody
// defined. A variation selector directly after a kanji is how names are
// written; anywhere else, twice or too often it hides data.
func hidden(s string) bool {
	var before rune
	selectors := 0
	for _, r := range s {
		switch {
		case r >= 0xe0100 && r <= 0xe01ef || r >= 0xfe00 && r <= 0xfe02:
			if selectors++; !unicode.Is(unicode.Han, before) || selectors > maxSelectors {
				return true
			}
		default:
			if g := glyphOf(r); g != nil && g.hidden || g == nil && hides(r) {
				return true
			}
		}
		before = r
	}
	return false
}

// hides reports whether a character shows nothing, or is of a kind that nobody
// defined.
func hides(r rune) bool {
	return Invisible(r) || unicode.IsControl(r) || r == unicode.ReplacementChar ||
		!unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z)
}
