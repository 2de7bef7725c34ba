package kv

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// File is a file of an FS.
type File = vfs.File

// WriteCategory is the accounting label that FS wants for files that this
// project writes beside a store.
const WriteCategory = vfs.WriteCategoryUnspecified

// MakeDir makes a directory and its missing parents so that they survive a
// crash: their names are brought to disk in each directory above. Pebble does
// that for its files, not for its directory.
//
// A directory that holds nothing yet is treated like a missing one, because the
// process that made it may have ended, or met an error, before its name was on
// disk. One that holds something is left alone.
func MakeDir(fs FS, dir string) error {
	if names, err := fs.List(dir); err == nil && len(names) > 0 {
		return nil
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("couldn't make the directory %s: %w", dir, err)
	}
	for d := dir; fs.PathDir(d) != d; {
		d = fs.PathDir(d)
		switch err := SyncDir(fs, d); {
		case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EINVAL):
			return nil // somebody else's, or one that can't be brought to disk: not made here
		case err != nil:
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
