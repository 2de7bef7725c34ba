package main

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/stracetest"
)

// act is one command of the real program that keeps something: how it is driven,
// and what must be true of what it leaves.
type act interface {
	// run drives the program once, traced, in a copy of its base.
	run(s *sandbox) error
	// check looks at what is left, with the program untraced, and counts the
	// promises that were made and are kept.
	check(s *sandbox) (promises int, err error)
	// at is the act as it was at a moment: what had been promised by then. What
	// others keep for the act is put into the sandbox as it was.
	at(t time.Time, s *sandbox) (act, error)
}

// actor makes acts that begin with the same folder.
type actor struct {
	name string
	base string // folder
	make func() act
}

// faults is what can happen to each call that changes a disk or tells what is on
// it: the errors that Linux gives there, and death. ENOSPC, EDQUOT and EIO of a
// write may come at fsync and close, on file systems that allocate late or
// elsewhere.
var faults = map[string][]string{
	"write":           {"EIO", "ENOSPC", "EDQUOT"},
	"pwrite64":        {"EIO", "ENOSPC", "EDQUOT"},
	"fsync":           {"EIO", "ENOSPC", "EDQUOT"},
	"fdatasync":       {"EIO", "ENOSPC", "EDQUOT"},
	"sync_file_range": {"EIO", "ENOSPC"},
	"openat":          {"EIO", "ENOSPC", "EDQUOT", "EROFS", "EMFILE"},
	"close":           {"EIO", "EDQUOT"},
	"renameat":        {"EIO", "ENOSPC", "EDQUOT", "EROFS"},
	"linkat":          {"EIO", "ENOSPC", "EDQUOT", "EROFS"},
	"unlinkat":        {"EIO", "EROFS"},
	"mkdirat":         {"EIO", "ENOSPC", "EDQUOT", "EROFS"},
	"fallocate":       {"EIO", "ENOSPC", "EDQUOT"},
	"ftruncate":       {"EIO", "EROFS"},
	"fchmod":          {"EIO", "EROFS"},
	"fchmodat":        {"EIO", "EROFS"},
	"pread64":         {"EIO"},
	"read":            {"EIO"},
	"getdents64":      {"EIO"},
}

// harmless calls touch files and change nothing that lasts.
var harmless = strings.Fields("fcntl readahead newfstatat fstat fstatfs statfs lseek mmap readlinkat epoll_ctl fadvise64 execve access ioctl dup dup3 flock")

// strike is one run to be made.
type strike struct {
	actor int
	fault stracetest.Fault
}

// TestEverySystemCall runs each command of the real program that keeps
// something, under strace, lets the N-th call of a system call fail, once or
// from then on, or kills the program there, and looks at what it left: fsck finds
// nothing, everything that was acknowledged is there, the next start is clean and
// the work goes on. A usual run takes a sample, drawn with the same seed each time
// from a plan that varies a little with the program's threads;
// SUKASHI_STRACE_SEED is another seed, SUKASHI_STRACE_ALL=1 takes all, and
// SUKASHI_STRACE_ONLY only the runs whose name, as a failure prints it, has that
// in it ("rotate-key, write:error=ENOSPC:when=6+").
func TestEverySystemCall(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: runs the program some hundred times")
	}
	x := stracetest.New(t)
	program := realProgram(t)
	budget, most := 40*time.Second, 200
	if os.Getenv("SUKASHI_STRACE_ALL") != "" {
		budget, most = 10*time.Hour, math.MaxInt
	}
	seed := uint64(1)
	if s := os.Getenv("SUKASHI_STRACE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	h := &sweep{t: t, x: x, program: program, work: t.TempDir(), actors: actors(t, program), seen: map[string]int{}}
	plan := h.plan()
	only := os.Getenv("SUKASHI_STRACE_ONLY")
	plan = slices.DeleteFunc(plan, func(k strike) bool { return !strings.Contains(h.name(k), only) })
	mix(plan, seed)
	deadline := time.Now().Add(budget)
	next := make(chan strike)
	var workers sync.WaitGroup
	for range 2 * runtime.NumCPU() { // they wait more than they compute
		workers.Go(func() {
			for s := range next {
				h.strike(s)
			}
		})
	}
	made := 0
	for _, s := range plan {
		if made == most || made >= 60 && time.Now().After(deadline) { // a busy machine makes a sample, too
			break
		}
		next <- s
		made++
	}
	close(next)
	workers.Wait()
	t.Logf("%d of %d runs: %d met their fault; %d killed, %d refused or broke off with a sentence, %d ended by the store, %d went on; %d promises kept, %d runs lost something",
		made, len(plan), h.hits, h.killed, h.refused, h.panicked, h.unharmed, h.promises, h.lost)
	t.Logf("runs that met their fault, by command and by call: %v", h.seen)
	if h.hits == 0 || h.hits < 40 && only == "" {
		t.Errorf("only %d runs met their fault", h.hits)
	}
}

