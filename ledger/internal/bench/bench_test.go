package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/servers"
)

// plan is how much is measured.
type plan struct {
	rounds int
	length time.Duration
	sizes  []int
}

var (
	inFlight = []int{1, 64, 512, 4096, 16384}
	plans    = map[string]plan{
		"quick": {1, time.Second, []int{1024}},
		"full":  {3, 2 * time.Second, []int{512, 1024}},
	}
)

// runner starts one measurement.
type runner struct {
	name string
	most int // in flight; 0: no limit
	only int // bytes; 0: all
	run  func(o order) (result, error)
}

// TestLedgerBench prints the table. SUKASHI_BENCH_LEDGER is quick or full,
// SUKASHI_BENCH_RAW the file of the single measurements, SUKASHI_BENCH_DIR the
// disk to measure on.
func TestLedgerBench(t *testing.T) {
	mode := os.Getenv("SUKASHI_BENCH_LEDGER")
	p, ok := plans[mode]
	if !ok {
		t.Skip("skipped: a benchmark of minutes; make bench-ledger runs it")
	}
	raw := os.Getenv("SUKASHI_BENCH_RAW")
	if raw == "" {
		raw = filepath.Join(os.TempDir(), "bench-ledger.jsonl")
	}
	file, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []result
	runners := append([]runner{{name: bare, run: self}, {name: sukashi, run: self}}, peers(t)...)
	for round := range p.rounds {
		for _, size := range p.sizes {
			bytes := newForm(t, size).size()
			for _, n := range inFlight {
				for _, r := range runners {
					if r.most > 0 && n > r.most || r.only > 0 && size != r.only {
						continue
					}
					length := p.length
					if n > 4096 {
						length *= 2 // a round of all callers takes most of a second on a busy machine
					}
					got, err := one(t, r, order{System: r.name, InFlight: n, Bytes: bytes, For: length})
					if err != nil { // a row less, not the end of the table
						fmt.Fprintf(os.Stderr, "%s, %d bytes, %d in flight: no figure: %v\n", r.name, bytes, n, err)
						continue
					}
					fmt.Fprintf(os.Stderr, "round %d of %d: %s, %d bytes, %d in flight: %.0f/s\n", round+1, p.rounds, r.name, bytes, n, got.PerSec)
					all = append(all, got)
					if err := json.NewEncoder(file).Encode(got); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	fmt.Print(table(all, header(t, mode, p, raw)))
}

// one measures in an empty directory.
func one(t *testing.T, r runner, o order) (result, error) {
	dir, err := os.MkdirTemp(os.Getenv("SUKASHI_BENCH_DIR"), "bench-ledger-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o.Dir = dir
	got, err := r.run(o)
	got.System = r.name
	return got, err
}

// self measures one of our own systems in a process of its own.
func self(o order) (result, error) {
	exe, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	b, err := json.Marshal(o)
	if err != nil {
		return result{}, err
	}
	cmd := exec.Command(exe, "-test.run=^TestMeasure$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), childOrder+"="+string(b))
	return read(cmd)
}

// read runs a measurement and finds its line.
func read(cmd *exec.Cmd) (result, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("%w: %s", err, tailOf(append(said.Bytes(), out...)))
	}
	for line := range bytes.Lines(out) {
		var r result
		if bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &r) == nil && r.Entries > 0 {
			return r, nil
		}
	}
	return result{}, errors.New("no result")
}

func tailOf(b []byte) []byte { return b[max(0, len(b)-400):] }

// peers are the other logs. Without them the table is shorter and says so.
func peers(t *testing.T) []runner {
	bin := buildPeers(t)
	if bin == "" {
		return nil
	}
	peer := func(name, server string) func(order) (result, error) {
		return func(o order) (result, error) {
			o.Server = server
			return read(peerCommand(bin, name, o))
		}
	}
	out := []runner{{name: "tessera-256", run: peer("tessera-256", "")}, {name: "tessera-4096", run: peer("tessera-4096", "")}}
	for _, s := range sqlServers(t) {
		out = append(out, runner{name: "Trillian, " + s.name, most: 512, only: 1024, run: peer("trillian", s.start(t, servers.Queueing).Address)})
	}
	return out
}

// buildPeers builds the program that measures the other logs; "" when it can't
// be built here.
func buildPeers(t *testing.T) string {
	bin := filepath.Join(t.TempDir(), "peers")
	build := exec.Command("go", "build", "-C", "../../../bench/peers", "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the peers can't be built here: %v: %s\n", err, tailOf(out))
		return ""
	}
	return bin
}

func peerCommand(bin, name string, o order) *exec.Cmd {
	return exec.Command(bin, "-system", name, "-server", o.Server, "-dir", o.Dir, "-for", o.For.String(),
		"-in-flight", fmt.Sprint(o.InFlight), "-bytes", fmt.Sprint(o.Bytes))
}

func header(t *testing.T, mode string, p plan, raw string) string {
	return machine() + fmt.Sprintf("; %d rounds of %v each, interleaved, medians; 4 KiB write with fdatasync: %v. Single measurements: %s (%s).\n",
		p.rounds, p.length, fsyncTime(t), filepath.Base(raw), mode)
}

// machine says when and where, and how busy it was at the end.
func machine() string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.Trim(name, "\t :\n")
				break
			}
		}
	}
	load := []byte("?")
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = bytes.Cut(b, []byte(" "))
	}
	return fmt.Sprintf("%s, %d processors (%s), %s, load average at the end %s",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), model, runtime.Version(), load)
}

