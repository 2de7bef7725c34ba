package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Environment of the subprocess.
const (
	victimDir  = "SUKASHI_STRACE_DIR"
	sweepAllOf = "SUKASHI_STRACE_ALL" // every call of every system call, not a sample
)

// TestStraceVictim is the workload: it opens a log on the real disk, appends,
// publishes, and says on standard output what it was promised, line by line.
func TestStraceVictim(t *testing.T) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		t.Skip("skipped: only run by TestEverySystemCall")
	}
	c := diskConfig(t, dir)
	e, err := Open(context.Background(), c)
	if err != nil {
		os.Exit(3)
	}
	next, err := e.NextSeq(ctx, entry.ByCA)
	if err != nil {
		os.Exit(3)
	}
	for i := range uint64(6) {
		rs, err := e.Append(ctx, event(t, entry.ByCA, next+i))
		if err != nil {
			os.Exit(3)
		}
		tell("entry %d %d\n", rs[0].Index, next+i)
		if i%3 == 2 {
			b, err := e.Publish(ctx)
			if err != nil {
				os.Exit(3)
			}
			cp, err := proof.ParseUnverified(b)
			if err != nil {
				os.Exit(3)
			}
			tell("checkpoint %d %s\n", cp.Size, cp.Root)
		}
	}
	if err := e.Close(); err != nil {
		os.Exit(3)
	}
	tell("end\n")
	os.Exit(0)
}

// tell writes a promise in one system call, so that it is made or not.
func tell(format string, args ...any) {
	if _, err := fmt.Fprintf(os.Stdout, format, args...); err != nil {
		os.Exit(3)
	}
}

func diskConfig(t testing.TB, dir string) Config {
	c := config(t, nil)
	c.Dir, c.HeadDir = filepath.Join(dir, "store"), filepath.Join(dir, "head")
	return c
}

// fault is what happens to one call of a system call.
type fault struct{ call, what string }

var faults = []fault{
	{"write", "error=EIO"}, {"write", "error=ENOSPC"}, {"write", "signal=KILL"},
	{"pwrite64", "error=EIO"}, {"pwrite64", "error=ENOSPC"}, {"pwrite64", "signal=KILL"},
	{"fsync", "error=EIO"}, {"fsync", "signal=KILL"},
	{"fdatasync", "error=EIO"}, {"fdatasync", "signal=KILL"},
	{"openat", "error=EIO"}, {"openat", "error=ENOSPC"}, {"openat", "signal=KILL"},
	{"renameat", "error=EIO"}, {"renameat", "signal=KILL"},
	{"unlinkat", "error=EIO"}, {"unlinkat", "signal=KILL"},
	{"mkdirat", "error=ENOSPC"}, {"mkdirat", "signal=KILL"},
	{"sync_file_range", "error=EIO"}, {"fallocate", "error=ENOSPC"},
	{"pread64", "error=EIO"}, {"ftruncate", "error=EIO"},
}

// TestEverySystemCall runs the real program under strace, lets the N-th call of
// a system call fail or kills it there, for N = 1, 2, … until the program ends
// unharmed, and then looks at what it left: the store opens, everything that was
// promised is there, and the log goes on. Half of the runs begin with a new log
// and half with one that has entries. CI takes a sample; SUKASHI_STRACE_ALL=1
// takes all.
func TestEverySystemCall(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: runs the program some hundred times")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("skipped: strace is not installed")
	}
	if out, err := exec.Command(strace, "-f", "-e", "trace=none", "true").CombinedOutput(); err != nil {
		t.Skipf("skipped: strace can't trace here: %s", bytes.TrimSpace(out))
	}
	budget := 40 * time.Second
	all := os.Getenv(sweepAllOf) != ""
	if all {
		budget = time.Hour
	}
	old := t.TempDir()
	e := mustOpen(t, diskConfig(t, old))
	appendAll(t, e, event(t, entry.ByCA, 0), event(t, entry.ByCA, 1))
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	e.Close()
	h := &straced{t: t, strace: strace, old: old, work: t.TempDir()}
	deadline := time.Now().Add(budget)
	reached := map[string]int{}
	open := make([]bool, 2*len(faults))
	for i := range open {
		open[i] = true
	}
	// All faults advance together, so that a sample has something of each.
	for n, left := 1, len(open); left > 0; n += step(all, n) {
		for i := range open {
			if !open[i] {
				continue
			}
			if time.Now().After(deadline) {
				t.Logf("the time is over: what comes after call %d is not in this sample", n)
				left = 0
				break
			}
			f := faults[i/2]
			if h.run(f, n, i%2 == 1) {
				reached[f.call+" "+f.what] = max(reached[f.call+" "+f.what], n)
				continue
			}
			open[i] = false
			left--
		}
	}
	t.Logf("%d runs hit, %d promises held, %d lost; calls reached: %v", h.hits, h.promises, h.lost, reached)
	if h.hits < 60 {
		t.Errorf("only %d runs met their fault", h.hits)
	}
}

