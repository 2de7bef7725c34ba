package rules

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/grammar"
)

var update = flag.Bool("update", false, "write the bundle's files from the catalogue")

// TestBundleFollowsCatalogue holds the committed bundle against the Go
// catalogue: the Rego text is read by people, the catalogue by programs, and
// neither may drift from the other.
//
//	go test ./policy/rules -run TestBundleFollowsCatalogue -update
func TestBundleFollowsCatalogue(t *testing.T) {
	for name, want := range generated(t) {
		path := filepath.Join("bundle", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the catalogue says; run with -update", name)
		}
	}
}

// testsOf writes the Rego tests of one rule set, for people with the opa
// command: opa test policy/rules/bundle/sukashi policy/rules/tests
func testsOf(rs catalogue.Ruleset) []byte {
	var b strings.Builder
	pkg := Package(rs)
	fmt.Fprintf(&b, "package %s_test\n\nimport data.%s\n\ngood := {\n", pkg, pkg)
	for _, f := range catalogue.Facts(rs) {
		fmt.Fprintf(&b, "\t%q: true,\n", f.Name)
	}
	fmt.Fprintf(&b, "}\n\ntest_allows_when_all_hold if {\n\t%s.decision == {\"allow\": true, \"codes\": []} with input as good\n}\n", stem(rs))
	for _, f := range catalogue.Facts(rs) {
		fmt.Fprintf(&b, "\ntest_%s_false if {\n\tbad := object.union(good, {%q: false})\n", f.Name, f.Name)
		fmt.Fprintf(&b, "\t%s.decision == {\"allow\": false, \"codes\": {%q}} with input as bad\n}\n", stem(rs), f.Code)
		fmt.Fprintf(&b, "\ntest_%s_absent if {\n\tbad := object.remove(good, {%q})\n", f.Name, f.Name)
		fmt.Fprintf(&b, "\tnot %s.allow with input as bad\n}\n", stem(rs))
	}
	return []byte(b.String())
}

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	g, err := grammar.Notice().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{
		"manifest.json":  []byte("{\"revision\":\"sukashi-1\",\"rego_version\":1,\"roots\":[\"sukashi\"]}\n"),
		FileGrammar:      g,
		FileCapabilities: indent(t, capabilityFile()),
		FileScanner:      indent(t, scannerFile()),
	}
	var cat catalogueFile
	cat.Rulesets = map[catalogue.Ruleset][]catalogueFact{}
	for _, c := range catalogue.Codes() {
		cat.Codes = append(cat.Codes, catalogueCode{Code: c.Code, EN: c.EN, JA: c.JA})
	}
	for _, rs := range catalogue.Rulesets() {
		for _, f := range catalogue.Facts(rs) {
			cat.Rulesets[rs] = append(cat.Rulesets[rs], catalogueFact{Fact: f.Name, Code: f.Code})
		}
		out["sukashi/"+stem(rs)+".rego"] = regoOf(rs)
		out["../tests/"+stem(rs)+"_test.rego"] = testsOf(rs)
		out["schemas/"+stem(rs)+".json"] = indent(t, schemaOf(rs))
	}
	out[FileCatalogue] = indent(t, cat)
	return out
}

func indent(t *testing.T, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// capabilityFile allows the three operators that the rules are written with,
// and no network.
func capabilityFile() any {
	type m = map[string]any
	boolean, any2 := m{"type": "boolean"}, []any{m{"type": "any"}, m{"type": "any"}}
	op := func(name, infix string) m {
		return m{"name": name, "infix": infix, "decl": m{"type": "function", "args": any2, "result": boolean}}
	}
	return m{
		"allow_net":       []string{},
		"builtins":        []any{op("assign", ":="), op("eq", "="), op("equal", "==")},
		"features":        []string{"rego_v1"},
		"future_keywords": []string{"contains", "every", "if", "in"},
	}
}

func schemaOf(rs catalogue.Ruleset) any {
	props, names := map[string]any{}, []string{}
	for _, f := range catalogue.Facts(rs) {
		props[f.Name] = map[string]any{"type": "boolean"}
		names = append(names, f.Name)
	}
	return map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
		"additionalProperties": false, "properties": props, "required": names,
	}
}

var titles = map[catalogue.Ruleset]string{
	catalogue.Transfer:       "Transfer file read at the counter (DOMAIN PR-07)",
	catalogue.Issue:          "Application to be certified (DOMAIN 4.1, 5.1)",
	catalogue.HoldersSend:    "M1 as sent by the CA's link server (DOMAIN PR-12)",
	catalogue.HoldersReceive: "M1 as received by the register's link server (DOMAIN PR-12)",
	catalogue.NoticeSend:     "M3 as sent by the register's link server (DOMAIN PR-01 to PR-03)",
	catalogue.NoticeReceive:  "M3 as received by the CA's link server (DOMAIN PR-01 to PR-03)",
	catalogue.Revoke:         "Revocation asked for without a notice (DOMAIN 6.4)",
}

// regoOf writes one rule set: allow is one flat conjunction of ground
// literals, which partial evaluation can close; codes are computed only when
// not allowed.
func regoOf(rs catalogue.Ruleset) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# METADATA\n# title: %s\n# scope: package\n# schemas:\n#   - input: schema.%s\npackage %s\n", titles[rs], stem(rs), Package(rs))
	b.WriteString("\n# METADATA\n# entrypoint: true\n# labels:\n#   rule: decision\n")
	b.WriteString("decision := {\"allow\": true, \"codes\": []} if allow\nelse := {\"allow\": false, \"codes\": deny}\n")
	b.WriteString("\n# METADATA\n# labels:\n#   rule: allow\nallow if {\n")
	for _, f := range catalogue.Facts(rs) {
		fmt.Fprintf(&b, "\tinput.%s == true\n", f.Name)
	}
	b.WriteString("}\n")
	for _, f := range catalogue.Facts(rs) {
		c, _ := catalogue.Lookup(f.Code)
		fmt.Fprintf(&b, "\n# METADATA\n# title: %s\n# labels:\n#   rule: %s\n", strings.TrimSuffix(c.EN, "."), f.Code)
		fmt.Fprintf(&b, "deny contains %q if input.%s == false\n", f.Code, f.Name)
	}
	return []byte(b.String())
}
