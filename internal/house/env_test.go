package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	envName  = regexp.MustCompile("SUKASHI_[A-Z0-9_]+")
	envTable = regexp.MustCompile("(?m)^\\| `(SUKASHI_[A-Z0-9_]+)")
)

// Every switch that programs, tests or scripts read from the environment is in
// the table of docs/TESTING.md, and the table has no other.
func TestEnvironmentIsDocumented(t *testing.T) {
	root := moduleRoot(t)
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skip("skipped: this tree is not a git checkout, so the committed files can't be listed")
	}
	read := map[string]string{}
	for _, f := range strings.Fields(string(out)) {
		if ext := filepath.Ext(f); ext != ".go" && ext != ".sh" && filepath.Base(f) != "Makefile" || strings.HasPrefix(f, "internal/house/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			continue // deleted, not committed yet
		}
		for _, name := range envName.FindAllString(string(b), -1) {
			read[name] = f
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "docs", "TESTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range envTable.FindAllStringSubmatch(string(b), -1) {
		listed = append(listed, m[1])
	}
	for name, f := range read {
		if !slices.Contains(listed, name) {
			t.Errorf("%s reads %s, which docs/TESTING.md does not list", f, name)
		}
	}
	for _, name := range listed {
		if read[name] == "" {
			t.Errorf("docs/TESTING.md lists %s, which nothing reads", name)
		}
	}
}
