package prove_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
)

const (
	send    = "sukashi/notice_send.rego"
	receive = "sukashi/notice_receive.rego"
)

// sabotage is one way to make the shipped bundle let through what it must not.
// by is what the failure must say, so that each is caught for its own reason
// and not by accident.
type sabotage struct {
	file, old, new string
	more           [][3]string
	by             string
}

func sabotages() map[string]sabotage {
	const last = "\tinput.capacity_within_budget == true\n}"
	in := func(old, new, by string) sabotage { return sabotage{file: send, old: old, new: new, by: by} }
	return map[string]sabotage{
		"dropped literal":                 in("\tinput.no_resident_code == true\n", "", "without no_resident_code"),
		"dropped last literal":            in(last, "}", "without capacity_within_budget"),
		"flipped literal":                 in("input.grammar == true", "input.grammar == false", "without grammar"),
		"misspelt field":                  in("input.no_new_address == true", "input.no_new_adress == true", "compilation"),
		"not on a missing field":          in("input.no_resident_code == true", "not input.resident_code", "compilation"),
		"not on a false fact":             in("input.no_resident_code == true", "not input.no_resident_code == false", "absent"),
		"not equal to false":              in("input.no_resident_code == true", "input.no_resident_code != false", "compilation"),
		"truthy instead of true":          in("\tinput.no_resident_code == true\n", "\tinput.no_resident_code\n", "another type"),
		"default allow":                   in("allow if {", "default allow := true\n\nallow if {", "house rule"),
		"second allow":                    in(last, last+"\n\nallow if input.basis_named == true", "ways to allow"),
		"allow on two facts":              in(last, last+"\n\nallow if {\n\tinput.complete == true\n\tinput.mode_configured == true\n}", "ways to allow"),
		"allow with else":                 in(last, strings.TrimSuffix(last, "}")+"} else if {\n\tinput.grammar == false\n}", "house rule"),
		"allow for all":                   in("allow if {", "allow if true\n\nunused if {", "ways to allow"),
		"helper that allows":              in(last, last+"\n\nhelper if input.complete == true\n\nallow if helper", "ways to allow"),
		"decision that allows refusals":   in(`else := {"allow": false`, `else := {"allow": true`, "decision"),
		"decision without codes":          in(`"codes": deny}`, `"codes": []}`, "house rule"),
		"decision on deny alone":          in("} if allow\n", "} if not deny[\"N101\"]\n", "house rule"),
		"dropped deny rule":               in("deny contains \"N401\" if input.no_resident_code == false\n", "", "disagree"),
		"wrong deny code":                 in(`deny contains "N401"`, `deny contains "N402"`, "disagree"),
		"deny on the wrong fact":          in("deny contains \"N401\" if input.no_resident_code == false", "deny contains \"N401\" if input.no_free_text == false", "disagree"),
		"another package":                 in("package sukashi.notice_send", "package sukashi.notice_sent", ""),
		"schema left out":                 in("# schemas:\n#   - input: schema.notice_send\n", "", "house rule"),
		"another rule set's schema":       in("input: schema.notice_send", "input: schema.notice_receive", ""),
		"no entrypoint":                   in("# entrypoint: true\n", "", "house rule"),
		"no label":                        in("# labels:\n#   rule: allow\n", "", "house rule"),
		"comprehension":                   in("input.no_resident_code == true", "[x | some x in [1]; input.no_resident_code] == [1]", ""),
		"with":                            in("input.no_resident_code == true", "input.no_resident_code == true with input.no_resident_code as true", "without no_resident_code"),
		"count over a missing field":      in("input.no_resident_code == true", "count([x | some x in input.codes]) == 0", "compilation"),
		"network":                         in("input.no_resident_code == true", `http.send({"method": "get", "url": "http://127.0.0.1"}).status_code == 200`, "compilation"),
		"open schema, misspelt field":     {file: "schemas/notice_send.json", old: `"additionalProperties": false`, new: `"additionalProperties": true`, by: "house rule", more: [][3]string{{send, "input.no_new_address == true", "not input.new_adress == true"}}},
		"schema with another field":       {file: "schemas/notice_send.json", old: `"basis_named"`, new: `"basis_name"`, by: ""},
		"network allowed":                 {file: rules.FileCapabilities, old: `"allow_net": []`, new: `"allow_net": ["127.0.0.1"]`, by: ""},
		"network not mentioned":           {file: rules.FileCapabilities, old: `"allow_net": [],`, new: ``, by: ""},
		"another built-in":                {file: rules.FileCapabilities, old: `"name": "assign"`, new: `"name": "http.send"`, by: ""},
		"fact dropped everywhere":         {file: receive, old: "\tinput.no_resident_code == true\n", new: "", by: "facts are not those", more: [][3]string{{receive, "deny contains \"N401\" if input.no_resident_code == false\n", ""}, {rules.FileCatalogue, "{\n        \"fact\": \"no_resident_code\",\n        \"code\": \"N401\"\n      },\n      ", ""}}},
		"code renamed in the catalogue":   {file: rules.FileCatalogue, old: `"code": "N401"`, new: `"code": "N499"`, by: ""},
		"UUID in the grammar":             {file: rules.FileGrammar, old: `"lit": ",\"v\":1}"`, new: `"slot": "id", "type": "text", "max": 36}, {"lit": ",\"v\":1}"`, by: "leaves a sender"},
		"unbound ordinal":                 {file: rules.FileGrammar, old: `"bound": "certificate"`, new: `"bound": ""`, by: "leaves a sender"},
		"11-digit number in the grammar":  {file: rules.FileGrammar, old: `"max": 999999999`, new: `"max": 99999999999`, by: "decoder"},
		"wider budget":                    {file: rules.FileGrammar, old: `"budgetBits": 0`, new: `"budgetBits": 128`, by: "budget"},
		"wider budget and UUID":           {file: rules.FileGrammar, old: `"budgetBits": 0`, new: `"budgetBits": 4000`, by: "budget", more: [][3]string{{rules.FileGrammar, `"lit": ",\"v\":1}"`, `"slot": "id", "type": "text", "max": 36}, {"lit": ",\"v\":1}"`}}},
		"mode without a decoder":          {file: rules.FileGrammar, old: `"modes": {`, new: `"modes": { "full": {"parts": [{"lit": "x"}]},`, by: "decoder"},
		"other scanner":                   {file: rules.FileScanner, old: `"version": `, new: `"version": 9`, by: "scanner"},
		"rules that do not parse":         in("allow if {", "allow if {{", ""),
		"second module for the same name": {file: send, old: "", new: "", by: "", more: [][3]string{{"+sukashi/extra.rego", "", "package sukashi.notice_send\n\nallow if true\n"}}},
	}
}

