package policy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// digitsFrom writes each digit as the character that far from zero.
func digitsFrom(zero rune) func(string) string {
	return func(code string) string {
		return strings.Map(func(r rune) rune { return zero + r - '0' }, code)
	}
}

func table(chars string) func(string) string {
	t := strings.Split(chars, " ")
	return func(code string) string {
		var b strings.Builder
		for _, c := range code {
			b.WriteString(t[c-'0'])
		}
		return b.String()
	}
}

func joined(sep string) func(string) string {
	return func(code string) string { return strings.Join(strings.Split(code, ""), sep) }
}

func number(format string) func(string) string {
	return func(code string) string {
		n, _ := strconv.ParseInt(code, 10, 64)
		return fmt.Sprintf(format, n)
	}
}

// families are ways to write a resident code that somebody might try.
func families() map[string]func(string) string {
	f := map[string]func(string) string{
		"plain":            func(c string) string { return c },
		"circled":          table("⓪ ① ② ③ ④ ⑤ ⑥ ⑦ ⑧ ⑨"),
		"bracketed":        table("⓪ ⑴ ⑵ ⑶ ⑷ ⑸ ⑹ ⑺ ⑻ ⑼"),
		"superscript":      table("⁰ ¹ ² ³ ⁴ ⁵ ⁶ ⁷ ⁸ ⁹"),
		"subscript":        table("₀ ₁ ₂ ₃ ₄ ₅ ₆ ₇ ₈ ₉"),
		"kanji":            table("〇 一 二 三 四 五 六 七 八 九"),
		"daiji":            table("零 壱 弐 参 肆 伍 陸 漆 捌 玖"),
		"suzhou":           table("〇 〡 〢 〣 〤 〥 〦 〧 〨 〩"),
		"roman":            table("N Ⅰ Ⅱ Ⅲ Ⅳ Ⅴ Ⅵ Ⅶ Ⅷ Ⅸ"),
		"keycap":           table("0️⃣ 1️⃣ 2️⃣ 3️⃣ 4️⃣ 5️⃣ 6️⃣ 7️⃣ 8️⃣ 9️⃣"),
		"english":          table("zero one two three four five six seven eight nine"),
		"hiragana":         table("ぜろ いち に さん よん ご ろく なな はち きゅう"),
		"katakana":         table("ゼロ イチ ニ サン ヨン ゴ ロク ナナ ハチ キュウ"),
		"goroawase":        table("れ い ふ み よ ご む な や く"),
		"iroha":            table("い ろ は に ほ へ と ち り ぬ"),
		"letters":          table("a b c d e f g h i j"),
		"surnames":         table("佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤"),
		"look-alikes":      table("O l Z E A S b T B g"),
		"cyrillic":         table("О І Ƨ З Ч Ѕ Б Т В д"),
		"braille":          table("⠚ ⠁ ⠃ ⠉ ⠙ ⠑ ⠋ ⠛ ⠓ ⠊"),
		"morse":            table("----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."),
		"dots":             table("_ . .. ... .... ..... ...... ....... ........ ........."),
		"spaces":           table("| \u3000 \u3000\u3000 \u2003 \u2003\u3000 \u2002 \u2002\u3000 \u2001 \u2001\u3000 \u2000"),
		"invisible digits": table("\u200b \u200c \u200d \u2060 \u2061 \u2062 \u2063 \u2064 \ufeff \u00ad"),
		"tags":             digitsFrom(0xE0030),
		"selectors":        digitsFrom(0xE0100),
		"private use":      digitsFrom(0xE000),
		"rot1":             table("1 2 3 4 5 6 7 8 9 0"),
		"nines complement": table("9 8 7 6 5 4 3 2 1 0"),
		"reversed":         reversed,
		"right-to-left":    func(c string) string { return "\u202e" + reversed(c) + "\u202c" },
		"base64":           func(c string) string { return base64.StdEncoding.EncodeToString([]byte(c)) },
		"base64 bare":      func(c string) string { return base64.RawURLEncoding.EncodeToString([]byte(c)) },
		"base64 twice": func(c string) string {
			return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(c))))
		},
		"base64 of bytes": func(c string) string { return base64.StdEncoding.EncodeToString(integer(c).Bytes()) },
		"base32":          func(c string) string { return base32.StdEncoding.EncodeToString([]byte(c)) },
		"ascii85":         func(c string) string { b := make([]byte, 40); return string(b[:ascii85.Encode(b, []byte(c))]) },
		"hex text":        func(c string) string { return hex.EncodeToString([]byte(c)) },
		"hex text upper":  func(c string) string { return strings.ToUpper(hex.EncodeToString([]byte(c))) },
		"hex number":      number("%x"),
		"hex 0x":          number("%#x"),
		"octal":           number("%o"),
		"binary":          number("%b"),
		"base 36":         func(c string) string { return integer(c).Text(36) },
		"base 62":         func(c string) string { return integer(c).Text(62) },
		"gzip":            zipped,
		"percent": func(c string) string {
			return "%" + strings.Join(strings.Split(hex.EncodeToString([]byte(c)), ""), "%")[1:]
		},
		"query":          func(c string) string { return url.QueryEscape("コード" + c) },
		"entities":       func(c string) string { return html.EscapeString("<" + c + ">") },
		"entity numbers": func(c string) string { return eachRune(c, "&#%d;") },
		"escapes":        func(c string) string { return eachRune(c, `\u%04x`) },
		"escapes upper":  func(c string) string { return eachRune(c, `\u%04X`) },
		"float":          func(c string) string { return c[:1] + "." + c[1:] + "e10" },
		"exponent":       func(c string) string { return c + "e0" },
		"fraction":       func(c string) string { return "0." + c },
		"negative":       func(c string) string { return "-" + c },
		"leading zeros":  func(c string) string { return "000" + c },
		"thousands":      func(c string) string { return c[:2] + "," + c[2:5] + "," + c[5:8] + "," + c[8:] },
		"telephone":      func(c string) string { return c[:3] + "-" + c[3:7] + "-" + c[7:] },
		"UUID":           func(c string) string { return "00000000-0000-4000-8" + c[:3] + "-0000" + c[3:] },
		"date and number": func(c string) string {
			return "20" + c[:2] + "-" + c[2:4] + "-" + c[4:6] + "T" + c[6:8] + ":" + c[8:10] + ":0" + c[10:]
		},
		"first half":    func(c string) string { return c[:6] },
		"second half":   func(c string) string { return strings.TrimLeft(c[6:], "0") + "1" },
		"without check": func(c string) string { return c[:10] },
		"in words":      func(c string) string { return "番号は" + c + "です" },
		"every other":   func(c string) string { return strings.Join(strings.Split(c, ""), "あ") },
		"kanji scale":   func(c string) string { return c[:3] + "億" + c[3:7] + "万" + c[7:] },
		"nested JSON":   func(c string) string { return `{\"c\":\"` + c + `\"}` },
	}
	for name, zero := range map[string]rune{
		"full-width": '０', "arabic": 0x660, "persian": 0x6F0, "devanagari": 0x966, "bengali": 0x9E6, "thai": 0xE50,
		"tibetan": 0xF20, "khmer": 0x17E0, "mongolian": 0x1810, "math bold": 0x1D7CE, "double-struck": 0x1D7D8, "monospace": 0x1D7F6, "segmented": 0x1FBF0,
	} {
		f[name+" digits"] = digitsFrom(zero)
	}
	for name, sep := range map[string]string{
		"space": " ", "wide space": "　", "no-break space": "\u00a0", "hyphen": "-", "wide hyphen": "－", "middle dot": "・", "slash": "/",
		"zero-width space": "\u200b", "joiner": "\u2060", "soft hyphen": "\u00ad", "combining": "\u0301", "grapheme joiner": "\u034f", "newline": `\n`, "nul": `\u0000`,
	} {
		f["with "+name] = joined(sep)
	}
	return f
}

