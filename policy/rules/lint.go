package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// allowedBuiltins is the whitelist: three operators, all deterministic. A
// bundle may name fewer, never another.
var allowedBuiltins = []string{"assign", "eq", "equal"}

// Lint returns which house rules a bundle breaks, one sentence each, or
// nothing. They go beyond OPA's strict mode, which a misspelt field, a negated
// absence and a default that allows all pass:
//
//   - one module for each rule set of the catalogue, in its own package, and
//     no other; its schema closes every other field
//   - exactly the rules allow, deny and decision; decision is the one
//     entrypoint; every rule has a label
//   - allow is one rule with one flat conjunction of input.FACT == true, each
//     fact of the catalogue once
//   - deny has exactly one rule for each fact, input.FACT == false, with the
//     code of the catalogue
//   - no default, no negation, no with, no comprehension, no import, no
//     function, no built-in outside the whitelist, no network
func Lint(b Bundle) []string {
	l := &linter{}
	caps, err := capabilities(b)
	if err != nil {
		return []string{err.Error()}
	}
	for _, x := range caps.Builtins {
		if !slices.Contains(allowedBuiltins, x.Name) {
			l.fault("capabilities", "allow a built-in outside the whitelist")
		}
	}
	cat, err := readCatalogue(b)
	if err != nil {
		return append(l.faults, err.Error())
	}
	modules, err := parseModules(b, caps)
	if err != nil {
		return append(l.faults, err.Error())
	}
	l.catalogue(b, cat)
	for rs, facts := range cat {
		name := "sukashi/" + stem(rs) + ".rego"
		m, ok := modules[name]
		if !ok {
			l.fault(name, "is missing")
			continue
		}
		delete(modules, name)
		l.module(name, m, rs, facts)
		l.schema(b, rs, facts)
	}
	for name := range modules {
		l.fault(name, "is not a rule set of the catalogue")
	}
	slices.Sort(l.faults)
	return l.faults
}

type linter struct{ faults []string }

func (l *linter) fault(where, what string, args ...any) {
	l.faults = append(l.faults, where+": "+fmt.Sprintf(what, args...))
}

// module checks one rule set.
func (l *linter) module(name string, m *ast.Module, rs catalogue.Ruleset, facts []catalogue.Fact) {
	if m.Package.Path.String() != "data."+Package(rs) {
		l.fault(name, "is not package %s", Package(rs))
	}
	if len(m.Imports) > 0 {
		l.fault(name, "imports something")
	}
	l.shapes(name, m)
	l.annotations(name, m, rs)
	var allow, deny, decision []*ast.Rule
	for _, r := range m.Rules {
		switch {
		case r.Default:
			l.fault(name, "has a default rule")
		case len(r.Head.Args) > 0:
			l.fault(name, "defines a function")
		}
		switch r.Head.Ref().String() {
		case "allow":
			allow = append(allow, r)
		case "deny":
			deny = append(deny, r)
		case "decision":
			decision = append(decision, r)
		default:
			l.fault(name, "has a rule other than allow, deny and decision")
		}
	}
	l.allow(name, allow, facts)
	l.deny(name, deny, facts)
	l.decision(name, decision)
}

// shapes refuses whatever could make a missing fact count for something.
func (l *linter) shapes(name string, m *ast.Module) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.Negated {
			l.fault(name, "uses not")
		}
		if len(e.With) > 0 {
			l.fault(name, "uses with")
		}
		if e.IsEvery() || e.IsSome() {
			l.fault(name, "uses some or every")
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		switch t.Value.(type) {
		case *ast.SetComprehension, *ast.ArrayComprehension, *ast.ObjectComprehension:
			l.fault(name, "uses a comprehension")
		case ast.Call:
			l.fault(name, "calls a function")
		}
		return false
	})
}

// annotations checks schema, entrypoint and labels.
func (l *linter) annotations(name string, m *ast.Module, rs catalogue.Ruleset) {
	schemas := 0
	for _, a := range m.Annotations {
		for _, s := range a.Schemas {
			schemas++
			if a.Scope != "package" || s.Path.String() != "input" || s.Schema.String() != "schema."+stem(rs) {
				l.fault(name, "attaches another schema than its own")
			}
		}
	}
	if schemas != 1 {
		l.fault(name, "does not attach exactly its input schema")
	}
	entrypoints := 0
	for _, r := range m.Rules {
		label := ""
		for _, a := range r.Annotations {
			if a.Entrypoint {
				entrypoints++
			}
			if s, ok := a.Labels["rule"].(string); ok {
				label = s
			}
		}
		want := r.Head.Ref().String()
		if want == "deny" && r.Head.Key != nil {
			want = strings.Trim(r.Head.Key.String(), `"`)
		}
		if label != want {
			l.fault(name, "has a rule without its label (line %d)", r.Location.Row)
		}
	}
	if entrypoints != 1 {
		l.fault(name, "has %d entrypoints, not one", entrypoints)
	}
}

