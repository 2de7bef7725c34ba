//go:build cgo

package ca

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
)

// BenchmarkIssue measures the whole path of an issuance: proof of possession,
// decision, TBS and lint, record and intent, receipt, signing journal,
// signature in SoftHSM, certificate, cert.issued; every fsync included.
func BenchmarkIssue(b *testing.B) {
	for _, alg := range []string{keystore.P256, keystore.RSA2048} {
		for _, flight := range []int{1, 16, 64, 128, 256, 512} {
			b.Run(fmt.Sprintf("%s/%d", alg, flight), func(b *testing.B) {
				benchIssue(b, alg, flight)
			})
		}
	}
}

// tokenKey makes an issuer key on a fresh SoftHSM token.
func tokenKey(t testing.TB) func(alg string, gate keystore.GateConfig) keystore.Key {
	return func(alg string, gate keystore.GateConfig) keystore.Key {
		tok := keystoretest.Tokens(t, "ca")[0]
		must(t, keystore.GenerateToken(tok, keystore.LabelIssuer, alg))
		k, err := keystore.OpenToken(keystore.TokenConfig{Tokens: []keystore.Token{tok}, Label: keystore.LabelIssuer, Gate: gate})
		must(t, err)
		return k
	}
}

// heapFloor is memory that internal/serve keeps free in every role, so that the
// collector runs as often here as there.
const heapFloor = 64 << 20

func benchIssue(b *testing.B, alg string, flight int) {
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	w := newWorld(b, worldOptions{alg: alg, disk: true, token: tokenKey(b)})
	apps := make([]*counter.Application, b.N)
	var made sync.WaitGroup
	for part := range 4 {
		made.Go(func() {
			for i := part; i < len(apps); i += 4 {
				apps[i] = w.numbered(i)
			}
		})
	}
	made.Wait()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	before := cpuTime()
	b.ResetTimer()
	for range flight {
		wg.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= b.N {
					return
				}
				start := time.Now()
				if _, err := w.ca.Issue(ctx, apps[i], "counter-terminal"); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/certificate")
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "certificates/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
}

// cpuTime is what this process has used of all processors, kernel included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// numbered is the application of resident i, who differs from all others.
func (w *world) numbered(i int) *counter.Application {
	name := fmt.Sprintf("住民　%c%c%c", 'あ'+rune(i/6400%80), 'あ'+rune(i/80%80), 'あ'+rune(i%80))
	a := &counter.Application{ID: fmt.Sprintf("%s%05d%s", "20261123100203", i%100_000, "202011A01"), Municipality: town, Certified: certifiedOf(name),
		Request: request(w.t), Check: counter.Check{Authenticity: counter.DrivingLicence, Existence: true, Officer: "op-7"}}
	return a
}
