// Package canon writes and reads the canonical JSON (RFC 8785) of the messages
// that cross the wall, without encoding/json.
//
// encoding/json is lenient where a wall must not be: it folds case, keeps the
// last of two equal keys, takes other number forms and other escapes. The
// reader here is a cursor that a message's own parser drives literal by
// literal, so that exactly one byte string means a message:
//
//	r := canon.NewReader(b)
//	r.Lit(`{"seq":`)
//	n := r.Uint(999)
//	r.Lit(`}`)
//	ok := r.Done()
//
// A reader that has failed once stays failed. It never keeps or reports a
// value. The package is pure.
package canon

import (
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as a JSON string in JCS form. s must be valid UTF-8
// without control characters (below U+0020): the messages have none, and the
// reader takes none.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// AppendUint appends n in decimal.
func AppendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// Reader is a cursor over the bytes of one message.
type Reader struct {
	b   []byte
	at  int
	bad bool
}

// NewReader returns a reader over b, which it does not change or keep.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Fail marks the message as refused.
func (r *Reader) Fail() { r.bad = true }

// OK reports whether everything read so far was as demanded.
func (r *Reader) OK() bool { return !r.bad }

// Done reports whether everything was as demanded and no byte is left.
func (r *Reader) Done() bool { return !r.bad && r.at == len(r.b) }

// Lit demands exactly the bytes of s.
func (r *Reader) Lit(s string) {
	if r.bad || len(r.b)-r.at < len(s) || string(r.b[r.at:r.at+len(s)]) != s {
		r.bad = true
		return
	}
	r.at += len(s)
}

// Next reports whether the next bytes are s, and consumes them if so.
func (r *Reader) Next(s string) bool {
	if r.bad || len(r.b)-r.at < len(s) || string(r.b[r.at:r.at+len(s)]) != s {
		return false
	}
	r.at += len(s)
	return true
}

// Uint demands a decimal number of at most max without sign, leading zero,
// fraction or exponent.
func (r *Reader) Uint(max uint64) uint64 {
	if r.bad {
		return 0
	}
	start, n := r.at, uint64(0)
	for r.at < len(r.b) && r.b[r.at] >= '0' && r.b[r.at] <= '9' {
		d := uint64(r.b[r.at] - '0')
		if n > (max-d)/10 || d > max {
			r.bad = true
			return 0
		}
		n = n*10 + d
		r.at++
	}
	if r.at == start || (r.b[start] == '0' && r.at-start > 1) {
		r.bad = true
		return 0
	}
	return n
}

// Text demands a JSON string of valid UTF-8 with at most max characters, no
// control character, and no escape but \" and \\.
func (r *Reader) Text(max int) string {
	r.Lit(`"`)
	if r.bad {
		return ""
	}
	var out []byte
	for n := 0; ; n++ {
		if r.at >= len(r.b) {
			r.bad = true
			return ""
		}
		c := r.b[r.at]
		if c == '"' {
			r.at++
			return string(out)
		}
		if n == max || !r.char(&out, c) {
			r.bad = true
			return ""
		}
	}
}

// char moves one character of a string to out.
func (r *Reader) char(out *[]byte, c byte) bool {
	switch {
	case c < 0x20 || c == 0x7f:
		return false
	case c == '\\':
		if r.at+1 >= len(r.b) || (r.b[r.at+1] != '"' && r.b[r.at+1] != '\\') {
			return false
		}
		*out = append(*out, r.b[r.at+1])
		r.at += 2
	default:
		ch, size := utf8.DecodeRune(r.b[r.at:])
		if ch == utf8.RuneError && size <= 1 {
			return false
		}
		*out = append(*out, r.b[r.at:r.at+size]...)
		r.at += size
	}
	return true
}

// Word demands a JSON string of 1 to max bytes that are all in a-z, 0-9 or
// one of the bytes of also.
func (r *Reader) Word(max int, also string) string {
	r.Lit(`"`)
	start := r.at
	for !r.bad && r.at < len(r.b) && r.b[r.at] != '"' {
		if !wordByte(r.b[r.at], also) || r.at-start == max {
			r.bad = true
		}
		r.at++
	}
	if r.bad || r.at >= len(r.b) || r.at == start {
		r.bad = true
		return ""
	}
	s := string(r.b[start:r.at])
	r.at++
	return s
}

func wordByte(c byte, also string) bool {
	if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
		return true
	}
	for i := 0; i < len(also); i++ {
		if also[i] == c {
			return true
		}
	}
	return false
}

// Raw takes the next n bytes as they are; the caller checks them.
func (r *Reader) Raw(n int) string {
	if r.bad || len(r.b)-r.at < n {
		r.bad = true
		return ""
	}
	s := string(r.b[r.at : r.at+n])
	r.at += n
	return s
}
