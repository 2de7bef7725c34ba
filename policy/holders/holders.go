// Package holders is the wire form of M1, the daily holders list that the CA
// side sends to the register side (DOMAIN 4.4, PR-12).
//
// A list says which holders are new since the last list, with their four
// attributes as certified, the ordinal and the record key, and which are gone,
// by ordinal alone. It carries no serial, no public key, no resident code and
// no free text.
//
// The set digest that both ends log is computed from what the ledger already
// shows (ordinals and subject commitments of cert.intent), so anyone can
// recompute it from the log alone, and it says nothing about a person.
//
//	b, err := list.Marshal()
//	list, err := holders.Parse(b)
//	d := list.Digest() // goes into holders.sent and holders.received
//
// One meaning has exactly one byte string (RFC 8785). The package is pure, and
// its errors never hold a value.
package holders

import (
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/internal/canon"
)

// Basis is the legal basis that every list names: JPKI Act, Article 12, for
// which the register side needs to know the holders (PR-10).
const Basis = "jpki-12"

// Version is the value of v.
const Version = 1

// Limits. A list of MaxHolders new holders takes about 200 MB at the outside,
// 50 MB with names and addresses of usual length.
const (
	MaxNumber  = 999_999_999 // ordinals, sequence and total: nine digits, as in package notice
	MaxHolders = 1 << 18     // new holders, and gone holders, in one list
	MaxSize    = 256 << 20   // bytes
)

// Holder is one new holder.
type Holder struct {
	Ordinal   uint64         // the certificate's ordinal, at most MaxNumber
	Key       commitment.Key // the record key, so that both sides make the same commitments
	Certified attr.Certified // the six values as certified
}

// List is one day's list.
type List struct {
	Day   string   // day in Japan, "2026-11-23"
	Seq   uint64   // gapless from 0, at most MaxNumber
	New   []Holder // by ordinal, ascending
	Gone  []uint64 // ordinals struck off, ascending
	Total uint64   // holders in force after this list, at most MaxNumber
}

// The literals of the grammar, in wire order.
const (
	litDay     = `{"basis":"` + Basis + `","day":"`
	litGone    = `","gone":[`
	litNew     = `],"new":[`
	litSeq     = `],"seq":`
	litTotal   = `,"total":`
	litEnd     = `,"v":1}`
	litAddress = `{"address":`
	litAddrMap = `,"addressMap":`
	litBirth   = `,"birthDate":`
	litKey     = `,"key":"`
	litName    = `","name":`
	litNameMap = `,"nameMap":`
	litOrdinal = `,"ordinal":`
	litSex     = `,"sex":`
)

// Marshal returns the list's one canonical byte string, or an error with rule
// code H101 when a value is outside its domain or an order is broken.
func (l List) Marshal() ([]byte, error) {
	if !l.valid() {
		return nil, catalogue.Refusal("H101")
	}
	b := make([]byte, 0, 256+480*len(l.New)+10*len(l.Gone))
	b = append(append(b, litDay...), l.Day...)
	b = append(b, litGone...)
	for i, o := range l.Gone {
		if i > 0 {
			b = append(b, ',')
		}
		b = canon.AppendUint(b, o)
	}
	b = append(b, litNew...)
	for i := range l.New {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.New[i].append(b)
	}
	b = canon.AppendUint(append(b, litSeq...), l.Seq)
	b = canon.AppendUint(append(b, litTotal...), l.Total)
	b = append(b, litEnd...)
	if len(b) > MaxSize {
		return nil, catalogue.Refusal("H101")
	}
	return b, nil
}

func (h *Holder) append(b []byte) []byte {
	c := &h.Certified
	b = canon.AppendString(append(b, litAddress...), c.Address)
	b = canon.AppendString(append(b, litAddrMap...), c.AddressMap)
	b = canon.AppendString(append(b, litBirth...), c.BirthDate)
	b = append(append(b, litKey...), h.Key.Hex()...)
	b = canon.AppendString(append(b, litName...), c.Name)
	b = canon.AppendString(append(b, litNameMap...), c.NameMap)
	b = canon.AppendUint(append(b, litOrdinal...), h.Ordinal)
	b = canon.AppendString(append(b, litSex...), c.Sex)
	return append(b, '}')
}

// valid reports whether every value is in its domain and both lists ascend.
func (l *List) valid() bool {
	if !isDay(l.Day) || l.Seq > MaxNumber || l.Total > MaxNumber ||
		len(l.New) > MaxHolders || len(l.Gone) > MaxHolders {
		return false
	}
	for i, o := range l.Gone {
		if o > MaxNumber || i > 0 && l.Gone[i-1] >= o {
			return false
		}
	}
	for i := range l.New {
		h := &l.New[i]
		if h.Ordinal > MaxNumber || i > 0 && l.New[i-1].Ordinal >= h.Ordinal ||
			h.Key.IsZero() || h.Certified.Validate() != nil {
			return false
		}
	}
	return true
}

// isDay reports whether s is a day of the form 2026-11-23.
func isDay(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i, c := range []byte(s) {
		if i != 4 && i != 7 && (c < '0' || c > '9') {
			return false
		}
	}
	return s[:4] >= "1900" && s[5:7] >= "01" && s[5:7] <= "12" && s[8:] >= "01" && s[8:] <= daysIn(s[:4], s[5:7])
}

func daysIn(year, month string) string {
	switch month {
	case "04", "06", "09", "11":
		return "30"
	case "02":
		y := int(year[0]-'0')*1000 + int(year[1]-'0')*100 + int(year[2]-'0')*10 + int(year[3]-'0')
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return "29"
		}
		return "28"
	}
	return "31"
}
