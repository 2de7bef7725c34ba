package kv

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
)

// creating is the name of a file that is there while a store is made. Pebble
// can't open a store whose making was cut short by a crash (its marker may be
// on disk and the manifest that it names not), so what was half made is removed
// and made again. Nobody can have written to it: Open had not returned.
const creating = "sukashi-creating"

// openLocked opens the store with the directory's lock held throughout.
func openLocked(dir string, po *pebble.Options, o *opening) (*pebble.DB, error) {
	lock, err := pebble.LockDirectory(dir, po.FS)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the open store keeps a hold of its own
	po.Lock = lock
	if po.ReadOnly {
		return openDB(dir, po)
	}
	isNew, err := clearHalfMade(dir, po.FS)
	if err != nil {
		return nil, err
	}
	db, err := o.open(dir, po)
	if err != nil || !isNew {
		return db, err
	}
	if err := errors.Join(SyncDir(po.FS, dir), po.FS.Remove(po.FS.PathJoin(dir, creating)), SyncDir(po.FS, dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("couldn't finish making the store: %w", err), db.Close())
	}
	return db, nil
}

// openDB opens the store. A disk that fails while that is done is an error of
// Open's, where Pebble would end the process: nothing runs yet that could not go
// on.
func openDB(dir string, po *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		switch f := recover().(type) {
		case nil:
		case runtime.Error:
			panic(f)
		case error: // fatal for a store that is only read, or what opening did not meet before
			err = f
		default:
			panic(f)
		}
	}()
	return pebble.Open(dir, po)
}

// clearHalfMade prepares an empty directory, or one whose making was cut short,
// for a new store.
func clearHalfMade(dir string, fs FS) (isNew bool, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return false, err
	}
	mark, others := fs.PathJoin(dir, creating), names[:0]
	for _, n := range names {
		switch n {
		case creating:
			isNew = true
		case "LOCK":
		default:
			others = append(others, n)
		}
	}
	if isNew {
		for _, n := range others {
			if err := fs.Remove(fs.PathJoin(dir, n)); err != nil {
				return false, fmt.Errorf("couldn't clear a half-made store: %w", err)
			}
		}
		return true, SyncDir(fs, dir)
	}
	if len(others) > 0 {
		return false, nil
	}
	f, err := fs.Create(mark, WriteCategory)
	if err != nil {
		return false, err
	}
	return true, errors.Join(f.Sync(), f.Close(), SyncDir(fs, dir))
}
