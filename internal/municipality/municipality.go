// Package municipality knows the municipalities of Nagano prefecture: their
// six-digit codes (全国地方公共団体コード, DOMAIN 10.3), names with district
// (郡), readings, roman names as certificates write them, and since or until
// when a code was in use.
//
// The list is real data (see NOTICE) and part of the program; the package does
// no I/O. It never guesses: an unknown code is not found.
//
//	m, ok := municipality.Lookup("203611")
//	m.Kanji() // 諏訪郡下諏訪町
//	m.Roman   // Shimosuwa-machi
package municipality

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"time"
)

// The prefecture of all municipalities here.
const (
	PrefectureCode  = "200000"
	PrefectureName  = "長野県"
	PrefectureRoman = "Nagano-ken" // first L of a subject name, DOMAIN 6.2
)

// Municipality is one city, town or village.
type Municipality struct {
	Code            string // six digits, the last a check digit
	Name            string // kanji without district: 下諏訪町
	District        string // 郡 in kanji, empty for cities: 諏訪郡
	Reading         string // hiragana of Name: しもすわまち
	DistrictReading string // hiragana of District, empty for cities
	Roman           string // second L of a subject name: Shimosuwa-machi
	From            string // first day of the code as 2003-09-01, empty: before 2003
	Until           string // last day of the code, empty: in use
	Successor       string // code of the municipality that took over, empty: none
}

// Kanji returns the name as addresses write it after the prefecture, with the
// district where there is one.
func (m Municipality) Kanji() string { return m.District + m.Name }

// ValidOn reports whether the code was in use on the day of t in Japan.
func (m Municipality) ValidOn(t time.Time) bool {
	day := t.In(time.FixedZone("JST", 9*3600)).Format(time.DateOnly)
	return m.From <= day && (m.Until == "" || day <= m.Until)
}

//go:embed nagano.tsv
var naganoTSV string

// Merged is the code of 更埴市, the merged town that the resident generator
// uses: its residents became residents of 千曲市 (MergedInto) without having
// moved, a minor correction that revokes nothing (DOMAIN 8.4, scenario 12).
const (
	Merged     = "202169"
	MergedInto = "202185"
)

// since are the first days of municipalities that came out of mergers while
// the paper service started; the others were there before 2003.
var since = map[string]string{
	"202185": "2003-09-01", // 千曲市
	"202193": "2004-04-01", // 東御市
	"202207": "2005-10-01", // 安曇野市
	"203092": "2005-03-20", // 佐久穂町
	"203505": "2005-10-01", // 長和町
	"204323": "2005-11-01", // 木曽町
	"204528": "2005-10-11", // 筑北村
	"205907": "2005-10-01", // 飯綱町
}

// gone are codes no longer in use. Only what the check digit and the gap in
// the list of codes bear out is here.
var gone = []Municipality{{
	Code: Merged, Name: "更埴市", Reading: "こうしょくし", Roman: "Koshoku-shi", Until: "2003-08-31", Successor: MergedInto,
}}

var load = sync.OnceValue(func() map[string]Municipality {
	all := map[string]Municipality{}
	for _, line := range strings.Split(strings.TrimSpace(naganoTSV), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 6 || strings.HasPrefix(line, "#") {
			continue
		}
		all[f[0]] = Municipality{Code: f[0], Name: f[1], District: f[2], Reading: f[3], DistrictReading: f[4], Roman: f[5], From: since[f[0]]}
	}
	for _, m := range gone {
		all[m.Code] = m
	}
	return all
})

// Lookup returns the municipality of a six-digit code, also of one no longer
// in use (Until says so).
func Lookup(code string) (Municipality, bool) {
	m, ok := load()[code]
	return m, ok
}

// List returns the 77 municipalities of today in the order of their codes.
func List() []Municipality {
	var all []Municipality
	for _, m := range load() {
		if m.Until == "" {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Municipality) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// Former returns the municipalities whose code is no longer in use.
func Former() []Municipality { return slices.Clone(gone) }

// Of finds the municipality that an address (from the prefecture on) begins
// with, today's or a former one.
func Of(address string) (Municipality, bool) {
	rest, ok := strings.CutPrefix(address, PrefectureName)
	if !ok {
		return Municipality{}, false
	}
	var best Municipality
	for _, m := range load() {
		if strings.HasPrefix(rest, m.Kanji()) && len(m.Kanji()) > len(best.Kanji()) {
			best = m
		}
	}
	return best, best.Code != ""
}

// CheckDigit returns the sixth digit of a code from its first five: weights 6
// to 2 from the left, last digit of 11 − (sum mod 11) (DOMAIN 10.3). It
// reports false unless body is five ASCII digits.
func CheckDigit(body string) (byte, bool) {
	if len(body) != 5 {
		return 0, false
	}
	sum := 0
	for i := range 5 {
		if body[i] < '0' || body[i] > '9' {
			return 0, false
		}
		sum += int(body[i]-'0') * (6 - i)
	}
	return '0' + byte((11-sum%11)%10), true
}

// ValidCode reports whether code has six digits and the right check digit; it
// does not say that the municipality exists.
func ValidCode(code string) bool {
	if len(code) != 6 {
		return false
	}
	d, ok := CheckDigit(code[:5])
	return ok && d == code[5]
}
