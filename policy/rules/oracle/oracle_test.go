package oracle_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
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
