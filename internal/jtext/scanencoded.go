package jtext

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"io"
	"math/big"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how often a decoded text is decoded again.
const maxDepth = 2

// minToken is the shortest run of letters and digits worth decoding: a code as
// a number in base 58 or base64 has six or seven.
const minToken = 6

// minMixed is the shortest run of Latin letters with digits among them, or of
// changing case, that counts as encoded whatever it says. No name or address
// of the register has one.
const minMixed = 10

// scanEncoded decodes what may be an encoding and scans what comes out.
func scanEncoded(us []unit, s sum, depth int) Findings {
	var f Findings
	if s.rows >= minDigits || s.units >= minMorse || s.tokens >= minDigits {
		text := encodedText(us)
		f.add(scanRows(compact(text)))
		f.add(scanMorse(text))
		f.add(scanCharCodes(string(text)))
	}
	if !s.latin || s.visible < minToken {
		return f
	}
	for _, part := range splitUnits(append(us, unit{r: '\u3042'}), func(u unit) bool { return u.r >= 0x80 && u.digits == "" && !IsHyphen(u.r) }) {
		if len(part) >= minToken {
			f.add(scanASCII(asciiView(part), depth))
		}
	}
	return f
}

// encodedText is a value with its digits in ASCII, its kana in katakana and its
// letters small.
func encodedText(us []unit) []rune {
	text := make([]rune, 0, len(us))
	for _, u := range us {
		if u.digits != "" && u.class == arabic {
			text = append(text, []rune(u.digits)...)
			continue
		}
		text = append(text, unicode.ToLower(toKatakana(u.r)))
	}
	return text
}

// scanASCII looks at one stretch of ASCII for encodings.
func scanASCII(plain string, depth int) Findings {
	var f Findings
	for i, t := range tokens(plain) {
		if i > maxTokens {
			f.Encoded = true
			break
		}
		if len(t) >= minMixed && mixed(t) {
			f.Encoded = true
		}
		for _, d := range decodings(t) {
			f.add(scanBytes(d, depth))
		}
		f.add(scanRadix(t))
	}
	for _, d := range unescaped(plain) {
		f.add(scanValue(d, depth+1))
	}
	for _, part := range append(strings.Fields(plain), plain) {
		if b, err := hex.DecodeString(hexDump(part)); err == nil && len(b) >= 5 {
			f.add(scanBytes(b, depth))
		}
		out := make([]byte, len(part))
		if n, _, err := ascii85.Decode(out, []byte(strings.Trim(part, "<~> ")), true); err == nil && n >= 11 && !bytes.ContainsFunc(out[:n], unprintable) {
			f.add(scanValue(string(out[:n]), depth+1))
		}
	}
	return f
}

// maxTokens bounds the work on one stretch; more is no name or address.
const maxTokens = 32

func toKatakana(r rune) rune {
	if r >= 'ぁ' && r <= 'ゖ' {
		return r + 0x60
	}
	return r
}

// compact drops spaces, hyphens and commas.
func compact(text []rune) []rune {
	out := make([]rune, 0, len(text))
	for _, r := range text {
		if !betweenRows(r) {
			out = append(out, r)
		}
	}
	return out
}

func betweenRows(r rune) bool {
	return unicode.IsSpace(r) || IsHyphen(r) || strings.ContainsRune(",.、。・/:;", r)
}

