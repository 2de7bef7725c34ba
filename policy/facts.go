package policy

import (
	"encoding/hex"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// Ruleset names one set of rules; see package catalogue.
type Ruleset = catalogue.Ruleset

// The rule sets.
const (
	Transfer       = catalogue.Transfer
	Issue          = catalogue.Issue
	HoldersSend    = catalogue.HoldersSend
	HoldersReceive = catalogue.HoldersReceive
	NoticeSend     = catalogue.NoticeSend
	NoticeReceive  = catalogue.NoticeReceive
	Revoke         = catalogue.Revoke
)

// Code is a rule code with its sentence in Japanese and English.
type Code = catalogue.Code

// Codes returns every rule code in ascending order.
func Codes() []Code { return catalogue.Codes() }

// FactNames returns the facts of r in bit order: bit i of entry.Decision.Facts
// is fact i. The first two, "complete" and "bundle_approved", are established
// by the Decider, whatever a caller sets. It returns nil for an unknown rule
// set.
func FactNames(r Ruleset) []string {
	fs := catalogue.Facts(r)
	if fs == nil {
		return nil
	}
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.Name
	}
	return names
}

// derived is the number of facts that the Decider establishes itself.
const derived = 2

// Facts are the booleans that one decision needs. A fact that was never set is
// false and makes the decision incomplete (N100); so does setting a fact that
// the rule set does not have. Not safe for concurrent use.
type Facts struct {
	ruleset Ruleset
	index   map[string]int // shared, read-only
	value   []bool
	set     []bool
	stray   bool
}

// NewFacts returns facts of which none is established.
func NewFacts(r Ruleset) *Facts {
	ix := indexOf(r)
	return &Facts{ruleset: r, index: ix, value: make([]bool, len(ix)), set: make([]bool, len(ix))}
}

// Ruleset returns the rule set that the facts belong to.
func (f *Facts) Ruleset() Ruleset { return f.ruleset }

// Set establishes one fact. Setting it again with false wins over an earlier
// true: what was once found wrong stays wrong.
func (f *Facts) Set(name string, v bool) {
	i, ok := f.index[name]
	if !ok {
		f.stray = true
		return
	}
	if i < derived {
		return
	}
	f.value[i] = v && (!f.set[i] || f.value[i])
	f.set[i] = true
}

// Get returns a fact's value: true only when it was set to true.
func (f *Facts) Get(name string) bool {
	i, ok := f.index[name]
	return ok && f.value[i]
}

// Missing returns the names of the facts that were never set.
func (f *Facts) Missing() []string {
	var out []string
	for i, n := range FactNames(f.ruleset) {
		if i >= derived && !f.set[i] {
			out = append(out, n)
		}
	}
	return out
}

// bits returns the vector that is decided on.
func (f *Facts) bits(approved bool) []bool {
	v := append([]bool(nil), f.value...)
	if len(v) < derived {
		return v
	}
	complete := !f.stray
	for _, s := range f.set[derived:] {
		complete = complete && s
	}
	v[0], v[1] = complete, approved
	return v
}

// indexes maps the facts of every rule set to their bits; built once and only
// read.
var indexes = func() map[Ruleset]map[string]int {
	all := make(map[Ruleset]map[string]int)
	for _, r := range catalogue.Rulesets() {
		ix := make(map[string]int)
		for i, f := range catalogue.Facts(r) {
			ix[f.Name] = i
		}
		all[r] = ix
	}
	return all
}()

func indexOf(r Ruleset) map[string]int { return indexes[r] }

// EncodeFacts returns the bitmap of a vector as entry.Decision holds it:
// lower-case hex, bit i of byte i/8 (least significant first) is fact i.
func EncodeFacts(v []bool) string {
	b := make([]byte, max(1, (len(v)+7)/8))
	for i, set := range v {
		if set {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return hex.EncodeToString(b)
}

// DecodeFacts returns the vector of n facts in a bitmap; ok is false when the
// bitmap has another length or a bit beyond the last fact.
func DecodeFacts(bitmap string, n int) (v []bool, ok bool) {
	b, err := hex.DecodeString(bitmap)
	if err != nil || len(b) != max(1, (n+7)/8) {
		return nil, false
	}
	v = make([]bool, n)
	for i := range v {
		v[i] = b[i/8]&(1<<(i%8)) != 0
	}
	return v, EncodeFacts(v) == bitmap
}
