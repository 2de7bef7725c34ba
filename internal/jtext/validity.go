package jtext

import (
	"fmt"
	"time"
)

var jst = time.FixedZone("JST", 9*3600)

// JST is Japan's time, UTC+9 without daylight saving (DOMAIN 10.4).
func JST() *time.Location { return jst }

// ValidityEnd returns the last second of a certificate's validity, in UTC:
// 23:59:59 Japanese time on the fifth birthday after the day of issue (DOMAIN
// 6.2), which is 14:59:59Z. A birthday on the day of issue does not count.
//
// Rules of this project where the sources leave it open:
//   - born on 29 February: in a common year the birthday is 28 February, the
//     day at whose end the age is reached in Japanese law; never a day later;
//   - month or day unknown: no birthday is invented; the validity ends on the
//     day before the fifth anniversary of the day of issue, which is the
//     longest that any birthday would have given.
//
// Errors: birthDate is not EYYYYMMDD of a day that exists, or lies after issue.
func ValidityEnd(issued time.Time, birthDate string) (time.Time, error) {
	d, err := ParseBirthDate(birthDate)
	if err != nil {
		return time.Time{}, fmt.Errorf("couldn't read the birth date: %w", err)
	}
	y, m, day := issued.In(jst).Date()
	today := y*10000 + int(m)*100 + day
	if d.Year*10000+d.Month*100+d.Day > today {
		return time.Time{}, fmt.Errorf("%w: birth after issue", ErrDate)
	}
	if !d.Known() {
		anniversary := birthday(y+5, int(m), day)
		return endOfDay(anniversary.AddDate(0, 0, -1)), nil
	}
	year := y + 5
	if b := birthday(y, d.Month, d.Day); int(b.Month())*100+b.Day() > int(m)*100+day {
		year-- // this year's birthday is still to come and is the first
	}
	return endOfDay(birthday(year, d.Month, d.Day)), nil
}

// birthday returns the day in a year, 28 February for 29 February in a common year.
func birthday(year, month, day int) time.Time {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, jst)
	if t.Day() != day {
		return time.Date(year, time.February, 28, 0, 0, 0, 0, jst)
	}
	return t
}

func endOfDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 23, 59, 59, 0, jst).UTC()
}
