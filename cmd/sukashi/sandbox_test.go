package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/stracetest"
)

var built struct {
	sync.Once
	path string
	err  error
}

// realProgram builds sukashi as it is shipped, once for all tests.
func realProgram(t *testing.T) string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("skipped: there is no go command to build the program with")
	}
	built.Do(func() {
		dir, err := os.MkdirTemp("", "sukashi-test-") // removed by TestMain
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "sukashi")
		if out, err := exec.Command(tool, "build", "-trimpath", "-o", built.path, ".").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// tracing is how the program is watched.
type tracing struct {
	x     *stracetest.Tracer
	calls []string
	data  bool
	fault *stracetest.Fault
	proc  *stracetest.Process
}

// sandbox is a folder in which the program runs, at first traced, then not.
type sandbox struct {
	program, dir string
	trace        *tracing
	outs, errs   bytes.Buffer // of the traced program
	later        strings.Builder
}

// patience is how long a program may take that does next to nothing.
const patience = 30 * time.Second

func (s *sandbox) in(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *sandbox) remove() { _ = os.RemoveAll(s.dir) } // the test's folder goes later anyway

// copyFolder copies files, for their owner alone: keys are not taken otherwise.
func copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}

// said is what the programs said, for a failure's report.
func (s *sandbox) said() string {
	return s.outs.String() + s.errs.String() + s.later.String()
}

// concerns tells whether a call is about the sandbox, or about what goes out.
func (s *sandbox) concerns(c stracetest.Call) bool {
	for _, p := range c.Paths() {
		if strings.HasPrefix(p, s.dir) || strings.HasPrefix(p, "socket:") || strings.HasPrefix(p, "pipe:") || strings.HasPrefix(p, "TCP:") {
			return true
		}
	}
	return false
}

// command is the program, not started yet.
func (s *sandbox) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.program, append(args, "--lang", "en")...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "GOTRACEBACK=single")
	return cmd
}

// traced runs a command to its end under strace, and tells whether it said that
// all is done.
func (s *sandbox) traced(args ...string) (ok bool, err error) {
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &s.outs, &s.errs
	if s.trace.proc, err = s.trace.x.Start(cmd, s.trace.calls, s.trace.data, s.trace.fault); err != nil {
		return false, err
	}
	return s.wait(cmd)
}

// wait waits for a program, but not for ever.
func (s *sandbox) wait(cmd *exec.Cmd) (ok bool, err error) {
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !late.Stop() {
		return false, errors.New("it doesn't end")
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return false, nil
	}
	return err == nil, err
}

// again runs a command untraced.
func (s *sandbox) again(args ...string) (stdout string, code int, err error) {
	cmd := s.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &s.later
	fmt.Fprintf(&s.later, "$ %s\n", strings.Join(args, " "))
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	_, err = s.wait(cmd)
	s.later.Write(out.Bytes())
	return out.String(), cmd.ProcessState.ExitCode(), err
}

// must runs a command untraced that has to succeed.
func (s *sandbox) must(args ...string) (string, error) {
	out, code, err := s.again(args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("sukashi %s ends with %d", strings.Join(args, " "), code)
	}
	return out, err
}

// server is sukashi serve in the sandbox.
type serving struct {
	s    *sandbox
	cmd  *exec.Cmd
	addr map[string]string // by listener; nil: it ended before it was ready
	rest sync.WaitGroup
}

// serve starts a role and waits until it is ready or has ended.
func (s *sandbox) serve(traced bool) (*serving, error) {
	cmd := s.command("serve", "--config", s.in("role.yaml"))
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	var said io.Writer = &s.later
	if traced {
		cmd.Stderr, said = &s.errs, &s.outs
		s.trace.proc, err = s.trace.x.Start(cmd, s.trace.calls, s.trace.data, s.trace.fault)
	} else {
		cmd.Stderr = &s.later
		err = cmd.Start()
	}
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	v := &serving{s: s, cmd: cmd}
	ready := make(chan map[string]string, 1)
	v.rest.Go(func() {
		defer r.Close()
		defer close(ready)
		var text bytes.Buffer
		for b := make([]byte, 4096); ; {
			n, err := r.Read(b)
			text.Write(b[:n])
			if strings.HasSuffix(text.String(), "ready\n") {
				addr := map[string]string{}
				for line := range strings.Lines(text.String()) {
					if f := strings.Fields(line); len(f) == 3 {
						addr[f[1]] = f[2]
					}
				}
				ready <- addr
				text.Reset()
			}
			if err != nil {
				said.Write(text.Bytes())
				return
			}
		}
	})
	select {
	case v.addr = <-ready:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, errors.New("it doesn't become ready")
	}
	return v, nil
}

// stop tells the role to end, and tells whether it ended well.
func (v *serving) stop() (bool, error) {
	_ = v.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	ok, err := v.s.wait(v.cmd)
	v.rest.Wait()
	return ok, err
}

// kill ends the role as a power cut would.
func (v *serving) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
	v.rest.Wait()
}