// notes say what the rows are.
const notes = `
An entry counts when its caller has a signed checkpoint that covers it; in a closed loop of callers, all in one process on the same processors, fsync on, default garbage collection.
- bare: group commit of leaves and tiles into the embedded store, one fsync and one Ed25519 signature for each; no order, no check, no proof, no head.
- sukashi: the ledger's engine: entries parsed and checked, gapless numbers, duplicates found, Trillian's integration, self-check, head outside the store, inclusion proof for each caller.
- tessera-256, tessera-4096: Tessera v1.0.4 on POSIX files, batches of up to 256 or 4,096 entries or 50 ms, no de-duplication. Its latency comes mostly from its checkpoint interval, here its smallest, 100 ms; its fair throughput is at 16,384 in flight.
- trillian on a database: Trillian v1.8.0, real log server and signer, QueueLeaf for each leaf, until the root has as many leaves as were taken by then; the processor time of the servers is not in the CPU column.
`

// key is a row of the table.
type key struct {
	bytes, inFlight int
	system          string
}

// table is the markdown of the medians.
func table(all []result, head string) string {
	by := map[key][]result{}
	var keys []key
	for _, r := range all {
		k := key{r.Bytes, r.InFlight, r.System}
		if len(by[k]) == 0 {
			keys = append(keys, k)
		}
		by[k] = append(by[k], r)
	}
	slices.SortStableFunc(keys, func(a, b key) int {
		if a.bytes != b.bytes {
			return a.bytes - b.bytes
		}
		return a.inFlight - b.inFlight
	})
	rate := func(k key) float64 { return median(by[k], func(r result) float64 { return r.PerSec }) }
	var b strings.Builder
	b.WriteString(head + "\n| bytes | in flight | system | entries/s | p50 ms | p99 ms | CPU µs/entry | of bare | of Tessera's best |\n|--:|--:|---|--:|--:|--:|--:|--:|--:|\n")
	for _, k := range keys {
		best := max(rate(key{k.bytes, k.inFlight, "tessera-256"}), rate(key{k.bytes, k.inFlight, "tessera-4096"}))
		fmt.Fprintf(&b, "| %d | %d | %s | %.0f | %.2f | %.2f | %.1f | %s | %s |\n", k.bytes, k.inFlight, k.system, rate(k),
			median(by[k], func(r result) float64 { return r.P50 }), median(by[k], func(r result) float64 { return r.P99 }),
			median(by[k], func(r result) float64 { return r.CPU }), ratio(rate(k), rate(key{k.bytes, k.inFlight, bare})), ratio(rate(k), best))
	}
	besideBest(&b, keys, rate, func(k key) float64 { return median(by[k], func(r result) float64 { return r.P50 }) })
	b.WriteString(notes)
	return b.String()
}

// besideBest sets what we do, with however many in flight, beside the point where
// Tessera's throughput is greatest: that much, at which share of its latency.
func besideBest(b *strings.Builder, keys []key, rate, p50 func(key) float64) {
	best := map[int]key{} // by size
	for _, k := range keys {
		if strings.HasPrefix(k.system, "tessera-") && rate(k) > rate(best[k.bytes]) {
			best[k.bytes] = k
		}
	}
	for _, size := range slices.Sorted(maps.Keys(best)) {
		top := best[size]
		fmt.Fprintf(b, "\nTessera at its best with entries of %d bytes: %s, %.0f/s, p50 %.2f ms, with %d in flight. Ours beside that one point:\n\n"+
			"| in flight | its throughput, times | its latency, one part in |\n|--:|--:|--:|\n", size, top.system, rate(top), p50(top), top.inFlight)
		for _, k := range keys {
			if k.bytes == size && k.system == sukashi {
				fmt.Fprintf(b, "| %d | %s | %s |\n", k.inFlight, ratio(rate(k), rate(top)), ratio(p50(top), p50(k)))
			}
		}
	}
}

func median(rs []result, of func(result) float64) float64 {
	if len(rs) == 0 {
		return 0
	}
	var v []float64
	for _, r := range rs {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func ratio(a, b float64) string {
	if b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// TestFormsAreEntries: what the benchmark appends are valid entries, and the
// table shows medians and ratios.
func TestFormsAreEntries(t *testing.T) {
	for size, n := range map[int]int{512: 600, 1024: 1100} {
		f := newForm(t, size)
		if _, err := measure(order{InFlight: 2, For: 20 * time.Millisecond}, func() error { return parses(f.entry(123456)) }); err != nil {
			t.Error(err)
		}
		if d := f.size() - size; d < -100 || d > 100 {
			t.Errorf("entries of %d bytes, wanted about %d (at most %d)", f.size(), size, n)
		}
	}
	best := table([]result{{System: bare, PerSec: 9, P50: 1}, {System: sukashi, PerSec: 6, P50: 2}, {System: "tessera-256", InFlight: 5, PerSec: 3, P50: 80},
		{System: "tessera-4096", InFlight: 6, PerSec: 2, P50: 1}}, "")
	if !strings.Contains(best, "tessera-256, 3/s, p50 80.00 ms, with 5 in flight") || !strings.Contains(best, "| 0 | 2.00 | 40.00 |") {
		t.Error(best)
	}
	got := table([]result{{System: bare, PerSec: 4}, {System: sukashi, PerSec: 1}, {System: sukashi, PerSec: 3}, {System: sukashi, PerSec: 2}}, "")
	if !strings.Contains(got, "| sukashi | 2 | 0.00 | 0.00 | 0.0 | 0.50 | – |") {
		t.Error(got)
	}
}