// step thins the sample out: every call at first, then fewer.
func step(all bool, n int) int {
	if all {
		return 1
	}
	return 1 + n/3
}

type straced struct {
	t                    *testing.T
	strace, old, work    string
	hits, promises, lost int
}

// run makes one run with the fault at the n-th call. hit is false when the
// program made fewer calls.
func (h *straced) run(f fault, n int, onOld bool) (hit bool) {
	t := h.t
	dir := filepath.Join(h.work, "log")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if onOld {
		if err := os.CopyFS(dir, os.DirFS(h.old)); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(h.work, "trace")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.strace, "-f", "-qq", "-o", trace, "-e", "trace="+f.call, "-e", fmt.Sprintf("inject=%s:%s:when=%d", f.call, f.what, n),
		os.Args[0], "-test.run=^TestStraceVictim$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir, "GOMAXPROCS=2")
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s %s at call %d: the program hangs", f.call, f.what, n)
	}
	traced, rerr := os.ReadFile(trace)
	if rerr != nil {
		t.Fatal(rerr)
	}
	hit = bytes.Contains(traced, []byte("INJECTED")) || bytes.Contains(traced, []byte("killed by SIGKILL"))
	if !hit && err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
	}
	if hit {
		h.hits++
	}
	h.check(fmt.Sprintf("%s %s at call %d, old %v", f.call, f.what, n, onOld), dir, out.String())
	return hit
}

// check opens what is left and holds the promises against it.
func (h *straced) check(what, dir, said string) {
	t := h.t
	c := diskConfig(t, dir)
	e, err := Open(ctx, c)
	if err != nil {
		h.lost++
		t.Errorf("%s: does not open: %s %v", what, say.Code(err), err)
		return
	}
	defer e.Close()
	for line := range strings.Lines(said) {
		f := strings.Fields(line)
		switch {
		case len(f) == 3 && f[0] == "entry":
			h.promises++
			index, _ := strconv.ParseUint(f[1], 10, 64)
			seq, _ := strconv.ParseUint(f[2], 10, 64)
			if b, err := e.Entry(ctx, index); err != nil || !bytes.Equal(b, event(t, entry.ByCA, seq)) {
				h.lost++
				t.Errorf("%s: entry %d is lost: %v", what, index, err)
			}
		case len(f) == 3 && f[0] == "checkpoint":
			h.promises++
			size, _ := strconv.ParseUint(f[1], 10, 64)
			root, err := e.RootAt(ctx, size)
			if err != nil || root.String() != f[2] || e.PublishedSize() < size {
				h.lost++
				t.Errorf("%s: the checkpoint of size %d is lost: %v", what, size, err)
			}
		}
	}
	next, err := e.NextSeq(ctx, entry.ByCA)
	if err == nil {
		_, err = e.Append(ctx, event(t, entry.ByCA, next))
	}
	if err == nil {
		_, err = e.Publish(ctx)
	}
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		t.Errorf("%s: doesn't go on: %v", what, err)
		return
	}
	rep, err := Fsck(ctx, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey})
	if err != nil || !rep.OK() {
		t.Errorf("%s: fsck: %+v %v", what, rep, err)
	}
}
