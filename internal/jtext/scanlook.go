package jtext

import (
	"strings"
	"sync"
	"unicode"
)

// lookalikes are letters and kana that are typed or read for a digit.
var lookalikes = sync.OnceValue(func() map[rune]byte {
	m := map[rune]byte{}
	for d, chars := range []string{"OoQDОоΟοσՕօ口ロ囗□", "IilLj|!ІіıΙι׀∣丨亅Ӏ", "Zzニƨƻ", "ЗзƷʒЭミヨ彡ョ", "AaЧчㄐᔭ",
		"SsЅѕ$ƽ", "бGb", "TΓ┐フｱ", "B&ɞΒВ八ハȢ", "gqpՋ"} {
		for _, r := range chars {
			m[r] = '0' + byte(d)
		}
	}
	return m
})

// minTrue is how many of eleven characters must be digits and not only look
// like some.
const minTrue = 4

// scanLookalikes reads characters that look like digits as digits.
func scanLookalikes(us []unit) Findings {
	var f Findings
	var run strings.Builder
	var real []int // 1 where the digit is one, 0 where it only looks so
	end := func() {
		s := run.String()
		for i := 0; i+11 <= len(s); i++ {
			n := 0
			for _, v := range real[i : i+11] {
				n += v
			}
			if n >= minTrue && n < 11 {
				f.add(windows(s[i:min(i+12, len(s))]))
			}
		}
		run.Reset()
		real = real[:0]
	}
	for _, u := range us {
		if u.digits != "" {
			run.WriteString(u.digits)
			for range u.digits {
				real = append(real, 1)
			}
			continue
		}
		if d, ok := lookalikes()[u.r]; ok {
			run.WriteByte(d)
			real = append(real, 0)
		} else if u.class != separator {
			end()
		}
	}
	end()
	return f
}

// words are digits spelled out: Japanese readings in kana and in roman
// letters, English, Chinese and Korean.
var words = sync.OnceValue(func() map[string]byte {
	m := map[string]byte{}
	for d, ws := range []string{
		"ゼロ レイ マル オー ヌル zero rei maru oh null ling ノウト gong 영 공 령 ノル",
		"イチ ヒト ヒトツ ワン イッ ichi iti one yi yao hito 일 하나 wan",
		"ニ フタ フタツ ツー ニー ni two er futa 이 둘 tsu",
		"サン ミツ ミッツ ミ スリー san three 삼 셋 mi",
		"ヨン シ ヨ ヨツ ヨッツ フォー シー yon shi si yo four 사 넷",
		"ゴ イツツ ファイブ ゴー go five wu 오 다섯",
		"ロク ムツ ムッツ ム シックス roku six liu 육 륙 여섯 mu",
		"ナナ シチ ナナツ セブン nana shichi siti seven qi 칠 일곱",
		"ハチ ヤツ ヤッツ ヤ エイト hachi hati eight ba 팔 여덟 ya",
		"キュウ ク ココノツ ナイン キュー コ kyuu kyu ku nine jiu kokono 구 아홉",
	} {
		for _, w := range strings.Fields(ws) {
			m[w] = '0' + byte(d)
		}
	}
	return m
})

// longestWord is the longest of them in characters.
const longestWord = 7

// scanSpoken reads digits spelled out, the longest word first, at every place;
// a number is eleven words or digits in a row with only separators between.
func scanSpoken(us []unit) Findings {
	text := make([]rune, 0, len(us))
	for _, u := range us {
		if r, dropped := spokenRune(u); !dropped {
			text = append(text, r)
		}
	}
	var f Findings
	run, spelled := []byte{}, 0
	end := func() {
		if spelled > 0 {
			f.add(windows(string(run)))
		}
		run, spelled = run[:0], 0
	}
	for i := 0; i < len(text); {
		d, n := word(text[i:])
		if n == 0 {
			end()
			i++
			continue
		}
		if text[i] < '0' || text[i] > '9' {
			spelled++
		}
		run = append(run, d)
		i += n
	}
	end()
	return f
}

// spokenRune is a unit as scanSpoken reads it.
func spokenRune(u unit) (r rune, dropped bool) {
	r = unicode.ToLower(u.r)
	switch {
	case u.digits != "" && len(u.digits) == 1:
		r = rune(u.digits[0])
	case r >= 'ぁ' && r <= 'ゖ':
		r += 0x60
	case u.class == separator && r != 'ー':
		return 0, true
	}
	return r, false
}

