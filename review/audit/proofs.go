package audit

import (
	"encoding/json"
	"errors"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// ProofFigure is what a policy bundle's proof certificate says. The certificate
// is read here without the prover's own type: the report quotes it, it does
// not vouch for it.
type ProofFigure struct {
	Holds    bool
	Facts    uint64  // facts shown to be necessary, by partial evaluation
	Decided  uint64  // vectors of facts decided
	Allowed  uint64  // of these allowed: one for each rule set
	Rulesets uint64  // rule sets proved
	Mutants  uint64  // faults put into the rules, one at a time
	Noticed  uint64  // of these noticed
	FreeBits float64 // the most that any notice can carry beyond "something changed", in bits
	DigitRun uint64  // longest run of digits in a notice outside bound slots
	Engine   string  // policy engine that was proved with

	bundle entry.Digest
}

// parseProof reads the members that the report quotes.
func parseProof(b []byte) (*ProofFigure, error) {
	var c struct {
		V        int          `json:"v"`
		Holds    bool         `json:"holds"`
		Bundle   entry.Digest `json:"bundle"`
		Rulesets []struct {
			Facts      []string `json:"facts"`
			Conditions []int    `json:"conditions"`
			Enumerated uint64   `json:"enumerated"`
			Allowed    uint64   `json:"allowed"`
		} `json:"rulesets"`
		Grammars []struct {
			FreeBits   float64 `json:"freeBits"`
			OutsideRun uint64  `json:"outsideRun"`
		} `json:"grammars"`
		Mutations struct {
			Total   uint64 `json:"total"`
			Noticed uint64 `json:"noticed"`
		} `json:"mutations"`
		Tools struct {
			OPA string `json:"opa"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	if c.V != 1 || len(c.Rulesets) == 0 || len(c.Grammars) == 0 {
		return nil, errors.New("not a proof certificate of version 1")
	}
	f := &ProofFigure{Holds: c.Holds, Rulesets: uint64(len(c.Rulesets)), Mutants: c.Mutations.Total, Noticed: c.Mutations.Noticed, Engine: c.Tools.OPA, bundle: c.Bundle}
	for _, r := range c.Rulesets {
		f.Facts += uint64(len(r.Facts))
		f.Decided += r.Enumerated
		f.Allowed += r.Allowed
		f.Holds = f.Holds && r.Allowed == 1 && len(r.Conditions) == len(r.Facts)
		for _, n := range r.Conditions {
			f.Holds = f.Holds && n == 0
		}
	}
	for _, g := range c.Grammars {
		f.FreeBits, f.DigitRun = max(f.FreeBits, g.FreeBits), max(f.DigitRun, g.OutsideRun)
	}
	return f, nil
}
