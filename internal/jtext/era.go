package jtext

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Era is a Japanese era (元号), by its digit in a birth date EYYYYMMDD.
type Era int

// Eras (DOMAIN 10.4). EraUnknown goes with unknown dates.
const (
	EraUnknown Era = iota
	Meiji
	Taisho
	Showa
	Heisei
	Reiwa
)

// eras by number: name and first day. The first day of an era belongs to the
// new era; on the days in overlapsInto the last day of the old one is the same
// day and accepted on input.
var eras = [...]struct {
	name, initial string
	first         int // YYYYMMDD, Gregorian
}{
	{}, {"明治", "M", 18680125}, {"大正", "T", 19120730}, {"昭和", "S", 19261225}, {"平成", "H", 19890108}, {"令和", "R", 20190501},
}

// Name returns the era in kanji, empty for EraUnknown.
func (e Era) Name() string {
	if e < Meiji || e > Reiwa {
		return ""
	}
	return eras[e].name
}

// FirstYear returns the Gregorian year of 元年, 0 for EraUnknown.
func (e Era) FirstYear() int {
	if e < Meiji || e > Reiwa {
		return 0
	}
	return eras[e].first / 10000
}

// EraOf returns the era of a day; the first day of an era belongs to it.
// Before Meiji (1868-01-25) it returns EraUnknown.
func EraOf(year, month, day int) Era {
	for e := Reiwa; e >= Meiji; e-- {
		if year*10000+month*100+day >= eras[e].first {
			return e
		}
	}
	return EraUnknown
}

// Date is a date of a resident record: era, Gregorian year, month, day. Parts
// that are unknown (不詳) are 0; a later part is never known without the
// earlier ones. The era is kept because the first and last days of eras
// overlap and because a record may name the era only.
type Date struct {
	Era              Era
	Year, Month, Day int
}

// ErrDate says that a text is not a date or that the day does not exist.
var ErrDate = errors.New("not a date that exists")

// Known reports whether year, month and day are all known.
func (d Date) Known() bool { return d.Year != 0 && d.Month != 0 && d.Day != 0 }

// Validate checks that the day exists and lies in its era. On 1912-07-30 and
// 1926-12-25 both eras are accepted; year, month or day may be 0 from the
// right. Before 1873 Japan's own calendar was in use: only the range of month
// and day is checked there.
func (d Date) Validate() error {
	if d.Year == 0 && (d.Month != 0 || d.Day != 0) || d.Month == 0 && d.Day != 0 {
		return fmt.Errorf("%w: a part is known though a greater one is not", ErrDate)
	}
	if d.Era < EraUnknown || d.Era > Reiwa || d.Year < 0 || d.Year > 9999 || d.Month < 0 || d.Month > 12 || d.Day < 0 || d.Day > 31 {
		return fmt.Errorf("%w: a part is out of range", ErrDate)
	}
	if d.Known() && d.Year >= 1873 {
		if t := time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC); t.Day() != d.Day {
			return fmt.Errorf("%w: the month has no such day", ErrDate)
		}
	}
	if d.Era != EraUnknown && d.Year != 0 && !d.inEra() {
		return fmt.Errorf("%w: the day is not in its era", ErrDate)
	}
	return nil
}

// inEra compares as far as parts are known: the earliest possible day must
// not come after the era's last day, the latest not before its first.
func (d Date) inEra() bool {
	least, most := d.Year*10000+d.Month*100+d.Day, d.Year*10000+d.Month*100+d.Day
	if d.Month == 0 {
		most += 1231
	} else if d.Day == 0 {
		most += 31
	}
	if most < eras[d.Era].first {
		return false
	}
	// Heisei began the day after Showa's last day; the older eras share it.
	if d.Era == Reiwa {
		return true
	}
	next := eras[d.Era+1].first
	if d.Era <= Taisho {
		return least <= next
	}
	return least < next
}

// String returns the nine digits EYYYYMMDD of a certificate (DOMAIN 6.2).
func (d Date) String() string { return fmt.Sprintf("%d%04d%02d%02d", d.Era, d.Year, d.Month, d.Day) }

// ParseBirthDate reads EYYYYMMDD strictly.
func ParseBirthDate(s string) (Date, error) {
	if len(s) != 9 {
		return Date{}, fmt.Errorf("%w: want nine digits EYYYYMMDD", ErrDate)
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return Date{}, fmt.Errorf("%w: want nine digits EYYYYMMDD", ErrDate)
		}
		n = n*10 + int(s[i]-'0')
	}
	d := Date{Era: Era(n / 100_000_000), Year: n / 10000 % 10000, Month: n / 100 % 100, Day: n % 100}
	return d, d.Validate()
}

