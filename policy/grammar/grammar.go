// Package grammar describes the closed grammars of the change notice as data,
// and proves things about them: which byte strings they accept, how many, how
// many bits a sender could hide, and that no accepted string holds an 11-digit
// run outside a slot that is bound (promise P4).
//
// A grammar is a list of parts, literals and slots. A slot is of a type (an
// unsigned number, or text) and may be bound: its value is then fixed by the
// certificate or by the sequence, and the policy refuses any other. What is
// not bound is the sender's to choose, and counts against the budget.
//
// The description is a file of the policy bundle (grammar.json). The decoder
// of package notice is written by hand and tested against the automaton that
// is built from this description. The package is pure.
//
//	g := grammar.Notice()
//	a, err := g.Modes["reference"].Automaton()
//	a.Accepts([]byte(`{"basis":…}`))
package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// What binds a slot.
const (
	ByCertificate = "certificate" // the value stands in, or follows from, the certificate
	BySequence    = "sequence"    // the value is the next sequence number
)

// Types of a slot.
const (
	TypeUint  = "uint"  // decimal, no leading zero, at most Max
	TypeText  = "text"  // JSON string of 1 to Max characters in canonical form
	TypeBirth = "birth" // JSON string EYYYYMMDD as attr.Attributes has it
	TypeSex   = "sex"   // JSON string 1, 2 or 3
)

// Part is a literal or a slot of a grammar.
type Part struct {
	Lit   string `json:"lit,omitempty"`   // exact bytes
	Slot  string `json:"slot,omitempty"`  // the slot's name
	Type  string `json:"type,omitempty"`  // one of the Type… constants
	Max   uint64 `json:"max,omitempty"`   // largest number, or most characters
	Bound string `json:"bound,omitempty"` // what fixes the value; "" means that the sender chooses
}

// Grammar is one mode's notices.
type Grammar struct {
	Parts []Part `json:"parts"`
}

// File is the content of grammar.json.
type File struct {
	BudgetBits uint64             `json:"budgetBits"` // most bits that a sender may choose, given the certificate and the sequence
	Modes      map[string]Grammar `json:"modes"`
	Version    int                `json:"version"`
}

// Notice returns the grammars that package notice implements.
func Notice() File {
	num := func(name, by string) Part {
		return Part{Slot: name, Type: TypeUint, Max: notice.MaxNumber, Bound: by}
	}
	lit := func(s string) Part { return Part{Lit: s} }
	return File{Version: 1, BudgetBits: 0, Modes: map[string]Grammar{
		notice.Reference: {Parts: []Part{
			lit(`{"basis":"juki-30-8-3","mode":"reference","ordinal":`), num("ordinal", ByCertificate),
			lit(`,"seq":`), num("seq", BySequence), lit(`,"v":1}`),
		}},
		notice.Echo: {Parts: []Part{
			lit(`{"address":`), {Slot: "address", Type: TypeText, Max: attr.MaxAddress, Bound: ByCertificate},
			lit(`,"basis":"juki-30-8-3","birthDate":`), {Slot: "birthDate", Type: TypeBirth, Bound: ByCertificate},
			lit(`,"mode":"echo","name":`), {Slot: "name", Type: TypeText, Max: attr.MaxName, Bound: ByCertificate},
			lit(`,"seq":`), num("seq", BySequence),
			lit(`,"sex":`), {Slot: "sex", Type: TypeSex, Bound: ByCertificate}, lit(`,"v":1}`),
		}},
	}}
}

// Marshal returns the file's bytes as the bundle holds them.
func (f File) Marshal() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("couldn't write the grammars: %w", err)
	}
	return buf.Bytes(), nil
}

// maxParts bounds a grammar that is read from a bundle.
const maxParts = 64

// Parse reads grammar.json and checks its limits.
func Parse(b []byte) (File, error) {
	var f File
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return File{}, errors.New("the grammar file is not of the prescribed shape")
	}
	if f.Version != 1 || len(f.Modes) == 0 || len(f.Modes) > 8 {
		return File{}, errors.New("the grammar file has another version or no modes")
	}
	for mode, g := range f.Modes {
		if len(g.Parts) == 0 || len(g.Parts) > maxParts {
			return File{}, fmt.Errorf("the grammar of mode %q has no parts or too many", mode)
		}
		for _, p := range g.Parts {
			if err := p.validate(); err != nil {
				return File{}, fmt.Errorf("the grammar of mode %q: %w", mode, err)
			}
		}
	}
	return f, nil
}

func (p Part) validate() error {
	if (p.Lit == "") == (p.Slot == "") {
		return errors.New("a part is either a literal or a slot")
	}
	if p.Lit != "" {
		if p.Type != "" || p.Max != 0 || p.Bound != "" || len(p.Lit) > 256 {
			return errors.New("a literal has nothing but its bytes")
		}
		return nil
	}
	if p.Bound != "" && p.Bound != ByCertificate && p.Bound != BySequence {
		return errors.New("a slot is bound by the certificate, by the sequence or not at all")
	}
	switch p.Type {
	case TypeUint:
		if p.Max == 0 || p.Max > 1<<53-1 {
			return errors.New("a number's largest value is out of range")
		}
	case TypeText:
		if p.Max == 0 || p.Max > 1024 {
			return errors.New("a text's length is out of range")
		}
	case TypeBirth, TypeSex:
	default:
		return errors.New("a slot has an unknown type")
	}
	return nil
}
