package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// result is one measurement, in the form that bench/peers prints too.
// Latencies are in milliseconds.
type result struct {
	System   string  `json:"system"`
	InFlight int     `json:"in_flight"`
	Bytes    int     `json:"bytes"`
	Entries  int     `json:"entries"`
	Total    int     `json:"total"` // entries logged in all, counted or not
	Seconds  float64 `json:"seconds"`
	PerSec   float64 `json:"per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	CPU      float64 `json:"cpu_us"`     // processor time of the measuring process per entry
	Servers  float64 `json:"servers_us"` // … of a cluster's database, log server and signer
}

// order is what a child process is asked to measure.
type order struct {
	System   string
	InFlight int
	Bytes    int
	For      time.Duration
	Dir      string
	Server   string // a cluster's log server
}

const childOrder = "SUKASHI_BENCH_ORDER"

// TestMeasure is the child process: one system, one measurement.
func TestMeasure(t *testing.T) {
	if os.Getenv(childOrder) == "" {
		t.Skip("only as a child of TestLedgerBench")
	}
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childOrder)), &o); err != nil {
		t.Fatal(err)
	}
	systems := map[string]func(testing.TB, order) func() error{sukashi: ourLog, bare: bareLog, onCluster: clusterLog}
	r, err := measure(o, systems[o.System](t, o))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		t.Fatal(err)
	}
}

// measure runs the closed loop. The first fifth of the time is not counted, so
// that a log is not blamed for its start.
func measure(o order, do func() error) (result, error) {
	begin := time.Now().Add(o.For / 4)
	end := begin.Add(o.For)
	var mu sync.Mutex
	var took []time.Duration
	total := 0
	var before time.Duration
	var failed atomic.Pointer[error]
	time.AfterFunc(time.Until(begin), func() { mu.Lock(); before = cpu(); mu.Unlock() })
	var wg sync.WaitGroup
	for range o.InFlight {
		wg.Go(func() {
			var own []time.Duration
			all := 0
			for failed.Load() == nil {
				start := time.Now()
				if start.After(end) {
					break
				}
				if err := do(); err != nil {
					failed.Store(&err)
					break
				}
				all++
				if now := time.Now(); now.After(begin) && now.Before(end) {
					own = append(own, now.Sub(start))
				}
			}
			mu.Lock()
			took = append(took, own...)
			total += all
			mu.Unlock()
		})
	}
	time.Sleep(time.Until(end))
	used := cpu()
	wg.Wait()
	if err := failed.Load(); err != nil {
		return result{}, *err
	}
	if len(took) == 0 {
		return result{}, errors.New("nothing was logged in the time")
	}
	slices.Sort(took)
	n := float64(len(took))
	return result{System: o.System, InFlight: o.InFlight, Bytes: o.Bytes, Entries: len(took), Total: total, Seconds: o.For.Seconds(),
		PerSec: n / o.For.Seconds(), P50: ms(took[len(took)/2]), P99: ms(took[len(took)*99/100]),
		CPU: float64((used - before).Microseconds()) / n}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // can't fail for the own process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fsyncTime is the median of a 4 KiB write with fdatasync, the floor under
// every latency of the table.
func fsyncTime(t testing.TB) time.Duration {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var took []time.Duration
	for i := range 200 {
		start := time.Now()
		if _, err := f.WriteAt(make([]byte, 4096), int64(i%16)*4096); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(fmt.Errorf("fdatasync: %w", err))
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
