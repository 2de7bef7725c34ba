package kv

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// File is a file of an FS.
type File = vfs.File

// WriteCategory is the accounting label that FS wants for files that this
// project writes beside a store.
const WriteCategory = vfs.WriteCategoryUnspecified

// MakeDir makes a directory and its missing parents so that they survive a
// crash: each new name is brought to disk in its parent. Pebble does that for
// its files, not for its directory.
func MakeDir(fs FS, dir string) error {
	var parents []string
	for d := dir; ; {
		if _, err := fs.Stat(d); err == nil {
			break
		}
		parent := fs.PathDir(d)
		if parent == d {
			break
		}
		parents = append(parents, parent)
		d = parent
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("couldn't make the directory %s: %w", dir, err)
	}
	for _, p := range parents {
		if err := SyncDir(fs, p); err != nil {
			return err
		}
	}
	return nil
}

// SyncDir brings the names in a directory to disk.
func SyncDir(fs FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("couldn't open the directory %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("couldn't bring the directory %s to disk: %w", dir, err)
	}
	return nil
}
