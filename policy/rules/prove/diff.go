package prove

import (
	"context"
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/grammar"
	"github.com/sukashi-project/sukashi/policy/rules"
)

// Difference says what changes when one bundle follows another, before the
// council approves it.
type Difference struct {
	Rulesets     []RulesetDifference `json:"rulesets"`     // only those that change
	Grammars     []string            `json:"grammars"`     // what changes in the notice grammars, one sentence each
	Capabilities bool                `json:"capabilities"` // the engine's capabilities change
	Scanner      bool                `json:"scanner"`      // the scanner's tables or views change
}

// Same reports whether nothing changes that could matter to a decision.
func (d Difference) Same() bool {
	return len(d.Rulesets) == 0 && len(d.Grammars) == 0 && !d.Capabilities && !d.Scanner
}

// RulesetDifference is the change of one rule set, found by deciding the same
// situations with both bundles. A situation is named by the facts that are
// false in it; an empty list is the one where everything holds.
type RulesetDifference struct {
	Name         string     `json:"name"`
	Added        []string   `json:"added"`        // facts that only the new bundle looks at
	Removed      []string   `json:"removed"`      // facts that only the old bundle looked at
	Compared     int        `json:"compared"`     // situations decided with both
	Exhaustive   bool       `json:"exhaustive"`   // these were all situations
	NewlyAllowed [][]string `json:"newlyAllowed"` // refused before, allowed now
	NewlyRefused [][]string `json:"newlyRefused"` // allowed before, refused now
	OtherCodes   [][]string `json:"otherCodes"`   // refused by both, for other reasons
}

// maxListed is how many situations of a kind are listed.
const maxListed = 100

// Diff compares two bundles by deciding with both. Where a rule set has more
// than ExhaustiveFacts facts in the two bundles together, the situations are
// those with up to three facts false, and with all false.
func Diff(ctx context.Context, old, new rules.Bundle) (Difference, error) {
	out := Difference{Capabilities: old.Capabilities != new.Capabilities, Scanner: old.Scanner != new.Scanner}
	var err error
	if out.Grammars, err = diffGrammars(old, new); err != nil {
		return Difference{}, err
	}
	before, err := rules.Analyse(ctx, old)
	if err != nil {
		return Difference{}, fmt.Errorf("the old bundle: %w", err)
	}
	after, err := rules.Analyse(ctx, new)
	if err != nil {
		return Difference{}, fmt.Errorf("the new bundle: %w", err)
	}
	names := append(before.Rulesets(), after.Rulesets()...)
	slices.Sort(names)
	for _, rs := range slices.Compact(names) {
		if !out.Capabilities && rules.SameRuleset(old, new, rs) {
			continue // the same bytes decide the same
		}
		d, changed, err := diffRuleset(ctx, before, after, rs)
		if err != nil {
			return Difference{}, err
		}
		if changed {
			out.Rulesets = append(out.Rulesets, d)
		}
	}
	return out, nil
}

func diffRuleset(ctx context.Context, before, after *rules.Analysis, rs catalogue.Ruleset) (RulesetDifference, bool, error) {
	d := RulesetDifference{Name: string(rs)}
	union := factNames(before, rs)
	for _, n := range factNames(after, rs) {
		if !slices.Contains(union, n) {
			union, d.Added = append(union, n), append(d.Added, n)
		}
	}
	for _, n := range factNames(before, rs) {
		if !slices.Contains(factNames(after, rs), n) {
			d.Removed = append(d.Removed, n)
		}
	}
	var vectors [][]bool
	if d.Exhaustive = len(union) <= ExhaustiveFacts; !d.Exhaustive {
		vectors = structured(len(union))
	}
	total := 1 << len(union)
	if !d.Exhaustive {
		total = len(vectors)
	}
	for i := range total {
		v := make([]bool, len(union))
		if d.Exhaustive {
			for j := range v {
				v[j] = i>>j&1 == 0
			}
		} else {
			v = vectors[i]
		}
		if err := d.situation(ctx, before, after, rs, union, v); err != nil {
			return d, false, err
		}
	}
	changed := len(d.Added)+len(d.Removed)+len(d.NewlyAllowed)+len(d.NewlyRefused)+len(d.OtherCodes) > 0
	return d, changed, nil
}

// situation decides one situation with both bundles.
func (d *RulesetDifference) situation(ctx context.Context, before, after *rules.Analysis, rs catalogue.Ruleset, union []string, v []bool) error {
	d.Compared++
	was, wasCodes, err := decideNamed(ctx, before, rs, union, v)
	if err != nil {
		return err
	}
	is, isCodes, err := decideNamed(ctx, after, rs, union, v)
	if err != nil {
		return err
	}
	list := &d.OtherCodes
	switch {
	case is && !was:
		list = &d.NewlyAllowed
	case was && !is:
		list = &d.NewlyRefused
	case slices.Equal(wasCodes, isCodes):
		return nil
	}
	if len(*list) == maxListed {
		return nil
	}
	falses := []string{}
	for i, n := range union {
		if !v[i] {
			falses = append(falses, n)
		}
	}
	*list = append(*list, falses)
	return nil
}

func factNames(a *rules.Analysis, rs catalogue.Ruleset) []string {
	var out []string
	for _, f := range a.Facts(rs) {
		out = append(out, f.Name)
	}
	return out
}

// decideNamed decides with a bundle that may know only some of the facts; a
// bundle without the rule set refuses.
func decideNamed(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset, union []string, v []bool) (bool, []string, error) {
	names := factNames(a, rs)
	if names == nil {
		return false, []string{catalogue.CodeEngine}, nil
	}
	own := make([]bool, len(names))
	for i, n := range names {
		own[i] = v[slices.Index(union, n)]
	}
	allow, codes, err := a.Eval(ctx, rs, own)
	if err != nil {
		if ctx.Err() != nil {
			return false, nil, ctx.Err()
		}
		return false, []string{catalogue.CodeEngine}, nil
	}
	return allow, codes, nil
}

// diffGrammars says how the notice grammars change.
func diffGrammars(old, new rules.Bundle) ([]string, error) {
	if old.Grammar == new.Grammar {
		return nil, nil
	}
	before, err := grammar.Parse(old.File(rules.FileGrammar))
	if err != nil {
		return nil, fmt.Errorf("the old bundle: %w", err)
	}
	after, err := grammar.Parse(new.File(rules.FileGrammar))
	if err != nil {
		return nil, fmt.Errorf("the new bundle: %w", err)
	}
	out := []string{}
	if before.BudgetBits != after.BudgetBits {
		out = append(out, fmt.Sprintf("the budget changes from %d to %d bits", before.BudgetBits, after.BudgetBits))
	}
	modes := []string{}
	for m := range before.Modes {
		modes = append(modes, m)
	}
	for m := range after.Modes {
		if !slices.Contains(modes, m) {
			modes = append(modes, m)
		}
	}
	slices.Sort(modes)
	for _, m := range modes {
		b, a := capacityText(before, m), capacityText(after, m)
		if b != a {
			out = append(out, fmt.Sprintf("mode %s: %s; now %s", m, b, a))
		}
	}
	if len(out) == 0 {
		out = append(out, "the grammars are written differently, with the same capacity")
	}
	return out, nil
}

func capacityText(f grammar.File, mode string) string {
	g, ok := f.Modes[mode]
	if !ok {
		return "does not exist"
	}
	c, err := g.Capacity()
	if err != nil {
		return "has no finite capacity"
	}
	return fmt.Sprintf("%.2f bits, %.2f of them the sender's choice, digit runs up to %d", c.Bits, c.FreeBits, c.DigitRun)
}
