package registry_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ca/registry/registrytest"
	"github.com/sukashi-project/sukashi/internal/kv"
)

// BenchmarkIssue is what one issuance costs the embedded registry.
func BenchmarkIssue(b *testing.B) {
	r, err := openDir(b.TempDir())
	must(b, err)
	defer r.Close()
	registrytest.Bench(b, r)
}

// BenchmarkBare is the limit beside it: two synced and two relaxed writes to the
// embedded store, of 2,500 and 500 bytes (more than a record's), without sealing
// and without an index.
func BenchmarkBare(b *testing.B) {
	s, err := kv.Open(b.TempDir(), kv.Options{})
	must(b, err)
	defer s.Close()
	value := bytes.Repeat([]byte{1}, 2500)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < b.N; i += 64 {
				for step := range 4 {
					batch := s.NewBatch()
					batch.Set([]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(step)}, value[:2500-2000*(step%2)])
					if err := batch.Commit(step%2 == 0); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issuances/s")
}

// BenchmarkShred is the price of an erasure for each record that is kept.
func BenchmarkShred(b *testing.B) {
	r, err := openDir(b.TempDir())
	must(b, err)
	defer r.Close()
	registrytest.BenchShred(b, r)
}