// mix puts the plan into an order in which every beginning has something of each
// command, call and fault.
func mix(plan []strike, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	turn := map[string]int{}
	at := make(map[strike]int, len(plan))
	for _, s := range plan {
		kind := fmt.Sprint(s.actor, s.fault.Call, s.fault.Kills())
		at[s] = turn[kind]
		turn[kind]++
	}
	slices.SortStableFunc(plan, func(a, b strike) int { return at[a] - at[b] })
}

// sweep is the test under way.
type sweep struct {
	t             *testing.T
	x             *stracetest.Tracer
	program, work string
	actors        []actor

	mu                                        sync.Mutex
	hits, killed, refused, panicked, unharmed int
	promises, lost, number                    int
	seen                                      map[string]int
}

// plan makes every command once unharmed, and lists a run for every call that
// each thread made on its files, its output and its connections.
func (h *sweep) plan() []strike {
	var out []strike
	for i, a := range h.actors {
		s := h.sandbox(a)
		s.trace = &tracing{x: h.x, calls: []string{"%file", "%desc"}}
		act := a.make()
		err := act.run(s)
		if err == nil {
			_, err = act.check(s)
		}
		if err != nil {
			h.t.Fatalf("%s, unharmed: %v\n%s", a.name, err, s.said())
		}
		calls, err := s.trace.proc.Calls()
		if err != nil {
			h.t.Fatalf("%s: %v", a.name, err)
		}
		count := map[string]map[int]int{} // call: thread: calls so far
		hit := map[string]map[int]bool{}  // call: N
		for _, c := range calls {
			if count[c.Name] == nil {
				count[c.Name], hit[c.Name] = map[int]int{}, map[int]bool{}
			}
			count[c.Name][c.Thread]++
			if !s.concerns(c) || slices.Contains(harmless, c.Name) {
				continue
			}
			if faults[c.Name] == nil {
				h.t.Errorf("%s calls %s, which the sweep doesn't know", a.name, c.Name)
			}
			hit[c.Name][count[c.Name][c.Thread]] = true
		}
		for _, call := range slices.Sorted(maps.Keys(hit)) {
			for _, n := range slices.Sorted(maps.Keys(hit[call])) {
				out = append(out, strike{i, stracetest.Fault{Call: call, What: "signal=KILL", N: n}})
				for _, e := range faults[call] {
					for _, lasting := range []bool{false, true} {
						out = append(out, strike{i, stracetest.Fault{Call: call, What: "error=" + e, N: n, Lasting: lasting}})
					}
				}
			}
		}
		s.remove()
	}
	return out
}

func (h *sweep) sandbox(a actor) *sandbox {
	h.mu.Lock()
	h.number++
	dir := filepath.Join(h.work, fmt.Sprint(h.number))
	h.mu.Unlock()
	if err := copyFolder(dir, a.base); err != nil {
		h.t.Fatal(err)
	}
	return &sandbox{program: h.program, dir: dir}
}

// name is what a failure says first.
func (h *sweep) name(k strike) string { return fmt.Sprintf("%s, %s", h.actors[k.actor].name, k.fault) }

// strike makes one run.
func (h *sweep) strike(k strike) {
	a := h.actors[k.actor]
	s := h.sandbox(a)
	defer s.remove()
	s.trace = &tracing{x: h.x, calls: []string{k.fault.Call}, fault: &k.fault}
	act := a.make()
	err := act.run(s)
	var calls []stracetest.Call
	if err == nil {
		calls, err = s.trace.proc.Calls()
	}
	end, hit := s.ended(), false
	for _, c := range calls {
		hit = hit || c.Injected
	}
	hit = hit || end == killed
	promises := 0
	if err == nil && end == unexplained {
		err = fmt.Errorf("it ended without a sentence")
	}
	if err == nil {
		promises, err = act.check(s)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.promises += promises
	if hit {
		h.hits++
		h.seen[a.name]++
		h.seen[k.fault.Call]++
		switch end {
		case killed:
			h.killed++
		case refused:
			h.refused++
		case panicked:
			h.panicked++
		default:
			h.unharmed++
		}
	}
	if err != nil {
		h.lost++
		h.t.Errorf("%s: %v\n%s", h.name(k), err, s.said())
	}
}

// How a traced program ended.
const (
	well = iota
	killed
	refused     // with a sentence, or with a status where its output failed
	panicked    // the store ended it, or Go did because it can't wake itself
	unexplained // anything else
)

func (s *sandbox) ended() int {
	state, text := s.trace.proc.Cmd.ProcessState, s.errs.String()
	ofStore := strings.Contains(text, "kv: the store can't go on") || strings.Contains(text, "cockroachdb/pebble")
	switch {
	case state == nil:
		return unexplained
	case state.Success():
		return well
	case state.ExitCode() < 0:
		return killed
	case strings.Contains(text, "goroutine ") && (ofStore || strings.Contains(text, "netpollBreak write failed")):
		return panicked
	case strings.Contains(text, "goroutine "):
		return unexplained
	case strings.Contains(text, "sukashi: ") || s.trace.fault != nil && s.trace.fault.Call == "write" || strings.Contains(s.outs.String(), "✕"):
		return refused
	}
	return unexplained
}
