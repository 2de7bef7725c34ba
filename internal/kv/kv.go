// Package kv is the embedded store of every zone: an ordered map of byte keys
// to byte values in one directory, with atomic batches. It is a thin wrapper
// around Pebble and the only package that imports it.
//
// Promises: a batch committed with sync is on disk, whole, before Commit
// returns; a batch is applied whole or not at all; one process at a time.
//
// What it does not promise: Pebble cannot tell a bit that rotted in the newest
// log file from a crash, and opens without the last batches. Whoever must
// notice that keeps a high-water mark elsewhere (package ledger/head).
//
// It never logs keys or values.
//
//	s, err := kv.Open("ledger/store", kv.Options{})
//	b := s.NewBatch()
//	b.Set([]byte("k"), []byte("v"))
//	err = b.Commit(true)
package kv

import (
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is the file system under a store. Crash tests give a memory one.
type FS = vfs.FS

// ErrNotFound is returned by Get for a key that has no value.
var ErrNotFound = errors.New("key not found")

// ErrClosed is returned by every method after Close.
var ErrClosed = errors.New("store is closed")

// DefaultCacheBytes is the block cache when Options does not say: Pebble's own
// 8 MiB makes every look-up a disk read.
const DefaultCacheBytes = 64 << 20

// Options of a store. The zero value is a read-write store on disk.
type Options struct {
	FS         FS           // nil: the operating system's
	CacheBytes int64        // block cache in bytes; 0: DefaultCacheBytes
	MemTable   uint64       // write buffer in bytes; 0: 32 MiB
	BlockBytes int          // what is read from disk at a time, in bytes; 0: Pebble's 4 KiB. Larger for what is read in order
	ReadOnly   bool         // refuse writes; the directory must exist
	Logger     *slog.Logger // nil: silent
}

// Store is an open directory. Its methods are safe for concurrent use, and a
// Close waits for the reads and batches that run.
type Store struct {
	db    *pebble.DB
	spare chan *pebble.Batch // empty, with memory

	mu     sync.Mutex // guards runs and closed
	idle   *sync.Cond // signalled when runs falls to 0
	runs   int        // operations that run
	closed bool
}

// Open opens or creates the store in dir. It fails with a sentence for people
// when another process has it open, the disk is full or the files are damaged.
func Open(dir string, o Options) (*Store, error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemTable == 0 {
		o.MemTable = 32 << 20
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if !o.ReadOnly {
		if err := MakeDir(o.FS, dir); err != nil {
			return nil, explain(dir, err)
		}
	}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	log := logger{l: o.Logger}
	po := &pebble.Options{
		FS:                          ordered{o.FS},
		Merger:                      pebble.DefaultMerger, // Batch.Append puts values one behind the other
		Cache:                       cache,
		ReadOnly:                    o.ReadOnly,
		FormatMajorVersion:          pebble.FormatNewest, // the default is the oldest and has no sync marks in its log
		MemTableSize:                o.MemTable,
		MemTableStopWritesThreshold: 4,
		Logger:                      log,
		EventListener:               &pebble.EventListener{DataCorruption: log.corrupted},
		ErrorIfNotExists:            o.ReadOnly,
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		// What comes out of memory is soon written again; compressing it was 7 %
		// of the processor time of an append. It is done where data stays.
		if i < len(po.Levels)-1 {
			po.Levels[i].Compression = func() *block.CompressionProfile { return block.NoCompression }
		}
		po.Levels[i].BlockSize = o.BlockBytes
	}
	db, err := openLocked(dir, po, newOpening(log))
	if err != nil {
		return nil, explain(dir, err)
	}
	s := &Store{db: db, spare: make(chan *pebble.Batch, keptBatches)}
	s.idle = sync.NewCond(&s.mu)
	return s, nil
}

// Close releases the directory when the operations that run have ended; new
// ones get ErrClosed, also from inside a Scan. Closing twice is allowed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for s.runs > 0 {
		s.idle.Wait()
	}
	return s.db.Close()
}

// enter counts an operation of an open store; the caller leaves.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.runs++
	return nil
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs--; s.runs == 0 {
		s.idle.Broadcast()
	}
}

// Get returns a copy of the value of key, or ErrNotFound.
func (s *Store) Get(key []byte) ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	return get(s.db, key)
}

func get(r pebble.Reader, key []byte) ([]byte, error) {
	v, c, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, explain("", err)
	}
	out := append([]byte{}, v...)
	return out, c.Close()
}

// Scan calls fn for every pair with from <= key < to in ascending order; a nil
// to means to the end. The slices are valid only during the call. An error of
// fn ends the scan and is returned, except ErrStop, which ends it well.
func (s *Store) Scan(from, to []byte, fn func(k, v []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return scan(s.db, from, to, fn)
}

// ErrStop ends a Scan early without an error.
var ErrStop = errors.New("stop")

func scan(r pebble.Reader, from, to []byte, fn func(k, v []byte) error) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return explain("", err)
	}
	defer closing(it, &err)
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return explain("", err)
		}
		if err := fn(it.Key(), v); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return it.Error()
}

func closing(c io.Closer, err *error) {
	if e := c.Close(); *err == nil && e != nil {
		*err = explain("", e)
	}
}

// Last returns the pair with the greatest key in from <= key < to, or
// ErrNotFound.
func (s *Store) Last(from, to []byte) (key, value []byte, err error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, nil, explain("", err)
	}
	defer closing(it, &err)
	if !it.Last() {
		if err := it.Error(); err != nil {
			return nil, nil, explain("", err)
		}
		return nil, nil, ErrNotFound
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return nil, nil, explain("", err)
	}
	return append([]byte{}, it.Key()...), append([]byte{}, v...), nil
}

// Prefix returns the bounds of a Scan over all keys that begin with p.
func Prefix(p []byte) (from, to []byte) {
	to = append([]byte{}, p...)
	for i := len(to) - 1; i >= 0; i-- {
		to[i]++
		if to[i] != 0 {
			return p, to[:i+1]
		}
	}
	return p, nil
}
