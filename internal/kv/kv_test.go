package kv

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
)

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *Store, kv ...string) {
	t.Helper()
	b := s.NewBatch()
	for i := 0; i < len(kv); i += 2 {
		b.Set([]byte(kv[i]), []byte(kv[i+1]))
	}
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, scan func(from, to []byte, fn func(k, v []byte) error) error, from, to []byte) string {
	t.Helper()
	var ks []string
	if err := scan(from, to, func(k, v []byte) error { ks = append(ks, string(k)+"="+string(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(ks, " ")
}

func TestStoreKeepsWhatWasCommitted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put(t, s, "a", "1", "b1", "2", "b2", "3", "c", "4")
	b := s.NewBatch()
	b.Delete([]byte("a"))
	b.DeleteRange([]byte("b2"), []byte("c"))
	if b.Len() == 0 {
		t.Error("a batch with two writes has no length")
	}
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	dropped := s.NewBatch()
	dropped.Set([]byte("x"), nil)
	dropped.Close()
	if err := dropped.Commit(true); err == nil {
		t.Error("a batch that was given up could be committed")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, Options{ReadOnly: true})
	if got, want := keys(t, s.Scan, nil, nil), "b1=2 c=4"; got != want {
		t.Errorf("after opening again: %q, want %q", got, want)
	}
	if _, err := s.Get([]byte("a")); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get of a deleted key: %v", err)
	}
	if v, err := s.Get([]byte("c")); err != nil || string(v) != "4" {
		t.Errorf("Get = %q, %v", v, err)
	}
}

func TestScanPrefixAndLast(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	put(t, s, "a\xff", "1", "a\xff\xff", "2", "b", "3")
	from, to := Prefix([]byte("a\xff"))
	if got, want := keys(t, s.Scan, from, to), "a\xff=1 a\xff\xff=2"; got != want {
		t.Errorf("prefix scan %q, want %q", got, want)
	}
	if _, to := Prefix([]byte("\xff\xff")); to != nil {
		t.Errorf("the prefix ff ff ends at %x", to)
	}
	k, v, err := s.Last(from, to)
	if err != nil || string(k) != "a\xff\xff" || string(v) != "2" {
		t.Errorf("Last = %q %q %v", k, v, err)
	}
	if _, _, err := s.Last([]byte("c"), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("Last in an empty range: %v", err)
	}
	n := 0
	if err := s.Scan(nil, nil, func(k, v []byte) error { n++; return ErrStop }); err != nil || n != 1 {
		t.Errorf("a stopped scan saw %d pairs, %v", n, err)
	}
	mine := errors.New("mine")
	if err := s.Scan(nil, nil, func(k, v []byte) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("scan lost the caller's error: %v", err)
	}
}

func TestSnapshotDoesNotMove(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	put(t, s, "a", "1")
	sn, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "2", "b", "2")
	if v, err := sn.Get([]byte("a")); err != nil || string(v) != "1" {
		t.Errorf("snapshot reads %q, %v", v, err)
	}
	if got := keys(t, sn.Scan, nil, nil); got != "a=1" {
		t.Errorf("snapshot scans %q", got)
	}
	if err := sn.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartedBatchIsVisibleBeforeItIsSynced(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	b := s.NewBatch()
	b.Set([]byte("a"), []byte("1"))
	wait, err := b.Start()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get([]byte("a")); err != nil {
		t.Errorf("not visible after Start: %v", err)
	}
	if err := wait(); err != nil {
		t.Error(err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	b := s.NewBatch()
	b.Set([]byte("a"), nil)
	s.Close()
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	_, get := s.Get([]byte("a"))
	_, snap := s.Snapshot()
	_, _, last := s.Last(nil, nil)
	for what, err := range map[string]error{"Get": get, "Commit": b.Commit(true), "Snapshot": snap, "Last": last,
		"Scan": s.Scan(nil, nil, nil)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

func TestSentencesForPeople(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	_, locked := Open(dir, Options{})
	_, missing := Open(t.TempDir()+"/nowhere", Options{ReadOnly: true})
	for _, c := range []struct {
		err  error
		code string
	}{
		{locked, CodeLocked},
		{missing, CodeMissing},
		{explain("", fmt.Errorf("write: %w", syscall.ENOSPC)), CodeFull},
		{explain("d", fmt.Errorf("odd")), "internal"},
		{explain("", fmt.Errorf("odd")), "internal"},
	} {
		if got := say.Code(c.err); got != c.code {
			t.Errorf("code %q, want %q (%v)", got, c.code, c.err)
		}
	}
	if _, hint := say.For(locked, say.Japanese); hint == "" {
		t.Error("a locked store says nothing about what to do")
	}
}

// TestSyncedBatchesSurviveACrash keeps 0, 50 and 100 % of what was not synced:
// every batch acknowledged with sync must be there, whole.
func TestSyncedBatchesSurviveACrash(t *testing.T) {
	for _, kept := range []int{0, 50, 100} {
		mem := NewCrashableFS()
		s := open(t, "/d", Options{FS: mem})
		for i := range 50 {
			b := s.NewBatch()
			b.Set(fmt.Appendf(nil, "k%03d", i), []byte("v"))
			b.Set(fmt.Appendf(nil, "l%03d", i), []byte("v"))
			if err := b.Commit(i%5 != 4); err != nil {
				t.Fatal(err)
			}
		}
		clone := Crash(mem, kept, 1)
		c := open(t, "/d", Options{FS: clone})
		for i := range 49 {
			_, err1 := c.Get(fmt.Appendf(nil, "k%03d", i))
			_, err2 := c.Get(fmt.Appendf(nil, "l%03d", i))
			if i%5 != 4 && (err1 != nil || err2 != nil) {
				t.Errorf("%d%% kept: synced batch %d is lost: %v %v", kept, i, err1, err2)
			}
			if (err1 == nil) != (err2 == nil) {
				t.Errorf("%d%% kept: batch %d is there in half", kept, i)
			}
		}
	}
}

// TestCloseWaitsForAScan closes the store while a scan runs: the scan ends
// well, what it starts afterwards is refused, and nothing hangs.
func TestCloseWaitsForAScan(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	put(t, s, "a", "1", "b", "2")
	closed := make(chan error)
	n := 0
	err := s.Scan(nil, nil, func(k, _ []byte) error {
		if n++; n == 1 {
			go func() { closed <- s.Close() }()
			for {
				if _, err := s.Get(k); errors.Is(err, ErrClosed) {
					return nil
				}
			}
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("scan saw %d pairs, %v", n, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
