package prove_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
)

func TestDiff(t *testing.T) {
	ctx, shipped := context.Background(), rules.Shipped()
	same, err := prove.Diff(ctx, shipped, shipped)
	if err != nil || !same.Same() {
		t.Fatalf("a bundle differs from itself: %+v %v", same, err)
	}
	one := func(s sabotage) prove.RulesetDifference {
		t.Helper()
		d, err := prove.Diff(ctx, shipped, tampered(t, s))
		if err != nil || len(d.Rulesets) != 1 || d.Capabilities || d.Scanner || len(d.Grammars) > 0 || d.Same() {
			t.Fatalf("%+v %v", d, err)
		}
		return d.Rulesets[0]
	}
	dropped := one(sabotage{file: "sukashi/revoke.rego", old: "\tinput.no_resident_code == true\n", new: ""})
	if dropped.Name != "revoke" || !dropped.Exhaustive || dropped.Compared != 2048 ||
		len(dropped.NewlyAllowed) != 1 || !slices.Equal(dropped.NewlyAllowed[0], []string{"no_resident_code"}) || len(dropped.NewlyRefused) != 0 {
		t.Errorf("a dropped literal: %+v", dropped)
	}
	code := one(sabotage{file: send, old: `deny contains "N401"`, new: `deny contains "N402"`})
	if len(code.NewlyAllowed)+len(code.NewlyRefused) != 0 || len(code.OtherCodes) == 0 || code.Exhaustive {
		t.Errorf("a changed code: %+v", code)
	}
	less := one(sabotage{file: "sukashi/revoke.rego", old: "\tinput.no_free_text == true\n", new: "", more: [][3]string{
		{"sukashi/revoke.rego", "deny contains \"R304\" if input.no_free_text == false\n", ""},
		{rules.FileCatalogue, "{\n        \"fact\": \"no_free_text\",\n        \"code\": \"R304\"\n      },\n      ", ""},
	}})
	if !slices.Equal(less.Removed, []string{"no_free_text"}) || len(less.NewlyAllowed) != 1 {
		t.Errorf("a fact removed: %+v", less)
	}
	back, err := prove.Diff(ctx, tampered(t, sabotage{file: rules.FileGrammar, old: `"bound": "certificate"`, new: `"bound": ""`}), shipped)
	if err != nil || len(back.Rulesets) != 0 || len(back.Grammars) != 1 || !strings.Contains(back.Grammars[0], "now") {
		t.Errorf("a grammar: %+v %v", back, err)
	}
	if _, err := prove.Diff(ctx, shipped, tampered(t, sabotage{file: send, old: "allow if {", new: "allow if {{"})); err == nil {
		t.Error("a bundle that does not parse is compared")
	}
}
