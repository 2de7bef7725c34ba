package rules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// Analysis asks a bundle questions that a proof is made of. It compiles the
// bundle without the house rules, so that a sabotaged bundle is found out by
// what it does and not only by how it looks.
type Analysis struct {
	*Engine
	compiler *ast.Compiler
	allow    map[catalogue.Ruleset]rego.PreparedEvalQuery
}

// Analyse compiles the given rule sets of a bundle, or all of them.
func Analyse(ctx context.Context, b Bundle, only ...catalogue.Ruleset) (*Analysis, error) {
	if len(only) > 0 {
		var err error
		if b, err = restrict(b, only); err != nil {
			return nil, err
		}
	}
	cat, err := readCatalogue(b)
	if err != nil {
		return nil, err
	}
	for _, rs := range only {
		if cat[rs] == nil {
			return nil, fmt.Errorf("the policy bundle has no rule set %s", rs)
		}
	}
	for rs := range cat {
		if len(only) > 0 && !slices.Contains(only, rs) {
			delete(cat, rs)
		}
	}
	c, err := compiler(b, cat)
	if err != nil {
		return nil, err
	}
	a := &Analysis{compiler: c, allow: map[catalogue.Ruleset]rego.PreparedEvalQuery{}}
	if a.Engine, err = newEngine(ctx, c, cat); err != nil {
		return nil, err
	}
	for rs := range cat {
		q, err := a.prepare("data." + Package(rs) + ".allow").PrepareForEval(ctx)
		if err != nil {
			return nil, fmt.Errorf("couldn't prepare rule set %s: %w", rs, err)
		}
		a.allow[rs] = q
	}
	return a, nil
}

// restrict drops the modules of other rule sets, which can't matter: packages
// may not import one another, and modules that no rule set owns are kept.
func restrict(b Bundle, only []catalogue.Ruleset) (Bundle, error) {
	files := b.Files()
	for _, rs := range catalogue.Rulesets() {
		if !slices.Contains(only, rs) {
			delete(files, "sukashi/"+stem(rs)+".rego")
		}
	}
	return Pack(files)
}

func (a *Analysis) prepare(query string, opts ...func(*rego.Rego)) *rego.Rego {
	return rego.New(append([]func(*rego.Rego){rego.Query(query), rego.Compiler(a.compiler), rego.StrictBuiltinErrors(true)}, opts...)...)
}

// Conditions partially evaluates allow with one fact fixed and every other
// unknown, and returns what remains: how many ways are left to make it true,
// and their text. None left is OPA's own proof that no vector with that value
// is allowed.
func (a *Analysis) Conditions(ctx context.Context, rs catalogue.Ruleset, fact string, value bool) (int, string, error) {
	return a.partial(ctx, rs, map[string]any{fact: value})
}

// NormalForm partially evaluates allow with every fact unknown: the rule set's
// normal form, one line for each way to make it true.
func (a *Analysis) NormalForm(ctx context.Context, rs catalogue.Ruleset) (int, string, error) {
	return a.partial(ctx, rs, map[string]any{})
}

func (a *Analysis) partial(ctx context.Context, rs catalogue.Ruleset, fixed map[string]any) (int, string, error) {
	var unknown []string
	for _, f := range a.Facts(rs) {
		if _, ok := fixed[f.Name]; !ok {
			unknown = append(unknown, "input."+f.Name)
		}
	}
	pq, err := a.prepare("data."+Package(rs)+".allow == true", rego.Unknowns(unknown), rego.Input(fixed)).Partial(ctx)
	if err != nil {
		return 0, "", fmt.Errorf("couldn't evaluate rule set %s partially: %w", rs, err)
	}
	var text []string
	for _, q := range pq.Queries {
		text = append(text, q.String())
	}
	for _, m := range pq.Support {
		text = append(text, m.String())
	}
	return len(text), strings.Join(text, "\n"), nil
}

// Allows evaluates the allow rule alone, which is much cheaper than a whole
// decision, for enumerations.
func (a *Analysis) Allows(ctx context.Context, rs catalogue.Ruleset, vector []bool) (bool, error) {
	s := a.sets[rs]
	if s == nil || len(vector) != len(s.keys) {
		return false, errors.New("the rule set is unknown or the vector has another length")
	}
	return readAllow(a.allow[rs].Eval(ctx, rego.EvalParsedInput(s.input(vector))))
}

// AllowsRaw evaluates allow over any input object: facts may be absent or of
// another type.
func (a *Analysis) AllowsRaw(ctx context.Context, rs catalogue.Ruleset, input map[string]any) (bool, error) {
	q, ok := a.allow[rs]
	if !ok {
		return false, errors.New("the rule set is unknown")
	}
	return readAllow(q.Eval(ctx, rego.EvalInput(input)))
}

func readAllow(rs rego.ResultSet, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	if len(rs) == 0 {
		return false, nil // undefined
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return false, errUndecided
	}
	v, ok := rs[0].Expressions[0].Value.(bool)
	if !ok {
		return false, errUndecided
	}
	return v, nil
}

// SameRuleset reports whether two bundles have the same module, schema and
// facts for a rule set, so that they decide the same.
func SameRuleset(a, b Bundle, rs catalogue.Ruleset) bool {
	for _, name := range []string{"sukashi/" + stem(rs) + ".rego", "schemas/" + stem(rs) + ".json"} {
		if a.File(name) == nil || !bytes.Equal(a.File(name), b.File(name)) {
			return false
		}
	}
	ca, err := readCatalogue(a)
	if err != nil {
		return false
	}
	cb, err := readCatalogue(b)
	return err == nil && slices.Equal(ca[rs], cb[rs]) && ca[rs] != nil
}

// CountAllowed decides the vectors first, first+step, first+2·step, … of all
// 2^facts with the allow rule, where bit i of the number is fact i, and returns
// how many are allowed. Several goroutines with different first share the work.
func (a *Analysis) CountAllowed(ctx context.Context, rs catalogue.Ruleset, first, step uint64) (allowed int, err error) {
	s := a.sets[rs]
	if s == nil || len(s.facts) > 32 || step == 0 {
		return 0, errors.New("the rule set is unknown or too large to enumerate")
	}
	in := make(map[string]any, len(s.facts))
	for i, f := range s.facts {
		in[f.Name] = first>>i&1 == 1
	}
	q := a.allow[rs]
	for n, last := first, first; n < 1<<len(s.facts); n += step {
		for changed := n ^ last; changed != 0; changed &= changed - 1 {
			i := bits.TrailingZeros64(changed)
			in[s.facts[i].Name] = n>>i&1 == 1
		}
		last = n
		ok, err := readAllow(q.Eval(ctx, rego.EvalParsedInput(ast.LazyObject(in))))
		if err != nil {
			return 0, err
		}
		if ok {
			allowed++
		}
		if n%4096 < step && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return allowed, nil
}
