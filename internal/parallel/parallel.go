// Package parallel shares out a number of like computations among goroutines.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Each calls fn for 0 to n-1, in order of beginning, at most workers at a time,
// one of them on the caller's goroutine. It returns when all calls have.
func Each(n, workers int, fn func(i int)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			fn(i)
		}
	}
	var wg sync.WaitGroup
	for range min(n, workers) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
