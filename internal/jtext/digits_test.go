package jtext

import (
	"strings"
	"testing"
	"unicode"
)

func TestDigitTable(t *testing.T) {
	n := 0
	for i, r := range digitRuns {
		n += int(r.n)
		if i > 0 && r.first < digitRuns[i-1].first+rune(digitRuns[i-1].n) {
			t.Fatalf("run %d is out of order", i)
		}
	}
	if n != digitCharacters {
		t.Errorf("%d characters, want %d", n, digitCharacters)
	}
	if UnicodeVersion != "15.0.0" {
		t.Errorf("Go's tables are of Unicode %s, the table of digits of 15.0.0", UnicodeVersion)
	}
}

// Every decimal digit of Go's Unicode tables has its value: the ten digits of
// a script are in a row, from nought.
func TestEveryDecimalDigit(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		if v, ok := DigitValue(r); !ok || v != n%10 {
			t.Errorf("%U: %d %v, want %d", r, v, ok, n%10)
		}
		n++
	}
	if n != 680 {
		t.Errorf("%d decimal digits", n)
	}
}

func TestDigitValue(t *testing.T) {
	for value, chars := range map[int]string{
		0: "0０〇零⓪⓿🄋○⠚", 1: "1１一壱壹①⓵➀㊀Ⅰ〡𝍠⠁🀇🀐🀙⚀🕐⑴¹₁١१", 2: "二弐貳②", 5: "五伍⑤Ⅴ", 9: "九玖⑨㈨𝟗🯹", 10: "⑩❿㉈", 20: "⑳㉉", 35: "㉟", 50: "㊿Ⅼ",
	} {
		for _, r := range chars {
			if v, ok := DigitValue(r); !ok || v != value {
				t.Errorf("%c %U: %d %v, want %d", r, r, v, ok, value)
			}
		}
	}
	for _, r := range "aあ長髙十百千½Ⅽ,- \u200b" {
		if v, ok := DigitValue(r); ok {
			t.Errorf("%U has the value %d", r, v)
		}
	}
}

func TestAsciiDigits(t *testing.T) {
	for in, want := range map[string]string{
		"番号は９⑨九": "番号は999", "": "", "一\u200b二": "12", "長野県": "長野県", "㏠": "1日", "⑩": "10", "辻\U000e0100": "辻", "9\ufe0f\u20e3": "9", "\U000e0039": "9", "ｱ１": "ア1",
	} {
		if got := AsciiDigits(in); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}

func TestInvisible(t *testing.T) {
	for _, r := range "\u200b\u200d\u2060\u00ad\u202e\ufe0f\U000e0100\u3164\u034f\ufeff\U000e0041" {
		if !Invisible(r) {
			t.Errorf("%U is visible", r)
		}
	}
	for _, r := range "aあ \u3000髙0\u3099" {
		if Invisible(r) {
			t.Errorf("%U is invisible", r)
		}
	}
}

// What the scanner must not refuse, and what it must, by the codes' kinds.
func TestScanFindings(t *testing.T) {
	const code = "99999000017"
	for _, c := range []struct {
		values []string
		want   Findings
	}{
		{nil, Findings{}}, {[]string{""}, Findings{}}, {[]string{"総務　太郎", "長野県長野市大字鶴賀１２３番地４"}, Findings{}},
		{[]string{"長野県長野市大字鶴賀９９９９番地９０　００号棟０１７号"}, Findings{}}, // a plain address, whatever its digits
		{[]string{"長野県長野市大字鶴賀９９９９９番地０００の０１７"}, Findings{ResidentCode: true}},
		{[]string{"昭和37年6月17日", "令和8年11月23日"}, Findings{}},
		{[]string{code}, Findings{ResidentCode: true, LongDigits: true}},
		{[]string{"９９９９９－０００－０１７"}, Findings{ResidentCode: true, LongDigits: true}},
		{[]string{"99999000018"}, Findings{LongDigits: true}}, // wrong check digit
		{[]string{"999990000015"}, Findings{IndividualNumber: true, LongDigits: true}},
		{[]string{"辻\U000e0100　花"}, Findings{}}, {[]string{"\U000e0100花"}, Findings{Hidden: true}}, {[]string{"花\U000e0100\U000e0101"}, Findings{Hidden: true}},
		{[]string{"葛\U000e0100辻\U000e0100邉\U000e0104榊\U000e0100"}, Findings{Hidden: true}},
		{[]string{"太郎\ue000"}, Findings{Hidden: true}}, {[]string{"太郎\u200b"}, Findings{Hidden: true}}, {[]string{"太\u0378郎"}, Findings{Hidden: true}}, {[]string{"\xff"}, Findings{Hidden: true}},
		{[]string{strings.Repeat("長", 2000)}, Findings{Encoded: true}},
		{[]string{"長野市　Ｇｒｅｅｎ　Ｈｉｌｌ２１　１０１号"}, Findings{}}, {[]string{"q8Zt5Lm2Xw9R"}, Findings{Encoded: true}},
		{[]string{"三郎", "99999", "000017"}, Findings{ResidentCode: true}}, {[]string{"000017", "太郎　99999"}, Findings{ResidentCode: true}},
		{[]string{"99", "999", "000", "01", "7"}, Findings{ResidentCode: true}}, {[]string{"7", "01", "000", "999", "99"}, Findings{ResidentCode: true}},
	} {
		if got := Scan(c.values...); got != c.want {
			t.Errorf("%+q: %+v, want %+v", c.values, got, c.want)
		}
	}
	if !FindResidentCode("番号は "+code) || FindResidentCode("番号は 99999000018") {
		t.Error("FindResidentCode")
	}
}

// Nothing that a form may hold makes the scanner fail, and more text never
// hides what was found in the text before it.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"99999000017", "９９９９９０００−０１７", "OTk5OTkwMDAwMTc=", "きゅうきゅう", "九百億", "\xff", "%39%39", "&#57;", "----. ----.", "<~AA~>", strings.Repeat("A1b2", 300)} {
		f.Add(s, "長野県")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		one := Scan(a)
		if two := Scan(a, b); one.ResidentCode && !two.ResidentCode || one.Hidden && !two.Hidden {
			t.Errorf("%+q is found alone but not with %+q", a, b)
		}
	})
}
