package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

// signedNote is a checkpoint's signed note in parts, nothing verified.
type signedNote struct {
	raw    string // all of it
	text   string // with its final newline, as signed
	origin string
	size   uint64
	root   tlog.Hash
	sigs   []sigLine
}

// sigLine is one signature line "— name base64(key id ‖ signature)".
type sigLine struct {
	name string
	id   uint32
	sig  []byte
}

const dash = "— "

// strict is the only base64 that is read here: padded, and with zero trailing
// bits, so that a value has one spelling.
var strict = base64.StdEncoding.Strict()

func decode64(s string) ([]byte, bool) {
	b, err := strict.DecodeString(s)
	// The decoder skips CR and LF; the length check leaves no room for them.
	if err != nil || base64.StdEncoding.EncodedLen(len(b)) != len(s) {
		return nil, false
	}
	return b, true
}

func parseHash(s string) (h tlog.Hash, ok bool) {
	b, ok := decode64(s)
	if !ok || len(b) != len(h) {
		return h, false
	}
	return tlog.Hash(b), true
}

// parseDecimal reads a decimal without sign or leading zeros, up to MaxSize.
func parseDecimal(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > MaxSize || strconv.FormatUint(n, 10) != s {
		return 0, false
	}
	return n, true
}

func malformedNote(detail string, args ...any) error {
	return unreadable("checkpoint.malformed",
		"チェックポイントの形式が正しくないため、読み取れません。",
		"The checkpoint is malformed and can't be read.", detail, args...)
}

// parseSigned splits a checkpoint strictly.
func parseSigned(note []byte) (*signedNote, error) {
	if len(note) == 0 || len(note) > MaxFile || !utf8.Valid(note) {
		return nil, malformedNote("checkpoint of %d bytes is empty, too large or not UTF-8", len(note))
	}
	for i, c := range note {
		if c < ' ' && c != '\n' {
			return nil, malformedNote("control character at byte %d", i)
		}
	}
	cut := bytes.Index(note, []byte("\n\n"))
	if cut < 0 || note[len(note)-1] != '\n' {
		return nil, malformedNote("no blank line before the signatures, or no final newline")
	}
	n := &signedNote{raw: string(note)}
	n.text = n.raw[:cut+1]
	if err := n.parseText(); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(n.raw[cut+2:], "\n"), "\n")
	if len(lines) > maxSignatures {
		return nil, malformedNote("more than %d signature lines", maxSignatures)
	}
	for i, l := range lines {
		s, ok := parseSigLine(l)
		if !ok {
			return nil, malformedNote("signature line %d is malformed", i+1)
		}
		n.sigs = append(n.sigs, s)
	}
	return n, nil
}

func (n *signedNote) parseText() error {
	lines := strings.Split(strings.TrimSuffix(n.text, "\n"), "\n")
	if len(lines) != 3 {
		return malformedNote("checkpoint text has %d lines, not origin, size and root", len(lines))
	}
	var ok1, ok2 bool
	n.origin = lines[0]
	n.size, ok1 = parseDecimal(lines[1])
	n.root, ok2 = parseHash(lines[2])
	if !validName(n.origin) || !ok1 || !ok2 {
		return malformedNote("origin, size or root of the checkpoint is malformed")
	}
	return nil
}

func parseSigLine(l string) (s sigLine, ok bool) {
	rest, ok := strings.CutPrefix(l, dash)
	if !ok {
		return s, false
	}
	name, b64, ok := strings.Cut(rest, " ")
	if !ok || !validName(name) {
		return s, false
	}
	b, ok := decode64(b64)
	if !ok || len(b) < 5 {
		return s, false
	}
	return sigLine{name: name, id: binary.BigEndian.Uint32(b), sig: b[4:]}, true
}

// validName is the signed note rule for key names.
func validName(name string) bool {
	return name != "" && len(name) <= 256 && utf8.ValidString(name) &&
		strings.IndexFunc(name, unicode.IsSpace) < 0 && !strings.Contains(name, "+")
}
