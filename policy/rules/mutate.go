package rules

import (
	"fmt"
	"strings"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// Mutant is a bundle with one fault put in on purpose. A proof that does not
// notice every mutant of a bundle says little about the bundle.
type Mutant struct {
	Name    string            // what was done, such as "revoke: line 17 dropped"
	Ruleset catalogue.Ruleset // where
	Bundle  Bundle
}

// Mutants returns every mutant of a bundle's rules: each line of a rule
// dropped, each literal flipped, each fact exchanged for its neighbour, each
// comparison turned into one that a missing fact passes, and each code and
// outcome changed. Mutants that don't parse are left out: they can't decide
// anything.
func Mutants(b Bundle) ([]Mutant, error) {
	var out []Mutant
	for _, rs := range catalogue.Rulesets() {
		name := "sukashi/" + stem(rs) + ".rego"
		lines := strings.Split(string(b.File(name)), "\n")
		for i, line := range lines {
			for _, change := range changes(line) {
				m := append([]string{}, lines...)
				m[i] = change.to
				files := b.Files()
				files[name] = []byte(strings.Join(m, "\n"))
				mb, err := Pack(files)
				if err != nil {
					return nil, fmt.Errorf("couldn't pack a mutant: %w", err)
				}
				out = append(out, Mutant{Name: fmt.Sprintf("%s: line %d %s", rs, i+1, change.what), Ruleset: rs, Bundle: mb})
			}
		}
	}
	return out, nil
}

type change struct{ what, to string }

// changes returns what can be done to one line of a module.
func changes(line string) []change {
	code := strings.TrimSpace(line)
	if code == "" || strings.HasPrefix(code, "#") || strings.HasPrefix(code, "package ") || code == "}" {
		return nil
	}
	var out []change
	swap := func(what, old, new string) {
		if strings.Contains(line, old) {
			out = append(out, change{what, strings.Replace(line, old, new, 1)})
		}
	}
	if !strings.HasSuffix(code, "{") && !strings.HasPrefix(code, "decision") {
		out = append(out, change{"dropped", ""})
	}
	swap("compares with false", "== true", "== false")
	swap("compares with true", "== false", "== true")
	swap("takes anything but false", "== true", "!= false")
	swap("takes anything but true", "== false", "!= true")
	swap("drops the comparison", " == true", "")
	swap("looks at another fact", "input.", "input.not_")
	if x := exchange(line); x != line {
		out = append(out, change{"looks at completeness only", x})
	}
	swap("gives another code", `contains "`, `contains "X`)
	swap("allows otherwise", `else := {"allow": false`, `else := {"allow": true`)
	swap("always allows", "} if allow", "}")
	swap("refuses always", `decision := {"allow": true`, `decision := {"allow": false`)
	swap("hides the codes", `"codes": deny`, `"codes": []`)
	swap("allows without conditions", "allow if {", "allow if true\n\nx if {")
	swap("negates", "\tinput.", "\tnot input.")
	return out
}

// exchange replaces the fact of a line by complete, if it has another.
func exchange(line string) string {
	i := strings.Index(line, "input.")
	if i < 0 || strings.Contains(line, "input."+catalogue.Complete+" ") {
		return line
	}
	rest := line[i+len("input."):]
	end := strings.IndexByte(rest, ' ')
	if end < 0 {
		return line
	}
	return line[:i] + "input." + catalogue.Complete + rest[end:]
}
