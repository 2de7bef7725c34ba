package house

import (
	"fmt"
	"strings"
	"testing"
)

// walls is the import policy. It is read from top to bottom by a person and
// checked line by line by TestImports.
//
//	never A -> B …   no package under A reaches a package under B, directly or through others
//	only  M : P …    of our packages, only these import module M directly
//	pure  P …        these packages reach nothing that does I/O
//
// Test files are held to "never" too, except for packages under internal/.
const walls = `
# The seed's wall: register and CA are different organisations on different networks.
never ca     -> juki
never juki   -> ca

# What outsiders run shares no code with what it checks.
never review -> ca juki ledger/pebblestore ledger/trillianlog ledger/clusterlog ledger/publish internal/kv
never cmd/sukashi-verify -> ca juki policy ledger/pebblestore ledger/trillianlog ledger/clusterlog ledger/publish internal/kv

# The ledger knows nothing of certificates' owners, and nobody imports a command.
never ledger -> ca juki policy review
never policy -> ca juki review
never ca     -> review
never juki   -> review
never ledger -> cmd
never ca     -> cmd
never juki   -> cmd
never policy -> cmd
never review -> cmd
never internal -> cmd

# A key that nobody approved is for tests.
never cmd -> ca/catest

# One heavy dependency, one importing package.
only github.com/cockroachdb/pebble/v2      : internal/kv
# Its client side speaks to a cluster, its server side runs inside the engine.
only github.com/google/trillian            : ledger/pebblestore ledger/trillianlog ledger/clusterlog
only github.com/open-policy-agent/opa      : policy/rules
only github.com/miekg/pkcs11               : internal/token
only github.com/prometheus                : internal/serve
only github.com/spf13/cobra                : cmd/sukashi
only github.com/smallstep/pkcs7            : review/application
only github.com/jackc/pgx/v5               : ca/registry/pgstore juki/register/pgstore

# A key on a token has no gate of its own: nobody reaches it but who puts one in front.
# (ca/registry: its tests put the key ring under a token's wrapping key, which signs nothing.)
only internal/token                        : ca/registry ca/keystore ca/keystore/keystoretest ledger/logkey internal/token

# Formats and mathematics run in a browser.
pure ledger/entry ledger/commitment ledger/proof ledger/status
pure policy/notice policy/holders policy/pad policy/transfer policy/catalogue policy/grammar internal/attr internal/say
`

// impure are the standard library's doors to the outside.
var impure = []string{"os", "net", "net/http", "os/exec", "io/ioutil", "syscall", "database/sql"}

func TestImports(t *testing.T) {
	pkgs := load(t)
	for n, line := range strings.Split(walls, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for _, bad := range check(pkgs, line) {
			t.Errorf("walls line %d %q: %s", n, line, bad)
		}
	}
}

// check returns the violations of one line.
func check(pkgs map[string]*pkg, line string) []string {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "never":
		from, to, ok := strings.Cut(rest, "->")
		if !ok {
			return []string{"line has no ->"}
		}
		return never(pkgs, strings.TrimSpace(from), strings.Fields(to))
	case "only":
		mod, who, ok := strings.Cut(rest, ":")
		if !ok {
			return []string{"line has no :"}
		}
		return only(pkgs, strings.TrimSpace(mod), strings.Fields(who))
	case "pure":
		return pure(pkgs, strings.Fields(rest))
	}
	return []string{"unknown verb " + verb}
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func never(pkgs map[string]*pkg, from string, to []string) (bad []string) {
	for path, p := range pkgs {
		if !under(path, from) {
			continue
		}
		for reached, via := range reach(pkgs, p) {
			for _, dir := range to {
				if under(reached, dir) {
					bad = append(bad, fmt.Sprintf("%s reaches %s through %s", path, reached, via))
				}
			}
		}
		if under(path, "internal") {
			continue
		}
		for _, imp := range p.testImports {
			for _, dir := range to {
				if under(imp, dir) {
					bad = append(bad, fmt.Sprintf("a test of %s imports %s", path, imp))
				}
			}
		}
	}
	return bad
}

// reach returns every package of the module that p reaches, and the path.
func reach(pkgs map[string]*pkg, p *pkg) map[string]string {
	seen := map[string]string{}
	var walk func(q *pkg, via string)
	walk = func(q *pkg, via string) {
		for _, imp := range q.imports {
			next, ok := pkgs[imp]
			if _, done := seen[imp]; !ok || done {
				continue
			}
			seen[imp] = via
			walk(next, via+" > "+imp)
		}
	}
	walk(p, p.path)
	return seen
}

func only(pkgs map[string]*pkg, module string, who []string) (bad []string) {
	for path, p := range pkgs {
		for _, imp := range append(append([]string{}, p.imports...), p.testImports...) {
			if !under(imp, module) {
				continue
			}
			allowed := false
			for _, w := range who {
				allowed = allowed || path == w
			}
			if !allowed {
				bad = append(bad, path+" imports "+imp)
			}
		}
	}
	return bad
}

func pure(pkgs map[string]*pkg, names []string) (bad []string) {
	for _, name := range names {
		p, ok := pkgs[name]
		if !ok {
			bad = append(bad, "there is no package "+name)
			continue
		}
		all := map[string]string{name: name}
		for r, via := range reach(pkgs, p) {
			all[r] = via
		}
		for r := range all {
			for _, imp := range pkgs[r].imports {
				for _, door := range impure {
					if imp == door {
						bad = append(bad, fmt.Sprintf("%s imports %s", r, imp))
					}
				}
			}
		}
	}
	return bad
}

// The test of the test: each verb finds what it is for.
func TestWallsFindViolations(t *testing.T) {
	pkgs := map[string]*pkg{
		"ca":          {path: "ca", imports: []string{"internal/x"}},
		"internal/x":  {path: "internal/x", imports: []string{"juki/match", "os"}},
		"juki/match":  {path: "juki/match", imports: []string{"example.org/heavy/sub"}},
		"juki":        {path: "juki", testImports: []string{"ca"}},
		"review/pure": {path: "review/pure", imports: []string{"internal/x"}},
	}
	for _, line := range []string{
		"never ca -> juki", "never juki -> ca", "only example.org/heavy : internal/x",
		"pure review/pure", "pure gone", "nonsense", "never x", "only y",
	} {
		if len(check(pkgs, line)) == 0 {
			t.Errorf("%q finds nothing", line)
		}
	}
	for _, line := range []string{"never juki -> internal", "only example.org/heavy : juki/match", "pure juki/match"} {
		if bad := check(pkgs, line); len(bad) > 0 {
			t.Errorf("%q finds %v", line, bad)
		}
	}
}
