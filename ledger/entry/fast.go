package entry

import (
	"bytes"
	"strconv"
)

// Parse reads an entry from its exact canonical bytes. Everything else is
// refused: unknown members or kinds, duplicates, other number forms, spaces,
// another member order. Its errors never quote a value.
func Parse(b []byte) (Entry, error) {
	if e, ok := parseCanonical(b); ok {
		return e, nil
	}
	return parseWhole(b) // says what is wrong
}

const (
	markAt   = `{"at":"`
	markBody = `","body":`
	markBy   = `,"by":"`
	markKind = `","kind":"`
	markSeq  = `","seq":`
	markEnd  = `,"v":1}`
)

// parseCanonical reads what parseWhole accepts, in half the time: the members
// around the body have one possible form, so only the body is JSON to decode.
// ok is false for everything that parseWhole refuses.
func parseCanonical(b []byte) (e Entry, ok bool) {
	const head = len(markAt) + len(timeLayout) + len(markBody)
	if len(b) > MaxSize || len(b) < head || string(b[:len(markAt)]) != markAt ||
		string(b[head-len(markBody):head]) != markBody {
		return Entry{}, false
	}
	at := b[len(markAt) : len(markAt)+len(timeLayout)]
	if e.At.UnmarshalText(at) != nil {
		return Entry{}, false
	}
	if again, err := e.At.MarshalText(); err != nil || !bytes.Equal(again, at) {
		return Entry{}, false
	}
	// The last mark is the member by: no string of an entry holds a quote.
	i := bytes.LastIndex(b, []byte(markBy))
	if i < head {
		return Entry{}, false
	}
	body, rest := b[head:i], b[i+len(markBy):]
	by, rest, ok1 := bytes.Cut(rest, []byte(markKind))
	kind, rest, ok2 := bytes.Cut(rest, []byte(markSeq))
	num, ok3 := bytes.CutSuffix(rest, []byte(markEnd))
	if !ok1 || !ok2 || !ok3 || !knownBy(string(by)) {
		return Entry{}, false
	}
	seq, err := strconv.ParseUint(string(num), 10, 53)
	if err != nil || strconv.FormatUint(seq, 10) != string(num) {
		return Entry{}, false
	}
	e.By, e.Seq, e.Body = string(by), seq, newBody(Kind(kind))
	if e.Body == nil || decode(body, e.Body) != nil || e.Body.Validate() != nil {
		return Entry{}, false
	}
	again, err := encode(e.Body)
	return e, err == nil && bytes.Equal(again, body)
}
