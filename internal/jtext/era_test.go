package jtext

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseJapanese(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"昭和37年6月17日", "319620617"}, {"昭和３７年　６月１７日", "319620617"}, {"昭和三十七年六月十七日", "319620617"},
		{"令和元年5月1日", "520190501"}, {"平成31年4月30日", "420190430"}, {"平成元年1月8日", "419890108"}, {"昭和64年1月7日", "319890107"},
		{"明治45年7月30日", "119120730"}, {"大正元年7月30日", "219120730"}, {"大正15年12月25日", "219261225"}, {"昭和元年12月25日", "319261225"},
		{"明治元年1月25日", "118680125"}, {"昭和37年月日不詳", "319620000"}, {"昭和37年6月日不詳", "319620600"}, {"昭和年月日不詳", "300000000"},
		{"不詳", "000000000"}, {"1962年6月17日", "319620617"}, {"二〇〇四年二月二十九日", "420040229"}, {"S37年6月17日", "319620617"}, {"大正1年8月1日", "219120801"},
	} {
		d, err := ParseJapanese(c.in)
		if err != nil || d.String() != c.want {
			t.Errorf("%s: %v %v, want %s", c.in, d, err, c.want)
		}
	}
	for _, bad := range []string{"", "昭和", "昭和37年6月", "昭和37年2月30日", "令和元年4月30日", "昭和64年1月8日", "平成31年5月1日", "昭和37年13月1日",
		"明治45年7月31日", "昭和元年12月24日", "昭和0年1月1日", "昭和37年6月17日生", "元年1月1日", "2003年2月29日", "平成15年2月29日", "昭和年6月17日不詳", "昭和99999999999年1月1日", "江戸3年1月1日"} {
		if d, err := ParseJapanese(bad); err == nil {
			t.Errorf("%s accepted as %v", bad, d)
		}
	}
}

func TestParseBirthDate(t *testing.T) {
	for _, bad := range []string{"", "31962061", "3196206171", "31962061x", "619620617", "319621317", "319620632", "319890108", "320030229", "319620017", "300000617", "３１９６２０６１７"} {
		if d, err := ParseBirthDate(bad); err == nil {
			t.Errorf("%q accepted as %v", bad, d)
		}
	}
	for _, good := range []string{"119120730", "219120730", "219261225", "319261225", "000000000", "300000000", "319890000", "419890000", "118680125"} {
		if d, err := ParseBirthDate(good); err != nil || d.String() != good {
			t.Errorf("%s: %v %v", good, d, err)
		}
	}
}

// Every day is read back from what is written, by both forms.
func TestDateRoundTrip(t *testing.T) {
	first := time.Date(1873, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		day := first.AddDate(0, 0, rapid.IntRange(0, 60_000).Draw(t, "day"))
		d, err := DateOf(day.Year(), int(day.Month()), day.Day())
		if err != nil {
			t.Fatal(err)
		}
		switch rapid.IntRange(0, 3).Draw(t, "unknown") {
		case 0:
			d.Day = 0
		case 1:
			d.Month, d.Day = 0, 0
		}
		if got, err := ParseJapanese(d.Japanese()); err != nil || got != d {
			t.Fatalf("%s: %v %v", d.Japanese(), got, err)
		}
		if got, err := ParseBirthDate(d.String()); err != nil || got != d {
			t.Fatalf("%s: %v %v", d, got, err)
		}
	})
	if _, err := DateOf(2026, 0, 0); err == nil {
		t.Error("DateOf accepted an unknown month")
	}
	if EraOf(1868, 1, 24) != EraUnknown || EraUnknown.Name() != "" || EraUnknown.FirstYear() != 0 {
		t.Error("there is no era before Meiji")
	}
}

func TestValidityEnd(t *testing.T) {
	for _, c := range []struct{ issued, birth, want string }{
		{"2026-11-23T10:00:00+09:00", "319620617", "2031-06-17T14:59:59Z"}, // this year's birthday has passed
		{"2026-03-01T10:00:00+09:00", "319620617", "2030-06-17T14:59:59Z"}, // still to come
		{"2026-06-17T10:00:00+09:00", "319620617", "2031-06-17T14:59:59Z"}, // on the birthday
		{"2026-06-16T15:00:00Z", "319620617", "2031-06-17T14:59:59Z"},      // the day of issue is a day in Japan
		{"2026-06-16T14:59:59Z", "319620617", "2030-06-17T14:59:59Z"},
		{"2026-11-23T10:00:00+09:00", "420040229", "2031-02-28T14:59:59Z"}, // 29 February, common year
		{"2023-11-23T10:00:00+09:00", "420040229", "2028-02-29T14:59:59Z"}, // leap year
		{"2026-02-28T10:00:00+09:00", "420040229", "2031-02-28T14:59:59Z"}, // the birthday of a common year
		{"2024-02-28T10:00:00+09:00", "420040229", "2028-02-29T14:59:59Z"},
		{"2026-11-23T10:00:00+09:00", "319620600", "2031-11-22T14:59:59Z"}, // day unknown
		{"2026-11-23T10:00:00+09:00", "000000000", "2031-11-22T14:59:59Z"},
		{"2024-02-29T10:00:00+09:00", "300000000", "2029-02-27T14:59:59Z"},
		{"2026-11-23T10:00:00+09:00", "520261122", "2031-11-22T14:59:59Z"},
	} {
		issued, err := time.Parse(time.RFC3339, c.issued)
		if err != nil {
			t.Fatal(err)
		}
		end, err := ValidityEnd(issued, c.birth)
		if got := end.Format(time.RFC3339); err != nil || got != c.want {
			t.Errorf("%s %s: %s %v, want %s", c.issued, c.birth, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "319620230", "520261124"} {
		if _, err := ValidityEnd(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

// Whatever the birthday, validity is more than four and at most five years.
func TestValidityLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		born := time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 50_000).Draw(t, "born"))
		issued := time.Date(2024, 1, 1, 3, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 3000).Draw(t, "issued"))
		d, _ := DateOf(born.Year(), int(born.Month()), born.Day())
		end, err := ValidityEnd(issued, d.String())
		if err != nil {
			t.Fatal(err)
		}
		if end.Before(issued.AddDate(4, 0, 0)) || end.After(issued.AddDate(5, 0, 1)) {
			t.Fatalf("born %s issued %s ends %s", d, issued, end)
		}
	})
}
