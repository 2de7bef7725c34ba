package parallel_test

import (
	"sync/atomic"
	"testing"

	"github.com/sukashi-project/sukashi/internal/parallel"
)

func TestEach(t *testing.T) {
	for n := range 40 {
		for _, workers := range []int{1, 2, 7, 64} {
			calls := make([]atomic.Int32, n)
			var now, most atomic.Int32
			parallel.Each(n, workers, func(i int) {
				for at := now.Add(1); ; {
					m := most.Load()
					if at <= m || most.CompareAndSwap(m, at) {
						break
					}
				}
				calls[i].Add(1)
				now.Add(-1)
			})
			for i := range calls {
				if calls[i].Load() != 1 {
					t.Fatalf("%d of %d with %d workers was called %d times", i, n, workers, calls[i].Load())
				}
			}
			if int(most.Load()) > workers {
				t.Fatalf("%d calls at a time, not %d", most.Load(), workers)
			}
		}
	}
}
