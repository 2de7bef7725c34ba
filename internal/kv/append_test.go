package kv

import (
	"bytes"
	"testing"
)

// TestAppend puts values together piece by piece, across a restart and a
// compaction, beside a snapshot of an earlier moment.
func TestAppend(t *testing.T) {
	fs := NewMemFS()
	open := func() *Store {
		s, err := Open("/s", Options{FS: fs, CacheBytes: 1 << 20, MemTable: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	write := func(fill func(*Batch)) {
		t.Helper()
		b := s.NewBatch()
		fill(b)
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
	}
	want := func(r interface{ Get([]byte) ([]byte, error) }, v []byte) {
		t.Helper()
		if got, err := r.Get([]byte("k")); err != nil || !bytes.Equal(got, v) {
			t.Fatalf("%d bytes and %v, want %d bytes", len(got), err, len(v))
		}
	}
	var all []byte
	for i := range 200 {
		piece := bytes.Repeat([]byte{byte(i)}, 32)
		write(func(b *Batch) { b.Append([]byte("k"), piece) })
		if all = append(all, piece...); i%50 == 49 {
			want(s, all)
		}
		switch i {
		case 80:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open()
		case 120:
			sn, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			defer sn.Close()
			defer want(sn, bytes.Clone(all))
		case 160:
			if err := s.Compact(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(func(b *Batch) { b.Set([]byte("k"), []byte("new")); b.Append([]byte("k"), []byte("er")) })
	want(s, []byte("newer"))
	write(func(b *Batch) { b.Delete([]byte("k")); b.Append([]byte("k"), []byte("x")) })
	want(s, []byte("x"))
	t.Cleanup(func() { s.Close() })
}
