package pgstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/registrytest"
	"github.com/sukashi-project/sukashi/internal/servers"
)

// BenchmarkIssue is what one issuance costs the registry in PostgreSQL with
// fsync on.
func BenchmarkIssue(b *testing.B) {
	pg := servers.OwnPostgres(b, servers.PGOptions{Durable: true})
	s := open(b, pg.URL(b, "registry"))
	r, err := registry.OpenStore(s, filepath.Join(b.TempDir(), "keys"), registry.Config{Key: bytes.Repeat([]byte{7}, registry.KeySize), Rand: rand.Reader})
	must(b, err)
	registrytest.Bench(b, r)
}

// BenchmarkBare is the limit beside it: two synced and two relaxed statements,
// each in a transaction of its own, on a table without constraints.
func BenchmarkBare(b *testing.B) {
	ctx := context.Background()
	pg := servers.OwnPostgres(b, servers.PGOptions{Durable: true})
	s := open(b, pg.URL(b, "registry"))
	_, err := s.pool.Exec(ctx, `CREATE TABLE bare (id bigint PRIMARY KEY, value bytea)`)
	must(b, err)
	value := bytes.Repeat([]byte{1}, 2500)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < b.N; i += 64 {
				for step, sql := range []string{`INSERT INTO bare VALUES ($1, $2)`, `UPDATE bare SET value = $2 WHERE id = $1`, `UPDATE bare SET value = $2 WHERE id = $1`, `UPDATE bare SET value = $2 WHERE id = $1`} {
					if _, err := s.pool.Exec(ctx, sql, int64(i), value[:2500-2000*(step%2)]); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issuances/s")
}
