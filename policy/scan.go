package policy

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/sukashi-project/sukashi/internal/jtext"
)

// ScanResidentCode reports whether text holds what looks like a resident
// record code in any view of the scanner (package jtext): 11 digits, in any
// script, width or encoding, with a right check digit (DOMAIN 10.1).
func ScanResidentCode(text string) bool { return jtext.FindResidentCode(text) }

// SetTextFacts scans values that a person may write freely, each on its own
// and several together, and sets those of the facts no_resident_code,
// no_individual_number, no_long_digits, no_hidden_characters and
// no_encoded_blob that the rule set has. Dates and other typed values don't
// belong in here.
func (f *Facts) SetTextFacts(values ...string) {
	s := jtext.Scan(values...)
	f.setIfKnown("no_resident_code", !s.ResidentCode)
	f.setIfKnown("no_individual_number", !s.IndividualNumber)
	f.setIfKnown("no_long_digits", !s.LongDigits)
	f.setIfKnown("no_hidden_characters", !s.Hidden)
	f.setIfKnown("no_encoded_blob", !s.Encoded)
}

func (f *Facts) setIfKnown(name string, v bool) {
	if _, ok := f.index[name]; ok {
		f.Set(name, v)
	}
}

// holdsNumber reports whether text holds one of the numbers (ASCII digits) in
// any view: as digits of any script, with other text between, reversed, or
// encoded. This is the exact check of a side that knows the number: it needs
// no check digit.
func holdsNumber(text string, numbers []string) bool {
	if text == "" || len(numbers) == 0 {
		return false
	}
	for _, view := range decodings(text) {
		d := digitsOnly(jtext.AsciiDigits(view))
		for _, n := range numbers {
			if len(n) >= 4 && (strings.Contains(d, n) || strings.Contains(d, reverse(n))) {
				return true
			}
		}
	}
	return false
}

// holdsValue reports whether text holds value: as it is, encoded, or after
// both are folded to one width and form with separators dropped.
func holdsValue(text, value string) bool {
	if text == "" || value == "" {
		return false
	}
	v := fold(value)
	for _, view := range decodings(text) {
		if strings.Contains(view, value) || len(v) > 1 && strings.Contains(fold(view), v) {
			return true
		}
	}
	return false
}

// decodings returns a text, the text with its JSON escapes undone, and what
// its runs of letters and digits may be the encoding of.
func decodings(text string) []string {
	out := []string{text}
	if strings.Contains(text, `\u`) {
		text = unescape(text)
		out = append(out, text)
	}
	add := func(b []byte, err error) {
		if err == nil && len(b) >= 4 && utf8.Valid(b) {
			out = append(out, string(b))
		}
	}
	for tok := range strings.FieldsFuncSeq(norm.NFKC.String(text), notEncoding) {
		if len(tok) < 8 {
			continue
		}
		add(hex.DecodeString(tok))
		bare := strings.TrimRight(tok, "=")
		add(base64.RawStdEncoding.DecodeString(bare))
		add(base64.RawURLEncoding.DecodeString(bare))
	}
	return out
}

func notEncoding(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
		r != '+' && r != '/' && r != '=' && r != '_' && r != '-'
}

func digitsOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if jtext.Invisible(r) || jtext.IsHyphen(r) || r == ' ' || r == '　' || r == ',' || r == '.' {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// unescape turns \uXXXX into the character and leaves everything else: a
// refused message is looked through as its writer may have meant it.
func unescape(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		r, n := escaped(s[i:])
		if n == 0 {
			out = append(out, s[i])
			continue
		}
		i += n - 1
		if utf16.IsSurrogate(r) {
			if low, m := escaped(s[i+1:]); m > 0 {
				r = utf16.DecodeRune(r, low)
				i += m
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// escaped reads \uXXXX at the start of s.
func escaped(s string) (rune, int) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, 0
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(n), 6
}