// schema checks that the input schema closes every field but the catalogue's.
func (l *linter) schema(b Bundle, rs catalogue.Ruleset, facts []catalogue.Fact) {
	name := "schemas/" + stem(rs) + ".json"
	var s struct {
		Type       string `json:"type"`
		More       *bool  `json:"additionalProperties"`
		Properties map[string]struct {
			Type string `json:"type"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(b.File(name), &s); err != nil {
		l.fault(name, "is missing or not a schema")
		return
	}
	if s.Type != "object" || s.More == nil || *s.More || len(s.Properties) != len(facts) {
		l.fault(name, "does not close the input to the catalogue's facts")
	}
	for _, f := range facts {
		if s.Properties[f.Name].Type != "boolean" {
			l.fault(name, "does not have %s as a boolean", f.Name)
		}
	}
}

// literal returns the fact and the value of input.FACT == VALUE.
func literal(e *ast.Expr) (fact string, value, ok bool) {
	if e.Negated || len(e.With) > 0 || !e.IsCall() || e.Operator().String() != "equal" || len(e.Operands()) != 2 {
		return "", false, false
	}
	ref, isRef := e.Operand(0).Value.(ast.Ref)
	v, isBool := e.Operand(1).Value.(ast.Boolean)
	if !isRef || !isBool || len(ref) != 2 || !ref[0].Equal(ast.InputRootDocument) {
		return "", false, false
	}
	s, isString := ref[1].Value.(ast.String)
	return string(s), bool(v), isString
}

func (l *linter) allow(name string, rules []*ast.Rule, facts []catalogue.Fact) {
	if len(rules) != 1 || rules[0].Else != nil {
		l.fault(name, "does not have exactly one allow rule without else")
		return
	}
	r := rules[0]
	if r.Head.Value == nil || !r.Head.Value.Equal(ast.InternedTerm(true)) || r.Head.Key != nil {
		l.fault(name, "has an allow that is not plainly true")
	}
	if len(r.Body) != len(facts) {
		l.fault(name, "allows on %d conditions, the catalogue has %d facts", len(r.Body), len(facts))
	}
	seen := map[string]bool{}
	for _, e := range r.Body {
		fact, value, ok := literal(e)
		if !ok || !value {
			l.fault(name, "has an allow condition that is not input.FACT == true (line %d)", e.Location.Row)
			continue
		}
		seen[fact] = true
	}
	for _, f := range facts {
		if !seen[f.Name] {
			l.fault(name, "allows without looking at %s", f.Name)
		}
	}
}

func (l *linter) deny(name string, rules []*ast.Rule, facts []catalogue.Fact) {
	want := map[string]string{}
	for _, f := range facts {
		want[f.Name] = f.Code
	}
	for _, r := range rules {
		if len(r.Body) != 1 || r.Else != nil || r.Head.Key == nil {
			l.fault(name, "has a deny rule of another shape (line %d)", r.Location.Row)
			continue
		}
		fact, value, ok := literal(r.Body[0])
		code, isString := r.Head.Key.Value.(ast.String)
		if !ok || value || !isString || want[fact] != string(code) {
			l.fault(name, "has a deny rule that is not in the catalogue (line %d)", r.Location.Row)
			continue
		}
		delete(want, fact)
	}
	for fact := range want {
		l.fault(name, "has no deny rule for %s", fact)
	}
}

// shippedDecision is the one text that the decision rule may have.
const shippedDecision = `decision := {"allow": true, "codes": []} if { allow } else := {"allow": false, "codes": deny}`

func (l *linter) decision(name string, rules []*ast.Rule) {
	if len(rules) != 1 {
		l.fault(name, "does not have exactly one decision rule")
		return
	}
	m := ast.MustParseModuleWithOpts("package x\n"+shippedDecision, ast.ParserOptions{RegoVersion: ast.RegoV1})
	got := rules[0].Copy()
	got.Annotations = nil // checked above
	if want := m.Rules[0]; !got.Equal(want) {
		l.fault(name, "has a decision other than allow, or else the deny codes")
	}
}

// catalogue checks codes and names of the bundle's catalogue.
func (l *linter) catalogue(b Bundle, cat map[catalogue.Ruleset][]catalogue.Fact) {
	for rs, facts := range cat {
		seen := map[string]bool{}
		for i, f := range facts {
			if !isWord(f.Name) || len(f.Code) != 4 || seen[f.Name] {
				l.fault(FileCatalogue, "rule set %s has a malformed or repeated fact at %d", rs, i)
			}
			seen[f.Name] = true
		}
		if len(facts) < 2 || facts[0].Name != catalogue.Complete || facts[1].Name != catalogue.Approved {
			l.fault(FileCatalogue, "rule set %s does not start with the decider's own facts", rs)
		}
	}
}
