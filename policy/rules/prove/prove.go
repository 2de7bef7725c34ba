package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/grammar"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/oracle"
)

// MaxBudgetBits is the largest budget that a proof accepts: a sender has
// nothing to choose in a notice.
const MaxBudgetBits = 0

// Options of a proof.
type Options struct {
	// Full decides every vector of every rule set: 10.7 million in the
	// shipped bundle, about two minutes of one core. Without it rule sets of
	// more than ExhaustiveFacts facts are proved by partial evaluation and by
	// structured vectors only.
	Full bool
	// Quick leaves out mutants and enumerations, for a first look; the
	// certificate then says so.
	Quick bool
	// Progress, if set, is told each step as it begins. It is called from one
	// goroutine.
	Progress func(step string)

	only []catalogue.Ruleset // tests: these rule sets only
}

// ExhaustiveFacts is the largest number of facts for which all vectors are
// decided without Options.Full.
const ExhaustiveFacts = 17

// Run proves a bundle with the default options. It returns the certificate
// with ErrNotProved when something does not hold, and another error when the
// proof itself could not be carried out.
func Run(ctx context.Context, b rules.Bundle) (Certificate, error) { return RunWith(ctx, b, Options{}) }

// RunWith is Run with options.
func RunWith(ctx context.Context, b rules.Bundle, o Options) (Certificate, error) {
	p := &proof{opts: o, cert: Certificate{
		Version: 1, Bundle: b.Digest, Capabilities: b.Capabilities, Grammar: b.Grammar, Scanner: b.Scanner,
		Tools: tools(), Rulesets: []Ruleset{}, Grammars: []Mode{}, Failures: []string{},
	}}
	if err := p.run(ctx, b); err != nil {
		return p.cert, err
	}
	if len(p.cert.Failures) > 0 {
		return p.cert, fmt.Errorf("%w: %s", ErrNotProved, p.cert.Failures[0])
	}
	p.cert.Holds = true
	return p.cert, nil
}

type proof struct {
	opts   Options
	cert   Certificate
	oracle *oracle.Oracle
}

func (p *proof) fail(format string, args ...any) {
	if len(p.cert.Failures) < 200 {
		p.cert.Failures = append(p.cert.Failures, fmt.Sprintf(format, args...))
	}
}

func (p *proof) step(format string, args ...any) {
	if p.opts.Progress != nil {
		p.opts.Progress(fmt.Sprintf(format, args...))
	}
}

func (p *proof) run(ctx context.Context, b rules.Bundle) error {
	var err error
	if p.oracle, err = oracle.New(); err != nil {
		return err
	}
	p.step("house rules")
	for _, f := range rules.Lint(b) {
		p.fail("house rule: %s", f)
	}
	p.step("notice grammars")
	p.grammars(b)
	p.scanner(b)
	p.step("compilation")
	a, err := rules.Analyse(ctx, b)
	if err != nil {
		p.fail("compilation: %v", err)
		return ctx.Err()
	}
	for _, rs := range catalogue.Rulesets() {
		if len(p.opts.only) > 0 && !slices.Contains(p.opts.only, rs) {
			continue
		}
		p.step("rule set %s", rs)
		if err := p.ruleset(ctx, a, rs); err != nil {
			return err
		}
	}
	if len(a.Rulesets()) != len(catalogue.Rulesets()) {
		p.fail("the bundle has a rule set that this program does not know")
	}
	if p.opts.Quick {
		return nil
	}
	p.step("mutations")
	return p.mutations(ctx, b)
}

// grammars proves the notice grammars and holds them against the decoder's.
func (p *proof) grammars(b rules.Bundle) {
	file := b.File(rules.FileGrammar)
	own, err := grammar.Notice().Marshal()
	if err != nil || !bytes.Equal(own, file) {
		p.fail("grammar: not the one that this program's decoder implements")
	}
	f, err := grammar.Parse(file)
	if err != nil {
		p.fail("grammar: %v", err)
		return
	}
	if f.BudgetBits > MaxBudgetBits {
		p.fail("grammar: the budget is %d bits, at most %d are accepted", f.BudgetBits, MaxBudgetBits)
	}
	for _, mode := range []string{notice.Reference, notice.Echo} {
		g, ok := f.Modes[mode]
		if !ok {
			p.fail("grammar: mode %s is missing", mode)
			continue
		}
		c, err := g.Capacity()
		if err != nil {
			p.fail("grammar: mode %s: %v", mode, err)
			continue
		}
		p.cert.Grammars = append(p.cert.Grammars, Mode{
			Name: mode, States: c.States, Expressible: c.Expressible.String(), Bits: c.Bits, Free: c.Free.String(),
			FreeBits: c.FreeBits, BudgetBits: f.BudgetBits, DigitRun: c.DigitRun, OutsideRun: c.OutsideRun,
		})
		if ok, err := f.WithinBudget(mode); !ok || err != nil {
			p.fail("grammar: mode %s leaves a sender %.2f bits or an 11-digit run", mode, c.FreeBits)
		}
		if mode == notice.Reference && c.DigitRun >= grammar.RunLimit {
			p.fail("grammar: a reference notice can hold an 11-digit run")
		}
	}
	if len(f.Modes) != 2 {
		p.fail("grammar: there are %d modes, not two", len(f.Modes))
	}
}

