package head

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
)

func open(t *testing.T, fs kv.FS) *Store {
	t.Helper()
	s, err := Open("/h", fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSwapAndReopen(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Get() != nil || s.Torn() {
		t.Error("a new head is not empty")
	}
	var old []byte
	for i := range 5 {
		next := fmt.Appendf(nil, "checkpoint %d", i)
		if err := s.Swap(old, next); err != nil {
			t.Fatal(err)
		}
		if err := s.Swap(old, []byte("x")); !errors.Is(err, ErrMoved) {
			t.Errorf("swap of a head that moved: %v", err)
		}
		old = next
	}
	if err := s.Swap(old, make([]byte, MaxCheckpoint+1)); err == nil {
		t.Error("a checkpoint larger than a slot was taken")
	}
	if _, err := Open(dir, nil); say.Code(err) != "head.locked" {
		t.Errorf("second open: %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(old, []byte("x")); err == nil {
		t.Error("a closed head was swapped")
	}
	if got, tail, torn, err := ReadTail(dir, nil); err != nil || torn || tail != nil || !bytes.Equal(got, old) {
		t.Errorf("Read = %q %t %v", got, torn, err)
	}
	if got, _, err := Read(t.TempDir(), nil); got != nil || err != nil {
		t.Errorf("Read of nothing = %q %v", got, err)
	}
	s, err = Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !bytes.Equal(s.Get(), old) {
		t.Errorf("head is %q", s.Get())
	}
}

func read(t *testing.T, fs kv.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryFlipIsNoticedOrHarmless flips each byte's lowest bit and each bit of
// some bytes: the head is then refused, or one swap older and reported as
// torn, or unchanged; never anything else.
func TestEveryFlipIsNoticedOrHarmless(t *testing.T) {
	fs := kv.NewMemFS()
	s := open(t, fs)
	one, two := []byte("checkpoint one"), []byte("checkpoint two")
	if err := errors.Join(s.Swap(nil, one), s.SwapTail(one, two, []byte("tail")), s.Close()); err != nil {
		t.Fatal(err)
	}
	good := read(t, fs, "/h/head")
	for i := range len(good) * 8 {
		if used := i/8%slotSize < 200; !used && i%40009 != 0 || used && i%8 != 0 && i%13 != 0 {
			continue
		}
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		s := &Store{}
		if err := s.read(bad); err != nil {
			continue
		}
		switch {
		case bytes.Equal(s.head, two) && string(s.tail) == "tail":
		case bytes.Equal(s.head, one) && s.torn && s.tail == nil:
		default:
			t.Fatalf("bit %d: head is %q, torn %t", i, s.head, s.torn)
		}
	}
	s = &Store{}
	if err := s.read(make([]byte, slots*slotSize)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("an empty file: %v", err)
	}
	swapped := append(bytes.Clone(good[slotSize:]), good[:slotSize]...)
	if err := (&Store{}).read(swapped); !errors.Is(err, ErrUnreadable) {
		t.Errorf("swapped slots: %v", err)
	}
}

// TestCrashAtEveryWrite cuts the power before each operation: the head is then
// what was acknowledged last, or what was being written.
func TestCrashAtEveryWrite(t *testing.T) {
	points := 0
	swaps := 12
	if testing.Short() {
		swaps = 4
	}
	for _, keep := range []int{0, 10, 50, 100} {
		for at := 0; ; at++ {
			mem := kv.NewCrashableFS()
			var acked, tried []byte
			var clone *kv.MemFS
			n := 0
			fs := kv.Wrap(mem, func(string) error {
				if n == at {
					clone = kv.Crash(mem, keep, uint64(at))
				}
				n++
				return nil
			})
			s, err := Open("/h", fs)
			if err != nil {
				t.Fatal(err)
			}
			for i := range swaps {
				if clone == nil {
					tried = fmt.Appendf(nil, "checkpoint %d", i)
				}
				next := fmt.Appendf(nil, "checkpoint %d", i)
				var tail []byte // every other one has one, over one block and more
				if i%2 == 1 {
					tail = bytes.Repeat([]byte{byte(i)}, i*3000)
				}
				if err := s.SwapTail(s.Get(), next, tail); err != nil {
					t.Fatal(err)
				}
				if clone == nil {
					acked = next
				}
			}
			s.Close()
			if clone == nil {
				break
			}
			points++
			c, err := Open("/h", clone)
			if err != nil {
				t.Fatalf("%d%% kept, crash at %d: %v", keep, at, err)
			}
			if got := c.Get(); !bytes.Equal(got, acked) && !bytes.Equal(got, tried) {
				t.Fatalf("%d%% kept, crash at %d: head is %q, acknowledged was %q", keep, at, got, acked)
			}
			if got, tail := c.Get(), c.Tail(); len(got) > 0 {
				var i int
				_, _ = fmt.Sscanf(string(got), "checkpoint %d", &i)
				if want := bytes.Repeat([]byte{byte(i)}, i*3000); i%2 == 1 && !bytes.Equal(tail, want) || i%2 == 0 && tail != nil {
					t.Fatalf("%d%% kept, crash at %d: the tail of head %d has %d bytes", keep, at, i, len(tail))
				}
			}
			c.Close()
		}
	}
	t.Logf("%d crash points of the head, 0 lost", points)
	if points < 40 {
		t.Errorf("only %d crash points", points)
	}
}

func TestFailedWriteEndsTheHead(t *testing.T) {
	for _, op := range []string{"write-at", "sync-data"} {
		mem := kv.NewMemFS()
		broken := false
		fail := errors.New("disk is gone")
		s := open(t, kv.Wrap(mem, func(o string) error {
			if broken && o == op {
				return fail
			}
			return nil
		}))
		if err := s.Swap(nil, []byte("a")); err != nil {
			t.Fatal(err)
		}
		broken = true
		if err := s.Swap([]byte("a"), []byte("b")); !errors.Is(err, fail) {
			t.Errorf("%s: %v", op, err)
		}
		broken = false
		if err := s.Swap([]byte("a"), []byte("b")); !errors.Is(err, fail) {
			t.Errorf("%s: head goes on after a failed write: %v", op, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	pad := func(b []byte) []byte { return append(b, make([]byte, slotSize-len(b))...) }
	f.Add(pad(marshal(7, []byte("checkpoint"), nil)))
	f.Add(pad(marshal(7, []byte("checkpoint"), []byte("tail"))))
	f.Add(pad(marshal(7, []byte("checkpoint"), []byte{})))
	f.Add(make([]byte, slotSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok := unmarshal(b)
		if ok && !bytes.HasPrefix(b, marshal(x.gen, x.checkpoint, x.tail)) {
			t.Error("a slot is read as another")
		}
	})
}
