package rules

import (
	"context"
	"slices"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// What was decided beforehand is what OPA says about each of these vectors and
// about their neighbours; a caller can't change it, and nothing is added later.
func TestForeseenIsWhatOPASays(t *testing.T) {
	ctx, opa := context.Background(), analysis(t)
	e, err := Compile(ctx, Shipped())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	same := func(rs catalogue.Ruleset, v []bool) {
		t.Helper()
		allow, codes, err := opa.Eval(ctx, rs, v)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			a, c, err := e.Eval(ctx, rs, v)
			if err != nil || a != allow || !slices.Equal(c, codes) {
				t.Fatalf("%s %v: %v %v %v, OPA says %v %v", rs, v, a, c, err, allow, codes)
			}
			for i := range c {
				c[i] = "changed by the caller"
			}
		}
		asked++
	}
	for _, rs := range catalogue.Rulesets() {
		n := len(catalogue.Facts(rs))
		if len(opa.sets[rs].known) != 0 || len(e.sets[rs].known) != n+1 {
			t.Fatalf("%s: %d decided beforehand in a proof, %d of %d in a decider", rs, len(opa.sets[rs].known), len(e.sets[rs].known), n+1)
		}
		v := slices.Repeat([]bool{true}, n)
		same(rs, v)
		for i := range v {
			v[i] = false
			same(rs, v)
			for j := range i {
				v[j] = false
				same(rs, v)
				v[j] = true
			}
			v[i] = true
		}
		if len(e.sets[rs].known) != n+1 {
			t.Errorf("%s: the table has grown to %d", rs, len(e.sets[rs].known))
		}
	}
	if asked < 1000 {
		t.Errorf("only %d vectors were compared", asked)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if allow, _, err := e.Eval(ctx, catalogue.Revoke, slices.Repeat([]bool{true}, len(catalogue.Facts(catalogue.Revoke)))); err == nil || allow {
		t.Error("an ended context still gets a decision")
	}
}
