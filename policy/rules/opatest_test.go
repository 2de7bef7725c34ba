package rules

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// TestRegoTests runs the Rego tests with OPA's own runner and demands that
// they cover every line of the bundle.
func TestRegoTests(t *testing.T) {
	ctx := context.Background()
	modules := map[string]*ast.Module{}
	var own []string
	add := func(path string) {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ast.ParseModuleWithOpts(path, string(src), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			t.Fatal(err)
		}
		modules[path] = m
	}
	for _, rs := range catalogue.Rulesets() {
		own = append(own, filepath.Join("bundle", "sukashi", stem(rs)+".rego"))
		add(own[len(own)-1])
		add(filepath.Join("tests", stem(rs)+"_test.rego"))
	}
	tracer := cover.New()
	store := inmem.New()
	txn := storage.NewTransactionOrDie(ctx, store)
	defer store.Abort(ctx, txn)
	// The tests need object functions that the bundle itself may not use.
	compiler := ast.NewCompiler().WithCapabilities(ast.CapabilitiesForThisVersion())
	results, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(modules).
		SetCoverageQueryTracer(tracer).RaiseBuiltinErrors(true).RunTests(ctx, txn)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := range results {
		n++
		if !r.Pass() {
			t.Errorf("%s.%s fails: %v", r.Package, r.Name, r.Error)
		}
	}
	if n < 200 {
		t.Errorf("only %d Rego tests ran", n)
	}
	report := tracer.Report(modules)
	for _, path := range own {
		f, ok := report.Files[path]
		if !ok || f.Coverage < 100 {
			t.Errorf("the Rego tests cover %.1f %% of %s", f.Coverage, path)
		}
	}
	t.Logf("%d Rego tests, all %d modules covered (%s)", n, len(own), strings.TrimSpace(EngineID()))
}
