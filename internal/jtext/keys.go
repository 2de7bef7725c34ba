package jtext

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Match keys compare what different notations may mean alike (DOMAIN 10.6 to
// 10.8). They are for finding candidates only, which a person then judges:
// equal keys do not say that two values are equal, and a key is never stored
// as a value, certified or hashed into a commitment.

// SplitName returns family and given name, which a record separates by one
// U+3000 (DOMAIN 10.6). It reports false for any other form.
func SplitName(name string) (family, given string, ok bool) {
	family, given, ok = strings.Cut(name, "\u3000")
	if !ok || family == "" || given == "" || strings.ContainsFunc(family+given, unicode.IsSpace) {
		return "", "", false
	}
	return family, given, true
}

// IsHyphen reports whether r is of the hyphen family: hyphens, dashes, minus
// signs and the long vowel marks that are typed for them (DOMAIN 10.6).
func IsHyphen(r rune) bool {
	switch {
	case r >= 0x2010 && r <= 0x2015, r == '-', r == 0x2212, r == 0xff0d, r == 0x30fc, r == 0xff70,
		r == 0x2043, r == 0xfe63, r == 0xfe58, r == 0x2500, r == 0x2501, r == 0x301c, r == 0xff5e:
		return true
	}
	return false
}

// NameKey returns the key of a name: compatibility forms, glyph variants and
// old forms of kanji folded, spaces and variation selectors dropped.
func NameKey(name string) string { return foldText(name, false) }

// KanaKey returns the key of a reading: hiragana and katakana, small and large
// kana, long vowels, voiced marks written apart and half-width forms folded.
func KanaKey(reading string) string {
	var b strings.Builder
	var last rune
	for _, r := range foldText(reading, false) {
		if r >= 'ぁ' && r <= 'ゖ' {
			r += 0x60
		}
		if r = largeKana(r); IsHyphen(r) {
			r = vowelOf(last)
		}
		if r != 0 {
			b.WriteRune(r)
			last = r
		}
	}
	return b.String()
}

// foldText is the part that all keys share.
func foldText(s string, keepSpace bool) string {
	var b strings.Builder
	for _, r := range norm.NFKC.String(s) {
		switch {
		case unicode.IsSpace(r) && !keepSpace, IsVariationSelector(r), unicode.Is(unicode.Cf, r):
			continue
		}
		if to, ok := kanjiFold()[r]; ok {
			r = to
		}
		b.WriteRune(r)
	}
	return b.String()
}

func largeKana(r rune) rune {
	if i := strings.IndexRune("ァィゥェォッャュョヮヵヶ", r); i >= 0 {
		return []rune("アイウエオツヤユヨワカケ")[i/3]
	}
	return r
}

// vowelOf returns the vowel that lengthens a katakana, 0 if there is none.
func vowelOf(r rune) rune {
	rows := []string{"アカガサザタダナハバパマヤラワ", "イキギシジチヂニヒビピミリ", "ウクグスズツヅヌフブプムユル", "エケゲセゼテデネヘベペメレ", "オコゴソゾトドノホボポモヨロヲ"}
	for i, row := range rows {
		if strings.ContainsRune(row, r) {
			return []rune("アイウエオ")[i]
		}
	}
	return 0
}

// AddressKey returns the key of an address: prefecture, district (郡), 大字,
// 小字 and 字 dropped, kana pairs (ヶ ケ が, の ノ 之) alike, and from the first
// number on 丁目, 番地, 番, 号 and hyphens of every kind alike and kanji numbers
// as digits. The rules about numbers do not touch the part before the first
// number, so 一条 or 下條村 stay what they are (DOMAIN 10.7).
func AddressKey(address string) string {
	s := []rune(foldText(address, true))
	head, tail := splitAddress(s)
	return headKey(string(head)) + "|" + tailKey(string(tail))
}

// splitAddress cuts before the first number: digits, or kanji digits that 丁目,
// 番 or 号 follows (but not 番町, the name of a quarter).
func splitAddress(s []rune) (head, tail []rune) {
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			return s[:i], s[i:]
		}
		j := i
		for j < len(s) && strings.ContainsRune(kanjiNumbers, s[j]) {
			j++
		}
		if j == i {
			continue
		}
		rest := string(s[j:min(j+2, len(s))])
		if strings.HasPrefix(rest, "丁目") || strings.HasPrefix(rest, "号") || strings.HasPrefix(rest, "番") && rest != "番町" {
			return s[:i], s[i:]
		}
		i = j - 1
	}
	return s, nil
}

const kanjiNumbers = "〇一二三四五六七八九十百"

var headFolds = strings.NewReplacer("大字", "", "小字", "", "字", "", " ", "", "ヶ", "ケ", "が", "ケ", "ガ", "ケ", "ヵ", "カ", "ッ", "ツ", "っ", "つ", "の", "ノ", "之", "ノ")

func headKey(s string) string {
	if i := strings.Index(s, "県"); i >= 0 && i <= len("神奈川") && !strings.ContainsAny(s[:i], "市町村郡") {
		s = s[i+len("県"):]
	}
	s = headFolds.Replace(s)
	if i := strings.Index(s, "郡"); i > 0 && i <= 5*len("郡") && !strings.ContainsAny(s[:i], "市町村") {
		s = s[i+len("郡"):]
	}
	return s
}

// tailFolds in the order of DOMAIN 10.7: strings.NewReplacer takes the first
// pattern in argument order at each place.
var tailFolds = strings.NewReplacer("番地の", "-", "番の", "-", "丁目", "-", "番地", "-", "番", "-", "号室", "-", "号", "-", "の", "-", "ノ", "-", "之", "-", "棟", "-", "条", "-", " ", "-")

func tailKey(s string) string {
	var b strings.Builder
	run := ""
	flush := func() {
		if n, ok := smallNumber(run); ok && len(run) <= 18 {
			b.WriteString(itoa(n))
		} else {
			b.WriteString(run)
		}
		run = ""
	}
	for _, r := range s {
		if r >= '0' && r <= '9' || strings.ContainsRune(kanjiNumbers, r) {
			run += string(r)
			continue
		}
		flush()
		if IsHyphen(r) {
			r = '-'
		}
		b.WriteRune(r)
	}
	flush()
	parts := strings.FieldsFunc(tailFolds.Replace(b.String()), func(r rune) bool { return r == '-' })
	return strings.Join(parts, "-")
}

func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	var d []byte
	for ; n > 0; n /= 10 {
		d = append([]byte{byte('0' + n%10)}, d...)
	}
	return string(d)
}
