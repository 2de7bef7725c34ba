package jtext_test

import (
	"bytes"
	"compress/gzip"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A family is one way to write a code so that a simple look for eleven digits
// does not see it. write returns the hidden form; several values if it needs
// more than one field of the form.
type family struct {
	group, name string
	write       func(code string, r *rand.Rand) []string
	known       bool // known to escape: measured and published, no part of the aim
}

func one(f func(string) string) func(string, *rand.Rand) []string {
	return func(code string, _ *rand.Rand) []string { return []string{f(code)} }
}

func each(f func(d int) string, join string) func(string, *rand.Rand) []string {
	return one(func(code string) string {
		var parts []string
		for _, c := range code {
			parts = append(parts, f(int(c-'0')))
		}
		return strings.Join(parts, join)
	})
}

// table writes digit d as the d-th of ten characters.
func table(chars string) func(string, *rand.Rand) []string {
	rs := []rune(chars)
	return each(func(d int) string { return string(rs[d]) }, "")
}

func listed(words string, join string) func(string, *rand.Rand) []string {
	ws := strings.Fields(words)
	return each(func(d int) string { return ws[d] }, join)
}

func from(zero rune) func(string, *rand.Rand) []string {
	return each(func(d int) string { return string(zero + rune(d)) }, "")
}

func with(sep string) func(string, *rand.Rand) []string { return each(strconv.Itoa, sep) }

func value(code string) uint64 {
	n, _ := strconv.ParseUint(code, 10, 64)
	return n
}

func back(s string) string {
	rs := []rune(s)
	for i, j := 0, len(rs)-1; i < j; i, j = i+1, j-1 {
		rs[i], rs[j] = rs[j], rs[i]
	}
	return string(rs)
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x20 && r < 0x7f {
			return r + 0xfee0
		}
		return r
	}, s)
}

func chunks(code string, at ...int) []string {
	var out []string
	last := 0
	for _, a := range append(at, len(code)) {
		out = append(out, code[last:a])
		last = a
	}
	return out
}

func base58(n *big.Int) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	out := ""
	for m, b := new(big.Int).Set(n), big.NewInt(58); m.Sign() > 0; {
		var d big.Int
		m.DivMod(m, b, &d)
		out = alphabet[d.Int64():d.Int64()+1] + out
	}
	return out
}

// kanjiNumber writes a number with 億, 万, 千, 百, 十.
func kanjiNumber(n uint64) string {
	group := func(n uint64) string {
		out := ""
		for i, unit := range []string{"千", "百", "十", ""} {
			d := n / []uint64{1000, 100, 10, 1}[i] % 10
			if d > 1 || d == 1 && unit == "" {
				out += string([]rune("〇一二三四五六七八九")[d])
			}
			if d > 0 {
				out += unit
			}
		}
		return out
	}
	out := ""
	for i, unit := range []string{"億", "万", ""} {
		if g := n / []uint64{1e8, 1e4, 1}[i]; i == 0 && g > 0 || i > 0 && g%10000 > 0 {
			out += group(g%10000) + unit
		}
	}
	return out
}

func encodeBytes(f func([]byte) string) func(string, *rand.Rand) []string {
	return one(func(code string) string { return f([]byte(code)) })
}

func bcd(code string) []byte {
	b, _ := hex.DecodeString("0" + code)
	return b
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func utf16BE(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, 0, c)
	}
	return out
}

const morseDigits = "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."

