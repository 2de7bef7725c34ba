package notice

import "unicode/utf8"

// Form says which of the form rules a byte string keeps. A rule that could not
// be established counts as broken, so the zero Form refuses everything.
type Form struct {
	Grammar   bool // N101: one JSON object, every value in its domain
	Canonical bool // N102: the one canonical byte string
	Fields    bool // N103: exactly the mode's members, each once
	Mode      bool // N104: a known mode
	Basis     bool // N105: the legal basis
}

// Code returns the first rule code that applies, or "" when every rule is
// kept. The more telling rules come first: an extra member is reported as
// N103 and not as the N102 that follows from it.
func (f Form) Code() string {
	switch {
	case f == Form{true, true, true, true, true}:
		return ""
	case f == Form{}:
		return "N101"
	case !f.Mode:
		return "N104"
	case !f.Fields:
		return "N103"
	case !f.Basis:
		return "N105"
	case !f.Grammar:
		return "N101"
	}
	return "N102"
}

// Examine reads a notice and says which form rules it keeps. The notice is
// zero unless all are kept: only the strict reader ever accepts. What else
// looks at the bytes only finds out why they were refused.
func Examine(b []byte) (Notice, Form) {
	if n, ok := parseStrict(b); ok {
		return n, Form{true, true, true, true, true}
	}
	return Notice{}, diagnose(b)
}

// member is one member of a refused object, as found by the tolerant scanner.
type member struct {
	key  string
	val  string // the string's content where quoted
	kind byte   // '"' string, '0' plain decimal number, '?' anything else
}

// diagnose tells why bytes that the strict reader refused were refused.
func diagnose(b []byte) Form {
	var f Form
	if len(b) > MaxSize || !utf8.Valid(b) {
		return f
	}
	ms, ok := scan(b)
	if !ok {
		return f
	}
	mode := find(ms, "mode")
	f.Mode = mode != nil && mode.kind == '"' && (mode.val == Reference || mode.val == Echo)
	basis := find(ms, "basis")
	f.Basis = basis != nil && basis.kind == '"' && basis.val == Basis
	if f.Mode {
		f.Fields = exactSet(ms, mode.val)
		f.Grammar = f.Fields && f.Basis && meansNotice(ms, mode.val)
	}
	return f
}

// members lists each mode's members in wire order.
var members = map[string][]string{
	Reference: {"basis", "mode", "ordinal", "seq", "v"},
	Echo:      {"address", "basis", "birthDate", "mode", "name", "seq", "sex", "v"},
}

func exactSet(ms []member, mode string) bool {
	want := members[mode]
	if len(ms) != len(want) {
		return false
	}
	for _, k := range want {
		if find(ms, k) == nil {
			return false
		}
	}
	return true
}

// meansNotice rebuilds the notice from the members and asks the writer.
func meansNotice(ms []member, mode string) bool {
	var raw []byte
	for i, k := range members[mode] {
		m := find(ms, k)
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, '"')
		raw = append(raw, k...)
		raw = append(raw, '"', ':')
		raw = appendValue(raw, m)
	}
	_, ok := parseStrict(append(append([]byte{'{'}, raw...), '}'))
	return ok
}

func appendValue(dst []byte, m *member) []byte {
	if m.kind != '"' {
		return append(dst, m.val...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(m.val); i++ {
		if m.val[i] == '"' || m.val[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, m.val[i])
	}
	return append(dst, '"')
}

func find(ms []member, key string) *member {
	for i := range ms {
		if ms[i].key == key {
			return &ms[i]
		}
	}
	return nil
}
