// Package canary searches everything that left the register's zone for values
// that must never leave it (DESIGN section 2).
//
// The register lists its resident codes and the new names and addresses that
// no certificate ever carried. Each is looked for in every form in which it
// could hide: UTF-8, UTF-16 in both byte orders, Shift_JIS, EUC-JP, full-width
// digits, JSON and percent escapes, hex, and base64 with or without line
// breaks. Stores are read through their engine and gzip is unpacked, so
// that no compression hides a value; encryption is the caller's to undo.
//
//	n := canary.NewNet(lines)
//	hits := n.Scan("ca/audit.log", bytes)
//
// A hit names the place and the form, never the value.
package canary

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
)

// Hit is one value found where it must not be.
type Hit struct {
	Place  string // file, store key or message
	Form   string // encoding it was found in
	Line   int    // line of the canary list, from 1
	Offset int    // byte offset within the place
}

// String names the hit without its value.
func (h Hit) String() string {
	return fmt.Sprintf("%s: canary line %d as %s at byte %d", h.Place, h.Line, h.Form, h.Offset)
}

// MinBytes is the shortest byte pattern that is looked for: shorter ones would
// be found in random bytes by chance.
const MinBytes = 5

type pattern struct {
	bytes []byte
	form  string
	line  int
}

// Net finds many values at once. It is safe for concurrent use.
type Net struct {
	byPrefix map[uint32][]pattern
	filter   []uint64 // one bit per possible first three bytes
	patterns int
}

// NewNet prepares a search for lines; empty lines are skipped.
func NewNet(lines []string) *Net {
	n := &Net{byPrefix: map[uint32][]pattern{}, filter: make([]uint64, 1<<24/64)}
	for i, line := range lines {
		if line == "" {
			continue
		}
		seen := map[string]bool{}
		for _, f := range Forms(line) {
			if f.decoded || len(f.Bytes) < MinBytes || seen[string(f.Bytes)] {
				continue
			}
			seen[string(f.Bytes)] = true
			n.add(pattern{f.Bytes, f.Name, i + 1})
		}
	}
	return n
}

func (n *Net) add(p pattern) {
	three := uint32(p.bytes[0])<<16 | uint32(p.bytes[1])<<8 | uint32(p.bytes[2])
	n.filter[three>>6] |= 1 << (three & 63)
	key := binary.BigEndian.Uint32(p.bytes)
	n.byPrefix[key] = append(n.byPrefix[key], p)
	n.patterns++
}

// Patterns is the number of byte patterns in the net.
func (n *Net) Patterns() int { return n.patterns }

// Scan returns every hit in b: in its bytes, and in what its base64 text
// decodes to. Base64 is decoded and not searched as text, because its line
// breaks would hide a value and its cut ends would match another one.
func (n *Net) Scan(place string, b []byte) []Hit {
	hits := n.scan(place, b)
	base64Runs(b, func(offset int, decoded []byte) {
		for _, h := range n.scan(place, decoded) {
			h.Form, h.Offset = h.Form+" in base64", offset
			hits = append(hits, h)
		}
	})
	return hits
}

func (n *Net) scan(place string, b []byte) (hits []Hit) {
	for i := 0; i+MinBytes <= len(b); i++ {
		three := uint32(b[i])<<16 | uint32(b[i+1])<<8 | uint32(b[i+2])
		if n.filter[three>>6]&(1<<(three&63)) == 0 {
			continue
		}
		for _, p := range n.byPrefix[three<<8|uint32(b[i+3])] {
			if len(b)-i >= len(p.bytes) && string(b[i:i+len(p.bytes)]) == string(p.bytes) {
				hits = append(hits, Hit{place, p.form, p.line, i})
			}
		}
	}
	return hits
}

// Form is one way to write a value in bytes.
type Form struct {
	Name    string
	Bytes   []byte
	decoded bool // found by decoding, not by its bytes
}

// Forms lists the byte forms of s. A legacy encoding that can't express s is
// left out.
func Forms(s string) []Form {
	texts := []Form{{Name: "UTF-8", Bytes: []byte(s)}}
	if w := fullWidth(s); w != s {
		texts = append(texts, Form{Name: "full-width", Bytes: []byte(w)})
	}
	le, be := utf16Bytes(s)
	texts = append(texts, Form{Name: "UTF-16LE", Bytes: le}, Form{Name: "UTF-16BE", Bytes: be})
	for _, e := range []struct {
		name string
		enc  encoding.Encoding
	}{{"Shift_JIS", japanese.ShiftJIS}, {"EUC-JP", japanese.EUCJP}} {
		if b, err := e.enc.NewEncoder().Bytes([]byte(s)); err == nil {
			texts = append(texts, Form{Name: e.name, Bytes: b})
		}
	}
	forms := slices.Clone(texts)
	for _, t := range texts {
		h := hex.EncodeToString(t.Bytes)
		forms = append(forms, Form{Name: t.Name + " in hex", Bytes: []byte(h)}, Form{Name: t.Name + " in HEX", Bytes: []byte(strings.ToUpper(h))})
		for shift := range 3 { // a value may begin at any of three positions
			b := append(append(make([]byte, shift), t.Bytes...), 'x')
			forms = append(forms, Form{t.Name + " in base64", []byte(base64.StdEncoding.EncodeToString(b)), true},
				Form{t.Name + " in base64url", []byte(base64.RawURLEncoding.EncodeToString(b)), true})
		}
	}
	return append(forms, Form{Name: "JSON escapes", Bytes: []byte(jsonEscape(s))}, Form{Name: "percent escapes", Bytes: []byte(url.QueryEscape(s))})
}

// minRun is the shortest base64 text that is decoded: it holds MinBytes.
const minRun = 8

// base64Runs calls fn for every run of base64 text in b, decoded at each of the
// four positions at which a group may begin. Line breaks are part of a run.
func base64Runs(b []byte, fn func(offset int, decoded []byte)) {
	for i := 0; i < len(b); i++ {
		if _, ok := sextet(b[i]); !ok {
			continue
		}
		start := i
		var run []byte // sextets
		for ; i < len(b); i++ {
			if v, ok := sextet(b[i]); ok {
				run = append(run, v)
			} else if b[i] != '\n' && b[i] != '\r' {
				break
			}
		}
		for shift := 0; shift < 4 && len(run)-shift >= minRun; shift++ {
			fn(start, pack(run[shift:]))
		}
	}
}

// sextet is the value of a base64 digit in either alphabet.
func sextet(c byte) (byte, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A', true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26, true
	case '0' <= c && c <= '9':
		return c - '0' + 52, true
	case c == '+' || c == '-':
		return 62, true
	case c == '/' || c == '_':
		return 63, true
	}
	return 0, false
}

// pack joins sextets to bytes and drops a cut end.
func pack(run []byte) []byte {
	out := make([]byte, 0, len(run)*3/4)
	var acc uint32
	bits := 0
	for _, v := range run {
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}

func utf16Bytes(s string) (le, be []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		le = binary.LittleEndian.AppendUint16(le, u)
		be = binary.BigEndian.AppendUint16(be, u)
	}
	return le, be
}

// fullWidth turns printable ASCII into its full-width forms.
func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r - '!' + '！'
		}
		return r
	}, s)
}

func jsonEscape(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		if u < 0x7f {
			b.WriteByte(byte(u))
		} else {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.String()
}
