package kv

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// How often in a row memory may fail to reach its tables, and the first pause
// between two tries, which doubles: a bit more than a second altogether.
const (
	flushTries = 8
	flushPause = 10 * time.Millisecond
)

// flushes watches what Pebble writes from memory to its tables. When that fails
// Pebble tries again at once, for ever, and Open waits for it: on a full disk a
// store would neither open nor say why. Nothing is lost by giving up: what is in
// memory is in the log file, too.
type flushes struct {
	failed int // in a row; guarded by Pebble's own lock, under which ended is called
	opened atomic.Bool
	hope   chan error // while the store is being opened: given up, and why
	log    logger
}

// ended is told of each try.
func (f *flushes) ended(info pebble.FlushInfo) {
	if info.Err == nil {
		f.failed = 0
		return
	}
	if f.failed++; f.failed < flushTries {
		time.Sleep(flushPause << (f.failed - 1))
		return
	}
	if f.opened.Load() {
		f.log.Fatalf("memory can't be written to the tables: %v", info.Err)
	}
	f.hope <- info.Err
	select {} // Open has failed; Pebble must not go on trying
}

// open opens the store, or gives up with the error of its disk.
func (f *flushes) open(dir string, po *pebble.Options) (*pebble.DB, error) {
	po.EventListener.FlushEnd = f.ended
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
		f.opened.Store(true)
		return r.db, r.err
	case err := <-f.hope:
		return nil, err
	}
}
