package rules

import (
	"context"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

func analysis(t testing.TB, only ...catalogue.Ruleset) *Analysis {
	t.Helper()
	a, err := Analyse(context.Background(), Shipped(), only...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPartialEvaluation(t *testing.T) {
	ctx, a := context.Background(), analysis(t, catalogue.Revoke)
	n, text, err := a.NormalForm(ctx, catalogue.Revoke)
	if err != nil || n != 1 || strings.Count(text, "input.") != len(a.Facts(catalogue.Revoke)) {
		t.Errorf("%d ways: %s (%v)", n, text, err)
	}
	for _, f := range a.Facts(catalogue.Revoke) {
		if n, text, err := a.Conditions(ctx, catalogue.Revoke, f.Name, false); n != 0 || err != nil {
			t.Errorf("without %s: %s (%v)", f.Name, text, err)
		}
		if n, _, err := a.Conditions(ctx, catalogue.Revoke, f.Name, true); n != 1 || err != nil {
			t.Errorf("with %s: %d (%v)", f.Name, n, err)
		}
	}
}

func TestAnalysisAnswers(t *testing.T) {
	ctx, a := context.Background(), analysis(t, catalogue.Revoke)
	good := make([]bool, len(a.Facts(catalogue.Revoke)))
	raw := map[string]any{}
	for i, f := range a.Facts(catalogue.Revoke) {
		good[i], raw[f.Name] = true, true
	}
	if ok, err := a.Allows(ctx, catalogue.Revoke, good); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := a.AllowsRaw(ctx, catalogue.Revoke, raw); !ok || err != nil {
		t.Error(ok, err)
	}
	raw["complete"] = "true"
	if ok, err := a.AllowsRaw(ctx, catalogue.Revoke, raw); ok || err != nil {
		t.Error(ok, err)
	}
	good[3] = false
	if ok, err := a.Allows(ctx, catalogue.Revoke, good); ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := a.Allows(ctx, catalogue.Revoke, good[1:]); err == nil {
		t.Error("a short vector is decided")
	}
	if _, err := a.AllowsRaw(ctx, catalogue.Issue, raw); err == nil {
		t.Error("a rule set that was left out is decided")
	}
	if _, err := Analyse(ctx, Shipped(), "no-such-set"); err == nil {
		t.Error("an unknown rule set is analysed")
	}
	if len(a.Rulesets()) != 1 || len(analysis(t).Rulesets()) != 7 {
		t.Error("the rule sets asked for are not those analysed")
	}
}

func TestMutants(t *testing.T) {
	ms, err := Mutants(Shipped())
	if err != nil {
		t.Fatal(err)
	}
	seen, sets := map[string]bool{}, map[catalogue.Ruleset]int{}
	for _, m := range ms {
		if m.Bundle.Digest == Shipped().Digest || seen[m.Bundle.Digest.String()] && !strings.Contains(m.Name, "dropped") {
			t.Errorf("%s is no mutant or the same as another", m.Name)
		}
		seen[m.Bundle.Digest.String()] = true
		sets[m.Ruleset]++
	}
	for _, rs := range catalogue.Rulesets() {
		// Every fact stands in one allow line and one deny line, and each can
		// at least be dropped, flipped and exchanged.
		if sets[rs] < 6*len(catalogue.Facts(rs)) {
			t.Errorf("%s has only %d mutants", rs, sets[rs])
		}
	}
}

func TestSameRuleset(t *testing.T) {
	files := Shipped().Files()
	files["sukashi/revoke.rego"] = append(files["sukashi/revoke.rego"], '\n')
	other, err := Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	if SameRuleset(Shipped(), other, catalogue.Revoke) || !SameRuleset(Shipped(), other, catalogue.Issue) || SameRuleset(other, other, "no-such-set") {
		t.Error("SameRuleset")
	}
}

// TestHouseRules breaks each house rule once.
func TestHouseRules(t *testing.T) {
	const file = "sukashi/revoke.rego"
	for name, c := range map[string]struct{ file, old, new, fault string }{
		"import":               {file, "package sukashi.revoke\n", "package sukashi.revoke\n\nimport data.sukashi.issue\n", "imports"},
		"package":              {file, "package sukashi.revoke\n", "package sukashi.x\n", "is not package"},
		"default":              {file, "allow if {", "default allow := false\n\nallow if {", "default"},
		"function":             {file, "allow if {", "f(x) if x == 1\n\nallow if {", "function"},
		"other rule":           {file, "allow if {", "x := 1\n\nallow if {", "other than"},
		"negation":             {file, "input.ground_known == true", "not input.ground_known == false", "uses not"},
		"with":                 {file, "input.ground_known == true", "input.ground_known == true with input as {}", "uses with"},
		"every":                {file, "input.ground_known == true", "every x in [1] { x == 1 }", "some or every"},
		"comprehension":        {file, "input.ground_known == true", "{x | x := 1} == {1}", "comprehension"},
		"two allows":           {file, "allow if {", "allow if input.complete == true\n\nallow if {", "exactly one allow"},
		"allow is a value":     {file, "allow if {", "allow := 1 if {", "plainly true"},
		"condition repeated":   {file, "\tinput.ground_known == true\n", "\tinput.ground_known == true\n\tinput.ground_known == true\n", "conditions"},
		"other condition":      {file, "input.ground_known == true", "input.ground_known == false", "not input.FACT == true"},
		"fact not looked at":   {file, "input.ground_known == true", "input.basis_named == true", "without looking at"},
		"deny of two":          {file, "input.ground_known == false", "{ input.ground_known == false; input.complete == true }", "another shape"},
		"deny of another code": {file, `deny contains "R101"`, `deny contains "R105"`, "not in the catalogue"},
		"deny left out":        {file, "deny contains \"R101\" if input.ground_known == false\n", "", "no deny rule"},
		"two decisions":        {file, "decision := {\"allow\": true, \"codes\": []} if allow\n", "decision := {\"allow\": true, \"codes\": []} if allow\n\ndecision := {\"allow\": false, \"codes\": deny} if input.complete == false\n\ndecision := {\"allow\": false, \"codes\": deny} if { not allow }\n", ""},
		"other decision":       {file, `"codes": deny`, `"codes": []`, "has a decision other"},
		"label":                {file, "#   rule: R101", "#   rule: R999", "without its label"},
		"entrypoint":           {file, "# entrypoint: true\n", "", "entrypoints"},
		"schema":               {file, "schema.revoke", "schema.issue", "another schema"},
		"no schema":            {file, "# schemas:\n#   - input: schema.revoke\n", "", "exactly its input schema"},
		"open schema":          {"schemas/revoke.json", `"additionalProperties": false`, `"additionalProperties": true`, "does not close"},
		"schema type":          {"schemas/revoke.json", `"type": "boolean"`, `"type": "string"`, "as a boolean"},
		"schema text":          {"schemas/revoke.json", `{`, `[`, "not a schema"},
		"built-in":             {FileCapabilities, `"name": "assign"`, `"name": "count"`, "whitelist"},
		"network":              {FileCapabilities, `[]`, `["127.0.0.1"]`, "network"},
		"capabilities":         {FileCapabilities, `{`, `[`, "not readable"},
		"catalogue":            {FileCatalogue, `{`, `[`, "not readable"},
		"fact name":            {FileCatalogue, `"fact": "ground_known"`, `"fact": "Ground"`, "malformed"},
		"first fact":           {FileCatalogue, `"fact": "complete"`, `"fact": "finished"`, "decider's own facts"},
		"module text":          {file, "allow if {", "allow if {{{", "does not parse"},
	} {
		files := Shipped().Files()
		if !strings.Contains(string(files[c.file]), c.old) {
			if c.fault != "" {
				t.Errorf("%s: %s does not hold %q", name, c.file, c.old)
			}
			continue
		}
		files[c.file] = []byte(strings.Replace(string(files[c.file]), c.old, c.new, 1))
		b, err := Pack(files)
		if err != nil {
			t.Fatal(err)
		}
		faults := strings.Join(Lint(b), "\n")
		if faults == "" || !strings.Contains(faults, c.fault) {
			t.Errorf("%s: %q", name, faults)
		}
		if _, err := Compile(context.Background(), b); err == nil {
			t.Errorf("%s compiles", name)
		}
	}
	files := Shipped().Files()
	delete(files, file)
	files["sukashi/extra.rego"] = []byte("package sukashi.extra\n")
	b, err := Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	if faults := strings.Join(Lint(b), "\n"); !strings.Contains(faults, "is missing") || !strings.Contains(faults, "not a rule set") {
		t.Error(faults)
	}
}

func TestCountAllowed(t *testing.T) {
	ctx, a := context.Background(), analysis(t, catalogue.Revoke)
	total := 0
	for first := range uint64(3) {
		n, err := a.CountAllowed(ctx, catalogue.Revoke, first, 3)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != 1 {
		t.Errorf("%d vectors are allowed", total)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := a.CountAllowed(done, catalogue.Revoke, 0, 1); err == nil {
		t.Error("a stopped enumeration has a result")
	}
	if _, err := a.CountAllowed(ctx, "no-such-set", 0, 1); err == nil {
		t.Error("an unknown rule set is enumerated")
	}
}

func BenchmarkEnumerate(b *testing.B) {
	ctx, a := context.Background(), analysis(b, catalogue.Revoke)
	n := 0
	for b.Loop() {
		if _, err := a.CountAllowed(ctx, catalogue.Revoke, 0, 1); err != nil {
			b.Fatal(err)
		}
		n += 1 << len(a.Facts(catalogue.Revoke))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "vectors/s")
}