var families = []family{
	{"digits", "ASCII", with(""), false}, {"digits", "full width", from('０'), false}, {"digits", "kanji 〇一二", table("〇一二三四五六七八九"), false},
	{"digits", "kanji 零一二", table("零一二三四五六七八九"), false}, {"digits", "formal kanji 壱弐参", table("零壱弐参肆伍陸漆捌玖"), false},
	{"digits", "formal kanji 壹貳參", table("零壹貳參肆伍陸柒捌玖"), false}, {"digits", "circled", table("⓪①②③④⑤⑥⑦⑧⑨"), false},
	{"digits", "negative circled", table("⓿❶❷❸❹❺❻❼❽❾"), false}, {"digits", "sans circled", table("🄋➀➁➂➃➄➅➆➇➈"), false}, {"digits", "double circled", table("⓪⓵⓶⓷⓸⓹⓺⓻⓼⓽"), false},
	{"digits", "in brackets ⑴", listed("(0) ⑴ ⑵ ⑶ ⑷ ⑸ ⑹ ⑺ ⑻ ⑼", ""), false}, {"digits", "full stop ⒈", listed("🄀 ⒈ ⒉ ⒊ ⒋ ⒌ ⒍ ⒎ ⒏ ⒐", ""), false},
	{"digits", "superscript", table("⁰¹²³⁴⁵⁶⁷⁸⁹"), false}, {"digits", "subscript", from('₀'), false}, {"digits", "Arabic-Indic", from('٠'), false}, {"digits", "Persian", from('۰'), false},
	{"digits", "Devanagari", from('०'), false}, {"digits", "Bengali", from('০'), false}, {"digits", "Thai", from('๐'), false}, {"digits", "Tibetan", from('༠'), false},
	{"digits", "Mongolian", from('᠐'), false}, {"digits", "mathematical bold", from('𝟎'), false}, {"digits", "mathematical monospace", from('𝟶'), false}, {"digits", "segmented", from('🯰'), false},
	{"digits", "Roman numerals", table("〇ⅠⅡⅢⅣⅤⅥⅦⅧⅨ"), false}, {"digits", "Suzhou", table("〇〡〢〣〤〥〦〧〨〩"), false}, {"digits", "counting rods", table("〇𝍠𝍡𝍢𝍣𝍤𝍥𝍦𝍧𝍨"), false},
	{"digits", "keycaps", each(func(d int) string { return strconv.Itoa(d) + "\ufe0f\u20e3" }, ""), false}, {"digits", "braille", listed("⠼⠚ ⠼⠁ ⠼⠃ ⠼⠉ ⠼⠙ ⠼⠑ ⠼⠋ ⠼⠛ ⠼⠓ ⠼⠊", ""), false},
	{"digits", "mahjong tiles", table("○🀇🀈🀉🀊🀋🀌🀍🀎🀏"), false}, {"digits", "circled kanji", table("○㊀㊁㊂㊃㊄㊅㊆㊇㊈"), false}, {"digits", "bracketed kanji", table("〇㈠㈡㈢㈣㈤㈥㈦㈧㈨"), false},
	{"digits", "mixed scripts", func(code string, r *rand.Rand) []string {
		zeros := []rune{'0', '０', '٠', '०', '𝟎', '๐', '₀', '🯰'}
		return each(func(d int) string { return string(zeros[r.IntN(len(zeros))] + rune(d)) }, "")(code, r)
	}, false},
	{"digits", "two at a time, ⑩ to ㊿", one(func(code string) string {
		out := ""
		for i := 0; i+1 < len(code); i += 2 {
			if n := int(code[i]-'0')*10 + int(code[i+1]-'0'); n >= 10 && n <= 20 {
				out += string(rune('⑩' + n - 10))
			} else {
				out += code[i : i+2]
			}
		}
		return out + code[10:]
	}), false},

	{"separators", "space", with(" "), false}, {"separators", "U+3000", with("　"), false}, {"separators", "hyphen", with("-"), false}, {"separators", "full-width hyphen", with("－"), false},
	{"separators", "long vowel mark", with("ー"), false}, {"separators", "middle dot", with("・"), false}, {"separators", "slash", with("/"), false}, {"separators", "ideographic comma", with("、"), false},
	{"separators", "line break", with("\n"), false}, {"separators", "brackets", each(func(d int) string { return "「" + strconv.Itoa(d) + "」" }, ""), false}, {"separators", "emoji", with("🍎"), false},
	{"separators", "thousands", one(func(c string) string { return c[:2] + "," + c[2:5] + "," + c[5:8] + "," + c[8:] }), false}, {"separators", "telephone", one(func(c string) string { return "℡" + c[:3] + "－" + c[3:7] + "－" + c[7:] }), false},
	{"separators", "random", func(code string, r *rand.Rand) []string {
		seps := []string{" ", "・", "-", "、", "／", "｜", "　", "～", "★", "＿"}
		out := code[:1]
		for _, c := range code[1:] {
			out += seps[r.IntN(len(seps))] + string(c)
		}
		return []string{out}
	}, false},

	{"invisible", "zero-width space", with("\u200b"), false}, {"invisible", "word joiner", with("\u2060"), false}, {"invisible", "soft hyphen", with("\u00ad"), false}, {"invisible", "zero-width joiner", with("\u200d"), false},
	{"invisible", "variation selectors", with("\ufe0e"), false}, {"invisible", "combining marks", with("\u0301"), false}, {"invisible", "grapheme joiner", with("\u034f"), false}, {"invisible", "Hangul filler", with("\u3164"), false},
	{"invisible", "right-to-left override", one(func(c string) string { return "\u202e" + back(c) + "\u202c" }), false},
	{"invisible", "tag digits", each(func(d int) string { return string(rune(0xe0030 + d)) }, ""), false}, {"invisible", "private use", each(func(d int) string { return string(rune(0xe000 + d)) }, ""), false},
	{"invisible", "zero-width bits", one(func(c string) string {
		return strings.NewReplacer("0", "\u200b", "1", "\u200c").Replace(strconv.FormatUint(value(c), 2))
	}), false},
	{"invisible", "selectors as bytes", one(func(c string) string {
		out := ""
		for _, b := range bcd(c) {
			out += "辻" + string(rune(0xe0100+int(b)%0xf0))
		}
		return out
	}), false},

	{"fillers", "kana between", with("の"), false}, {"fillers", "letter between", with("x"), false}, {"fillers", "kanji between", with("番"), false}, {"fillers", "two characters between", with("番地"), false},
	{"fillers", "inside a sentence", one(func(c string) string { return "私の番号は" + c + "です" }), false}, {"fillers", "after other digits", one(func(c string) string { return "12" + c }), false},
	{"fillers", "before other digits", one(func(c string) string { return c + "34" }), false}, {"fillers", "words between", with("ばんごう"), false},

	{"split", "two values", func(c string, r *rand.Rand) []string { return chunks(c, 1+r.IntN(10)) }, false}, {"split", "three values", func(c string, _ *rand.Rand) []string { return chunks(c, 3, 7) }, false},
	{"split", "two values, second first", func(c string, _ *rand.Rand) []string { p := chunks(c, 5); return []string{p[1], p[0]} }, false},
	{"split", "full width", func(c string, _ *rand.Rand) []string { p := chunks(fullWidth(c), 15); return p }, false},
	{"split", "end of one, start of the next", func(c string, _ *rand.Rand) []string { return []string{"総務" + c[:5], c[5:] + "様"} }, false},
	{"split", "kanji", func(c string, r *rand.Rand) []string {
		return chunks(table("〇一二三四五六七八九")(c, r)[0], 18)
	}, false},
	{"split", "family and given name", one(func(c string) string { return c[:5] + "　" + c[5:] }), false},

	{"reversed", "ASCII", one(back), false}, {"reversed", "full width", one(func(c string) string { return back(fullWidth(c)) }), false},
	{"reversed", "kanji", func(c string, r *rand.Rand) []string { return table("〇一二三四五六七八九")(back(c), r) }, false},
	{"reversed", "with separators", func(c string, r *rand.Rand) []string { return with("・")(back(c), r) }, false},

	{"look-alikes", "O l Z", table("OlZ34S6789"), false}, {"look-alikes", "Cyrillic", table("О1ƻЗ4567В9"), false}, {"look-alikes", "○ and 丨", table("○丨23456789"), false},
	{"look-alikes", "katakana ロ ニ ミ ハ", table("ロ1ニミ4567ハ9"), false}, {"look-alikes", "full width Ｏ Ｉ", table("ＯＩ２３４５６７Ｂ９"), false},

	{"spelled out", "hiragana", listed("ぜろ いち に さん よん ご ろく なな はち きゅう", ""), false}, {"spelled out", "katakana", listed("ゼロ イチ ニ サン ヨン ゴ ロク ナナ ハチ キュウ", "・"), false},
	{"spelled out", "other readings", listed("れい ひと ふた みっつ し ご ろく しち はち く", " "), false}, {"spelled out", "half-width kana", listed("ｾﾞﾛ ｲﾁ ﾆ ｻﾝ ﾖﾝ ｺﾞ ﾛｸ ﾅﾅ ﾊﾁ ｷｭｳ", ""), false},
	{"spelled out", "roman letters", listed("zero ichi ni san yon go roku nana hachi kyuu", " "), false}, {"spelled out", "English", listed("zero one two three four five six seven eight nine", " "), false},
	{"spelled out", "English in kana", listed("ゼロ ワン ツー スリー フォー ファイブ シックス セブン エイト ナイン", ""), false}, {"spelled out", "Korean", listed("영 일 이 삼 사 오 육 칠 팔 구", ""), false},
	{"spelled out", "Chinese", listed("ling yi er san si wu liu qi ba jiu", " "), false}, {"spelled out", "words and digits", listed("0 いち 2 さん 4 ご 6 なな 8 きゅう", ""), false},
	{"spelled out", "億 and 万", one(func(c string) string { return kanjiNumber(value(c)) }), false},
	{"spelled out", "億 and 万 with digits", one(func(c string) string {
		n := value(c)
		return fmt.Sprintf("%d億%d万%d", n/1e8, n/1e4%1e4, n%1e4)
	}), false},

	{"encoded", "hex of text", encodeBytes(hex.EncodeToString), false}, {"encoded", "hex with spaces", encodeBytes(func(b []byte) string { return fmt.Sprintf("% x", b) }), false}, {"encoded", "hex with colons", encodeBytes(func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% X", b), " ", ":") }), false},
	{"encoded", "base64", encodeBytes(base64.StdEncoding.EncodeToString), false}, {"encoded", "base64url without padding", encodeBytes(base64.RawURLEncoding.EncodeToString), false}, {"encoded", "base64, full width", encodeBytes(func(b []byte) string { return fullWidth(base64.StdEncoding.EncodeToString(b)) }), false},
	{"encoded", "base64 with spaces", encodeBytes(func(b []byte) string {
		s := base64.StdEncoding.EncodeToString(b)
		return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:]
	}), false},
	{"encoded", "base64 twice", encodeBytes(func(b []byte) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString(b)))
	}), false},
	{"encoded", "base64 of full width", encodeBytes(func(b []byte) string { return base64.StdEncoding.EncodeToString([]byte(fullWidth(string(b)))) }), false},
	{"encoded", "base64 of gzip", encodeBytes(func(b []byte) string { return base64.StdEncoding.EncodeToString(gzipped(b)) }), false},
	{"encoded", "base32", encodeBytes(base32.StdEncoding.EncodeToString), false}, {"encoded", "base58", encodeBytes(func(b []byte) string { return base58(new(big.Int).SetBytes(b)) }), false}, {"encoded", "ascii85", encodeBytes(func(b []byte) string {
		out := make([]byte, ascii85.MaxEncodedLen(len(b)))
		return string(out[:ascii85.Encode(out, b)])
	}), false},
	{"encoded", "hex of UTF-16", encodeBytes(func(b []byte) string { return hex.EncodeToString(utf16BE(b)) }), false}, {"encoded", "packed digits, hex", one(func(c string) string { return hex.EncodeToString(bcd(c)) }), false},
	{"encoded", "packed digits, base64", one(func(c string) string { return base64.RawStdEncoding.EncodeToString(bcd(c)) }), false},
	{"encoded", "number in hex", one(func(c string) string { return strconv.FormatUint(value(c), 16) }), false}, {"encoded", "number in octal", one(func(c string) string { return strconv.FormatUint(value(c), 8) }), false},
	{"encoded", "number in binary", one(func(c string) string { return strconv.FormatUint(value(c), 2) }), false}, {"encoded", "number in base 36", one(func(c string) string { return strconv.FormatUint(value(c), 36) }), false},
	{"encoded", "number in base 58", one(func(c string) string { return base58(new(big.Int).SetUint64(value(c))) }), false},
	{"encoded", "number, base64", one(func(c string) string {
		return base64.RawStdEncoding.EncodeToString(new(big.Int).SetUint64(value(c)).Bytes())
	}), false},
	{"encoded", "percent", encodeBytes(func(b []byte) string { return "%" + strings.ReplaceAll(fmt.Sprintf("% x", b), " ", "%") }), false},
	{"encoded", "HTML, decimal", each(func(d int) string { return fmt.Sprintf("&#%d;", 48+d) }, ""), false}, {"encoded", "HTML, hex", each(func(d int) string { return fmt.Sprintf("&#x%x;", 48+d) }, ""), false},
	{"encoded", `\u`, each(func(d int) string { return fmt.Sprintf(`\u%04x`, 48+d) }, ""), false}, {"encoded", `\x`, each(func(d int) string { return fmt.Sprintf(`\x%02x`, 48+d) }, ""), false}, {"encoded", "U+", each(func(d int) string { return fmt.Sprintf("U+%04X", 48+d) }, " "), false},
	{"encoded", "quoted-printable", each(func(d int) string { return fmt.Sprintf("=%02X", 48+d) }, ""), false}, {"encoded", "character codes", each(func(d int) string { return strconv.Itoa(48 + d) }, " "), false},
	{"encoded", "bits of each digit", each(func(d int) string { return fmt.Sprintf("%04b", d) }, " "), false}, {"encoded", "Morse", listed(morseDigits, " "), false},
	{"encoded", "Morse ・－", one(func(c string) string {
		return strings.NewReplacer(".", "・", "-", "－").Replace(listed(morseDigits, "　")(c, nil)[0])
	}), false},

	{"letter rows", "a to j from 0", table("abcdefghij"), false}, {"letter rows", "A to J from 1", table("JABCDEFGHI"), false}, {"letter rows", "full width a to j", table("ａｂｃｄｅｆｇｈｉｊ"), false}, {"letter rows", "keyboard row", table("pqwertyuio"), false},
	{"letter rows", "shifted keys", table(")!@#$%^&*("), false}, {"letter rows", "あいう", table("こあいうえおかきくけ"), false}, {"letter rows", "いろは", table("ぬいろはにほへとちり"), false}, {"letter rows", "甲乙丙", table("癸甲乙丙丁戊己庚辛壬"), false},
	{"letter rows", "zodiac 子丑寅", table("酉子丑寅卯辰巳午未申"), false},

	{"escapes", "the numbers of an address", one(func(c string) string {
		c = fullWidth(c)
		return "長野県長野市大字鶴賀" + c[:12] + "番地" + c[12:21] + "　コーポあずさ" + c[21:] + "号"
	}), true},
	{"escapes", "telephone keypad letters", table(" .ADGJMPTW"), true}, {"escapes", "letters k to t", table("klmnopqrst"), true}, {"escapes", "sound-alikes (goroawase)", listed("わ ひ ふ み よ いつ む な や こ", ""), true},
	{"escapes", "as many strokes as the digit", table("零一二三王玉伎体門飛"), true}, {"escapes", "one character for each digit, of a secret list", table("春夏秋冬東西南北上下"), true},
	{"escapes", "capital letters in a text", one(func(c string) string {
		text := []byte("nagano no yama wa aoku kawa wa kiyoku hito wa yasashiku")
		for i, b := range strconv.FormatUint(value(c), 2) {
			if b == '1' && text[i] != ' ' {
				text[i] &^= 0x20
			}
		}
		return string(text)
	}), true},
	{"escapes", "number of characters between commas", each(func(d int) string { return strings.Repeat("あ", d) }, "、"), true},
	{"encoded", "base64, percent, HTML", encodeBytes(func(b []byte) string {
		return html.EscapeString(strings.ReplaceAll(base64.StdEncoding.EncodeToString(b), "=", "%3d"))
	}), false},
}
