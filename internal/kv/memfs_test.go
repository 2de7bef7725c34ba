package kv

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestWrapSeesEveryChange(t *testing.T) {
	var mu sync.Mutex // the hook is called by the store's own goroutines too
	seen := map[string]int{}
	fs := Wrap(NewMemFS(), func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		seen[op]++
		return nil
	})
	s := open(t, "/d/e", Options{FS: fs, MemTable: 64 << 10})
	for i := range 200 {
		put(t, s, fmt.Sprint(i), strings.Repeat("x", 1000))
	}
	s.Close()
	if err := fs.Link("/d/e/LOCK", "/d/l"); err != nil {
		t.Fatal(err)
	}
	f, err := fs.OpenReadWrite("/d/l", WriteCategory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SyncTo(1); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.SyncData(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"create", "mkdir", "rename", "remove", "link", "write", "write-at", "sync", "sync-data", "sync-to"} {
		if seen[op] == 0 {
			t.Errorf("no %s was seen", op)
		}
	}
}

func TestWrapCanFailAndLie(t *testing.T) {
	var answer error
	mem := NewCrashableFS()
	fs := Wrap(mem, func(string) error { return answer })
	f, err := fs.Create("/f", WriteCategory)
	if err != nil {
		t.Fatal(err)
	}
	if err := SyncDir(fs, "/"); err != nil {
		t.Fatal(err)
	}
	answer = ErrSkip
	if n, err := f.Write([]byte("lost")); n != 4 || err != nil {
		t.Errorf("a skipped write: %d %v", n, err)
	}
	if st, err := mem.Stat("/f"); err != nil || st.Size() != 0 {
		t.Errorf("a skipped write wrote %d bytes, %v", st.Size(), err)
	}
	answer = errors.New("disk is gone")
	_, create := fs.Create("/g", WriteCategory)
	_, reuse := fs.ReuseForWrite("/f", "/g", WriteCategory)
	_, write := f.Write([]byte("x"))
	_, writeAt := f.WriteAt([]byte("x"), 0)
	_, syncTo := f.SyncTo(1)
	for what, err := range map[string]error{"create": create, "reuse": reuse, "write": write, "write-at": writeAt, "sync-to": syncTo,
		"sync": f.Sync(), "rename": fs.Rename("/f", "/g"), "remove": fs.Remove("/f"), "link": fs.Link("/f", "/g"),
		"make": MakeDir(fs, "/a/b"), "dir": SyncDir(fs, "/nowhere")} {
		if what != "dir" && !errors.Is(err, answer) || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Open("/x", Options{FS: fs}); !errors.Is(err, answer) {
		t.Errorf("open on a failing disk: %v", err)
	}
}

func TestMadeDirectoriesSurviveACrash(t *testing.T) {
	mem := NewCrashableFS()
	if err := MakeDir(mem, "/a/b/c"); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(mem, "/a/b/c"); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := Crash(mem, 0, 1).Stat("/a/b/c"); err != nil {
		t.Error(err)
	}
	if Disk() == nil {
		t.Error("no disk")
	}
	// Also when the first try met an error anywhere.
	for at := range 4 {
		mem, n := NewCrashableFS(), 0
		gone := errors.New("disk is gone")
		fs := Wrap(mem, func(string) error {
			if n++; n-1 == at {
				return gone
			}
			return nil
		})
		if err := MakeDir(fs, "/a/b/c"); !errors.Is(err, gone) {
			t.Errorf("an error at change %d: %v", at, err)
		}
		if err := MakeDir(fs, "/a/b/c"); err != nil {
			t.Errorf("after an error at change %d: %v", at, err)
		}
		if _, err := Crash(mem, 0, 1).Stat("/a/b/c"); err != nil {
			t.Errorf("after an error at change %d: %v", at, err)
		}
	}
}

// TestCrashWhileMaking cuts the power at every operation of the first Open and
// of the first writes, keeping some names of a directory and losing others:
// the store opens again, with all that was synced.
func TestCrashWhileMaking(t *testing.T) {
	points := 0
	for _, keep := range []int{0, 10, 50, 90, 100} {
		for seed := range uint64(4) {
			mem := NewCrashableFS()
			var mu sync.Mutex
			var clones []*MemFS
			var acked []bool
			done := false
			fs := Wrap(mem, func(string) error {
				mu.Lock()
				defer mu.Unlock()
				clones, acked = append(clones, Crash(mem, keep, seed*1000+uint64(len(clones)))), append(acked, done)
				return nil
			})
			s := open(t, "/a/d", Options{FS: fs})
			put(t, s, "k", strings.Repeat("v", 1+int(seed)*3001))
			mu.Lock()
			done = true
			mu.Unlock()
			put(t, s, "l", "w")
			s.Close()
			for i, c := range clones {
				s, err := Open("/a/d", Options{FS: c})
				if err != nil {
					t.Fatalf("%d%% kept, seed %d, operation %d: %v", keep, seed, i, err)
				}
				if _, err := s.Get([]byte("k")); acked[i] && err != nil {
					t.Errorf("%d%% kept, seed %d, operation %d: a synced write is lost", keep, seed, i)
				}
				s.Close()
				points++
			}
		}
	}
	t.Logf("%d crash points", points)
}