// scanner holds the bundle's scanner versions against the program's.
func (p *proof) scanner(b rules.Bundle) {
	var s struct {
		Unicode string `json:"unicode"`
		Version int    `json:"version"`
	}
	if json.Unmarshal(b.File(rules.FileScanner), &s) != nil || s.Unicode != jtext.UnicodeVersion || s.Version != jtext.ScannerVersion {
		p.fail("scanner: not the tables and views of this program")
	}
}

// ruleset proves one rule set.
func (p *proof) ruleset(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset) error {
	facts := catalogue.Facts(rs)
	if !slices.Equal(a.Facts(rs), facts) {
		p.fail("%s: the bundle's facts are not those of this program", rs)
		return nil
	}
	out := Ruleset{Name: string(rs)}
	for _, f := range facts {
		out.Facts = append(out.Facts, f.Name)
		n, _, err := a.Conditions(ctx, rs, f.Name, false)
		if err != nil {
			return err
		}
		if n != 0 {
			p.fail("%s: partial evaluation leaves %d ways to allow without %s", rs, n, f.Name)
		}
		out.Conditions = append(out.Conditions, n)
		if p.opts.Quick {
			continue
		}
		// The control: a proof that never leaves a condition would say nothing.
		if n, _, err = a.Conditions(ctx, rs, f.Name, true); err != nil {
			return err
		} else if n != 1 {
			p.fail("%s: partial evaluation finds %d ways to allow with %s, not one", rs, n, f.Name)
		}
	}
	n, text, err := a.NormalForm(ctx, rs)
	if err != nil {
		return err
	}
	out.NormalForm = text
	if n != 1 {
		p.fail("%s: the normal form has %d conjunctions, not one", rs, n)
	}
	out.Exhaustive = p.opts.Full || !p.opts.Quick && len(facts) <= ExhaustiveFacts
	if out.Enumerated, out.Allowed, err = enumerate(ctx, a, rs, len(facts), out.Exhaustive); err != nil {
		return err
	}
	if out.Allowed != 1 {
		p.fail("%s: %d of %d vectors are allowed, not one", rs, out.Allowed, out.Enumerated)
	}
	var bad string
	if out.IllTyped, bad, err = illTyped(ctx, a, rs, facts); bad != "" {
		p.fail("%s: allowed although %s", rs, bad)
	}
	if err != nil {
		return err
	}
	if out.Compared, bad, err = p.compare(ctx, a, rs, len(facts)); bad != "" {
		p.fail("%s: %s", rs, bad)
	}
	p.cert.Rulesets = append(p.cert.Rulesets, out)
	return err
}

// mutations counts the mutants that the semantic checks notice.
func (p *proof) mutations(ctx context.Context, b rules.Bundle) error {
	ms, err := rules.Mutants(b)
	if err != nil {
		return err
	}
	type result struct {
		noticed, compile bool
		err              error
	}
	results := make([]result, len(ms))
	var wg sync.WaitGroup
	gate := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, m := range ms {
		wg.Add(1)
		gate <- struct{}{}
		go func() {
			defer func() { <-gate; wg.Done() }()
			r := &results[i]
			r.noticed, r.compile, r.err = p.notices(ctx, m)
		}()
	}
	wg.Wait()
	p.cert.Mutations.Total = len(ms)
	for i, r := range results {
		if r.err != nil {
			return r.err
		}
		if !r.noticed {
			p.fail("a mutant goes unnoticed: %s", ms[i].Name)
			continue
		}
		p.cert.Mutations.Noticed++
		if r.compile {
			p.cert.Mutations.ByCompile++
		}
	}
	return nil
}

// notices reports whether the semantic checks find a mutant out.
func (p *proof) notices(ctx context.Context, m rules.Mutant) (noticed, byCompile bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, false, err
	}
	a, err := rules.Analyse(ctx, m.Bundle, m.Ruleset)
	if err != nil {
		return true, true, nil
	}
	facts := catalogue.Facts(m.Ruleset)
	all := slices.Repeat([]bool{true}, len(facts))
	vectors := [][]bool{all}
	for i := range facts {
		v := slices.Clone(all)
		v[i] = false
		vectors = append(vectors, v)
	}
	for _, v := range vectors {
		if same, err := p.agree(ctx, a, m.Ruleset, v); err != nil || !same {
			return true, false, nil
		}
	}
	_, bad, err := illTyped(ctx, a, m.Ruleset, facts)
	return bad != "" || err != nil, false, nil
}
