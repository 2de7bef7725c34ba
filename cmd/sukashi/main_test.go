package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sukashi-project/sukashi/internal/say"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"sukashi-seed": func() { os.Exit(seed(os.Args[1], os.Args[2])) },
		"sukashi":      main,
		"keys":         keysOf,
		"chomp":        chomp,
		"wait-for":     waitFor,
	})
}

// tidy runs the tests and removes what realProgram built.
type tidy struct{ m *testing.M }

// Run implements testscript.TestingM.
func (t tidy) Run() int {
	code := t.m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
	return code
}

// The command line as people meet it: testdata/*.txt.
func TestScripts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // the scripts run in parallel, after this function
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("TAKEN", taken.Addr().String())
		switch {
		case strings.HasSuffix(e.WorkDir, "script-ledger"):
			return startLog(t, e)
		case strings.HasSuffix(e.WorkDir, "script-juki"):
			return startRegister(e)
		}
		return nil
	}})
}

func TestExplain(t *testing.T) {
	for code, err := range map[string]error{
		"disk.full":  fmt.Errorf("x: %w", syscall.ENOSPC),
		"port.used":  &net.OpError{Err: os.NewSyscallError("bind", syscall.EADDRINUSE)},
		"permission": &os.PathError{Err: os.ErrPermission},
		"stopped":    context.Canceled,
		"internal":   io.ErrUnexpectedEOF,
		"already":    say.New("already", "a", "b"),
	} {
		if got := say.Code(explain(err)); got != code {
			t.Errorf("%v is explained as %s, want %s", err, got, code)
		}
	}
}

// A disk that is full before or in the middle of a story gives a sentence, and
// what was there before stays. Needs to mount a small file system.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: mounts a file system")
	}
	for _, size := range []string{"8m", "70m"} {
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
			t.Skipf("skipped: a small file system can't be mounted here: %s", bytes.TrimSpace(out))
		}
		t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
		if size == "70m" { // enough to begin, not enough to end
			if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 3<<20), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestRunSelf$")
		cmd.Env = append(os.Environ(), "SUKASHI_SELF=demo --lang en --residents 20 --card-key p256 --dir "+filepath.Join(dir, "story"))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if size == "8m" && (!errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "Too little free space")) {
			t.Errorf("%s: %v\n%s", size, err, out)
		}
		if size == "70m" && err != nil && !strings.Contains(string(out), "full") {
			t.Errorf("%s: %v\n%s", size, err, out)
		}
	}
}

// TestRunSelf is the command in a process of its own.
func TestRunSelf(t *testing.T) {
	args := os.Getenv("SUKASHI_SELF")
	if args == "" {
		t.Skip("skipped: only run by TestFullDisk")
	}
	os.Exit(run(context.Background(), strings.Fields(args)))
}

// keysOf prints the public keys of approvals, as council.keys has them.
func keysOf() {
	for _, path := range os.Args[1:] {
		var a struct{ Key string }
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, &a)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(a.Key)
	}
}

// chomp takes the last newline off files: a script can't hold a file without.
func chomp() {
	for _, path := range os.Args[1:] {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.TrimSuffix(b, []byte("\n")), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// waitFor waits until a file exists, and a moment more.
func waitFor() {
	for range 100 {
		if _, err := os.Stat(os.Args[1]); err == nil {
			time.Sleep(500 * time.Millisecond)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	os.Exit(1)
}
