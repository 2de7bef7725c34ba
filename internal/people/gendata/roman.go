package main

import (
	"fmt"
	"strings"

	"golang.org/x/text/width"
)

// hiragana turns half-width katakana into hiragana.
func hiragana(s string) string {
	var b strings.Builder
	for _, r := range width.Widen.String(s) {
		switch {
		case r == 'ﾞ' || r == '゛' || r == '\u3099' || r == 'ﾟ' || r == '゜' || r == '\u309a':
			all := []rune(b.String())
			d := rune(1)
			if r == 'ﾟ' || r == '゜' || r == '\u309a' {
				d = 2
			}
			all[len(all)-1] += d
			b.Reset()
			b.WriteString(string(all))
		case r >= 'ァ' && r <= 'ヶ':
			b.WriteRune(r - 0x60)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// kinds of municipality by the end of the reading: 町 is read machi or cho,
// 村 mura or son, and only the reading tells which.
var kinds = []struct{ kana, roman string }{{"まち", "machi"}, {"ちょう", "cho"}, {"むら", "mura"}, {"そん", "son"}, {"し", "shi"}}

// keepVowels are readings where two vowels meet at a border between two kanji
// and are not one long vowel: 小海 is ko + umi.
var keepVowels = map[string]string{"こうみ": "Koumi", "やまのうち": "Yamanouchi", "とよおか": "Toyooka"}

func romanName(reading string) (string, error) {
	for _, k := range kinds {
		stem, ok := strings.CutSuffix(reading, k.kana)
		if !ok {
			continue
		}
		if r, ok := keepVowels[stem]; ok {
			return r + "-" + k.roman, nil
		}
		r, err := hepburn(stem)
		if err != nil {
			return "", err
		}
		return strings.ToUpper(r[:1]) + r[1:] + "-" + k.roman, nil
	}
	return "", fmt.Errorf("the reading has no known ending")
}

var syllables = func() map[string]string {
	m := map[string]string{}
	rows := []struct{ kana, roman string }{
		{"あいうえお", "a i u e o"}, {"かきくけこ", "ka ki ku ke ko"}, {"がぎぐげご", "ga gi gu ge go"},
		{"さしすせそ", "sa shi su se so"}, {"ざじずぜぞ", "za ji zu ze zo"}, {"たちつてと", "ta chi tsu te to"},
		{"だぢづでど", "da ji zu de do"}, {"なにぬねの", "na ni nu ne no"}, {"はひふへほ", "ha hi fu he ho"},
		{"ばびぶべぼ", "ba bi bu be bo"}, {"ぱぴぷぺぽ", "pa pi pu pe po"}, {"まみむめも", "ma mi mu me mo"},
		{"やゆよ", "ya yu yo"}, {"らりるれろ", "ra ri ru re ro"}, {"わん", "wa n"},
	}
	for _, r := range rows {
		for i, k := range []rune(r.kana) {
			m[string(k)] = strings.Fields(r.roman)[i]
		}
	}
	for kana, roman := range map[string]string{"き": "ky", "ぎ": "gy", "し": "sh", "じ": "j", "ち": "ch", "に": "ny",
		"ひ": "hy", "び": "by", "ぴ": "py", "み": "my", "り": "ry"} {
		m[kana+"ゃ"], m[kana+"ゅ"], m[kana+"ょ"] = roman+"a", roman+"u", roman+"o"
	}
	return m
}()

// hepburn writes hiragana in Hepburn letters without marks for long vowels
// (ou, oo and uu shrink), m before b, m and p.
func hepburn(kana string) (string, error) {
	rs := []rune(kana)
	out := ""
	for i := 0; i < len(rs); i++ {
		s, ok := "", false
		if i+1 < len(rs) {
			if s, ok = syllables[string(rs[i:i+2])]; ok {
				i++
			}
		}
		if !ok {
			if s, ok = syllables[string(rs[i])]; !ok {
				return "", fmt.Errorf("no roman letters for a kana of the reading")
			}
		}
		if (s == "u" || s == "o") && strings.HasSuffix(out, "o") || s == "u" && strings.HasSuffix(out, "u") {
			continue
		}
		if strings.HasSuffix(out, "n") && strings.ContainsAny(s[:1], "bmp") {
			out = strings.TrimSuffix(out, "n") + "m"
		}
		out += s
	}
	return out, nil
}
