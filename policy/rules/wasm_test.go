package rules

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	_ "github.com/open-policy-agent/opa/v1/features/wasm"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// TestWasmAgrees compiles the rules to WebAssembly, as a browser runs them,
// and compares with the interpreter on generated vectors. The number of
// vectors is SUKASHI_POLICY_WASM, 3,000 when it is not set.
func TestWasmAgrees(t *testing.T) {
	cases := 3_000
	if n, err := strconv.Atoi(os.Getenv("SUKASHI_POLICY_WASM")); err == nil {
		cases = n
	}
	ctx, a := context.Background(), analysis(t)
	wasm := map[catalogue.Ruleset]rego.PreparedEvalQuery{}
	for _, rs := range a.Rulesets() {
		q, err := rego.New(rego.Query("data."+Package(rs)+".decision"), rego.Compiler(a.compiler), rego.Target("wasm")).PrepareForEval(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wasm[rs] = q
	}
	rng := rand.New(rand.NewPCG(4, 2))
	allowed := 0
	for range cases {
		rs := a.Rulesets()[rng.IntN(len(a.Rulesets()))]
		v, bias := make([]bool, len(a.Facts(rs))), rng.IntN(40)
		raw := map[string]any{}
		for i, f := range a.Facts(rs) {
			v[i] = rng.IntN(bias+2) > 0
			raw[f.Name] = v[i]
		}
		allow, codes, err := a.Eval(ctx, rs, v)
		if err != nil {
			t.Fatal(err)
		}
		set, err := wasm[rs].Eval(ctx, rego.EvalInput(raw))
		if err != nil {
			t.Fatal(err)
		}
		allowWasm, codesWasm, err := readDecision(set)
		if err != nil || allow != allowWasm || !slices.Equal(codes, codesWasm) {
			t.Fatalf("%s %v: interpreter %v %v, Wasm %v %v (%v)", rs, v, allow, codes, allowWasm, codesWasm, err)
		}
		if allow {
			allowed++
		}
	}
	t.Logf("%d vectors, %d allowed, no disagreement", cases, allowed)
}