// asciiView is the text with digits and Latin letters in ASCII, the rest as spaces.
func asciiView(us []unit) string {
	var b strings.Builder
	for _, u := range us {
		switch {
		case u.digits != "":
			b.WriteString(u.digits)
		case u.r < 0x80:
			b.WriteRune(u.r)
		case IsHyphen(u.r):
			b.WriteByte('-')
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wordNumber is how names of houses look: a number, or a word with a short
// number. Encodings seldom look so.
var wordNumber = regexp.MustCompile(`^[0-9]{0,3}([A-Z]?[a-z]{0,11}|[A-Z]{1,12})[0-9]{0,3}$`)

// crowded finds letters that no word has in a row.
var crowded = regexp.MustCompile(`(?i)[^aeiouy0-9]{4}|^[^aeiouy]{4,}$`)

// wordLike reports whether a token looks like a word, a number (also 575-23) or both.
func wordLike(t string) bool {
	return strings.Trim(t, "0123456789-/+=_") == "" || wordNumber.MatchString(t) && !crowded.MatchString(t)
}

// spaced finds what may be a piece of an encoding broken up by spaces.
var spaced = regexp.MustCompile(`^([A-Za-z0-9+/=_-]{1,4}|.*[a-z0-9][A-Z].*|.*[A-Z]{2}[a-z].*)$`)

// tokens are runs of letters, digits and base64's signs that are no words, each
// also without its hyphens, and neighbours joined without the spaces between.
func tokens(s string) []string {
	isToken := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/=_-", r)
	}
	var out []string
	add := func(t string) {
		t = strings.Trim(t, "-_=")
		for _, t := range []string{t, strings.NewReplacer("-", "", "_", "").Replace(t)} {
			if len(t) >= minToken && !wordLike(t) && (len(out) == 0 || out[len(out)-1] != t) {
				out = append(out, t)
			}
		}
	}
	fields := strings.FieldsFunc(s, func(r rune) bool { return !isToken(r) })
	for _, t := range fields {
		add(t)
	}
	joined, n := "", 0
	for _, t := range append(fields, "") {
		if t == "" || strings.Trim(t, "0123456789") == "" || !spaced.MatchString(t) {
			if n > 1 {
				add(joined)
			}
			joined, n = "", 0
			continue
		}
		joined, n = joined+t, n+1
	}
	return out
}

// mixed reports whether a token looks like an encoding and not like a word:
// letters and digits together, or capitals inside.
func mixed(t string) bool {
	letters, digits, capitals := 0, 0, 0
	for i := range len(t) {
		switch c := t[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			letters++
			if i > 0 && t[i-1] >= 'a' && t[i-1] <= 'z' {
				capitals++
			}
		case c >= 'a' && c <= 'z':
			letters++
		}
	}
	return letters > 0 && digits > 0 || capitals > 1
}

func decodings(t string) [][]byte {
	var out [][]byte
	add := func(b []byte, err error) {
		if err == nil && len(b) >= 4 {
			out = append(out, b)
		}
	}
	bare := strings.TrimRight(t, "=")
	add(hex.DecodeString(t))
	add(base64.RawStdEncoding.DecodeString(bare))
	add(base64.RawURLEncoding.DecodeString(bare))
	upper := strings.ToUpper(bare)
	add(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(upper))
	add(base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(upper))
	if n, ok := radix(t, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"); ok {
		add(n.Bytes(), nil)
	}
	return out
}

// scanBytes reads bytes as text, as packed digits, as a number and as
// compressed data.
func scanBytes(b []byte, depth int) Findings {
	var f Findings
	for _, s := range texts(b) {
		f.add(scanValue(s, depth+1))
	}
	if packed := hex.EncodeToString(b); len(packed) <= 32 {
		if digits := strings.Trim(packed, "abcdef"); len(digits) >= 11 && len(digits) <= 16 && strings.Trim(digits, "0123456789") == "" {
			f.add(windows(digits))
		}
	}
	if len(b) <= 8 {
		f.add(integer(new(big.Int).SetBytes(b).Uint64()))
		back := bytes.Clone(b)
		for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
			back[i], back[j] = back[j], back[i]
		}
		f.add(integer(new(big.Int).SetBytes(back).Uint64()))
	}
	return f
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) && !Invisible(r) }

// texts are the texts that bytes may hold.
func texts(b []byte) []string {
	var out []string
	add := func(b []byte) {
		if utf8.Valid(b) && len(b) >= 8 && !bytes.ContainsFunc(b, unprintable) {
			out = append(out, string(b))
		}
	}
	add(b)
	if len(b)%2 == 0 && len(b) >= 22 {
		for _, hi := range []int{0, 1} {
			u := make([]uint16, len(b)/2)
			for i := range u {
				u[i] = uint16(b[2*i+hi])<<8 | uint16(b[2*i+1-hi])
			}
			add([]byte(string(utf16.Decode(u))))
		}
	}
	for _, open := range []func(io.Reader) (io.Reader, error){
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return flate.NewReader(r), nil },
	} {
		if r, err := open(bytes.NewReader(b)); err == nil {
			if text, err := io.ReadAll(io.LimitReader(r, maxScan)); err == nil {
				add(text)
			}
		}
	}
	return out
}

