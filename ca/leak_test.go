package ca

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// TestLeakOfMany carries out Article 14 with SUKASHI_LEAK_CERTIFICATES
// certificates in force (2,000 when not set) of all municipalities, on real
// files: each revocation's request and the revocation are in the log and the
// registry, the key's last lists are signed, and OCSP's state and the log's
// status tree say it.
func TestLeakOfMany(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: fills a log and a registry")
	}
	n := uint64(2_000)
	if s := os.Getenv("SUKASHI_LEAK_CERTIFICATES"); s != "" {
		var err error
		n, err = strconv.ParseUint(s, 10, 64)
		must(t, err)
	}
	w := newWorld(t, worldOptions{disk: true})
	w.stateDir = filepath.Join(w.dir, "state")
	var towns []string
	for _, m := range municipality.List() {
		towns = append(towns, m.Code)
	}
	w.fill(n, n, towns...)
	key := w.key.KeyID()
	w.leak(key)
	must(t, w.ca.Follow(ctx))

	peak := watchMemory()
	began, used := time.Now(), cpuTime()
	got, err := w.ca.revokeUnder(ctx, key, twoOfficers)
	must(t, err)
	revoked, revokedUsed := time.Since(began), cpuTime()-used
	if uint64(got) != n {
		t.Errorf("%d revoked, want %d", got, n)
	}
	began, used = time.Now(), cpuTime()
	if again, err := w.ca.RevokeLeaked(ctx, key, twoOfficers); err != nil || again != 0 { // nothing is left: it makes the lists
		t.Errorf("again: %d, %v", again, err)
	}
	listed, listedUsed := time.Since(began), cpuTime()-used
	memory := peak()
	began = time.Now()
	_, err = w.engine.Publish(ctx)
	must(t, err)
	must(t, w.ca.Follow(ctx))
	published := time.Since(began)

	trust, err := proof.LogOnly(w.logConf.VKey)
	must(t, err)
	lists, sum := 0, 0
	for _, name := range w.ca.Partitions() {
		row, err := w.ca.CRLOf(key, name)
		if err != nil {
			continue
		}
		l, err := x509.ParseRevocationList(row.DER)
		must(t, err)
		lists++
		if m := len(l.RevokedCertificateEntries); name != "full" {
			sum += m
		} else if uint64(m) != n {
			t.Errorf("the complete list has %d certificates, want %d", m, n)
		}
	}
	if uint64(sum) < n {
		t.Errorf("the lists of the municipalities have %d certificates, want %d", sum, n)
	}
	for _, o := range []uint64{0, n / 2, n - 1} {
		if a := w.ca.State().Lookup(key, serialOf(o)); a.Status != revocation.Revoked || a.Reason != 2 {
			t.Errorf("ordinal %d: %+v", o, a)
		}
		receipt, err := w.engine.Status(ctx, o)
		must(t, err)
		if s, err := trust.VerifyStatus(receipt, serialOf(o)); err != nil || s.State != status.Revoked {
			t.Errorf("ordinal %d: the log's status is %+v, %v", o, s, err)
		}
	}
	each := func(d time.Duration) time.Duration { return (d / time.Duration(n)).Round(time.Microsecond) }
	t.Logf("%d certificates: revoked in %s (CPU %s each), %d lists in %s (CPU %s), checkpoint and status root %s, at most %d MB of heap",
		n, revoked.Round(time.Millisecond), each(revokedUsed), lists, listed.Round(time.Millisecond), listedUsed.Round(time.Millisecond), published.Round(time.Millisecond), memory>>20)
}

// watchMemory returns a function that says how large the heap was at most.
func watchMemory() func() uint64 {
	stop, out := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				out <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-out
	}
}
