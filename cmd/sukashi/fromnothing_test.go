package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFromNothing runs the walk-through of docs/SERVE.md as it stands there:
// every role is a process of its own, made and used by the commands that an
// operator types. Each server is killed once, without a word, after other
// commands have used it, and the walk goes on.
func TestFromNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: starts nine servers and makes keys")
	}
	for _, tool := range []string{"softhsm2-util", "openssl", "curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("skipped: " + tool + " is not installed")
		}
	}
	s := newSetup(t)
	n := 0
	for _, step := range walk(t, fromNothing) {
		for _, block := range step.blocks {
			s.run(block)
			for _, config := range s.order {
				since, seen := s.since[config]
				switch {
				case !seen:
					s.since[config] = n
				case since < n && !s.killed[config]:
					s.kill(config)
				}
			}
			n++
		}
	}
	if len(s.killed) != 9 {
		t.Errorf("%d processes were killed, want 9: %v", len(s.killed), s.killed)
	}
	s.personal()
}

const fromNothing = "From nothing to a running set-up"

// step is one of a walk-through's steps: its number or letter, its commands.
type step struct {
	name   string
	blocks []string
}

// walk are the steps below a heading of docs/SERVE.md.
func walk(t *testing.T, heading string) (out []step) {
	b, err := os.ReadFile("../../docs/SERVE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for _, part := range strings.Split(text, "\n### ")[1:] {
		name, _, _ := strings.Cut(part, ".")
		st := step{name: name}
		for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(part, -1) {
			st.blocks = append(st.blocks, m[1])
		}
		out = append(out, st)
	}
	if len(out) < 5 {
		t.Fatalf("docs/SERVE.md has no walk-through %q", heading)
	}
	return out
}

// setup is the walk-through under way.
type setup struct {
	t       *testing.T
	dir     string
	env     []string
	ports   map[string]string       // the document's addresses and those used here
	running map[string]*roleProcess // by configuration
	order   []string                // configurations, as they were started
	since   map[string]int          // the block that started it
	killed  map[string]bool
	mayFail map[string]bool // the document ends it otherwise than by SIGTERM
	vars    string          // what earlier blocks left in the shell
}

// roleProcess is a server under way; it is waited for at once, so that its end is seen.
type roleProcess struct {
	*exec.Cmd
	ended chan struct{}
	err   error
}

func (p *roleProcess) wait() error {
	<-p.ended
	return p.err
}

// newSetup puts this program as sukashi into the path.
func newSetup(t *testing.T) *setup {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "sukashi")); err != nil {
		t.Fatal(err)
	}
	s := &setup{t: t, dir: t.TempDir(), running: map[string]*roleProcess{}, ports: map[string]string{}, killed: map[string]bool{}, since: map[string]int{},
		env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))}
	t.Cleanup(s.stop)
	return s
}

var (
	documentAddr = regexp.MustCompile(`127\.0\.0\.1:1[678]\d\d\d`)
	serveLine    = regexp.MustCompile(`^sukashi serve --config (\S+) > \S+ 2> \S+ &( echo \$! > \S+\.pid)?$`)
)

// here replaces the document's addresses by free ones.
func (s *setup) here(text string) string {
	return documentAddr.ReplaceAllStringFunc(text, func(addr string) string {
		if s.ports[addr] == "" {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				s.t.Fatal(err)
			}
			s.ports[addr] = ln.Addr().String()
			ln.Close()
		}
		return s.ports[addr]
	})
}

// run runs a block: its servers by itself, so that it can kill them, the rest
// by a shell.
func (s *setup) run(block string) {
	s.t.Helper()
	var part []string
	for line := range strings.Lines(s.here(block)) {
		line = strings.TrimSuffix(line, "\n")
		m := serveLine.FindStringSubmatch(line)
		if m == nil {
			part = append(part, line)
			continue
		}
		s.shell(strings.Join(part, "\n"))
		part = nil
		s.serve(m[1])
	}
	s.shell(strings.Join(part, "\n"))
}

// stepTime bounds one block of commands, which wait for servers in loops.
const stepTime = 3 * time.Minute

