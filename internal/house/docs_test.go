package house

import (
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every package says what it is, and every exported name what it means.
func TestDocComments(t *testing.T) {
	for path, p := range load(t) {
		if len(p.files) == 0 {
			continue
		}
		packageDoc := false
		for _, f := range p.files {
			packageDoc = packageDoc || f.Doc != nil
			for _, d := range f.Decls {
				undocumented(d, func(name string, pos token.Pos) {
					t.Errorf("%s: exported %s has no doc comment", p.fset.Position(pos), name)
				})
			}
		}
		if !packageDoc {
			t.Errorf("package %s has no package comment", path)
		}
	}
}

func undocumented(d ast.Decl, report func(string, token.Pos)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			report(d.Name.Name, d.Pos())
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					report(s.Name.Name, s.Pos())
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						report(n.Name, n.Pos())
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	e := d.Recv.List[0].Type
	if s, ok := e.(*ast.StarExpr); ok {
		e = s.X
	}
	if g, ok := e.(*ast.IndexExpr); ok {
		e = g.X
	}
	id, ok := e.(*ast.Ident)
	return ok && id.IsExported()
}

// No committed file names the machine it was written on, and none promises
// work instead of doing it.
func TestNoForeignWords(t *testing.T) {
	root := moduleRoot(t)
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skip("skipped: this tree is not a git checkout, so the committed files can't be listed")
	}
	home, _ := os.UserHomeDir()
	words := []string{"TO" + "DO", "FIX" + "ME", root + "/"}
	if len(home) > 1 {
		words = append(words, home+"/")
	}
	for _, f := range strings.Fields(string(out)) {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil || strings.HasSuffix(f, ".gz") || f == "go.sum" {
			continue
		}
		for _, w := range words {
			if strings.Contains(string(b), w) {
				t.Errorf("%s holds %q", f, w)
			}
		}
	}
}
