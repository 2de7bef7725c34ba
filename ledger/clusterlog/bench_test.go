package clusterlog

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/logtest"
)

// BenchmarkAppend measures append to signed checkpoint on a cluster whose
// database, log server and signer share the machine: calls of 1 and 2,000
// entries of about 1 KiB, one or several calls in flight, fsync on.
func BenchmarkAppend(b *testing.B) {
	b.Run("postgres", func(b *testing.B) {
		pg := servers.OwnPostgres(b, servers.PGOptions{Durable: true, Settings: []string{"shared_buffers=512MB", "max_wal_size=8GB"}})
		benchAppends(b, newPlace(b, servers.TrillianOnPostgres(b, pg)))
	})
	b.Run("mariadb", func(b *testing.B) {
		benchAppends(b, newPlace(b, servers.TrillianOnMariaDB(b, servers.MariaDB(b, true))))
	})
}

func benchAppends(b *testing.B, p *place) {
	c := p.config(b, logtest.Settings{Origin: logtest.Origin, Head: "head", MaxBatch: 8192})
	c.Now, c.CacheBytes = time.Now, 0
	e, err := Open(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()

	const by = entry.ByCouncil
	var seq uint64
	for _, per := range []int{1, 100, 2000} {
		for _, inFlight := range []int{1, 4} {
			b.Run(fmt.Sprintf("entries=%d/inflight=%d", per, inFlight), func(b *testing.B) {
				batches := make([][][]byte, b.N)
				for i := range batches {
					for range per {
						batches[i] = append(batches[i], logtest.Large(b, by, seq))
						seq++
					}
				}
				b.ResetTimer()
				slots := make(chan struct{}, inFlight)
				var wg sync.WaitGroup
				for _, batch := range batches {
					slots <- struct{}{}
					r, err := sequence.Parse(batch)
					if err == nil {
						err = e.Submit(ctx, r)
					}
					if err != nil {
						b.Fatal(err)
					}
					wg.Go(func() {
						if _, err := e.Receipts(ctx, r); err != nil {
							b.Error(err)
						}
						<-slots
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N*per)/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}
