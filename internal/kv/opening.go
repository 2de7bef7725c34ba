package kv

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// How often in a row memory may fail to reach its tables, and the first pause
// between two tries, which doubles: a bit more than a second altogether.
const (
	flushTries = 8
	flushPause = 10 * time.Millisecond
)

// opening is a store that is being opened, or was. It turns what the disk
// refuses meanwhile into an error of Open, where Pebble alone would not:
//
//   - When memory can't be written to the tables, Pebble tries again at once, for
//     ever, and waits for it: a store on a full disk would neither open nor say
//     why.
//   - Once memory has been written, Pebble looks at its tables in the background
//     while it goes on opening. When a later step fails it takes its caches away
//     from under that, and the process ends.
//   - What fails in the background while it is being opened would end the process.
//
// Giving up loses nothing: what is in memory is in the log file, too. Pebble is
// then left as it stands, with the directory locked until the process ends.
type opening struct {
	state  atomic.Int32
	tables atomic.Bool // memory was written to tables: something runs in the background
	failed int         // flushes in a row; guarded by Pebble's own lock, under which flushed is called
	hope   chan error  // given up, and why
	log    logger
}

// States of opening.
const (
	underWay = iota
	isOpen
	givenUp
)

func newOpening(log logger) *opening {
	o := &opening{hope: make(chan error, 1), log: log}
	o.log.opening = o
	return o
}

// giveUp makes err the error of Open and doesn't come back; when the store is
// open it comes back and has done nothing.
func (o *opening) giveUp(err error) {
	if o.state.CompareAndSwap(underWay, givenUp) {
		o.hope <- err
	}
	if o.state.Load() == givenUp {
		select {}
	}
}

// flushed is told of each try to write memory to tables.
func (o *opening) flushed(info pebble.FlushInfo) {
	if info.Err == nil {
		o.failed = 0
		o.tables.Store(true)
		return
	}
	if o.failed++; o.failed < flushTries {
		time.Sleep(flushPause << (o.failed - 1))
		return
	}
	o.giveUp(info.Err)
	o.log.Fatalf("memory can't be written to the tables: %v", info.Err)
}

// open opens the store, or gives up with the error of its disk.
func (o *opening) open(dir string, po *pebble.Options) (*pebble.DB, error) {
	po.EventListener.FlushEnd = o.flushed
	po.Logger = o.log
	po.FS = watched{po.FS, o}
	type result struct {
		db  *pebble.DB
		err error
	}
	done := make(chan result, 1)
	go func() {
		db, err := openDB(dir, po)
		done <- result{db, err}
	}()
	select {
	case r := <-done:
		if r.err != nil || o.state.CompareAndSwap(underWay, isOpen) {
			return r.db, r.err
		}
		return nil, <-o.hope
	case err := <-o.hope:
		return nil, err
	}
}

// watched is the file system of a store that is being opened.
type watched struct {
	vfs.FS
	opening *opening
}

// Unwrap implements vfs.FS.
func (w watched) Unwrap() vfs.FS { return w.FS }

// check gives up when an operation failed that Open would fail with. A table
// that can't be written is not among them: Pebble tries that again.
func (w watched) check(name string, err error) error {
	if err != nil && w.opening.tables.Load() && !strings.HasSuffix(name, ".sst") {
		w.opening.giveUp(err)
	}
	return err
}

func (w watched) file(name string, f vfs.File, err error) (vfs.File, error) {
	if w.check(name, err) != nil || w.opening.state.Load() != underWay {
		return f, err
	}
	return watchedFile{f, name, w}, nil
}

// directory is a file whose Sync must not fail: Pebble's markers panic then.
type directory struct{ watchedFile }

func (d directory) Sync() error {
	err := d.File.Sync()
	if err != nil {
		d.fs.opening.giveUp(err)
	}
	return err
}

func (w watched) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, c)
	return w.file(name, f, err)
}

func (w watched) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.ReuseForWrite(old, name, c)
	return w.file(name, f, err)
}

func (w watched) OpenDir(name string) (vfs.File, error) {
	f, err := w.FS.OpenDir(name)
	if f, err = w.file(name, f, err); err != nil {
		return nil, err
	}
	if f, ok := f.(watchedFile); ok {
		return directory{f}, nil
	}
	return f, nil
}

func (w watched) Rename(old, name string) error { return w.check(name, w.FS.Rename(old, name)) }

func (w watched) List(dir string) ([]string, error) {
	names, err := w.FS.List(dir)
	return names, w.check(dir, err)
}

type watchedFile struct {
	vfs.File
	name string
	fs   watched
}

func (f watchedFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.fs.check(f.name, err)
}

func (f watchedFile) Sync() error { return f.fs.check(f.name, f.File.Sync()) }

func (f watchedFile) SyncData() error { return f.fs.check(f.name, f.File.SyncData()) }

func (f watchedFile) Close() error { return f.fs.check(f.name, f.File.Close()) }