// TestSabotagedBundlesAreNotProved: a proof that passes whatever it is given
// proves nothing.
func TestSabotagedBundlesAreNotProved(t *testing.T) {
	ctx, all := context.Background(), sabotages()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if testing.Short() && i%5 > 0 {
			continue // a sample
		}
		s := all[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := tampered(t, s)
			rs := catalogue.NoticeSend
			if s.file == receive {
				rs = catalogue.NoticeReceive
			}
			c, err := prove.QuickRun(ctx, b, rs)
			if !errors.Is(err, prove.ErrNotProved) || c.Holds {
				t.Fatalf("is proved: %v", err)
			}
			if !strings.Contains(strings.Join(c.Failures, "\n"), s.by) {
				t.Errorf("is not caught as %q but by %q", s.by, c.Failures)
			}
		})
	}
}

func tampered(t *testing.T, s sabotage) rules.Bundle {
	t.Helper()
	files := rules.Shipped().Files()
	for _, e := range append([][3]string{{s.file, s.old, s.new}}, s.more...) {
		if name, ok := strings.CutPrefix(e[0], "+"); ok {
			files[name] = []byte(e[2])
			continue
		}
		if !strings.Contains(string(files[e[0]]), e[1]) {
			t.Fatalf("%s does not hold %q", e[0], e[1])
		}
		files[e[0]] = []byte(strings.Replace(string(files[e[0]]), e[1], e[2], 1))
	}
	b, err := rules.Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
