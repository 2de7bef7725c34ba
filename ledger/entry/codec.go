package entry

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// codec reads or writes the one canonical form of a body. Each body type lists
// its members once, in canonical order (members.go), and the codec goes along
// that list in either direction. There is nothing to normalise: a name, a
// number or a string that is not spelt in the one possible way ends the
// reading, so what was read is canonical without being written again.
//
// encoding/json does the same job in parseWhole and in the tests, which hold
// the two against each other.
type codec struct {
	buf   []byte // writing: what is there so far; reading: what is left
	write bool
	fresh bool // no member of the innermost object yet
	bad   bool // reading: not canonical; writing: a time that has no text

	long strings.Builder // reading: the long strings, one behind the other
}

// lit takes or puts fixed bytes.
func (c *codec) lit(s string) {
	switch {
	case c.write:
		c.buf = append(c.buf, s...)
	case len(c.buf) < len(s) || string(c.buf[:len(s)]) != s:
		c.fail()
	default:
		c.buf = c.buf[len(s):]
	}
}

func (c *codec) fail() { c.bad, c.buf = true, nil }

// peek reports that the byte s comes next. Reading only.
func (c *codec) peek(s byte) bool { return len(c.buf) > 0 && c.buf[0] == s }

func (c *codec) open()  { c.lit("{"); c.fresh = true }
func (c *codec) close() { c.lit("}"); c.fresh = false }

// name is the beginning of a member: a comma unless it is the first, the name
// in quotes, a colon.
func (c *codec) name(n string) {
	if !c.fresh {
		c.lit(",")
	}
	c.fresh = false
	if c.write {
		c.buf = append(append(append(c.buf, '"'), n...), '"', ':')
		return
	}
	end := len(n) + 3
	if len(c.buf) < end || c.buf[0] != '"' || string(c.buf[1:end-2]) != n || c.buf[end-2] != '"' || c.buf[end-1] != ':' {
		c.fail()
		return
	}
	c.buf = c.buf[end:]
}

// quoted reads a string in quotes, as it lies. A byte that JSON would escape,
// or that is not ASCII, is not canonical in an entry.
func (c *codec) quoted() []byte {
	if !c.peek('"') {
		c.fail()
		return nil
	}
	n := bytes.IndexByte(c.buf[1:], '"')
	if n < 0 || !plain(c.buf[1:1+n]) {
		c.fail()
		return nil
	}
	s := c.buf[1 : 1+n]
	c.buf = c.buf[n+2:]
	return s
}

// plain accepts printable ASCII without the backslash.
func plain(b []byte) bool {
	const low, high = 0x2020202020202020, 0x8080808080808080
	var odd uint64
	rest := b
	for ; len(rest) >= 8; rest = rest[8:] {
		w := binary.LittleEndian.Uint64(rest)
		odd |= w | (w - low) // a byte under 0x20 borrows into its top bit
	}
	for _, x := range rest {
		if x < 0x20 || x >= 0x80 {
			return false
		}
	}
	return odd&high == 0 && bytes.IndexByte(b, '\\') < 0
}

func (c *codec) text(s *string) {
	if c.write {
		c.buf = append(append(append(c.buf, '"'), *s...), '"')
		return
	}
	b := c.quoted()
	if len(b) < longText {
		*s = string(b)
		return
	}
	if c.long.Cap()-c.long.Len() < len(b) {
		c.long = strings.Builder{}
		c.long.Grow(len(b) + min(len(c.buf), manyLong))
	}
	at := c.long.Len()
	c.long.Write(b)
	*s = c.long.String()[at:]
}

// Strings of at least longText bytes share memory with others of their entry,
// which is taken in pieces of up to manyLong bytes more than is needed.
const (
	longText = 32
	manyLong = 372
)

func (c *codec) str(n string, s *string) { c.name(n); c.text(s) }

// number is an integer without sign, leading zero, fraction or exponent.
func (c *codec) number(v *uint64) {
	if c.write {
		c.buf = strconv.AppendUint(c.buf, *v, 10)
		return
	}
	n, x := 0, uint64(0)
	for ; n < len(c.buf) && c.buf[n]-'0' <= 9; n++ {
		hi, lo := bits.Mul64(x, 10)
		sum, carry := bits.Add64(lo, uint64(c.buf[n]-'0'), 0)
		if hi != 0 || carry != 0 {
			c.fail()
			return
		}
		x = sum
	}
	if n == 0 || n > 1 && c.buf[0] == '0' {
		c.fail()
		return
	}
	*v, c.buf = x, c.buf[n:]
}

func (c *codec) num(n string, v *uint64) { c.name(n); c.number(v) }

func (c *codec) flag(n string, v *bool) {
	c.name(n)
	if !c.write {
		*v = c.peek('t')
	}
	if *v {
		c.lit("true")
	} else {
		c.lit("false")
	}
}

func (c *codec) digest(n string, d *Digest) {
	c.name(n)
	if c.write {
		c.buf = append(hex.AppendEncode(append(c.buf, '"'), d[:]), '"')
		return
	}
	const end = 2*len(d) + 2
	if len(c.buf) < end || c.buf[0] != '"' || c.buf[end-1] != '"' || !readHex(d[:], c.buf[1:end-1]) {
		c.fail()
		return
	}
	c.buf = c.buf[end:]
}

// nibble is the value of a lower-case hex digit, 0xff for every other byte.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}()

// readHex reads lower-case hex into all of d.
func readHex(d, s []byte) bool {
	var odd byte
	for i := range d {
		hi, lo := nibble[s[2*i]], nibble[s[2*i+1]]
		odd |= hi | lo
		d[i] = hi<<4 | lo
	}
	return odd < 16
}

func (c *codec) time(n string, t *Time) {
	c.name(n)
	c.lit(`"`)
	c.moment(t)
	c.lit(`"`)
}

// moment is a time without its quotes.
func (c *codec) moment(t *Time) {
	if c.write {
		if y := t.t.Year(); y < 1 || y > 9999 {
			c.bad = true
		}
		c.buf = t.t.AppendFormat(c.buf, timeLayout)
		return
	}
	if len(c.buf) < len(timeLayout) || !t.read(c.buf[:len(timeLayout)]) {
		c.fail()
		return
	}
	c.buf = c.buf[len(timeLayout):]
}

// read reads the 20 bytes of timeLayout.
func (t *Time) read(b []byte) bool {
	var n [6]int // year, month, day, hour, minute, second
	field := 0
	for i, l := range []byte(timeLayout) {
		switch digit := int(b[i]) - '0'; {
		case '0' > l || l > '9':
			if b[i] != l {
				return false
			}
			field++
		case digit < 0 || digit > 9:
			return false
		default:
			n[field] = n[field]*10 + digit
		}
	}
	if n[0] < 1 || n[1] < 1 || n[1] > 12 || n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return false
	}
	t.t = time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	return t.t.Day() == n[2]
}

// list is a JSON array; item takes or puts one element.
func list[T any](c *codec, n string, l *[]T, item func(*codec, *T)) {
	c.name(n)
	c.lit("[")
	if c.write {
		for i := range *l {
			if i > 0 {
				c.lit(",")
			}
			item(c, &(*l)[i])
		}
		c.lit("]")
		return
	}
	if *l = []T{}; !c.peek(']') {
		*l = make([]T, 0, 4)
	}
	for !c.bad && !c.peek(']') {
		if len(*l) > 0 {
			c.lit(",")
		}
		*l = slices.Grow(*l, 1)[:len(*l)+1]
		item(c, &(*l)[len(*l)-1])
	}
	c.lit("]")
}
