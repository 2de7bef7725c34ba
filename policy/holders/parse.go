package holders

import (
	"bytes"
	"encoding/json"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/internal/canon"
)

// Form says which of the form rules a byte string keeps; the zero Form refuses
// everything.
type Form struct {
	Grammar   bool // H101
	Canonical bool // H102
	Fields    bool // H103
	Basis     bool // H105
}

// Code returns the first rule code that applies, or "".
func (f Form) Code() string {
	switch {
	case f == Form{true, true, true, true}:
		return ""
	case f == Form{}:
		return "H101"
	case !f.Fields:
		return "H103"
	case !f.Basis:
		return "H105"
	case !f.Grammar:
		return "H101"
	}
	return "H102"
}

// Parse reads a list from its exact canonical bytes. Everything else is
// refused with a rule code (say.Code returns it), never with a value.
func Parse(b []byte) (List, error) {
	l, f := Examine(b)
	if code := f.Code(); code != "" {
		return List{}, catalogue.Refusal(code)
	}
	return l, nil
}

// Examine reads a list and says which form rules it keeps. The list is zero
// unless all are kept.
func Examine(b []byte) (List, Form) {
	if l, ok := parseStrict(b); ok {
		return l, Form{true, true, true, true}
	}
	return List{}, diagnose(b)
}

func parseStrict(b []byte) (List, bool) {
	if len(b) > MaxSize {
		return List{}, false
	}
	r, l := canon.NewReader(b), List{}
	r.Lit(litDay)
	l.Day = r.Raw(10)
	r.Lit(litGone)
	for r.OK() && !r.Next(litNew) {
		if len(l.Gone) > 0 {
			r.Lit(",")
		}
		if len(l.Gone) == MaxHolders {
			return List{}, false
		}
		l.Gone = append(l.Gone, r.Uint(MaxNumber))
	}
	for r.OK() && !r.Next(litSeq) {
		if len(l.New) > 0 {
			r.Lit(",")
		}
		if len(l.New) == MaxHolders {
			return List{}, false
		}
		l.New = append(l.New, parseHolder(r))
	}
	l.Seq = r.Uint(MaxNumber)
	r.Lit(litTotal)
	l.Total = r.Uint(MaxNumber)
	r.Lit(litEnd)
	if !r.Done() || !l.valid() {
		return List{}, false
	}
	return l, true
}

func parseHolder(r *canon.Reader) Holder {
	var h Holder
	c := &h.Certified
	r.Lit(litAddress)
	c.Address = r.Text(attr.MaxAddress)
	r.Lit(litAddrMap)
	c.AddressMap = r.Text(attr.MaxAddress)
	r.Lit(litBirth)
	c.BirthDate = r.Text(9)
	r.Lit(litKey)
	key, err := commitment.ParseKey(r.Raw(2 * commitment.KeySize))
	if err != nil {
		r.Fail()
	}
	h.Key = key
	r.Lit(litName)
	c.Name = r.Text(attr.MaxName)
	r.Lit(litNameMap)
	c.NameMap = r.Text(attr.MaxName)
	r.Lit(litOrdinal)
	h.Ordinal = r.Uint(MaxNumber)
	r.Lit(litSex)
	c.Sex = r.Text(1)
	r.Lit("}")
	return h
}

// loose is only for telling why refused bytes were refused; what is read
// through it is never accepted.
type loose struct {
	Basis string           `json:"basis"`
	Day   string           `json:"day"`
	Gone  []uint64         `json:"gone"`
	New   []map[string]any `json:"new"`
	Seq   uint64           `json:"seq"`
	Total uint64           `json:"total"`
	V     int              `json:"v"`
}

func diagnose(b []byte) Form {
	var f Form
	if len(b) > MaxSize {
		return f
	}
	var keys map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(b))
	if dec.Decode(&keys) != nil {
		return f
	}
	f.Fields = hasExactly(keys, "basis", "day", "gone", "new", "seq", "total", "v")
	f.Basis = string(keys["basis"]) == `"`+Basis+`"`
	var l loose
	if json.Unmarshal(b, &l) == nil {
		for _, h := range l.New {
			f.Fields = f.Fields && hasExactly(h, "address", "addressMap", "birthDate", "key", "name", "nameMap", "ordinal", "sex")
		}
	}
	return f
}

func hasExactly[V any](m map[string]V, keys ...string) bool {
	if len(m) != len(keys) {
		return false
	}
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			return false
		}
	}
	return true
}
