// Package stracetest runs a program under strace for tests: single system calls
// fail or kill it there, and what it did is read back call by call.
//
//	x := stracetest.New(t)
//	p, err := x.Start(exec.Command(program, "serve"), []string{"fsync", "write"}, &stracetest.Fault{Call: "fsync", What: "error=EIO", N: 3})
//	err = p.Cmd.Wait()
//	calls, err := p.Calls()
package stracetest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Tracer starts programs under strace.
type Tracer struct{ path string }

// New finds strace, or skips the test with the reason why nothing can be traced.
func New(t testing.TB) *Tracer {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("skipped: strace is not installed")
	}
	if out, err := exec.Command(path, "-f", "-e", "trace=none", "true").CombinedOutput(); err != nil {
		t.Skipf("skipped: strace can't trace here: %s", bytes.TrimSpace(out))
	}
	return &Tracer{path}
}

// Fault is what happens to one system call. strace counts the calls of each
// thread by itself, so N is met by the first thread that makes so many, and an
// error by each.
type Fault struct {
	Call    string // such as fsync
	What    string // error=EIO, or signal=KILL: the call is not made
	N       int    // the N-th call of a thread, from 1
	Lasting bool   // and all after it
}

// Kills tells whether the fault ends the process.
func (f Fault) Kills() bool { return strings.HasPrefix(f.What, "signal=") }

// String is the fault as strace takes it.
func (f Fault) String() string {
	plus := ""
	if f.Lasting {
		plus = "+"
	}
	return fmt.Sprintf("%s:%s:when=%d%s", f.Call, f.What, f.N, plus)
}

// Process is a program under strace.
type Process struct {
	Cmd   *exec.Cmd // its own process, not strace's: signals and Wait reach the program
	trace []byte
	err   error
	done  chan struct{}
}

// maxData bounds what is recorded of one call's data, in bytes.
const maxData = 1 << 20

// Start starts cmd, which must name its program by path. The calls named are
// recorded, with all their data when data is set. f is nil where nothing is to
// happen.
func (x *Tracer) Start(cmd *exec.Cmd, calls []string, data bool, f *Fault) (*Process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	fd := 3 + len(cmd.ExtraFiles)
	// -D: strace is the grandchild, so that the program is this process's child.
	args := []string{x.path, "-D", "-f", "-q", "-y", "-ttt", "-o", fmt.Sprintf("/dev/fd/%d", fd), "-e", "trace=" + strings.Join(calls, ",")}
	if data {
		args = append(args, "-s", fmt.Sprint(maxData))
	}
	// Calls that are not recorded cost nothing with a filter in the kernel, but
	// with it strace 6.1 loses the signals that it should send.
	if f == nil || !f.Kills() {
		args = append(args, "--seccomp-bpf")
	}
	if f != nil {
		args = append(args, "-e", "inject="+f.String())
	}
	cmd.Args = append(args, append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = x.path
	cmd.ExtraFiles = append(cmd.ExtraFiles, w)
	p := &Process{Cmd: cmd, done: make(chan struct{})}
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go func() {
		defer close(p.done)
		defer r.Close()
		p.trace, p.err = io.ReadAll(r)
	}()
	return p, nil
}

// Calls are the recorded calls in the order of their beginnings. The program
// must have ended.
func (p *Process) Calls() ([]Call, error) {
	<-p.done
	if p.err != nil {
		return nil, p.err
	}
	return parse(string(p.trace))
}
