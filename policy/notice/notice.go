// Package notice is the wire form of M3, the change notice (異動等失効情報 as
// message) that the register side sends to the CA side (DOMAIN 4.4).
//
// A notice says "something changed about this certificate" and has no place
// for anything else: no resident code, no new name or address, no kind or date
// of the change, no free text, no field whose value a sender may choose
// (DOMAIN PR-01, PR-02, PR-11; promise P4). There are two modes:
//
//	reference  {"basis":"juki-30-8-3","mode":"reference","ordinal":5,"seq":0,"v":1}
//	echo       {"address":"…","basis":"juki-30-8-3","birthDate":"319620617","mode":"echo","name":"…","seq":0,"sex":"1","v":1}
//
// In reference mode, the default, nothing about a person crosses the wall:
// ordinal is fixed by the certificate and seq by the sequence, so a sender
// chooses 0 bits. In echo mode the four attributes must be those certified,
// which the policy checks against the commitment made at issuance (PR-03).
//
// One meaning has exactly one byte string (RFC 8785). The decoder is written
// by hand and takes nothing else: no duplicate key, other case, order, space,
// escape or number form, no byte before or after. Numbers have at most nine
// digits, so that no accepted reference notice holds an 11-digit run at all.
//
//	b, err := notice.Notice{Mode: notice.Reference, Seq: 7, Ordinal: 12}.Marshal()
//	n, err := notice.Parse(b)
//
// The package is pure, and its errors never hold a value.
package notice

import (
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/internal/canon"
)

// Modes of a notice.
const (
	Reference = entry.ModeReference
	Echo      = entry.ModeEcho
)

// Basis is the legal basis that every notice names: Basic Resident Register
// Act, Article 30-8 paragraph 3 (PR-10).
const Basis = "juki-30-8-3"

// Version is the value of v.
const Version = 1

// Limits. MaxNumber keeps ordinal and seq at nine digits, two fewer than a
// resident code has. MaxSize is larger than the largest echo notice: 300
// characters of 4 bytes and the fixed parts.
const (
	MaxNumber = 999_999_999
	MaxSize   = 2048
)

// Four are the four attributes as certified.
type Four = attr.Attributes

// Notice is one change notice. The type has no field that could hold more than
// the wire form does; a test holds it to that by reflection.
type Notice struct {
	Mode    string // Reference or Echo
	Seq     uint64 // notice sequence, gapless from 0, at most MaxNumber; equals the seq of notice.sent
	Ordinal uint64 // reference mode: the certificate's ordinal, at most MaxNumber; 0 in echo mode
	Echo    *Four  // echo mode: the four attributes as certified; nil in reference mode
}

// Marshal returns the notice's one canonical byte string. It fails with code
// N104 for an unknown mode, N103 when members do not belong to the mode, and
// N101 when a value is outside its domain.
func (n Notice) Marshal() ([]byte, error) {
	if n.Seq > MaxNumber || n.Ordinal > MaxNumber {
		return nil, refuse("N101")
	}
	switch n.Mode {
	case Reference:
		if n.Echo != nil {
			return nil, refuse("N103")
		}
		b := append(make([]byte, 0, 96), refHead...)
		b = canon.AppendUint(b, n.Ordinal)
		b = append(b, refSeq...)
		b = canon.AppendUint(b, n.Seq)
		return append(b, tail...), nil
	case Echo:
		if n.Echo == nil || n.Ordinal != 0 {
			return nil, refuse("N103")
		}
		if n.Echo.Validate() != nil {
			return nil, refuse("N101")
		}
		return n.marshalEcho(), nil
	}
	return nil, refuse("N104")
}

func (n Notice) marshalEcho() []byte {
	b := append(make([]byte, 0, 512), echoHead...)
	b = canon.AppendString(b, n.Echo.Address)
	b = append(b, echoBirth...)
	b = canon.AppendString(b, n.Echo.BirthDate)
	b = append(b, echoName...)
	b = canon.AppendString(b, n.Echo.Name)
	b = append(b, echoSeq...)
	b = canon.AppendUint(b, n.Seq)
	b = append(b, echoSex...)
	b = canon.AppendString(b, n.Echo.Sex)
	return append(b, tail...)
}

// The literals of the two grammars, in wire order (members by code point).
const (
	refHead   = `{"basis":"` + Basis + `","mode":"reference","ordinal":`
	refSeq    = `,"seq":`
	echoHead  = `{"address":`
	echoBirth = `,"basis":"` + Basis + `","birthDate":`
	echoName  = `,"mode":"echo","name":`
	echoSeq   = `,"seq":`
	echoSex   = `,"sex":`
	tail      = `,"v":1}`
)

// Parse reads a notice from its exact canonical bytes. Everything else is
// refused with the first rule code that applies, of N101 to N105 (say.Code
// returns it); the error never holds a value.
func Parse(b []byte) (Notice, error) {
	n, form := Examine(b)
	if code := form.Code(); code != "" {
		return Notice{}, refuse(code)
	}
	return n, nil
}

func parseStrict(b []byte) (Notice, bool) {
	if len(b) > MaxSize {
		return Notice{}, false
	}
	r := canon.NewReader(b)
	if r.Next(refHead) {
		n := Notice{Mode: Reference, Ordinal: r.Uint(MaxNumber)}
		r.Lit(refSeq)
		n.Seq = r.Uint(MaxNumber)
		r.Lit(tail)
		return n, r.Done()
	}
	return parseEcho(r)
}

func parseEcho(r *canon.Reader) (Notice, bool) {
	n, e := Notice{Mode: Echo}, new(Four)
	r.Lit(echoHead)
	e.Address = r.Text(attr.MaxAddress)
	r.Lit(echoBirth)
	e.BirthDate = r.Text(9)
	r.Lit(echoName)
	e.Name = r.Text(attr.MaxName)
	r.Lit(echoSeq)
	n.Seq = r.Uint(MaxNumber)
	r.Lit(echoSex)
	e.Sex = r.Text(1)
	r.Lit(tail)
	n.Echo = e
	return n, r.Done() && e.Validate() == nil
}

func refuse(code string) error { return catalogue.Refusal(code) }