func radix(t, alphabet string) (*big.Int, bool) {
	if len(t) > 64 {
		return nil, false
	}
	n, base := new(big.Int), big.NewInt(int64(len(alphabet)))
	for i := range len(t) {
		d := strings.IndexByte(alphabet, t[i])
		if d < 0 {
			return nil, false
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(d)))
	}
	return n, true
}

// scanRadix reads a token as a whole number in the bases people use.
func scanRadix(t string) Findings {
	var f Findings
	s := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(t), "0x"), "0b"), "0o")
	for _, base := range []int{2, 8, 16, 36} {
		if n, err := strconv.ParseUint(s, base, 64); err == nil {
			f.add(integer(n))
		}
	}
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, alphabet := range []string{digits + upper + lower, digits + lower + upper, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"} {
		if n, ok := radix(t, alphabet); ok && n.IsUint64() {
			f.add(integer(n.Uint64()))
		}
	}
	return f
}

var (
	unicodeEscape = regexp.MustCompile(`(?i)\\?[uU]\+?\{?([0-9a-f]{2,8})\}?[;\s]?`)
	hexEscape     = regexp.MustCompile(`(?i)(?:\\x|=|0x|&#x|#x)([0-9a-f]{2,6});?[,\s]?`)
	octalEscape   = regexp.MustCompile(`\\([0-7]{3})`)
)

// unescaped are the texts behind escapes of URLs, HTML, programs and mail.
func unescaped(s string) []string {
	var out []string
	if strings.ContainsAny(s, "%+") {
		if u, err := url.QueryUnescape(s); err == nil && u != s {
			out = append(out, u)
		}
	}
	if strings.Contains(s, "&") {
		if h := html.UnescapeString(s); h != s {
			out = append(out, h)
		}
	}
	for _, e := range []struct {
		re   *regexp.Regexp
		base int
	}{{unicodeEscape, 16}, {hexEscape, 16}, {octalEscape, 8}} {
		u := e.re.ReplaceAllStringFunc(s, func(m string) string {
			n, err := strconv.ParseUint(e.re.FindStringSubmatch(m)[1], e.base, 32)
			if err != nil || n > unicode.MaxRune {
				return m
			}
			return string(rune(n))
		})
		if u != s {
			out = append(out, u)
		}
	}
	return out
}

// hexDump leaves the hex digits of a dump: pairs with spaces, colons, 0x or \x.
func hexDump(s string) string {
	s = strings.NewReplacer("0x", "", "\\x", "", "%", "", ":", "", " ", "", ",", "", "-", "", "=", "").Replace(strings.ToLower(s))
	if len(s)%2 == 1 {
		return ""
	}
	return s
}

// scanCharCodes reads lists of the codes of ASCII or full-width digits:
// 57 57 48 …, and groups of four or eight bits.
func scanCharCodes(s string) Findings {
	var f Findings
	var run strings.Builder
	for _, p := range []struct{ base, from int }{{10, 48}, {16, 48}, {8, 48}, {2, 48}, {10, 0xff10}, {2, 0}} {
		end := func() {
			f.add(windows(run.String()))
			run.Reset()
		}
		for _, t := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if p.base == 2 && len(t) != 8 && len(t) != 4 {
				end()
				continue
			}
			n, err := strconv.ParseInt(t, p.base, 32)
			if err == nil && int(n) >= p.from && int(n) <= p.from+9 {
				run.WriteByte('0' + byte(int(n)-p.from))
			} else {
				end()
			}
		}
		end()
	}
	return f
}

var morse = map[string]byte{"-----": '0', ".----": '1', "..---": '2', "...--": '3', "....-": '4', ".....": '5', "-....": '6', "--...": '7', "---..": '8', "----.": '9'}

// minMorse is how many dots and dashes eleven digits have.
const minMorse = 5 * minDigits

// scanMorse reads Morse code in any dots and dashes.
func scanMorse(text []rune) Findings {
	var marks strings.Builder
	n := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune(".・·•。", r):
			marks.WriteByte('.')
			n++
		case IsHyphen(r) || r == '_':
			marks.WriteByte('-')
			n++
		default:
			marks.WriteByte(' ')
		}
	}
	if n < minMorse {
		return Findings{}
	}
	var run strings.Builder
	for _, t := range strings.Fields(marks.String()) {
		for ; len(t) >= 5; t = t[5:] {
			if d, ok := morse[t[:5]]; ok {
				run.WriteByte(d)
			}
		}
	}
	return windows(run.String())
}
