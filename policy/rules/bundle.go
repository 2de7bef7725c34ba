// Package rules holds the policy bundle and evaluates it; it is the only
// importer of Open Policy Agent.
//
// The bundle is a plain tar with fixed headers and sorted names, so that
// anyone packs the same bytes from the same sources and compares digests; it
// carries everything that a decision depends on: the Rego modules, the input
// schemas they are checked against, the fact catalogue, the OPA capabilities,
// the notice grammars and the scanner's versions.
//
// OPA is used as a library and kept from failing open: capabilities are a
// short whitelist of deterministic built-ins, strict compilation and strict
// built-in errors are on, input schemas close every misspelt field, and there
// is no server, plugin, discovery, decision log or custom built-in.
//
//	e, err := rules.Compile(ctx, rules.Shipped())
//	allow, codes, err := e.Eval(ctx, catalogue.NoticeSend, vector)
package rules

import (
	"archive/tar"
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Names of the bundle's fixed files.
const (
	FileManifest     = ".manifest"
	FileCapabilities = "capabilities.json"
	FileCatalogue    = "catalogue.json"
	FileGrammar      = "grammar.json"
	FileScanner      = "scanner.json"
)

// MaxBundle is the largest bundle in bytes, MaxFiles the most files in one.
const (
	MaxBundle = 1 << 20
	MaxFiles  = 64
)

// Bundle is a policy bundle. Digest is the SHA-256 of Bytes, the others are
// SHA-256 of the file of that name within; policy.approved carries all four.
type Bundle struct {
	Bytes        []byte
	Digest       entry.Digest
	Capabilities entry.Digest
	Grammar      entry.Digest
	Scanner      entry.Digest
	files        map[string][]byte
}

// File returns one file's content, or nil. The caller must not change it.
func (b Bundle) File(name string) []byte { return b.files[name] }

// Names returns the names of all files in ascending order.
func (b Bundle) Names() []string { return slices.Sorted(maps.Keys(b.files)) }

// Files returns a copy of the file map, for building another bundle.
func (b Bundle) Files() map[string][]byte { return maps.Clone(b.files) }

//go:embed bundle
var shipped embed.FS

//go:embed proof.json
var shippedProof []byte

// ShippedProof returns the proof certificate of the shipped bundle, as the
// project's tests made it (package policy/rules/prove). Nobody has to believe
// it: sukashi policy prove makes it again.
func ShippedProof() []byte { return bytes.Clone(shippedProof) }

// Shipped returns the bundle that this program carries. Two programs built
// from the same sources carry the same bytes.
func Shipped() Bundle {
	b, err := PackFS(shipped, "bundle")
	if err != nil {
		// The embedded files are fixed at build time and a test packs them.
		panic("the embedded policy bundle can't be packed")
	}
	return b
}

// PackFS makes a bundle from the sources under dir, where manifest.json stands
// for the bundle's .manifest.
func PackFS(fsys fs.FS, dir string) (Bundle, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(fsys, dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := path
		if dir != "." {
			name = strings.TrimPrefix(path, dir+"/")
		}
		if name == "manifest.json" {
			name = FileManifest
		}
		if len(files) == MaxFiles {
			return fmt.Errorf("a policy bundle has at most %d files", MaxFiles)
		}
		files[name], err = fs.ReadFile(fsys, path)
		return err
	})
	if err != nil {
		return Bundle{}, fmt.Errorf("couldn't read the policy bundle's sources: %w", err)
	}
	return Pack(files)
}

// Pack makes a bundle from files.
func Pack(files map[string][]byte) (Bundle, error) {
	if len(files) > MaxFiles {
		return Bundle{}, fmt.Errorf("a policy bundle has at most %d files", MaxFiles)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := checkName(name); err != nil {
			return Bundle{}, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(files[name])), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return Bundle{}, fmt.Errorf("couldn't pack the policy bundle: %w", err)
		}
		if _, err := w.Write(files[name]); err != nil {
			return Bundle{}, fmt.Errorf("couldn't pack the policy bundle: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return Bundle{}, fmt.Errorf("couldn't pack the policy bundle: %w", err)
	}
	if buf.Len() > MaxBundle {
		return Bundle{}, fmt.Errorf("a policy bundle has at most %d bytes", MaxBundle)
	}
	return newBundle(buf.Bytes(), files)
}

// ParseBundle reads a bundle from its exact bytes; bytes that Pack would not
// write for the same files are refused.
func ParseBundle(b []byte) (Bundle, error) {
	if len(b) > MaxBundle {
		return Bundle{}, fmt.Errorf("a policy bundle has at most %d bytes", MaxBundle)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Bundle{}, fmt.Errorf("couldn't read the policy bundle: %w", err)
		}
		if _, twice := files[h.Name]; twice || len(files) == MaxFiles {
			return Bundle{}, errors.New("the policy bundle names a file twice or has too many")
		}
		if files[h.Name], err = io.ReadAll(io.LimitReader(r, MaxBundle)); err != nil {
			return Bundle{}, fmt.Errorf("couldn't read the policy bundle: %w", err)
		}
	}
	out, err := Pack(files)
	if err != nil {
		return Bundle{}, err
	}
	if !bytes.Equal(out.Bytes, b) {
		return Bundle{}, errors.New("the policy bundle is not in its one packed form")
	}
	return out, nil
}

func newBundle(b []byte, files map[string][]byte) (Bundle, error) {
	for _, name := range []string{FileManifest, FileCapabilities, FileCatalogue, FileGrammar, FileScanner} {
		if _, ok := files[name]; !ok {
			return Bundle{}, fmt.Errorf("the policy bundle has no %s", name)
		}
	}
	return Bundle{
		Bytes: b, Digest: entry.Sum(b), Capabilities: entry.Sum(files[FileCapabilities]),
		Grammar: entry.Sum(files[FileGrammar]), Scanner: entry.Sum(files[FileScanner]), files: maps.Clone(files),
	}, nil
}

// checkName allows the fixed files, schemas/NAME.json and sukashi/NAME.rego.
func checkName(name string) error {
	switch name {
	case FileManifest, FileCapabilities, FileCatalogue, FileGrammar, FileScanner:
		return nil
	}
	if stem, ok := within(name, "schemas/", ".json"); ok && isWord(stem) {
		return nil
	}
	if stem, ok := within(name, "sukashi/", ".rego"); ok && isWord(stem) {
		return nil
	}
	return errors.New("the policy bundle holds a file that does not belong in one")
}

func within(s, prefix, suffix string) (string, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
