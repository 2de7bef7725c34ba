package catalogue_test

import (
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy/catalogue"
)

func TestCatalogueIsComplete(t *testing.T) {
	used := map[string]bool{catalogue.CodeEngine: true}
	for _, rs := range catalogue.Rulesets() {
		facts, seen := catalogue.Facts(rs), map[string]bool{}
		if facts[0] != (catalogue.Fact{Name: catalogue.Complete, Code: catalogue.CodeMissing}) ||
			facts[1] != (catalogue.Fact{Name: catalogue.Approved, Code: catalogue.CodeNotApproved}) || len(facts) > 128 {
			t.Errorf("%s does not start with the decider's own facts", rs)
		}
		for _, f := range facts {
			if _, ok := catalogue.Lookup(f.Code); !ok || seen[f.Name] || f.Name != strings.ToLower(f.Name) {
				t.Errorf("%s: %s has no sentence, is repeated or not in snake case", rs, f.Name)
			}
			used[f.Code], seen[f.Name] = true, true
		}
		facts[0].Name = "changed"
		if catalogue.Facts(rs)[0].Name != catalogue.Complete {
			t.Error("a caller can change the catalogue")
		}
	}
	last := ""
	for _, c := range catalogue.Codes() {
		if !used[c.Code] || c.Code <= last || c.JA == "" || c.EN == "" || c.Text() != (say.Text{JA: c.JA, EN: c.EN}) {
			t.Errorf("%s is unused, out of order or without a sentence", c.Code)
		}
		last = c.Code
	}
	if catalogue.Facts("no-such-set") != nil {
		t.Error("an unknown rule set has facts")
	}
	if e := catalogue.Refusal("N203"); e.Code != "N203" || e.Text.JA == "" {
		t.Errorf("%+v", e)
	}
	if catalogue.Refusal("ZZZZ").Code != catalogue.CodeEngine {
		t.Error("an unknown code is not an engine error")
	}
}
