package trillianlog

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/logtest"
)

var benchEntry = logtest.Large

// BenchmarkAppend measures append to signed checkpoint in a closed loop with n
// calls in flight, strict order and fsync on, in a directory of the disk.
// Entries are made before the clock starts. cpu-us/op is processor time of the
// whole process, which other load on the machine doesn't change much.
func BenchmarkAppend(b *testing.B) {
	for _, inFlight := range []int{1, 64, 512, 4096} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchAppend(b, inFlight, false) })
	}
}

// BenchmarkCommit is BenchmarkAppend without parsing and checking the entries:
// what the engine itself costs.
func BenchmarkCommit(b *testing.B) {
	for _, inFlight := range []int{1, 64, 512, 4096} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchAppend(b, inFlight, true) })
	}
}

// cpu is the processor time that the process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // can't fail for the own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func benchAppend(b *testing.B, inFlight int, parsedBefore bool) {
	c := config(b, nil)
	c.CacheBytes = 0
	c.Now = time.Now
	e := mustOpen(b, c)
	entries := make([][]byte, b.N)
	requests := make([]*sequence.Request, b.N)
	for i := range entries {
		entries[i] = benchEntry(b, entry.ByCouncil, uint64(i))
		if parsedBefore {
			requests[i] = mustRequest(b, entries[i])
		}
	}
	b.SetBytes(int64(len(entries[0])))
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	// A writer's entries must be queued in order, and they are ready in none:
	// whoever fills the gap queues what waited for it.
	var order sync.Mutex
	ready, queued := make([]*sequence.Request, b.N), 0
	runtime.GC()
	before := cpu()
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
				r := requests[i]
				if r == nil {
					r = mustRequest(b, entries[i])
				}
				order.Lock()
				ready[i] = r
				for ; queued < b.N && ready[queued] != nil; queued++ {
					if err := e.Submit(ctx, ready[queued]); err != nil {
						b.Error(err)
					}
					ready[queued] = nil
				}
				order.Unlock()
				if _, err := e.Receipts(ctx, r); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
				requests[i] = nil
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/op")
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
}

func mustRequest(b *testing.B, entryBytes []byte) *sequence.Request {
	r, err := sequence.Parse([][]byte{entryBytes})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkFsck measures a whole check and a start, per entry.
// The log of 200,000 entries of about 1 KiB, or as many as
// SUKASHI_FSCK_ENTRIES says, is made once. peak-MiB is the most memory that the
// process has had, the making included.
func BenchmarkFsck(b *testing.B) {
	c := config(b, nil)
	c.CacheBytes = 0
	e := mustOpen(b, c)
	n := uint64(200_000)
	if s, err := strconv.ParseUint(os.Getenv("SUKASHI_FSCK_ENTRIES"), 10, 32); err == nil && s >= 2000 {
		n = s / 2000 * 2000
	}
	batches := make(chan [][]byte, 2) // made while others are appended
	go func() {
		defer close(batches)
		for from := uint64(0); from < n; from += 2000 {
			batch := make([][]byte, 2000)
			for i := range batch {
				batch[i] = benchEntry(b, entry.ByCouncil, from+uint64(i))
			}
			batches <- batch
		}
	}()
	for batch := range batches {
		if _, err := e.Append(ctx, batch...); err != nil {
			b.Fatal(err)
		}
	}
	e.Close()
	measure := func(b *testing.B, f func() error) {
		before := cpu()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "entries/s")
		b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N)/float64(n), "cpu-us/entry")
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // can't fail for the own process
		b.ReportMetric(float64(r.Maxrss)/1024, "peak-MiB")
	}
	b.Run("fsck", func(b *testing.B) {
		measure(b, func() error {
			r, err := Fsck(ctx, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey})
			if err == nil && !r.OK() {
				b.Errorf("%+v", r.Findings)
			}
			return err
		})
	})
	b.Run("open", func(b *testing.B) {
		measure(b, func() error {
			e, err := Open(ctx, c)
			if err == nil {
				err = e.Close()
			}
			return err
		})
	})
}
