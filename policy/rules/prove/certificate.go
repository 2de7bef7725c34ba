// Package prove proves a policy bundle, so that a council approves what was
// shown and not what was promised (promise P4):
//
//   - for every fact that must hold, OPA's partial evaluation leaves no
//     condition under which a message without it is allowed
//   - all vectors of facts, or where there are too many the structured ones,
//     are decided, and exactly one is allowed
//   - missing and wrongly typed facts never allow
//   - OPA, Cedar and plain Go agree on outcome and codes
//   - the notice grammars are those of the decoder, hold no 11-digit run
//     outside bound slots, and leave a sender no more than the budget
//   - every mutant of the rules is noticed by these checks
//
// The outcome is a proof certificate: a file with digests and tool versions,
// the same bytes for everyone who runs it again with the same tools.
//
//	c, err := prove.Run(ctx, rules.Shipped())
//	os.WriteFile("proof.json", c.Marshal(), 0o644)
package prove

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/oracle"
)

// ErrNotProved is returned with a certificate that holds what failed.
var ErrNotProved = errors.New("the policy bundle could not be proved")

// Certificate is the outcome of a proof. It holds no time and no duration, so
// that two runs give the same bytes.
type Certificate struct {
	Version      int          `json:"v"`
	Holds        bool         `json:"holds"`
	Bundle       entry.Digest `json:"bundle"`
	Capabilities entry.Digest `json:"capabilities"`
	Grammar      entry.Digest `json:"grammar"`
	Scanner      entry.Digest `json:"scanner"`
	Tools        Tools        `json:"tools"`
	Rulesets     []Ruleset    `json:"rulesets"`
	Grammars     []Mode       `json:"grammars"`
	Mutations    Mutations    `json:"mutations"`
	Failures     []string     `json:"failures"` // what did not hold; never a value of a message
}

// Tools are the versions of what the proof relies on.
type Tools struct {
	Go      string `json:"go"`
	OPA     string `json:"opa"`
	Cedar   string `json:"cedar"`
	Unicode string `json:"unicode"`
	Scanner int    `json:"scanner"`
}

// Ruleset is the proof of one rule set.
type Ruleset struct {
	Name       string   `json:"name"`
	Facts      []string `json:"facts"`      // in bit order; each must be true
	Conditions []int    `json:"conditions"` // for each fact: ways left to allow when it is false, by partial evaluation; all 0
	NormalForm string   `json:"normalForm"` // the residual with every fact unknown: one conjunction
	Exhaustive bool     `json:"exhaustive"` // all 2^facts vectors were decided
	Enumerated int      `json:"enumerated"` // vectors decided
	Allowed    int      `json:"allowed"`    // of these allowed; must be 1
	IllTyped   int      `json:"illTyped"`   // inputs with absent or wrongly typed facts, none allowed
	Compared   int      `json:"compared"`   // decisions on which OPA, Cedar and Go agree, codes included
}

// Mode is the proof of one notice grammar.
type Mode struct {
	Name        string  `json:"name"`
	States      int     `json:"states"`      // of the automaton
	Expressible string  `json:"expressible"` // number of notices that the grammar accepts, decimal
	Bits        float64 `json:"bits"`        // log2 of it
	Free        string  `json:"free"`        // number of them given the certificate and the sequence
	FreeBits    float64 `json:"freeBits"`    // log2 of it
	BudgetBits  uint64  `json:"budgetBits"`  // the most that is allowed
	DigitRun    int     `json:"digitRun"`    // longest run of digits in any notice, at most 11
	OutsideRun  int     `json:"outsideRun"`  // the same outside bound slots; must be below 11
}

// Mutations counts the mutants of the rules.
type Mutations struct {
	Total     int `json:"total"`
	Noticed   int `json:"noticed"`   // by the semantic checks alone, without the house rules
	ByCompile int `json:"byCompile"` // of these, refused by the compiler: schema, capabilities, strict mode
}

// Marshal returns the certificate's bytes: indented JSON, ending in a newline.
func (c Certificate) Marshal() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return nil // the type has nothing that JSON can't hold
	}
	return buf.Bytes()
}

// Digest is the SHA-256 of the certificate's bytes, for the log and the report.
func (c Certificate) Digest() entry.Digest { return entry.Sum(c.Marshal()) }

func tools() Tools {
	return Tools{
		Go: runtime.Version(), OPA: rules.EngineID(), Cedar: oracle.EngineID,
		Unicode: jtext.UnicodeVersion, Scanner: jtext.ScannerVersion,
	}
}
