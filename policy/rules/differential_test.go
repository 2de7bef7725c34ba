package rules

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	_ "github.com/open-policy-agent/opa/v1/features/wasm"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/rules/oracle"
)

// engines decide the same vector in four ways that share no code: OPA's
// interpreter, the same rules compiled to WebAssembly as a browser runs them,
// Cedar, and plain Go over the catalogue.
type engines struct {
	opa   *Analysis
	wasm  map[catalogue.Ruleset]rego.PreparedEvalQuery
	cedar *oracle.Oracle
}

func newEngines(t *testing.T) *engines {
	t.Helper()
	ctx := context.Background()
	e := &engines{opa: analysis(t), wasm: map[catalogue.Ruleset]rego.PreparedEvalQuery{}}
	for _, rs := range e.opa.Rulesets() {
		q, err := rego.New(rego.Query("data."+Package(rs)+".decision"), rego.Compiler(e.opa.compiler), rego.Target("wasm")).PrepareForEval(ctx)
		if err != nil {
			t.Fatal(err)
		}
		e.wasm[rs] = q
	}
	var err error
	if e.cedar, err = oracle.New(); err != nil {
		t.Fatal(err)
	}
	return e
}

// agree decides v and returns the common answer, or an error that shows who
// says what.
func (e *engines) agree(ctx context.Context, rs catalogue.Ruleset, v []bool) (bool, error) {
	input := map[string]any{}
	for i, f := range catalogue.Facts(rs) {
		input[f.Name] = v[i]
	}
	a1, c1, err1 := e.opa.Eval(ctx, rs, v)
	var a2 bool
	var c2 []string
	set, err2 := e.wasm[rs].Eval(ctx, rego.EvalInput(input))
	if err2 == nil {
		a2, c2, err2 = readDecision(set)
	}
	a3, c3, err3 := e.cedar.Cedar(rs, v)
	a4, c4, err4 := oracle.Go(rs, v)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return false, err
		}
	}
	same := func(x, y []string) bool { return len(x)+len(y) == 0 || slices.Equal(x, y) }
	if a1 != a2 || a2 != a3 || a3 != a4 || !same(c1, c2) || !same(c2, c3) || !same(c3, c4) {
		return false, fmt.Errorf("%s %v: interpreter %v %v, WebAssembly %v %v, Cedar %v %v, Go %v %v", rs, v, a1, c1, a2, c2, a3, c3, a4, c4)
	}
	return a1, nil
}

// TestDifferential sends generated vectors through all four engines and allows
// no disagreement, neither in the outcome nor in a code. The number of vectors
// is SUKASHI_POLICY_CASES, a million when it is not set (make fuzz-policy: ten).
// The seed is part of each failure, so a failing vector comes back.
func TestDifferential(t *testing.T) {
	cases := 1_000_000
	if testing.Short() {
		cases = 2_000
	}
	if n, err := strconv.Atoi(os.Getenv("SUKASHI_POLICY_CASES")); err == nil {
		cases = n
	}
	workers := runtime.GOMAXPROCS(0)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		// Each worker has engines of its own: under concurrent use OPA 1.22.2
		// gives a WebAssembly machine back to its pool before the answer is
		// read out of the machine's memory, and answers get mixed up.
		e := newEngines(t)
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(11, uint64(w)))
			for range (cases + workers - 1 - w) / workers {
				rs := catalogue.Rulesets()[rng.IntN(len(catalogue.Rulesets()))]
				v := make([]bool, len(catalogue.Facts(rs)))
				bias := rng.IntN(40) // from coin tosses to nearly all true
				for i := range v {
					v[i] = rng.IntN(bias+2) > 0
				}
				allow, err := e.agree(context.Background(), rs, v)
				if err != nil {
					t.Errorf("seed 11, %d: %v", w, err)
					return
				}
				if allow {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n == 0 || n > int64(cases)/2 {
		t.Errorf("%d of %d vectors are allowed: the generator is out of balance", n, cases)
	}
	t.Logf("%d vectors through OPA's interpreter, WebAssembly, Cedar and Go, %d allowed, no disagreement", cases, allowed.Load())
}

// A wrong engine is noticed: the comparison is no formality.
func TestDifferentialCanFail(t *testing.T) {
	e := newEngines(t)
	rs := catalogue.Revoke
	v := make([]bool, len(catalogue.Facts(rs)))
	for i := range v {
		v[i] = true
	}
	if allow, err := e.agree(context.Background(), rs, v); err != nil || !allow {
		t.Fatal(allow, err)
	}
	e.wasm[rs] = e.wasm[catalogue.NoticeSend] // decides about facts that are not there
	if _, err := e.agree(context.Background(), rs, v); err == nil {
		t.Error("an engine with another rule set agrees")
	}
}
