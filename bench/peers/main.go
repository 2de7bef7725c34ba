// Command peers measures other transparency logs in the way that the ledger's
// own benchmark measures ours: a closed loop of callers, each of which waits
// until its entry is covered by a signed checkpoint. It is a module of its own,
// so that no peer becomes a dependency of sukashi.
//
//	peers -system tessera-256 -in-flight 64 -bytes 1024 -for 3s -dir DIR
//
// It prints one line of JSON, the same as the ledger's own benchmark does.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// result is one measurement. Latencies are in milliseconds.
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
	CPU      float64 `json:"cpu_us"` // processor time of this process per entry
}

// add logs one entry and returns when a signed checkpoint covers it.
type add func(ctx context.Context, entry []byte) error

func main() {
	r := result{}
	flag.StringVar(&r.System, "system", "", "tessera-256, tessera-4096, trillian or trillian-preordered")
	flag.IntVar(&r.InFlight, "in-flight", 64, "callers that wait at the same time")
	flag.IntVar(&r.Bytes, "bytes", 1024, "size of an entry")
	length := flag.Duration("for", 3*time.Second, "how long to measure")
	dir := flag.String("dir", "", "an empty directory on the disk to measure")
	server := flag.String("server", "", "address of a Trillian log server, for trillian and trillian-preordered")
	flag.Parse()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var do add
	var err error
	switch r.System {
	case "tessera-256":
		do, err = tesseraLog(ctx, *dir, 256)
	case "tessera-4096":
		do, err = tesseraLog(ctx, *dir, 4096)
	case "trillian":
		do, err = trillianLog(ctx, *server, r.InFlight)
	case "trillian-preordered":
		do, err = preorderedLog(ctx, *server)
	default:
		err = fmt.Errorf("there is no system %q", r.System)
	}
	if err == nil {
		err = r.measure(ctx, *length, do)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// measure runs the closed loop. The first fifth of the time is not counted, so
// that a log is not blamed for its start.
func (r *result) measure(ctx context.Context, length time.Duration, do add) error {
	begin := time.Now().Add(length / 4)
	end := begin.Add(length)
	var mu sync.Mutex
	var took []time.Duration
	var failed atomic.Pointer[error]
	var before time.Duration
	time.AfterFunc(time.Until(begin), func() { mu.Lock(); before = cpu(); mu.Unlock() })
	var wg sync.WaitGroup
	for range r.InFlight {
		wg.Go(func() {
			var own []time.Duration
			all := 0
			entry := make([]byte, r.Bytes)
			for failed.Load() == nil {
				rand.Read(entry)
				start := time.Now()
				if start.After(end) {
					break
				}
				if err := do(ctx, slices.Clone(entry)); err != nil {
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
			r.Total += all
			mu.Unlock()
		})
	}
	time.Sleep(time.Until(end))
	used := cpu()
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	if r.Entries = len(took); r.Entries == 0 {
		return fmt.Errorf("nothing was logged in %v", length)
	}
	slices.Sort(took)
	r.Seconds = length.Seconds()
	r.PerSec = float64(len(took)) / r.Seconds
	r.P50, r.P99 = ms(took[len(took)/2]), ms(took[len(took)*99/100])
	r.CPU = float64((used - before).Microseconds()) / float64(len(took))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // can't fail for the own process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