func word(s []rune) (digit byte, n int) {
	if s[0] >= '0' && s[0] <= '9' {
		return byte(s[0]), 1
	}
	for n := min(longestWord, len(s)); n > 0; n-- {
		if d, ok := words()[string(s[:n])]; ok {
			return d, n
		}
	}
	return 0, 0
}

// Letter rows that people count on, each as the digits of order.
var letterRows = []struct{ letters, digits string }{
	{"abcdefghij", "0123456789"}, {"abcdefghij", "1234567890"}, {"qwertyuiop", "1234567890"}, {"_`abcdefgh", "0123456789"},
	{")!@#$%^&*(", "0123456789"}, {"~!\"#$%&'()", "0123456789"}, {"アイウエオカキクケコ", "1234567890"}, {"イロハニホヘトチリヌ", "1234567890"},
	{"甲乙丙丁戊己庚辛壬癸", "1234567890"}, {"子丑寅卯辰巳午未申酉", "1234567890"}, {"アカサタナハマヤラワ", "1234567890"}, {"月火水木金土日天海冥", "1234567890"},
}

// scanRows reads eleven or more characters in a row of one of letterRows.
func scanRows(text []rune) Findings {
	var f Findings
	for _, row := range letterRows {
		letters := []rune(row.letters)
		var run strings.Builder
		for i := 0; i <= len(text); i++ {
			at := -1
			if i < len(text) {
				at = indexRune(letters, text[i])
			}
			if at >= 0 {
				run.WriteByte(row.digits[at])
				continue
			}
			if run.Len() >= 11 {
				f.add(windows(run.String()))
			}
			run.Reset()
		}
	}
	return f
}

func indexRune(rs []rune, r rune) int {
	for i, x := range rs {
		if x == r {
			return i
		}
	}
	return -1
}

// minCounted is the least number that scanCounted takes for a code: codes with
// more leading zeros are one in a hundred.
const minCounted = 1_000_000_000

// scanCounted reads numbers written with units: 九百九十九億九千…, 999億9900万17.
func scanCounted(us []unit) Findings {
	var f Findings
	var c counter
	for _, u := range us {
		if u.r == ',' || !c.any && c.units > 0 && u.class == separator {
			continue // 99,999,000,017 and 999億 9900万
		}
		if !c.take(u) {
			f.add(c.result())
			c = counter{}
		}
	}
	f.add(c.result())
	return f
}

// counter adds up one number: digits since the last unit, what counts below
// the last 万, and the total.
type counter struct {
	digits, small, total uint64
	units                int
	any                  bool
}

func (c *counter) take(u unit) bool {
	if c.total > 1e12 || c.small > 1e12 || c.digits > 1e12 {
		return false
	}
	if u.digits != "" {
		for _, d := range u.digits {
			c.digits = c.digits*10 + uint64(d-'0')
		}
		c.any = true
		return true
	}
	switch u.r {
	case '十', '拾', '什':
		c.unit(10)
	case '百', '佰', '陌':
		c.unit(100)
	case '千', '仟', '阡':
		c.unit(1000)
	case '万', '萬':
		c.big(10_000)
	case '億', '亿':
		c.big(100_000_000)
	default:
		return false
	}
	return true
}

func (c *counter) unit(n uint64) {
	if !c.any {
		c.digits = 1
	}
	c.small += c.digits * n
	c.digits, c.any = 0, false
	c.units++
}

func (c *counter) big(n uint64) {
	c.total += (c.small + c.digits) * n
	c.digits, c.small, c.any = 0, 0, false
	c.units++
}

func (c *counter) result() Findings {
	n := c.total + c.small + c.digits
	if c.units == 0 {
		return Findings{}
	}
	return integer(n)
}

// integer checks a number whose leading zeros got lost.
func integer(n uint64) Findings {
	if n < minCounted || n >= 1_000_000_000_000 {
		return Findings{}
	}
	digits := itoa(int(n))
	for len(digits) < 11 {
		digits = "0" + digits
	}
	return Findings{ResidentCode: ValidResidentCode(digits), IndividualNumber: ValidIndividualNumber(digits)}
}