func integer(c string) *big.Int { n, _ := new(big.Int).SetString(c, 10); return n }

func reversed(c string) string {
	b := []byte(c)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func eachRune(c, format string) string {
	var b strings.Builder
	for _, r := range c {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

func zipped(c string) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write([]byte(c))
	w.Close()
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

// carrier puts a payload somewhere into an honest notice or its request.
type carrier func(b []byte, m *policy.Metadata, payload string) []byte

func replace(old, new string) carrier {
	return func(b []byte, _ *policy.Metadata, payload string) []byte {
		return bytes.Replace(b, []byte(old), []byte(strings.ReplaceAll(new, "$", payload)), 1)
	}
}

func header(set func(m *policy.Metadata, payload string)) carrier {
	return func(b []byte, m *policy.Metadata, payload string) []byte { set(m, payload); return b }
}

// bits calls f with each bit of the payload's bytes while f wants more.
func bits(payload string, f func(bit bool) bool) {
	for i := range 8 * len(payload) {
		if !f(payload[i/8]>>(i%8)&1 == 1) {
			return
		}
	}
}

func referenceCarriers() map[string]carrier {
	return map[string]carrier{
		"extra member":      replace(`,"v"`, `,"u":"$","v"`),
		"extra number":      replace(`,"v"`, `,"u":$,"v"`),
		"member name":       replace(`,"v"`, `,"$":true,"v"`),
		"resident code":     replace(`,"v"`, `,"residentCode":"$","v"`),
		"nested":            replace(`,"v"`, `,"u":{"x":["$"]},"v"`),
		"basis":             replace(`juki-30-8-3`, `$`),
		"basis with more":   replace(`juki-30-8-3`, `juki-30-8-3 $`),
		"mode":              replace(`"reference"`, `"$"`),
		"ordinal":           replace(`"ordinal":5`, `"ordinal":$`),
		"ordinal as string": replace(`"ordinal":5`, `"ordinal":"$"`),
		"ordinal as list":   replace(`"ordinal":5`, `"ordinal":[5,"$"]`),
		"ordinal and more":  replace(`"ordinal":5`, `"ordinal":5$`),
		"seq":               replace(`"seq":3`, `"seq":$`),
		"seq as string":     replace(`"seq":3`, `"seq":"$"`),
		"v":                 replace(`"v":1`, `"v":$`),
		"duplicate before":  replace(`"ordinal":5`, `"ordinal":$,"ordinal":5`),
		"duplicate after":   replace(`"ordinal":5`, `"ordinal":5,"ordinal":"$"`),
		"duplicate basis":   replace(`{"basis"`, `{"basis":"$","basis"`),
		"echo member":       replace(`,"ordinal"`, `,"name":"$","ordinal"`),
		"before":            replace(`{`, `$ {`),
		"after":             replace(`"v":1}`, `"v":1} $`),
		"after without gap": replace(`"v":1}`, `"v":1}$`),
		"after as line":     replace(`"v":1}`, "\"v\":1}\n$"),
		"comment":           replace(`{`, `{/* $ */`),
		"line comment":      replace(`{`, "{//$\n"),
		"byte order mark":   replace(`{`, "\ufeff$ {"),
		"in a list":         replace(`{`, `["$",{`),
		"member case":       caseBits,
		"white space":       spaceBits,
		"trailing space":    func(b []byte, _ *policy.Metadata, p string) []byte { return append(bytes.Clone(b), spaces(p)...) },
		"escaped names":     escapeBits,
		"member order":      order,
		"padding": func(b []byte, _ *policy.Metadata, p string) []byte {
			return append(bytes.Clone(b), make([]byte, 1+len(p))...)
		},
		"header":      header(func(m *policy.Metadata, p string) { m.Header["X-Request-Id"] = []string{p} }),
		"header name": header(func(m *policy.Metadata, p string) { m.Header["X-"+p] = []string{"1"} }),
		"user agent":  header(func(m *policy.Metadata, p string) { m.Header["User-Agent"] = []string{policy.LinkUserAgent + " " + p} }),
		"content type": header(func(m *policy.Metadata, p string) {
			m.Header["Content-Type"] = []string{policy.LinkContentType + ";x=" + p}
		}),
		"second value":       header(func(m *policy.Metadata, p string) { m.Header["User-Agent"] = append(m.Header["User-Agent"], p) }),
		"content length":     header(func(m *policy.Metadata, p string) { m.Header["Content-Length"] = []string{p} }),
		"accept encoding":    header(func(m *policy.Metadata, p string) { m.Header["Accept-Encoding"] = []string{"gzip, " + p} }),
		"cookie":             header(func(m *policy.Metadata, p string) { m.Header["Cookie"] = []string{"c=" + p} }),
		"date":               header(func(m *policy.Metadata, p string) { m.Header["Date"] = []string{p} }),
		"query":              header(func(m *policy.Metadata, p string) { m.Path += "?c=" + p }),
		"path":               header(func(m *policy.Metadata, p string) { m.Path += "/" + p }),
		"method":             header(func(m *policy.Metadata, p string) { m.Method = "PUT" + p }),
		"trailer":            header(func(m *policy.Metadata, p string) { m.Trailers = len(p) }),
		"header case":        header(func(m *policy.Metadata, p string) { m.Header["content-type"] = []string{p} }),
		"empty header":       header(func(m *policy.Metadata, p string) { m.Header["X-"+strconv.Itoa(len(p))] = nil }),
		"number with zeros":  replace(`"ordinal":5`, `"ordinal":05`),
		"number as fraction": replace(`"ordinal":5`, `"ordinal":5.$`),
		"number as exponent": replace(`"ordinal":5`, `"ordinal":5e$`),
	}
}

func caseBits(b []byte, _ *policy.Metadata, p string) []byte {
	out, i := bytes.Clone(b), 0
	bits(p+"\x01", func(bit bool) bool {
		for i < len(out) && (out[i] < 'a' || out[i] > 'z') {
			i++
		}
		if i < len(out) && bit {
			out[i] -= 32
		}
		i++
		return i < len(out)
	})
	return out
}

func spaces(p string) []byte {
	out := []byte{' '}
	bits(p, func(bit bool) bool { out = append(out, map[bool]byte{true: ' ', false: '\t'}[bit]); return true })
	return out
}

func spaceBits(b []byte, _ *policy.Metadata, p string) []byte {
	s := spaces(p)
	out := bytes.ReplaceAll(b, []byte(`,`), append([]byte(`,`), s...))
	return bytes.ReplaceAll(out, []byte(`:`), append([]byte(`:`), s...))
}

func escapeBits(b []byte, _ *policy.Metadata, p string) []byte {
	return bytes.Replace(b, []byte(`"basis"`), []byte(`"`+eachRune("basis", `\u%04x`)[:6*(1+len(p)%5)]+"basis"[1+len(p)%5:]+`"`), 1)
}

func order(b []byte, _ *policy.Metadata, p string) []byte {
	ms := strings.Split(strings.Trim(string(b), "{}"), ",")
	k := 1 + len(p)%(len(ms)-1)
	return []byte("{" + strings.Join(append(append([]string{}, ms[k:]...), ms[:k]...), ",") + "}")
}

func echoCarriers() map[string]carrier {
	return map[string]carrier{
		"name":          replace("総務　太郎", "$"),
		"name and more": replace("総務　太郎", "総務　太郎$"),
		"given name":    replace("太郎", "$"),
		"address":       replace("鶴賀１２３番地", "$"),
		"address, more": replace("１２３番地", "１２３番地 $"),
		"birth date":    replace("319620617", "$"),
		"sex":           replace(`"sex":"1"`, `"sex":"$"`),
		"ordinal too":   replace(`,"seq"`, `,"ordinal":$,"seq"`),
	}
}

// TestClosedNoticesLetNothingThrough writes 200 resident codes in every family
// into every carrier: all are refused at both ends.
func TestClosedNoticesLetNothingThrough(t *testing.T) {
	ctx, d := context.Background(), decider(t, 3)
	fams, total, wide := families(), 0, 0
	run := func(mode string, carriers map[string]carrier, codes uint64) {
		honest, arrived := send(t, mode), receive(t, mode)
		for cname, c := range carriers {
			for fname, f := range fams {
				for i := range codes {
					code, err := jtext.MakeResidentCode(i * 37)
					if err != nil {
						t.Fatal(err)
					}
					total++
					m := policy.LinkMetadata(policy.PathNotices)
					b := c(honest.Bytes, &m, f(code))
					if bytes.Equal(b, honest.Bytes) && m.Clean(policy.PathNotices, len(b)) {
						t.Fatalf("%s in %s changes nothing", fname, cname)
					}
					// What makes one fact false can't be allowed: that is
					// proved (package prove). So the engine is asked about
					// what grammar and metadata let through, and about the
					// first code of the rest.
					_, form := notice.Examine(b)
					if i > 0 && (form.Code() != "" || !m.Clean(policy.PathNotices, len(b))) {
						continue
					}
					wide++
					s := honest
					s.Bytes, s.Metadata, s.Secrets.Numbers = b, m, []string{code}
					r := arrived
					r.Bytes, r.Metadata = b, m
					if d.Decide(ctx, s.Facts()).Allow || d.Decide(ctx, r.Facts()).Allow {
						t.Errorf("%s in %s passes", fname, cname)
					}
				}
			}
		}
	}
	codes := uint64(200)
	if testing.Short() {
		codes = 2
	}
	run(notice.Reference, referenceCarriers(), codes)
	run(notice.Echo, echoCarriers(), codes)
	t.Logf("%d families, %d carriers, %d notices, %d of them to the engine: all refused",
		len(fams), len(referenceCarriers())+len(echoCarriers()), total, wide)
	if len(fams) < 60 {
		t.Errorf("only %d families", len(fams))
	}
}

// TestChangedNoticesAreRefused is the metamorphic test: one byte more, less or
// other in an allowed notice is never an allowed notice.
func TestChangedNoticesAreRefused(t *testing.T) {
	ctx, d := context.Background(), decider(t, 3)
	for _, mode := range []string{notice.Reference, notice.Echo} {
		r := receive(t, mode)
		if !d.Decide(ctx, r.Facts()).Allow {
			t.Fatal("the honest notice is refused")
		}
		good := bytes.Clone(r.Bytes)
		for i := range good {
			for _, b := range [][]byte{
				append(append(bytes.Clone(good[:i]), good[i]^1), good[i+1:]...),
				append(bytes.Clone(good[:i]), good[i+1:]...),
				append(append(bytes.Clone(good[:i+1]), good[i]), good[i+1:]...),
			} {
				r.Bytes = b
				if !bytes.Equal(b, good) && d.Decide(ctx, r.Facts()).Allow {
					t.Fatalf("%s: a change at byte %d passes", mode, i)
				}
			}
		}
	}
}
