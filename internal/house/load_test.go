package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sukashi-project/sukashi"

// pkg is one package as its files say, paths relative to the module. Build
// tags are ignored on purpose: a wall holds on every platform.
type pkg struct {
	path        string
	imports     []string
	testImports []string
	files       map[string]*ast.File // without tests
	fset        *token.FileSet
}

// load reads every package of the module. It asserts that it found a plausible
// number, so that a moved file can't switch the rules off.
func load(t *testing.T) map[string]*pkg {
	t.Helper()
	root := moduleRoot(t)
	pkgs := map[string]*pkg{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
				return filepath.SkipDir // another module, such as bench/peers
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			return add(pkgs, root, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 10 {
		t.Fatalf("found only %d packages under the module's root", len(pkgs))
	}
	return pkgs
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func add(pkgs map[string]*pkg, root, path string) error {
	rel, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	p := pkgs[rel]
	if p == nil {
		p = &pkg{path: rel, files: map[string]*ast.File{}, fset: token.NewFileSet()}
		pkgs[rel] = p
	}
	f, err := parser.ParseFile(p.fset, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	list := &p.imports
	if strings.HasSuffix(path, "_test.go") {
		list = &p.testImports
	} else {
		p.files[path] = f
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		imp = strings.TrimPrefix(imp, module+"/")
		if !slices.Contains(*list, imp) {
			*list = append(*list, imp)
		}
	}
	return nil
}
