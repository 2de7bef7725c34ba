package kv

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ordered is a file system on which Pebble's markers come and go in order.
//
// A marker is an empty file whose name says which manifest is the current one.
// Whenever a store is opened, Pebble makes a new manifest, then a new marker,
// removes the old marker, and only then brings the directory to disk. A file
// system that doesn't keep the order of names may after a power cut have the
// new marker without the manifest that it names, or neither marker: the store
// would not open, with nothing of its data lost. So the directory goes to disk
// before each of the two steps as well.
type ordered struct{ vfs.FS }

const marker = "marker."

func (o ordered) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := o.settle(name); err != nil {
		return nil, err
	}
	return o.FS.Create(name, c)
}

func (o ordered) Remove(name string) error {
	if err := o.settle(name); err != nil {
		return err
	}
	return o.FS.Remove(name)
}

// Unwrap implements vfs.FS.
func (o ordered) Unwrap() vfs.FS { return o.FS }

func (o ordered) settle(name string) error {
	if !strings.HasPrefix(o.PathBase(name), marker) {
		return nil
	}
	return SyncDir(o.FS, o.PathDir(name))
}
