//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func runIt(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestRun(t *testing.T) {
	f := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(f, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := runIt(t); code != 1 || !strings.Contains(errs, "終了コード") {
		t.Error("no file:", code, errs)
	}
	if code, _, errs := runIt(t, "--help"); code != 0 || !strings.Contains(errs, "exit code") {
		t.Error("help:", code, errs)
	}
	if code, _, _ := runIt(t, "--lang", "fr", f); code != 1 {
		t.Error("language:", code)
	}
	if code, _, _ := runIt(t, "--nothing", f); code != 1 {
		t.Error("flag:", code)
	}
	if code, out, _ := runIt(t, f); code != 1 || !strings.Contains(out, "判定できません") {
		t.Error("text file:", code, out)
	}
	code, out, _ := runIt(t, "--json", "--lang", "en", f, f)
	dec := json.NewDecoder(strings.NewReader(out))
	for range 2 {
		var v struct{ Exit int }
		if err := dec.Decode(&v); err != nil || v.Exit != 1 || code != 1 {
			t.Error("json:", code, err, out)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestOutputThatCannotBeWritten(t *testing.T) {
	var errs bytes.Buffer
	if code := run(context.Background(), []string{"/dev/null"}, brokenPipe{}, &errs); code != 1 || errs.Len() == 0 {
		t.Error(code, errs.String())
	}
}

// TestSmall holds the verifier to what its description promises: pure Go and
// few modules, none of the servers'.
func TestSmall(t *testing.T) {
	allowed := map[string]bool{
		"github.com/sukashi-project/sukashi":  true,
		"golang.org/x/mod":                    true, // signed notes, Merkle proofs
		"github.com/transparency-dev/formats": true, // cosignatures
		"golang.org/x/crypto":                 true, // for the above
		"filippo.io/mldsa":                    true, // for the above
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}|{{.ImportPath}}|{{len .CgoFiles}}", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	b, err := cmd.Output()
	if err != nil {
		t.Skipf("skipped: go list doesn't run here: %v", err)
	}
	modules := map[string]bool{}
	for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		module, rest, _ := strings.Cut(l, "|")
		if module == "" {
			continue // standard library
		}
		if modules[module] = true; !allowed[module] {
			t.Errorf("module %s came in through %s", module, rest)
		}
		if !strings.HasSuffix(rest, "|0") {
			t.Errorf("%s uses cgo", rest)
		}
	}
	t.Logf("%d modules, our own included", len(modules))
}
