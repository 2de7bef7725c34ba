// Package oracle decides the same rule sets a second and a third time, without
// OPA: in Cedar, whose engine shares no code with OPA, and in plain Go.
//
// An engine can be wrong; OPA releases have changed decisions before. A
// decision that three independent engines agree on is hard to get wrong. The
// proof (package prove) compares all three; replay uses OPA alone.
//
//	o, err := oracle.New()
//	allow, codes, err := o.Cedar(catalogue.Revoke, vector)
package oracle

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// EngineID is the Cedar engine and its version; a test holds it against go.mod.
const EngineID = "cedar-go-1.9.0"

//go:embed rules.cedar
var rules []byte

// Rules returns the Cedar text: for each rule set one permit over all facts,
// and for each fact one forbid that carries its code as annotation.
func Rules() []byte { return slices.Clone(rules) }

// Oracle decides with Cedar. It is safe for concurrent use.
type Oracle struct {
	sets  map[catalogue.Ruleset]*cedar.PolicySet
	codes map[cedar.PolicyID]string
	keys  map[catalogue.Ruleset][]types.String
}

// New parses the Cedar rules.
func New() (*Oracle, error) {
	all, err := cedar.NewPolicyListFromBytes("rules.cedar", rules)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the Cedar rules: %w", err)
	}
	o := &Oracle{sets: map[catalogue.Ruleset]*cedar.PolicySet{}, codes: map[cedar.PolicyID]string{}, keys: map[catalogue.Ruleset][]types.String{}}
	for i, p := range all {
		notes := p.Annotations()
		rs := catalogue.Ruleset(notes["ruleset"])
		if o.sets[rs] == nil {
			o.sets[rs] = cedar.NewPolicySet()
			for _, f := range catalogue.Facts(rs) {
				o.keys[rs] = append(o.keys[rs], types.String(f.Name))
			}
		}
		id := cedar.PolicyID(fmt.Sprintf("p%d", i))
		o.sets[rs].Add(id, p)
		o.codes[id] = string(notes["code"])
	}
	return o, nil
}

// Cedar decides over one vector in the order of catalogue.Facts.
func (o *Oracle) Cedar(rs catalogue.Ruleset, vector []bool) (allow bool, codes []string, err error) {
	set, keys := o.sets[rs], o.keys[rs]
	if set == nil || len(keys) != len(vector) {
		return false, nil, errors.New("the rule set is unknown or the vector has another length")
	}
	ctx := types.RecordMap{}
	for i, k := range keys {
		ctx[k] = types.Boolean(vector[i])
	}
	d, diag := cedar.Authorize(set, nil, cedar.Request{
		Principal: types.NewEntityUID("Role", "any"), Action: types.NewEntityUID("Action", types.String(rs)),
		Resource: types.NewEntityUID("Message", "this"), Context: types.NewRecord(ctx),
	})
	if len(diag.Errors) > 0 {
		return false, nil, errors.New("the Cedar rules failed on this vector")
	}
	if d == cedar.Allow {
		return true, nil, nil
	}
	for _, r := range diag.Reasons {
		codes = append(codes, o.codes[r.PolicyID])
	}
	slices.Sort(codes)
	return false, slices.Compact(codes), nil
}

// Go decides over one vector in plain Go, straight from the catalogue.
func Go(rs catalogue.Ruleset, vector []bool) (allow bool, codes []string, err error) {
	facts := catalogue.Facts(rs)
	if facts == nil || len(facts) != len(vector) {
		return false, nil, errors.New("the rule set is unknown or the vector has another length")
	}
	for i, v := range vector {
		if !v {
			codes = append(codes, facts[i].Code)
		}
	}
	slices.Sort(codes)
	return len(codes) == 0, slices.Compact(codes), nil
}
