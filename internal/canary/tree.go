package canary

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// maxUnpacked bounds what one gzip file may grow to.
const maxUnpacked = 1 << 30

// Result of reading a tree.
type Result struct {
	Hits   []Hit
	Files  int   // files read byte by byte
	Stores int   // stores read through their engine
	Bytes  int64 // bytes searched, unpacked
}

// Tree searches every file under root except the excluded top-level
// directories: names, bytes, unpacked gzip, and every key and value of every
// store. Stores must be closed. It writes nothing.
func Tree(root string, exclude []string, n *Net) (Result, error) {
	var res Result
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(exclude, rel) {
				return filepath.SkipDir
			}
			if isStore(path) {
				return res.store(path, rel, n)
			}
			return nil
		}
		res.look(rel, []byte(rel), n)
		return res.file(path, rel, n)
	})
	if err != nil {
		return res, fmt.Errorf("couldn't search the tree: %w", err)
	}
	return res, nil
}

func (r *Result) look(place string, b []byte, n *Net) {
	r.Bytes += int64(len(b))
	r.Hits = append(r.Hits, n.Scan(place, b)...)
}

func (r *Result) file(path, rel string, n *Net) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	r.Files++
	r.look(rel, b, n)
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil // begins like gzip by chance
	}
	u, err := io.ReadAll(io.LimitReader(z, maxUnpacked))
	if err == nil {
		r.look(rel+" (unpacked)", u, n)
	}
	return nil
}

// isStore recognises a Pebble directory by its manifest.
func isStore(dir string) bool {
	m, _ := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	return len(m) > 0
}

func (r *Result) store(dir, rel string, n *Net) error {
	s, err := kv.Open(dir, kv.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	r.Stores++
	return s.Scan(nil, nil, func(k, v []byte) error {
		r.look(rel+" key", k, n)
		r.look(rel+" value", v, n)
		// a value may be split over members; joined without separators it can't hide
		if bytes.IndexByte(v, 0) >= 0 {
			r.look(rel+" value without zeros", bytes.ReplaceAll(v, []byte{0}, nil), n)
		}
		return nil
	})
}

// Lines splits a canary list as the register writes it: one value a line.
func Lines(b []byte) []string {
	return strings.Split(strings.TrimRight(string(b), "\n"), "\n")
}
