package kv

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MemFS is a file system in memory, for tests.
type MemFS = vfs.MemFS

// NewMemFS returns an empty file system in memory.
func NewMemFS() *MemFS { return vfs.NewMem() }

// NewCrashableFS returns a file system in memory that knows what has been
// synced, for Crash.
func NewCrashableFS() *MemFS { return vfs.NewCrashableMem() }

// Disk is the operating system's file system.
func Disk() FS { return vfs.Default }

// Crash returns a copy of fs as a power cut would leave it: all that was
// synced and about keep percent of what was not, chosen by seed.
func Crash(fs *MemFS, keep int, seed uint64) *MemFS {
	cloning.Lock()
	defer cloning.Unlock()
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rand.New(rand.NewPCG(seed, uint64(keep)))})
}

// cloning is held while a copy is made, and for reading while a directory is
// locked: MemFS.Lock takes MemFS's own lock for reading twice, and waits for ever
// when a copy is asked for in between.
var cloning sync.RWMutex

// ErrSkip, returned by a hook of Wrap, leaves the operation out and reports
// success: a disk that lies.
var ErrSkip = errors.New("skip")

// Wrap returns fs with before called at every operation that changes it, with
// the operation's name, by any goroutine. An error of before is returned instead of doing it.
func Wrap(fs FS, before func(op string) error) FS { return &wrapped{fs, before} }

type wrapped struct {
	vfs.FS
	before func(op string) error
}

type wrappedFile struct {
	vfs.File
	before func(op string) error
}

// hooked runs do unless the hook says otherwise.
func hooked(before func(string) error, op string, do func() error) error {
	switch err := before(op); {
	case errors.Is(err, ErrSkip):
		return nil
	case err != nil:
		return err
	}
	return do()
}

func (w *wrapped) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &wrappedFile{f, w.before}, nil
}

// Create implements vfs.FS.
func (w *wrapped) Lock(name string) (io.Closer, error) {
	cloning.RLock()
	defer cloning.RUnlock()
	return w.FS.Lock(name)
}

func (w *wrapped) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := w.before("create"); err != nil {
		return nil, err
	}
	return w.file(w.FS.Create(name, c))
}

// OpenReadWrite implements vfs.FS.
func (w *wrapped) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return w.file(w.FS.OpenReadWrite(name, c, o...))
}

// OpenDir implements vfs.FS.
func (w *wrapped) OpenDir(name string) (vfs.File, error) { return w.file(w.FS.OpenDir(name)) }

// ReuseForWrite implements vfs.FS.
func (w *wrapped) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := w.before("reuse"); err != nil {
		return nil, err
	}
	return w.file(w.FS.ReuseForWrite(old, name, c))
}

// Rename implements vfs.FS.
func (w *wrapped) Rename(old, name string) error {
	return hooked(w.before, "rename", func() error { return w.FS.Rename(old, name) })
}

// Link implements vfs.FS.
func (w *wrapped) Link(old, name string) error {
	return hooked(w.before, "link", func() error { return w.FS.Link(old, name) })
}

// Remove implements vfs.FS.
func (w *wrapped) Remove(name string) error {
	return hooked(w.before, "remove", func() error { return w.FS.Remove(name) })
}

// MkdirAll implements vfs.FS.
func (w *wrapped) MkdirAll(name string, perm os.FileMode) error {
	return hooked(w.before, "mkdir", func() error { return w.FS.MkdirAll(name, perm) })
}

// Write implements vfs.File.
func (f *wrappedFile) Write(b []byte) (n int, err error) {
	n = len(b)
	err = hooked(f.before, "write", func() error { n, err = f.File.Write(b); return err })
	return n, err
}

// WriteAt implements vfs.File.
func (f *wrappedFile) WriteAt(b []byte, at int64) (n int, err error) {
	n = len(b)
	err = hooked(f.before, "write-at", func() error { n, err = f.File.WriteAt(b, at); return err })
	return n, err
}

// Sync implements vfs.File.
func (f *wrappedFile) Sync() error { return hooked(f.before, "sync", f.File.Sync) }

// SyncData implements vfs.File.
func (f *wrappedFile) SyncData() error { return hooked(f.before, "sync-data", f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *wrappedFile) SyncTo(n int64) (full bool, err error) {
	err = hooked(f.before, "sync-to", func() error { full, err = f.File.SyncTo(n); return err })
	return full, err
}

// Preallocate implements vfs.File. It does nothing: room that is kept for later
// holds nothing, and a disk in memory would write it full of zeroes.
func (f *wrappedFile) Preallocate(int64, int64) error { return nil }
