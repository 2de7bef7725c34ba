package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"
)

// forgetful is a file system whose crash loses all that was not synced: data
// of files, and names in the directory.
type forgetful struct {
	names, durable map[string]*inode
	keep           bool // the crash happens to lose nothing
}

type inode struct {
	data, synced []byte
}

func (n *inode) Write(b []byte) (int, error) { n.data = append(n.data, b...); return len(b), nil }
func (n *inode) Sync() error                 { n.synced = bytes.Clone(n.data); return nil }
func (n *inode) Close() error                { return nil }

func (f *forgetful) read(name string) ([]byte, error) {
	if n := f.names[name]; n != nil {
		return append([]byte{}, n.data...), nil
	}
	return nil, nil
}

func (f *forgetful) create(name string) (file, error) {
	n := new(inode)
	f.names[name] = n
	return n, nil
}

func (f *forgetful) rename(from, to string) error {
	f.names[to] = f.names[from]
	delete(f.names, from)
	return nil
}

func (f *forgetful) syncDir() error { f.durable = maps.Clone(f.names); return nil }

func (f *forgetful) crash() {
	if f.keep {
		return
	}
	f.names = maps.Clone(f.durable)
	for _, n := range f.names {
		n.data = bytes.Clone(n.synced)
	}
}

// TestCrashLosesUnsynced ends a write at each of its steps, and once after it,
// on a system that loses or keeps what was not synced: the witness always
// starts again, and never forgets what it gave a cosignature for.
func TestCrashLosesUnsynced(t *testing.T) {
	l := newLog(t, "a").grow(t, 9, "entry")
	ctx := context.Background()
	steps := []string{"create", "write", "sync", "close", "rename", "sync directory", "after"}
	for _, keep := range []bool{false, true} {
		for _, step := range steps {
			name := fmt.Sprintf("%s, keep %v", step, keep)
			f := &forgetful{names: map[string]*inode{}, durable: map[string]*inode{}, keep: keep}
			start := func() *Server {
				s, err := openOn(Config{Dir: t.TempDir(), Name: "w.example", Key: seed("w"), Logs: []string{l.vkey}, Now: func() time.Time { return noon }}, f)
				if err != nil {
					t.Fatalf("%s: doesn't start: %v", name, err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			}
			s := start()
			if _, err := s.AddCheckpoint(ctx, 0, nil, l.checkpoint(t, 4)); err != nil {
				t.Fatal(err)
			}
			s.store.fail = func(at string) error {
				if at == step {
					return errors.New("crash")
				}
				return nil
			}
			_, err := s.AddCheckpoint(ctx, 4, l.prove(t, 4, 7), l.checkpoint(t, 7))
			f.crash()
			got := start().logs[origin].size
			if err == nil && got != 7 || err != nil && got != 4 && got != 7 {
				t.Errorf("%s: acknowledged %v, size %d after the crash", name, err == nil, got)
			}
		}
	}
}
