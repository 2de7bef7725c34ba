package trillianlog

import (
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// benchEntry makes an entry of about 1 KiB: a policy.approved with three
// approvals.
func benchEntry(b testing.TB, by string, seq uint64) []byte {
	body := &entry.PolicyApproved{Bundle: digest(seq), Capabilities: digest(1, seq), Grammar: digest(2, seq), Scanner: digest(3, seq)}
	for i := range 3 {
		d := digest(uint64(i), seq)
		body.Approvals = append(body.Approvals, entry.Approval{
			Key: base64.StdEncoding.EncodeToString(d[:]), Sig: base64.StdEncoding.EncodeToString(append(d[:], d[:]...))})
	}
	return marshal(b, by, seq, body)
}

// BenchmarkAppend measures append to signed checkpoint in a closed loop with n
// calls in flight, strict order and fsync on, in a directory of the disk.
// Entries are made before the clock starts.
func BenchmarkAppend(b *testing.B) {
	for _, inFlight := range []int{1, 64, 512, 4096} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchAppend(b, inFlight) })
	}
}

func benchAppend(b *testing.B, inFlight int) {
	c := config(b, nil)
	c.CacheBytes = 0
	c.Now = time.Now
	e := mustOpen(b, c)
	entries := make([][]byte, b.N)
	for i := range entries {
		entries[i] = benchEntry(b, entry.ByCouncil, uint64(i))
	}
	b.SetBytes(int64(len(entries[0])))
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	queued := make([]chan struct{}, b.N+1) // a writer's entries must be queued in order
	for i := range queued {
		queued[i] = make(chan struct{})
	}
	close(queued[0])
	b.ResetTimer()
	var wg sync.WaitGroup
	for range min(inFlight, b.N) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				start := time.Now()
				r, err := newRequest(entries[i : i+1])
				if err != nil {
					b.Error(err)
				}
				<-queued[i]
				e.mu.Lock()
				e.queue = append(e.queue, r)
				e.mu.Unlock()
				close(queued[i+1])
				e.signal()
				<-r.done
				if r.err != nil {
					b.Error(r.err)
					return
				}
				if _, err := e.receipt(r.commit, r.indexes[0]); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
}
