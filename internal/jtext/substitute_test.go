package jtext

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRepertoireSizes(t *testing.T) {
	count := [3]int{}
	for r := rune(0); r < 0x20000; r++ {
		if standards().x0208.has(r) {
			count[0]++
		}
		if standards().x0212.has(r) {
			count[1]++
		}
		if InRepertoire(r) {
			count[2]++
		}
	}
	if count[0] != CharactersJISX0208 || count[1] != CharactersJISX0212 {
		t.Errorf("JIS X 0208 %d, JIS X 0212 %d", count[0], count[1])
	}
	t.Logf("repertoire together: %d", count[2])
}

// The test names of DOMAIN 10.6.
func TestInRepertoire(t *testing.T) {
	for _, r := range "亜一鷗濵邉邊葛辻塚ヶケー－　０９Ａ々〆" {
		if !InRepertoire(r) {
			t.Errorf("%U is missing", r)
		}
	}
	for _, r := range "髙﨑𠮷\ufa10①栁德瀨\u2212\U000e0100A0 \ufa19\uf9dc\uffff" {
		if InRepertoire(r) {
			t.Errorf("%U is in", r)
		}
	}
	if InRepertoire(-1) || !InJISX0208('亜') || InJISX0208('鷗') {
		t.Error("edges")
	}
}

func TestSubstitute(t *testing.T) {
	for _, c := range []struct{ record, designated, certified, subs string }{
		{"総務　太郎", "", "総務　太郎", "00000"},
		{"髙橋　一郎", "高橋　一郎", "高橋　一郎", "10000"},
		{"髙橋　一郎", "高梨　二郎", "高橋　一郎", "10000"}, // only what needs it is replaced
		{"𠮷田　瀨奈", "吉田　瀬奈", "吉田　瀬奈", "10010"},
		{"辻\U000e0100　花", "辻　花", "辻　花", "100"}, // base and selector are one character
		{"濵田　鷗", "", "濵田　鷗", "0000"},
		{"\ufa10本", "塚本", "塚本", "10"},
		{"３\u2212５", "３－５", "３－５", "010"},
		{"", "", "", ""},
	} {
		v, m, err := Substitute(c.record, c.designated)
		if err != nil || v != c.certified || m != c.subs {
			t.Errorf("%+q: %+q %s %v", c.record, v, m, err)
		}
		if !MatchesCertified(v, m, c.record) {
			t.Errorf("%+q does not match what was made of it", c.record)
		}
	}
	for _, c := range []struct {
		record, designated string
		want               error
	}{
		{"髙橋", "", ErrNoSubstitute}, {"髙橋", "髙橋", ErrNoSubstitute}, {"髙橋", "高", ErrSubstituteLength}, {"髙橋", "高橋子", ErrSubstituteLength},
		{"髙橋", "𠮷橋", ErrSubstituteOutside}, {"髙橋", "高\U000e0100橋", ErrSubstituteOutside}, {"\xff", "", ErrNotUTF8}, {"髙", "\xff", ErrNotUTF8},
		{"辻\U000e0100", "", ErrNoSubstitute},
	} {
		if _, _, err := Substitute(c.record, c.designated); !errors.Is(err, c.want) {
			t.Errorf("%+q %+q: %v, want %v", c.record, c.designated, err, c.want)
		}
	}
}

func TestMatchesCertified(t *testing.T) {
	for _, c := range []struct {
		certified, subs, record string
		want                    bool
	}{
		{"高橋", "10", "髙橋", true}, {"高橋", "10", "高橋", true}, {"高橋", "00", "髙橋", false}, {"高橋", "10", "髙梨", false},
		{"高橋", "10", "髙橋子", false}, {"高橋", "1", "髙橋", false}, {"辻", "1", "辻\U000e0101", true}, {"辻", "0", "辻\U000e0101", false},
	} {
		if got := MatchesCertified(c.certified, c.subs, c.record); got != c.want {
			t.Errorf("%+q %s %+q: %v", c.certified, c.subs, c.record, got)
		}
	}
}

// What Substitute returns is always certifiable, keeps every character that
// could stay, and has a map of the same length; characters join to the text.
func TestSubstituteProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		record := rapid.StringOf(rapid.SampledFrom([]rune("髙橋𠮷田\U000e0100\ufe00　邉A−ー一"))).Draw(t, "record")
		cs := Characters(record)
		if strings.Join(cs, "") != record {
			t.Fatal("characters do not join to the text")
		}
		v, m, err := Substitute(record, strings.Repeat("代", len(cs)))
		if err != nil {
			t.Fatal(err)
		}
		if !Certifiable(v) || len(m) != len(cs) || !MatchesCertified(v, m, record) {
			t.Fatalf("%+q: %+q %s", record, v, m)
		}
		if (strings.Count(m, "1") == 0) != Certifiable(record) {
			t.Fatalf("%+q: map %s", record, m)
		}
	})
}

func FuzzSubstitute(f *testing.F) {
	f.Add("髙橋　一郎", "高橋　一郎")
	f.Add("辻\U000e0100", "辻")
	f.Add("\xff\xfe", "")
	f.Fuzz(func(t *testing.T, record, designated string) {
		v, m, err := Substitute(record, designated)
		if err == nil && (!Certifiable(v) || !MatchesCertified(v, m, record)) {
			t.Errorf("%+q %+q: %+q %s", record, designated, v, m)
		}
	})
}
