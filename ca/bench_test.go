package ca

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sukashi-project/sukashi/ca/counter"
)

// BenchmarkIssue measures the whole path of an issuance (policy, lint, two
// entries in the log, registry, signing journal, every fsync) with 64
// applications in flight, by the kind of the issuer's key.
func BenchmarkIssue(b *testing.B) {
	for _, alg := range []string{"p256", "rsa2048"} {
		b.Run(alg, func(b *testing.B) {
			w := newWorld(b, worldOptions{alg: alg, disk: true})
			apps := make([]*counter.Application, b.N)
			for i := range apps {
				w.serial = i % 99_999
				apps[i] = w.application(certifiedOf(fmt.Sprintf("住民　%c%c%c", 'あ'+rune(i/6400%80), 'あ'+rune(i/80%80), 'あ'+rune(i%80))))
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range 64 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for {
						i := next.Add(1) - 1
						if i >= int64(b.N) {
							return
						}
						if _, err := w.ca.Issue(ctx, apps[i], "counter-terminal"); err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "certificates/s")
		})
	}
}
