package servers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// process is one server program that a test may kill and start again.
type process struct {
	account *account
	dir     string // working directory and place of the program's log
	name    string
	args    []string
	env     []string     // besides the tests' own
	ready   func() error // nil when the program answers

	mu    sync.Mutex
	cmd   *exec.Cmd
	guard io.Closer
	ended chan struct{} // closed when the program has ended
}

// start starts the program and returns when it answers.
func (p *process) start() error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.name, p.args...)
	p.account.apply(cmd)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	g, err := guard(p.account, `kill -9 "$0"`, strconv.Itoa(cmd.Process.Pid))
	if err != nil {
		cmd.Process.Kill()
		<-ended
		return err
	}
	p.mu.Lock()
	p.cmd, p.guard, p.ended = cmd, g, ended
	p.mu.Unlock()
	return p.await(ended)
}

func (p *process) await(ended chan struct{}) error {
	var err error
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = p.ready(); err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%s ended:\n%s", filepath.Base(p.name), p.said())
		default:
		}
	}
	return fmt.Errorf("%s doesn't answer: %w\n%s", filepath.Base(p.name), err, p.said())
}

func (p *process) logFile() string { return filepath.Join(p.dir, filepath.Base(p.name)+".log") }

// said returns the end of the program's log.
func (p *process) said() []byte {
	b, _ := os.ReadFile(p.logFile()) // only to explain another error
	return b[max(0, len(b)-4096):]
}

// kill ends the program with SIGKILL and waits for its end. It does nothing
// when the program doesn't run.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill() // may have ended by itself
	<-p.ended
	p.guard.Close()
	p.cmd = nil
}

// must is start for a test.
func (p *process) must(t testing.TB) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatalf("couldn't start %s: %v", filepath.Base(p.name), err)
	}
}
