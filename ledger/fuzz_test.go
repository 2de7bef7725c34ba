package ledger_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fuzzed says which fuzz target tries each reader of bytes from outside: other
// machines, files that were handed over, disks. A reader with a reason instead
// is reached only through another one of the list.
var fuzzed = map[string]string{
	"commitment.ParseKey":          "FuzzParseKey",
	"entry.Parse":                  "FuzzParse",
	"entry.parseCanonical":         "through Parse",
	"entry.parseWhole":             "through Parse",
	"entry.ParseDigest":            "through Parse",
	"head.unmarshal":               "FuzzUnmarshal",
	"pebblestore.parseLeaf":        "FuzzParseLeaf",
	"pebblestore.parseSequencedAt": "eight bytes, of the store itself",
	"proof.ParsePolicy":            "FuzzParsePolicy",
	"proof.ParseReceipt":           "FuzzParseReceipt",
	"proof.ParseStatusReceipt":     "FuzzParseStatusReceipt",
	"proof.ParseUnverified":        "FuzzCheckpoint",
	"proof.parseSigned":            "through ParseUnverified",
	"proof.parseSigLine":           "through ParseUnverified",
	"proof.parseHash":              "through ParseUnverified",
	"proof.parseDecimal":           "through ParseUnverified",
	"proof.parseKey":               "through ParsePolicy",
	"publish.parseFrames":          "FuzzParseFrames",
	"publish.parseReceipts":        "FuzzParseReceipts",
	"publish.parseTilePath":        "FuzzParseTilePath",
	"status.Unmarshal":             "FuzzUnmarshal",
	"witness.parseRequest":         "FuzzParseRequest",
	"witness.parseText":            "FuzzParseText",
	"witness.parseHash":            "through parseRequest",
	"witness.parseSize":            "through parseRequest",
	"logkey.parse":                 "FuzzParse",
	"sequence.Parse":               "through entry.Parse",
}

var reader = regexp.MustCompile(`^([Pp]arse|[Uu]nmarshal)([A-Z].*)?$`)

// Every reader of outside bytes under ledger/ has a fuzz target that calls it
// and starts from a corpus.
func TestEveryParserIsFuzzed(t *testing.T) {
	found := map[string]bool{}
	targets := map[string]*ast.FuncDecl{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		pkg := strings.TrimSuffix(f.Name.Name, "_test")
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			switch name := fn.Name.Name; {
			case strings.HasSuffix(path, "_test.go") && strings.HasPrefix(name, "Fuzz"):
				targets[pkg+"."+name] = fn
			case !strings.HasSuffix(path, "_test.go") && reader.MatchString(name):
				found[pkg+"."+name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range found {
		if fuzzed[name] == "" {
			t.Errorf("%s reads bytes and is not in the list: give it a fuzz target", name)
		}
	}
	for name, how := range fuzzed {
		pkg, fn, _ := strings.Cut(name, ".")
		if !found[name] {
			t.Errorf("%s is in the list and not in the code", name)
		}
		if !strings.HasPrefix(how, "Fuzz") {
			continue
		}
		target := targets[pkg+"."+how]
		if target == nil {
			t.Errorf("%s: there is no %s", name, how)
			continue
		}
		if !mentions(target, fn) {
			t.Errorf("%s doesn't call %s", how, name)
		}
	}
	for name, target := range targets {
		if !mentions(target, "Add") {
			t.Errorf("%s has an empty corpus", name)
		}
	}
	if len(targets) < 12 {
		t.Errorf("only %d fuzz targets", len(targets))
	}
}

func mentions(fn *ast.FuncDecl, name string) (yes bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			yes = true
		}
		return !yes
	})
	return yes
}
