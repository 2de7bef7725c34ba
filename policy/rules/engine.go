package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/version"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// EngineID returns the engine and its version as decisions carry it, such as
// "opa-1.22.2".
func EngineID() string { return "opa-" + version.Version }

// Engine evaluates one bundle. It is safe for concurrent use.
type Engine struct {
	sets map[catalogue.Ruleset]*compiled
}

type compiled struct {
	facts []catalogue.Fact
	keys  []*ast.Term
	query rego.PreparedEvalQuery
	known map[vectorKey]outcome // see foresee
}

// vectorKey is a vector as a bitmap.
type vectorKey [2]uint64

func keyOf(vector []bool) (k vectorKey) {
	for i, v := range vector {
		if v {
			k[i/64] |= 1 << (i % 64)
		}
	}
	return k
}

// outcome is one decision of OPA.
type outcome struct {
	allow bool
	codes []string
}

// catalogueFile is the shape of catalogue.json.
type catalogueFile struct {
	Rulesets map[catalogue.Ruleset][]catalogueFact `json:"rulesets"`
	Codes    []catalogueCode                       `json:"codes"`
}

type catalogueFact struct {
	Fact string `json:"fact"`
	Code string `json:"code"`
}

type catalogueCode struct {
	Code string `json:"code"`
	EN   string `json:"en"`
	JA   string `json:"ja"`
}

// Package returns the Rego package of a rule set, such as "sukashi.notice_send".
func Package(r catalogue.Ruleset) string { return "sukashi." + stem(r) }

func stem(r catalogue.Ruleset) string { return strings.ReplaceAll(string(r), "-", "_") }

// Compile checks and compiles every rule set of a bundle. It fails closed: a
// module that is not in the catalogue, one that OPA's strict checks, the input
// schema or the capabilities refuse, or one that this package's own lints find
// fault with, fails the whole bundle.
func Compile(ctx context.Context, b Bundle) (*Engine, error) {
	if faults := Lint(b); len(faults) > 0 {
		return nil, fmt.Errorf("the policy bundle breaks %d house rules, first: %s", len(faults), faults[0])
	}
	cat, err := readCatalogue(b)
	if err != nil {
		return nil, err
	}
	c, err := compiler(b, cat)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(ctx, c, cat)
	if err != nil {
		return nil, err
	}
	e.foresee(ctx)
	return e, nil
}

// foresee asks OPA, once for each rule set, about the vectors that nearly every
// message has: all facts true, and all but one. A decision depends on nothing but
// its vector, so the answer is kept; the table is never added to later, however
// strange the vectors that outsiders send. About a vector that is not in it, and
// about one that gave an error, OPA is asked each time. An Analysis has no table:
// proofs and comparisons are about OPA itself.
func (e *Engine) foresee(ctx context.Context) {
	for rs, s := range e.sets {
		known := make(map[vectorKey]outcome, len(s.facts)+1)
		vector := make([]bool, len(s.facts))
		for i := range vector {
			vector[i] = true
		}
		for i := -1; i < len(vector); i++ {
			if i >= 0 {
				vector[i] = false
			}
			if allow, codes, err := e.Eval(ctx, rs, vector); err == nil {
				known[keyOf(vector)] = outcome{allow, codes}
			}
			if i >= 0 {
				vector[i] = true
			}
		}
		s.known = known
	}
}

// newEngine prepares the decision of each rule set.
func newEngine(ctx context.Context, c *ast.Compiler, cat map[catalogue.Ruleset][]catalogue.Fact) (*Engine, error) {
	e := &Engine{sets: map[catalogue.Ruleset]*compiled{}}
	for rs, fs := range cat {
		q, err := rego.New(
			rego.Query("data."+Package(rs)+".decision"),
			rego.Compiler(c), rego.StrictBuiltinErrors(true),
		).PrepareForEval(ctx)
		if err != nil {
			return nil, fmt.Errorf("couldn't prepare rule set %s: %w", rs, err)
		}
		s := &compiled{facts: fs, query: q}
		for _, f := range fs {
			s.keys = append(s.keys, ast.StringTerm(f.Name))
		}
		e.sets[rs] = s
	}
	return e, nil
}

// compiler compiles all modules of the bundle with everything strict.
func compiler(b Bundle, cat map[catalogue.Ruleset][]catalogue.Fact) (*ast.Compiler, error) {
	caps, err := capabilities(b)
	if err != nil {
		return nil, err
	}
	modules, err := parseModules(b, caps)
	if err != nil {
		return nil, err
	}
	schemas := ast.NewSchemaSet()
	for rs := range cat {
		name := "schemas/" + stem(rs) + ".json"
		var v any
		if err := json.Unmarshal(b.File(name), &v); err != nil {
			return nil, fmt.Errorf("the policy bundle's %s is missing or not JSON", name)
		}
		schemas.Put(ast.MustParseRef("schema."+stem(rs)), v)
	}
	c := ast.NewCompiler().WithCapabilities(caps).WithStrict(true).WithSchemas(schemas).WithUseTypeCheckAnnotations(true)
	if c.Compile(modules); c.Failed() {
		return nil, fmt.Errorf("the policy bundle does not compile: %w", c.Errors)
	}
	return c, nil
}

