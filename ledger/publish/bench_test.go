package publish

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// BenchmarkHTTPAppend measures appends through a Writer and HTTP on loopback,
// the client on the same processors, until the receipt is back; the engine's
// disk is memory here. cpu-us/op is processor time of both ends.
func BenchmarkHTTPAppend(b *testing.B) {
	for _, inFlight := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			e, _ := engine(b)
			w, err := ledger.NewWriter(ctx, serve(b, e, entry.ByCA), entry.ByCA, time.Now)
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			took := make([]time.Duration, b.N)
			next := make(chan int, b.N)
			for i := range b.N {
				next <- i
			}
			close(next)
			before := cpu()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range inFlight {
				wg.Go(func() {
					for i := range next {
						start := time.Now()
						if _, err := w.Append(ctx, &entry.SecurityEvent{Code: "bench", Count: uint64(i), From: at, To: at}); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(start)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-us/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
		})
	}
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // can't fail for the own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
