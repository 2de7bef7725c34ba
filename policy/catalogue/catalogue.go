// Package catalogue lists the rule sets: for each, the facts it needs in their
// fixed order, and for each fact the code that refuses when the fact is false.
//
// Every fact is positive: true is good, and a fact that nobody established is
// false. So a forgotten fact refuses, and the one vector that a rule set may
// allow is the one with every fact true. The order of the facts is the bit
// order of a logged decision (entry.Decision.Facts); it never changes within
// one policy bundle.
//
// The package is pure: package notice and the browser verifier use it.
//
//	for _, f := range catalogue.Facts(catalogue.NoticeSend) { fmt.Println(f.Name, f.Code) }
package catalogue

import (
	"github.com/sukashi-project/sukashi/internal/say"
)

// Ruleset names one set of rules, as in entry.Decision.Ruleset.
type Ruleset string

// The rule sets.
const (
	Transfer       Ruleset = "transfer"        // OfflineTransfer file read at the counter (PR-07)
	Issue          Ruleset = "issue"           // application to be certified (DOMAIN 4.1, 5.1)
	HoldersSend    Ruleset = "holders-send"    // M1 as sent by the CA's link server (PR-12)
	HoldersReceive Ruleset = "holders-receive" // M1 as received by the register's link server
	NoticeSend     Ruleset = "notice-send"     // M3 as sent by the register's link server (PR-01 to PR-03)
	NoticeReceive  Ruleset = "notice-receive"  // M3 as received by the CA's link server
	Revoke         Ruleset = "revoke"          // revocation asked for without a notice (DOMAIN 6.4)
)

// Rulesets are all rule sets in the order of a certificate's life.
func Rulesets() []Ruleset {
	return []Ruleset{Transfer, Issue, HoldersSend, HoldersReceive, NoticeSend, NoticeReceive, Revoke}
}

// Facts that the decider itself establishes, the first two of every rule set.
const (
	Complete = "complete"        // every other fact was set by the caller
	Approved = "bundle_approved" // the bundle is in force by a policy.approved entry
)

// Codes that every rule set shares.
const (
	CodeMissing     = "N100" // a fact is missing
	CodeEngine      = "N901" // the engine could not decide
	CodeNotApproved = "N902" // the bundle is not approved
)

// Code is a rule code with its sentence in both languages. A sentence never
// has a place for a value (PR-09).
type Code struct {
	Code string
	JA   string
	EN   string
}

// Text returns the sentence in both languages.
func (c Code) Text() say.Text { return say.Text{JA: c.JA, EN: c.EN} }

// Fact is one boolean that a rule set needs, and the code that refuses when
// it is false.
type Fact struct {
	Name string
	Code string
}

// Facts returns the facts of r in bit order, or nil for an unknown rule set.
// The slice is the caller's own.
func Facts(r Ruleset) []Fact {
	own, ok := facts[r]
	if !ok {
		return nil
	}
	out := make([]Fact, 0, len(own)+2)
	out = append(out, Fact{Complete, CodeMissing}, Fact{Approved, CodeNotApproved})
	return append(out, own...)
}

// Codes returns every code in ascending order.
func Codes() []Code { return append([]Code(nil), codes...) }

// Lookup returns the code's sentence.
func Lookup(code string) (Code, bool) {
	for _, c := range codes {
		if c.Code == code {
			return c, true
		}
	}
	return Code{}, false
}

// Refusal returns an error with this code and its sentence (internal/say), for
// parsers and for answers on the wire.
func Refusal(code string) *say.Error {
	c, ok := Lookup(code)
	if !ok {
		c, _ = Lookup(CodeEngine)
	}
	return say.New(c.Code, c.JA, c.EN)
}
