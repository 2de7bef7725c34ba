package kv

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
)

// A disk on which no table can be brought to disk refuses to open, with a
// sentence, instead of trying for ever.
func TestOpenGivesUp(t *testing.T) {
	mem := NewCrashableFS()
	s, err := Open("/store", Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	b.Set([]byte("k"), []byte("v"))
	if err := errors.Join(b.Commit(true), s.Close()); err != nil {
		t.Fatal(err)
	}
	for errno, code := range map[syscall.Errno]string{syscall.ENOSPC: CodeFull, syscall.EIO: "internal"} {
		var syncs atomic.Int64
		bad := Wrap(Crash(mem, 100, 0), func(op string) error {
			if op == "sync-data" {
				syncs.Add(1)
				return errno
			}
			return nil
		})
		done := make(chan error, 1)
		go func() {
			s, err := Open("/store", Options{FS: bad})
			if err == nil {
				err = s.Close()
			}
			done <- err
		}()
		select {
		case err := <-done:
			if say.Code(err) != code || !errors.Is(err, errno) {
				t.Errorf("%v: %v", errno, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%v: it tries for ever", errno)
		}
		if n := syncs.Load(); n < 2 || n > 4*flushTries {
			t.Errorf("%v: %d tries", errno, n)
		}
	}
}

// An operation that fails while a store is being opened is an error of Open's,
// wherever it is, also when what memory held has just gone to a table and Pebble
// is looking at it: Pebble takes its caches away from under that.
func TestOpenOnFailingDisk(t *testing.T) {
	mem := NewCrashableFS()
	s, err := Open("/store", Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		b := s.NewBatch()
		for i := range 200 {
			b.Set(fmt.Appendf(nil, "%d", i), make([]byte, 100))
			b.Delete(fmt.Appendf(nil, "%d", i+100*round))
		}
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// try opens with operation n failing, once or from then on.
	try := func(n int64, lasting bool) (ops int64, err error) {
		var count atomic.Int64
		bad := Wrap(Crash(mem, 100, 0), func(string) error {
			if c := count.Add(1); c == n || lasting && c > n {
				return syscall.ENOSPC
			}
			return nil
		})
		s, err := Open("/store", Options{FS: bad})
		ops = count.Load()
		if err == nil && !lasting {
			_ = s.Close() // the last of what may fail comes after Open
		}
		return ops, err
	}
	all, err := try(0, false)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 10
	if testing.Short() {
		rounds = 1
	}
	var refused atomic.Int64
	var wait sync.WaitGroup
	for n := range all {
		for i := range rounds {
			wait.Go(func() {
				switch _, err := try(n+1, i == 0); {
				case err == nil:
				case say.Code(err) == CodeFull:
					refused.Add(1)
				default:
					t.Errorf("operation %d: %v", n+1, err)
				}
			})
		}
	}
	wait.Wait()
	t.Logf("%d operations, %d refusals", all, refused.Load())
	if refused.Load() < all/2 { // some of the last come after Open
		t.Error("the disk hardly failed")
	}
}
