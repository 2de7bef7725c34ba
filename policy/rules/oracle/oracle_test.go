package oracle_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/oracle"
)

var update = flag.Bool("update", false, "write rules.cedar from the catalogue")

// TestCedarFollowsCatalogue holds rules.cedar against the Go catalogue.
//
//	go test ./policy/rules/oracle -run TestCedarFollowsCatalogue -update
func TestCedarFollowsCatalogue(t *testing.T) {
	var b strings.Builder
	b.WriteString("// The rule sets of the policy bundle in Cedar, as an independent oracle.\n")
	for _, rs := range catalogue.Rulesets() {
		fmt.Fprintf(&b, "\n@ruleset(%q)\npermit (\n    principal,\n    action == Action::%q,\n    resource\n)\nwhen {\n", rs, rs)
		for i, f := range catalogue.Facts(rs) {
			if i > 0 {
				b.WriteString(" &&\n")
			}
			fmt.Fprintf(&b, "    context.%s == true", f.Name)
		}
		b.WriteString("\n};\n")
		for _, f := range catalogue.Facts(rs) {
			fmt.Fprintf(&b, "\n@ruleset(%q)\n@code(%q)\nforbid (\n    principal,\n    action == Action::%q,\n    resource\n)\nunless { context.%s == true };\n", rs, f.Code, rs, f.Name)
		}
	}
	if *update {
		if err := os.WriteFile("rules.cedar", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if b.String() != string(oracle.Rules()) {
		t.Error("rules.cedar is not what the catalogue says; run with -update")
	}
}

// TestDifferential sends generated vectors through OPA, Cedar and plain Go and
// allows no disagreement, neither in the outcome nor in a code. The number of
// vectors is SUKASHI_POLICY_CASES, 60,000 when it is not set.
func TestDifferential(t *testing.T) {
	cases := 60_000
	if n, err := strconv.Atoi(os.Getenv("SUKASHI_POLICY_CASES")); err == nil {
		cases = n
	}
	if testing.Short() {
		cases = 2_000
	}
	ctx := context.Background()
	e, err := rules.Compile(ctx, rules.Shipped())
	if err != nil {
		t.Fatal(err)
	}
	o, err := oracle.New()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(11, 23))
	allowed := 0
	for range cases {
		rs := catalogue.Rulesets()[rng.IntN(7)]
		v := make([]bool, len(catalogue.Facts(rs)))
		bias := rng.IntN(40) // from coin tosses to nearly all true
		for i := range v {
			v[i] = rng.IntN(bias+2) > 0
		}
		a1, c1, err1 := e.Eval(ctx, rs, v)
		a2, c2, err2 := o.Cedar(rs, v)
		a3, c3, err3 := oracle.Go(rs, v)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		if a1 != a2 || a2 != a3 || !slices.Equal(c1, c2) && len(c1)+len(c2) > 0 || !slices.Equal(c2, c3) {
			t.Fatalf("%s %v: OPA %v %v, Cedar %v %v, Go %v %v", rs, v, a1, c1, a2, c2, a3, c3)
		}
		if a1 {
			allowed++
		}
	}
	if allowed == 0 || allowed > cases/2 {
		t.Errorf("%d of %d vectors are allowed: the generator is out of balance", allowed, cases)
	}
	t.Logf("%d vectors, %d allowed, no disagreement", cases, allowed)
}

func TestOracleRefusesNonsense(t *testing.T) {
	o, err := oracle.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Cedar("no-such-set", nil); err == nil {
		t.Error("Cedar decides an unknown rule set")
	}
	if _, _, err := o.Cedar(catalogue.Revoke, []bool{true}); err == nil {
		t.Error("Cedar decides a short vector")
	}
	if _, _, err := oracle.Go("no-such-set", nil); err == nil {
		t.Error("Go decides an unknown rule set")
	}
	if _, _, err := oracle.Go(catalogue.Revoke, []bool{true}); err == nil {
		t.Error("Go decides a short vector")
	}
}

func TestEngineID(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimPrefix(oracle.EngineID, "cedar-go-")
	if !strings.Contains(string(mod), "github.com/cedar-policy/cedar-go v"+version+"\n") {
		t.Errorf("go.mod has another version than %s", oracle.EngineID)
	}
}