func (s *setup) shell(text string) {
	s.t.Helper()
	if strings.TrimSpace(text) == "" {
		return
	}
	state := filepath.Join(s.dir, ".state")
	script := "set -eu -o pipefail\n" + s.vars + text + "\nfor v in code line code2 next SOFTHSM2_CONF; do if [ -n \"${!v-}\" ]; then echo \"export $v=${!v}\"; fi; done > " + state + "\n"
	cmd := exec.Command("timeout", "-k", "5", fmt.Sprint(int(stepTime.Seconds())), "bash", "-c", script)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v\n%s\n%s%s", err, text, out[:min(len(out), 4<<10)], s.logs())
	}
	b, err := os.ReadFile(state)
	if err != nil {
		s.t.Fatal(err)
	}
	s.vars = "umask 077\n" + string(b)
}

// base is a server's configuration without its ending.
func (s *setup) base(config string) string {
	return filepath.Join(s.dir, strings.TrimSuffix(config, ".yaml"))
}

// serve starts a server as a process of its own. One that had this
// configuration before was told to end by the document.
func (s *setup) serve(config string) {
	s.t.Helper()
	if old := s.running[config]; old != nil {
		if err := old.wait(); err != nil && !s.mayFail[config] {
			s.t.Fatalf("%s ended with %v after SIGTERM\n%s", config, err, s.logs())
		}
	}
	stdout, err := os.Create(s.base(config) + ".out")
	if err != nil {
		s.t.Fatal(err)
	}
	defer stdout.Close()
	stderr, err := os.OpenFile(s.base(config)+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer stderr.Close()
	cmd := exec.Command("bash", "-c", s.vars+"exec sukashi serve --lang en --config "+config)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, stdout, stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.base(config)+".pid", fmt.Appendln(nil, cmd.Process.Pid), 0o600); err != nil {
		s.t.Fatal(err)
	}
	p := &roleProcess{Cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	s.running[config] = p
	if !slices.Contains(s.order, config) {
		s.order = append(s.order, config)
	}
}

// kill ends a server as a power cut would, starts it again and waits until it
// is back.
func (s *setup) kill(config string) {
	s.t.Helper()
	cmd := s.running[config]
	if err := cmd.Process.Kill(); err != nil {
		s.t.Fatalf("%s had ended: %v\n%s", config, err, s.logs())
	}
	_ = cmd.wait()
	s.running[config] = nil
	s.serve(config)
	s.killed[config] = true
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if b, _ := os.ReadFile(s.base(config) + ".out"); strings.Contains(string(b), "ready") {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not back after a kill\n%s", config, s.logs())
		}
	}
}

// stop tells the servers to end, those first that others don't need.
func (s *setup) stop() {
	for _, config := range slices.Backward(s.order) {
		cmd := s.running[config]
		if cmd == nil {
			continue
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		if err := cmd.wait(); err != nil && !s.mayFail[config] {
			s.t.Errorf("%s ended with %v after SIGTERM\n%s", config, err, s.logs())
		}
		late.Stop()
	}
}

// logs are the last lines of what the servers said.
func (s *setup) logs() string {
	var b strings.Builder
	for _, config := range s.order {
		text, _ := os.ReadFile(s.base(config) + ".log")
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&b, "--- %s\n%s\n", config, strings.Join(lines[max(0, len(lines)-8):], "\n"))
	}
	return b.String()
}

// personal: nothing of the CA's and the log's side holds the resident's code,
// and no server's log holds a resident's name.
func (s *setup) personal() {
	s.t.Helper()
	code := regexp.MustCompile(`code=(\d{11})`).FindStringSubmatch(s.vars)
	forms, err := filepath.Glob(filepath.Join(s.dir, "juki/invented/forms/*.json"))
	if err != nil || code == nil || len(forms) == 0 {
		s.t.Fatal("the resident's code or the forms are not known")
	}
	var names []string
	for _, f := range forms {
		b, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		if n := regexp.MustCompile(`"Name": "([^"]+)"`).FindSubmatch(b); n != nil {
			names = append(names, string(n[1]))
		}
	}
	read := 0
	err = filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(s.dir, path)
		isLog := strings.Count(rel, "/") == 1 && (strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".out")) // deeper ones are stores
		if !isLog && !strings.HasPrefix(rel, "lgwan/") && !strings.HasPrefix(rel, "open/") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		if strings.Contains(string(b), code[1]) {
			s.t.Errorf("%s holds the resident's code", rel)
		}
		if isLog && slices.ContainsFunc(names, func(n string) bool { return strings.Contains(string(b), n) }) {
			s.t.Errorf("%s holds a name", rel)
		}
		return nil
	})
	if err != nil || read < 20 || len(names) < 100 {
		s.t.Errorf("searched %d files for %d names: %v", read, len(names), err)
	}
}