func capabilities(b Bundle) (*ast.Capabilities, error) {
	caps, err := ast.LoadCapabilitiesJSON(bytes.NewReader(b.File(FileCapabilities)))
	if err != nil {
		return nil, errors.New("the policy bundle's capabilities are not readable")
	}
	if caps.AllowNet == nil || len(caps.AllowNet) > 0 {
		return nil, errors.New("the policy bundle's capabilities don't forbid the network")
	}
	return caps, nil
}

func parseModules(b Bundle, caps *ast.Capabilities) (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	for _, name := range b.Names() {
		if !strings.HasSuffix(name, ".rego") {
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, string(b.File(name)), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: caps,
		})
		if err != nil {
			return nil, fmt.Errorf("the policy bundle's %s does not parse: %w", name, err)
		}
		modules[name] = m
	}
	return modules, nil
}

// readCatalogue reads catalogue.json: the bundle's own fact order.
func readCatalogue(b Bundle) (map[catalogue.Ruleset][]catalogue.Fact, error) {
	var f catalogueFile
	dec := json.NewDecoder(bytes.NewReader(b.File(FileCatalogue)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, errors.New("the policy bundle's catalogue is not readable")
	}
	out := map[catalogue.Ruleset][]catalogue.Fact{}
	for rs, fs := range f.Rulesets {
		if len(fs) == 0 || len(fs) > 128 {
			return nil, fmt.Errorf("rule set %s must have 1 to 128 facts", rs)
		}
		for _, x := range fs {
			out[rs] = append(out[rs], catalogue.Fact{Name: x.Fact, Code: x.Code})
		}
	}
	return out, nil
}

// Rulesets returns the bundle's rule sets in ascending order.
func (e *Engine) Rulesets() []catalogue.Ruleset {
	var out []catalogue.Ruleset
	for rs := range e.sets {
		out = append(out, rs)
	}
	slices.Sort(out)
	return out
}

// Facts returns the facts of a rule set by the bundle's own catalogue, in bit
// order, or nil.
func (e *Engine) Facts(r catalogue.Ruleset) []catalogue.Fact {
	if s := e.sets[r]; s != nil {
		return slices.Clone(s.facts)
	}
	return nil
}

var errUndecided = errors.New("the policy engine gave no usable decision")

// Eval decides over one vector, in the order of Facts. It returns the codes in
// ascending order, and an error for anything but one well-formed decision.
func (e *Engine) Eval(ctx context.Context, r catalogue.Ruleset, vector []bool) (allow bool, codes []string, err error) {
	defer func() {
		// A panic inside the engine must not take a link server down, and
		// must not allow.
		if p := recover(); p != nil {
			allow, codes, err = false, nil, errUndecided
		}
	}()
	if err := ctx.Err(); err != nil {
		return false, nil, err
	}
	s := e.sets[r]
	if s == nil || len(vector) != len(s.keys) {
		return false, nil, errors.New("the rule set is unknown or the vector has another length")
	}
	if o, ok := s.known[keyOf(vector)]; ok {
		return o.allow, slices.Clone(o.codes), nil
	}
	rs, err := s.query.Eval(ctx, rego.EvalParsedInput(s.input(vector)))
	if err != nil {
		return false, nil, errUndecided // the cause may quote input
	}
	return readDecision(rs)
}

func (s *compiled) input(vector []bool) ast.Value {
	kv := make([][2]*ast.Term, len(vector))
	for i, v := range vector {
		kv[i] = [2]*ast.Term{s.keys[i], ast.InternedTerm(v)}
	}
	return ast.NewObject(kv...)
}

// readDecision takes exactly one result of the shape {"allow": bool, "codes": [string]}.
func readDecision(rs rego.ResultSet) (bool, []string, error) {
	if len(rs) != 1 || len(rs[0].Expressions) != 1 || len(rs[0].Bindings) != 0 {
		return false, nil, errUndecided
	}
	m, ok := rs[0].Expressions[0].Value.(map[string]any)
	if !ok || len(m) != 2 {
		return false, nil, errUndecided
	}
	allow, okAllow := m["allow"].(bool)
	list, okCodes := m["codes"].([]any)
	if !okAllow || !okCodes || allow != (len(list) == 0) {
		return false, nil, errUndecided
	}
	codes := make([]string, 0, len(list))
	for _, v := range list {
		c, ok := v.(string)
		if !ok {
			return false, nil, errUndecided
		}
		codes = append(codes, c)
	}
	sort.Strings(codes)
	return allow, codes, nil
}
