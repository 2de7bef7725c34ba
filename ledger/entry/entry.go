// Package entry defines what the ledger holds: one entry is one JSON object in
// RFC 8785 canonical form (JCS), with a closed shape for each kind.
//
// An entry never holds personal data: no attribute, no resident code, no
// unsalted digest of either, no free text (DOMAIN PR-05, PR-11). What refers
// to a person is a commitment under a record key that can be destroyed
// (package commitment).
//
// Every entry has the same six members:
//
//	{"at":"2026-11-23T01:02:03Z","body":{…},"by":"ca-server","kind":"cert.issued","seq":7,"v":1}
//
// seq is gapless per by and starts at 0, so (by, seq) names an entry, an entry
// can't be logged twice, and a missing one is seen at once.
//
// The shapes are Go types here and JSON Schema files in schema/; a test holds
// the two against each other. The package is pure: no I/O, no clock, no
// randomness, and it runs in a browser.
package entry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the format version that every entry carries in "v".
const Version = 1

// MaxSize is the largest entry in bytes: C2SP tlog-tiles frames an entry with
// a 16-bit length.
const MaxSize = 65535

// Kind names the closed shape of an entry's body.
type Kind string

// Entry is one record of the ledger.
type Entry struct {
	At   Time   // when the writer wrote it, whole seconds UTC
	By   string // role identifier of the writer, one of the By… constants
	Seq  uint64 // position among the writer's own entries, gapless from 0
	Body Body   // never nil in a valid entry
}

// Body is implemented by the body types of this package and by nothing else.
type Body interface {
	// Kind is the entry kind that this body belongs to.
	Kind() Kind
	// Validate reports the first member that is outside its closed domain.
	Validate() error
	// members goes along the members in canonical order.
	members(*codec)
}

// wire is the member order of JCS: code points of the names, ascending.
type wire struct {
	At   Time            `json:"at"`
	Body json.RawMessage `json:"body"`
	By   string          `json:"by"`
	Kind Kind            `json:"kind"`
	Seq  uint64          `json:"seq"`
	V    int             `json:"v"`
}

// maxSafeInteger is the largest integer that RFC 8785 (an IEEE double) keeps.
const maxSafeInteger = 1<<53 - 1

// marshalJSON is Marshal by encoding/json.
func (e Entry) marshalJSON() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	body, err := encode(e.Body)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the body of %s: %w", e.Body.Kind(), err)
	}
	b, err := encode(wire{At: e.At, Body: body, By: e.By, Kind: e.Body.Kind(), Seq: e.Seq, V: Version})
	if err != nil {
		return nil, fmt.Errorf("couldn't encode %s: %w", e.Body.Kind(), err)
	}
	return within(b)
}

// encode gives JCS bytes for this package's types: their fields are declared
// in name order, their strings are printable ASCII and their numbers are
// integers, so encoding/json without HTML escaping is already canonical. The
// package's tests compare it with an independent JCS implementation.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// ErrNotCanonical is returned by Parse for JSON that means an entry but is not
// its one canonical form.
var ErrNotCanonical = errors.New("entry is not in canonical form")

// parseWhole is Parse by decoding everything and encoding it again; it knows
// what is wrong with bytes that are no entry.
func parseWhole(b []byte) (Entry, error) {
	if len(b) > MaxSize {
		return Entry{}, fmt.Errorf("entry of %d bytes is larger than %d", len(b), MaxSize)
	}
	var w wire
	if err := decode(b, &w); err != nil {
		return Entry{}, errors.New("entry is not one JSON object with the members at, body, by, kind, seq, v")
	}
	if w.V != Version {
		return Entry{}, fmt.Errorf("entry has format version %d, this program reads %d", w.V, Version)
	}
	body := newBody(w.Kind)
	if body == nil {
		return Entry{}, errors.New("entry is of an unknown kind")
	}
	if err := decode(w.Body, body); err != nil {
		return Entry{}, fmt.Errorf("body is not the closed shape of %s", w.Kind)
	}
	e := Entry{At: w.At, By: w.By, Seq: w.Seq, Body: body}
	again, err := e.marshalJSON()
	if err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(again, b) {
		return Entry{}, ErrNotCanonical
	}
	return e, nil
}

func decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("trailing bytes")
	}
	return nil
}

// Time is a moment in whole seconds UTC. Its text is RFC 3339 with a Z.
type Time struct{ t time.Time }

const timeLayout = "2006-01-02T15:04:05Z"

// At returns t cut to whole seconds UTC.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// Std returns the moment as a time.Time in UTC.
func (t Time) Std() time.Time { return t.t }

// String is the text form, as in the entry.
func (t Time) String() string { return t.t.Format(timeLayout) }

// MarshalText gives the RFC 3339 text with a Z.
func (t Time) MarshalText() ([]byte, error) {
	if y := t.t.Year(); y < 1 || y > 9999 {
		return nil, errors.New("year is outside 1 to 9999")
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads exactly the text that MarshalText writes.
func (t *Time) UnmarshalText(b []byte) error {
	p, err := time.Parse(timeLayout, string(b))
	if err != nil || p.Format(timeLayout) != string(b) { // time.Parse also takes fractions of a second
		return errors.New("not a time of the form 2006-01-02T15:04:05Z")
	}
	t.t = p
	return nil
}
