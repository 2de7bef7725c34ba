package clusterlog

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/trillian"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/logtest"
)

// BenchmarkCluster measures append to signed checkpoint on a cluster whose
// database, log server and signer share the machine, fsync on, entries of about
// 1 KiB: calls of some entries, one or several in flight. Beside it stands the
// bare limit on the same servers in the same run: AddSequencedLeaves with ready
// leaves, and waiting for the signer's root, without checking, order, tiles,
// index, head or proofs.
//
// One operation is one entry. The µs-… columns are processor time per entry,
// which a busy machine stretches little.
func BenchmarkCluster(b *testing.B) {
	for name, schema := range map[string]servers.Schema{"": servers.Preordered, "-stock": servers.Stock} {
		b.Run("postgres"+name, func(b *testing.B) {
			pg := servers.OwnPostgres(b, servers.PGOptions{Durable: true, Settings: servers.TrillianSettings})
			benchCluster(b, func(b *testing.B) *place { return newPlace(b, servers.TrillianOnPostgres(b, pg, schema)) }, pg.CPU)
		})
		b.Run("mariadb"+name, func(b *testing.B) {
			m := servers.MariaDB(b, true)
			benchCluster(b, func(b *testing.B) *place { return newPlace(b, servers.TrillianOnMariaDB(b, m, schema)) }, m.CPU)
		})
	}
}

var benchShapes = []struct{ per, inFlight int }{{1, 1}, {64, 1}, {64, 4}, {512, 1}, {512, 4}, {2048, 1}, {2048, 2}, {2048, 4}, {4096, 1}, {4096, 2}, {4096, 4}}

// benchCluster starts Trillian's programs for each figure: the signer looks
// after every tree that an earlier one left behind.
func benchCluster(b *testing.B, start func(*testing.B) *place, database func() time.Duration) {
	for _, s := range benchShapes {
		name := fmt.Sprintf("entries=%d/inflight=%d", s.per, s.inFlight)
		b.Run("bare/"+name, func(b *testing.B) { benchBare(b, start(b).cluster, database, s.per, s.inFlight) })
		b.Run("log/"+name, func(b *testing.B) { benchLog(b, start(b), database, s.per, s.inFlight) })
	}
}

// benchBare adds leaves of ready bytes to a tree of its own.
func benchBare(b *testing.B, c *servers.Trillian, database func() time.Duration, per, inFlight int) {
	r, err := dial(&Config{Address: c.Address, MaxMessage: servers.MaxMessage})
	if err != nil {
		b.Fatal(err)
	}
	defer r.conn.Close()
	if err := r.openTree(ctx, fmt.Sprintf("bare-%d", time.Now().UnixNano()), false); err != nil {
		b.Fatal(err)
	}
	var reqs []*trillian.AddSequencedLeavesRequest
	for i := 0; i < b.N; i += per {
		req := &trillian.AddSequencedLeavesRequest{LogId: r.tree}
		for at := i; at < min(i+per, b.N); at++ {
			id := identity("bare", uint64(at))
			req.Leaves = append(req.Leaves, &trillian.LogLeaf{LeafIndex: int64(at), LeafIdentityHash: id[:],
				LeafValue: logtest.Large(b, entry.ByCouncil, uint64(at))})
		}
		reqs = append(reqs, req)
	}
	measured(b, c, database, func() {
		slots := make(chan struct{}, inFlight)
		var wg sync.WaitGroup
		for _, req := range reqs {
			slots <- struct{}{}
			wg.Go(func() {
				if _, err := r.log.AddSequencedLeaves(ctx, req); err != nil {
					b.Error(err)
				}
				if per*inFlight == 1 {
					waitRoot(b, r, uint64(req.Leaves[0].LeafIndex)+1)
				}
				<-slots
			})
		}
		wg.Wait()
		waitRoot(b, r, uint64(b.N))
	})
}

func waitRoot(b *testing.B, r *remote, size uint64) {
	for {
		root, err := r.root(ctx)
		if err != nil {
			b.Error(err)
			return
		}
		if root.Size >= size {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// benchLog appends to an open log.
func benchLog(b *testing.B, p *place, database func() time.Duration, per, inFlight int) {
	c := p.config(b, logtest.Settings{Origin: logtest.Origin, Head: "head"})
	c.Now, c.CacheBytes = time.Now, 0
	e, err := Open(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	seq, err := e.NextSeq(ctx, entry.ByCouncil)
	if err != nil {
		b.Fatal(err)
	}
	var calls [][][]byte
	for i := 0; i < b.N; i += per {
		var call [][]byte
		for range min(per, b.N-i) {
			call = append(call, logtest.Large(b, entry.ByCouncil, seq))
			seq++
		}
		calls = append(calls, call)
	}
	measured(b, p.cluster, database, func() {
		slots := make(chan struct{}, inFlight)
		var wg sync.WaitGroup
		for _, call := range calls {
			slots <- struct{}{}
			r, err := sequence.Parse(call)
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
	})
}

// measured runs do and reports entries per second and processor time per entry.
func measured(b *testing.B, c *servers.Trillian, database func() time.Duration, do func()) {
	server, signer := c.CPU()
	self := ownCPU()
	db := database()
	b.ResetTimer()
	do()
	b.StopTimer()
	var sum time.Duration
	report := func(d time.Duration, of string) {
		b.ReportMetric(float64(d.Microseconds())/float64(b.N), "µs-"+of)
		sum += d
	}
	server1, signer1 := c.CPU()
	report(database()-db, "database")
	report(server1-server, "server")
	report(signer1-signer, "signer")
	report(ownCPU()-self, "client")
	report(sum, "all")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
