package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/servers"
)

// What is measured on a database, in the table's words.
const (
	queueing = "Trillian, QueueLeaf"
	ordered  = "Trillian, AddSequencedLeaves"
)

// clusterPoint is one row of the cluster's table.
type clusterPoint struct {
	result
	Database string `json:"database"`
	Schema   string `json:"schema"`
}

// clusterPlans say which entries and how many in flight.
var clusterPlans = map[string]struct{ sizes, inFlight []int }{
	"cluster-quick": {[]int{1024}, []int{64, 4096}},
	"cluster":       {[]int{512, 1024}, inFlight},
}

// clusterTime is how long a point is measured: slow systems need more than a
// round of all their callers.
func clusterTime(inFlight int) time.Duration {
	switch {
	case inFlight > 4096:
		return 7 * time.Second
	case inFlight > 512:
		return 4 * time.Second
	}
	return 2 * time.Second
}

// TestClusterBench prints the cluster's table: this ledger over Trillian's
// servers, the servers alone with ready, numbered leaves, and the servers with
// one QueueLeaf for each entry, on PostgreSQL and on MariaDB. Each point has a
// database of its own. SUKASHI_BENCH_LEDGER is cluster or cluster-quick, the
// other variables are TestLedgerBench's.
func TestClusterBench(t *testing.T) {
	mode := os.Getenv("SUKASHI_BENCH_LEDGER")
	p, ok := clusterPlans[mode]
	if !ok {
		t.Skip("skipped: a benchmark of minutes; make bench-cluster runs it")
	}
	raw := os.Getenv("SUKASHI_BENCH_RAW")
	if raw == "" {
		raw = filepath.Join(os.TempDir(), "bench-cluster.jsonl")
	}
	file, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	bin := buildPeers(t)
	var all []clusterPoint
	measure := func(d sqlServer, size, n int, s servers.Schema, system string, run func(order) (result, error)) {
		at := clusterPoint{Database: d.name, Schema: "Trillian's"}
		if s == servers.Preordered {
			at.Schema = "ours"
		}
		t.Run("point", func(t *testing.T) {
			tr := d.start(t, s)
			cpu := func() time.Duration { a, b := tr.CPU(); return a + b + d.cpu() }
			before := cpu()
			got, err := one(t, runner{name: system, run: run}, order{System: system, InFlight: n, Bytes: newForm(t, size).size(), For: clusterTime(n), Server: tr.Address})
			if err != nil { // a row less, not the end of the table
				fmt.Fprintf(os.Stderr, "%s, %s, %d in flight: no figure: %v\n", d.name, system, n, err)
				return
			}
			got.Servers = float64((cpu() - before).Microseconds()) / float64(max(got.Total, 1))
			at.result = got
			all = append(all, at)
			fmt.Fprintf(os.Stderr, "%s, %s, schema: %s, %d bytes, %d in flight: %.0f/s\n", d.name, system, at.Schema, got.Bytes, n, got.PerSec)
			if err := json.NewEncoder(file).Encode(at); err != nil {
				t.Fatal(err)
			}
		})
	}
	peer := func(name string) func(order) (result, error) {
		return func(o order) (result, error) { return read(peerCommand(bin, name, o)) }
	}
	for _, d := range sqlServers(t) {
		for _, size := range p.sizes {
			for _, n := range p.inFlight {
				measure(d, size, n, servers.Queueing, queueing, peer("trillian"))
				if size == 1024 && n == 4096 {
					measure(d, size, n, servers.Stock, ordered, peer("trillian-preordered"))
					measure(d, size, n, servers.Stock, onCluster, self)
				}
				measure(d, size, n, servers.Preordered, ordered, peer("trillian-preordered"))
				measure(d, size, n, servers.Preordered, onCluster, self)
			}
		}
	}
	fmt.Print(clusterTable(all, clusterHeader(t, raw)))
}

func clusterHeader(t *testing.T, raw string) string {
	return machine() + fmt.Sprintf("; one round, 2 to 7 s a point; 4 KiB write with fdatasync: %v. Single measurements: %s.\n", fsyncTime(t), filepath.Base(raw))
}

const clusterNotes = `
Client, log server, signer and database share the processors; fsync on. CPU is the processor time of all four for an entry.
- Trillian, QueueLeaf: a call for each leaf, on Trillian's schema, with 32 connections to PostgreSQL; an entry counts when the newest root has as many leaves as the server had taken by then. No proof, no signature, no order.
- Trillian, AddSequencedLeaves: the bare limit of a cluster: leaves numbered as they come, up to 4,096 in a call, two calls at a time; no check, no proof, no signature, no index.
- sukashi on a cluster: the ledger's engine: entries parsed and checked, gapless numbers, duplicates found, every root recomputed, checkpoint signed, inclusion proof for each caller.
- schema: Trillian's own, or with what "sukashi ledger schema" adds.
`

// clusterTable is the markdown. What a row is a ratio of is in the same run, on
// the same database, with the same entries and callers.
func clusterTable(all []clusterPoint, head string) string {
	rate := func(like clusterPoint, system, schema string) float64 {
		for _, p := range all {
			if p.Database == like.Database && p.Bytes == like.Bytes && p.InFlight == like.InFlight && p.System == system && p.Schema == schema {
				return p.PerSec
			}
		}
		return 0
	}
	var b strings.Builder
	b.WriteString(head + "\n| database | bytes | in flight | system | schema | entries/s | p50 ms | p99 ms | CPU µs/entry | of AddSequencedLeaves | of QueueLeaf |\n|---|--:|--:|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, p := range all {
		fmt.Fprintf(&b, "| %s | %d | %d | %s | %s | %.0f | %.1f | %.1f | %.0f | %s | %s |\n", p.Database, p.Bytes, p.InFlight, p.System, p.Schema,
			p.PerSec, p.P50, p.P99, p.CPU+p.Servers, ratio(p.PerSec, rate(p, ordered, p.Schema)), ratio(p.PerSec, rate(p, queueing, "Trillian's")))
	}
	b.WriteString(clusterNotes)
	return b.String()
}

// TestClusterTable: a row's ratios are those of its own database and schema.
func TestClusterTable(t *testing.T) {
	point := func(db, system, schema string, rate float64) clusterPoint {
		return clusterPoint{result{System: system, PerSec: rate, InFlight: 1}, db, schema}
	}
	got := clusterTable([]clusterPoint{point("A", queueing, "Trillian's", 2), point("B", ordered, "ours", 3), point("A", ordered, "ours", 8),
		point("A", ordered, "Trillian's", 5), point("A", onCluster, "ours", 6)}, "")
	if want := "| A | 0 | 1 | sukashi on a cluster | ours | 6 | 0.0 | 0.0 | 0 | 0.75 | 3.00 |\n"; !strings.Contains(got, want) {
		t.Errorf("no line %q in\n%s", want, got)
	}
}