// DateOf returns the date of a day with the era that begins on it or contains it.
func DateOf(year, month, day int) (Date, error) {
	d := Date{EraOf(year, month, day), year, month, day}
	if !d.Known() {
		return Date{}, fmt.Errorf("%w: a part is missing", ErrDate)
	}
	return d, d.Validate()
}

// Japanese returns 昭和37年6月17日, 令和元年5月1日, and for unknown parts
// 昭和37年月日不詳, 昭和37年6月日不詳, 昭和年月日不詳 or 不詳.
func (d Date) Japanese() string {
	era := d.Era.Name()
	if d.Year == 0 {
		if era == "" {
			return "不詳"
		}
		return era + "年月日不詳"
	}
	year := strconv.Itoa(d.Year)
	if era != "" {
		if year = strconv.Itoa(d.Year - d.Era.FirstYear() + 1); year == "1" {
			year = "元"
		}
	}
	switch {
	case d.Month == 0:
		return era + year + "年月日不詳"
	case d.Day == 0:
		return fmt.Sprintf("%s%s年%d月日不詳", era, year, d.Month)
	}
	return fmt.Sprintf("%s%s年%d月%d日", era, year, d.Month, d.Day)
}

// ParseJapanese reads what Japanese writes, with ASCII, full-width or kanji
// digits, era names or their initials (S37.6.17 is not read: forms write 年月日).
// Without an era the year is Gregorian and the era follows from the day.
func ParseJapanese(s string) (Date, error) {
	s = strings.NewReplacer(" ", "", "　", "").Replace(s)
	if s == "不詳" {
		return Date{}, nil
	}
	var d Date
	for e := Meiji; e <= Reiwa; e++ {
		for _, name := range []string{eras[e].name, eras[e].initial} {
			if rest, ok := strings.CutPrefix(s, name); ok && d.Era == EraUnknown {
				d.Era, s = e, rest
			}
		}
	}
	s, unknown := strings.CutSuffix(s, "不詳")
	parts := [3]int{}
	for i, unit := range []string{"年", "月", "日"} {
		part, rest, ok := strings.Cut(s, unit)
		if !ok {
			return Date{}, fmt.Errorf("%w: no %s", ErrDate, unit)
		}
		var err error
		if parts[i], err = datePart(part, unknown, i == 0 && d.Era != EraUnknown); err != nil {
			return Date{}, err
		}
		s = rest
	}
	if s != "" || !unknown && (parts[0] == 0 || parts[1] == 0 || parts[2] == 0) {
		return Date{}, ErrDate
	}
	d.Year, d.Month, d.Day = parts[0], parts[1], parts[2]
	if d.Era != EraUnknown && d.Year != 0 {
		d.Year += d.Era.FirstYear() - 1
	} else if d.Era == EraUnknown && d.Known() {
		d.Era = EraOf(d.Year, d.Month, d.Day)
	}
	return d, d.Validate()
}

func datePart(s string, mayBeUnknown, mayBeFirst bool) (int, error) {
	switch {
	case s == "" && mayBeUnknown:
		return 0, nil
	case s == "元" && mayBeFirst:
		return 1, nil
	}
	n, ok := smallNumber(s)
	if !ok || n == 0 || n > 9999 {
		return 0, fmt.Errorf("%w: a part is not a number", ErrDate)
	}
	return n, nil
}

// smallNumber reads ASCII, full-width and kanji numbers, the last both by
// place (一九六二) and with 十 and 百 (三十七).
func smallNumber(s string) (int, bool) {
	total, n, any := 0, 0, false
	for _, r := range s {
		v := strings.IndexRune("0123456789", r)
		switch {
		case v >= 0:
		case r >= '０' && r <= '９':
			v = int(r - '０')
		default:
			v = strings.IndexRune("〇一二三四五六七八九", r) / 3
			if !strings.ContainsRune("〇一二三四五六七八九十百", r) {
				return 0, false
			}
		}
		switch r {
		case '十':
			total, n = total+max(n, 1)*10, 0
		case '百':
			total, n = total+max(n, 1)*100, 0
		default:
			n = n*10 + v
		}
		any = true
		if n > 9999 || total > 9999 {
			return 0, false
		}
	}
	return total + n, any
}
