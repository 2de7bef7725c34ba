package kv

import (
	"errors"
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
