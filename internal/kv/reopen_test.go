package kv

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// A power cut at any moment while a store is opened again and again leaves one
// that opens and has everything, also where names of files reach the disk in
// any order.
func TestCrashWhileReopening(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	points := 0
	value := func(seed uint64, row int) []byte { return bytes.Repeat([]byte{byte(row)}, 1+int(seed)*3001) }
	for _, keep := range []int{0, 10, 50, 90, 100} {
		for seed := range seeds {
			mem := NewCrashableFS()
			var mu sync.Mutex
			type cut struct {
				fs   *MemFS
				rows int
			}
			var cuts []cut
			rows := 0
			fs := Wrap(mem, func(string) error {
				mu.Lock()
				defer mu.Unlock()
				cuts = append(cuts, cut{Crash(mem, keep, seed*1_000_003+uint64(len(cuts))), rows})
				return nil
			})
			for i := range 2 + int(seed)%3 { // as many openings, with larger and larger values
				s, err := Open("/store", Options{FS: fs, CacheBytes: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				b := s.NewBatch()
				b.Set(fmt.Appendf(nil, "row %d", i), value(seed, i))
				if err := b.Commit(true); err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				rows = i + 1
				mu.Unlock()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for i, c := range cuts {
				points++
				s, err := Open("/store", Options{FS: c.fs, CacheBytes: 1 << 20})
				if err != nil {
					t.Fatalf("%d%% kept, seed %d, cut %d: %v", keep, seed, i, err)
				}
				for r := range c.rows {
					if v, err := s.Get(fmt.Appendf(nil, "row %d", r)); err != nil || !bytes.Equal(v, value(seed, r)) {
						t.Fatalf("%d%% kept, seed %d, cut %d: row %d: %v", keep, seed, i, r, err)
					}
				}
				s.Close()
			}
		}
	}
	t.Logf("%d crash points while reopening", points)
}
