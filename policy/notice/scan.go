package notice

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner is a tolerant reader of one JSON object. It exists only to say why
// bytes were refused; nothing it reads is ever accepted.
type scanner struct {
	b  []byte
	at int
}

// scan returns the members of the object that b starts with. Bytes after it
// don't matter here: they break the canonical form, not the field set.
func scan(b []byte) (ms []member, ok bool) {
	s := &scanner{b: b}
	s.space()
	if !s.eat('{') {
		return nil, false
	}
	s.space()
	for !s.eat('}') {
		if len(ms) > 0 {
			if !s.eat(',') {
				return nil, false
			}
			s.space()
		}
		m, ok := s.member()
		if !ok || len(ms) == 64 {
			return nil, false
		}
		ms = append(ms, m)
		s.space()
	}
	return ms, true
}

func (s *scanner) member() (member, bool) {
	key, ok := s.str()
	if !ok {
		return member{}, false
	}
	s.space()
	if !s.eat(':') {
		return member{}, false
	}
	s.space()
	kind, val, ok := s.value(0)
	return member{key: key, val: val, kind: kind}, ok
}

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\t' || s.b[s.at] == '\n' || s.b[s.at] == '\r') {
		s.at++
	}
}

func (s *scanner) eat(c byte) bool {
	if s.at < len(s.b) && s.b[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value reads any JSON value; nested ones are skipped to a depth of eight.
func (s *scanner) value(depth int) (kind byte, val string, ok bool) {
	if s.at >= len(s.b) || depth > 8 {
		return 0, "", false
	}
	switch s.b[s.at] {
	case '"':
		v, ok := s.str()
		return '"', v, ok
	case '{', '[':
		return '?', "", s.nested(depth)
	}
	start := s.at
	for s.at < len(s.b) && scalar(s.b[s.at]) {
		s.at++
	}
	v := string(s.b[start:s.at])
	if v == "" {
		return 0, "", false
	}
	return '0', v, true
}

func scalar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
}

func (s *scanner) nested(depth int) bool {
	open := s.b[s.at]
	end := byte('}')
	if open == '[' {
		end = ']'
	}
	s.at++
	s.space()
	for n := 0; !s.eat(end); n++ {
		if n > 0 && !s.eat(',') {
			return false
		}
		s.space()
		if open == '{' {
			if _, ok := s.str(); !ok {
				return false
			}
			s.space()
			if !s.eat(':') {
				return false
			}
			s.space()
		}
		if _, _, ok := s.value(depth + 1); !ok {
			return false
		}
		s.space()
	}
	return true
}

// str reads a JSON string with every escape that JSON knows.
func (s *scanner) str() (string, bool) {
	if !s.eat('"') {
		return "", false
	}
	var out []byte
	for s.at < len(s.b) {
		c := s.b[s.at]
		s.at++
		switch {
		case c == '"':
			return string(out), true
		case c < 0x20:
			return "", false
		case c != '\\':
			out = append(out, c)
		default:
			r, ok := s.escape()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", false
}

func (s *scanner) escape() (rune, bool) {
	if s.at >= len(s.b) {
		return 0, false
	}
	c := s.b[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return s.hex()
	}
	return 0, false
}

func (s *scanner) hex() (rune, bool) {
	u, ok := s.unit()
	if !ok || !utf16.IsSurrogate(u) {
		return u, ok
	}
	if s.at+1 < len(s.b) && s.b[s.at] == '\\' && s.b[s.at+1] == 'u' {
		s.at += 2
		if low, ok := s.unit(); ok {
			return utf16.DecodeRune(u, low), true
		}
	}
	return utf8.RuneError, true
}

func (s *scanner) unit() (rune, bool) {
	if s.at+4 > len(s.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.b[s.at:s.at+4]), 16, 16)
	s.at += 4
	return rune(n), err == nil
}
