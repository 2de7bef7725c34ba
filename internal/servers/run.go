package servers

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// startTime bounds the start of one server; a loaded machine is slow.
const startTime = 90 * time.Second

// need finds a program on the path or in the directories of a pattern, newest
// first, and skips the test when it is missing.
func need(t testing.TB, name, debianPackage string, patterns ...string) string {
	t.Helper()
	if path := find(name, patterns...); path != "" {
		return path
	}
	t.Skipf("skipped: the program %s is missing (Debian package %s)", name, debianPackage)
	return ""
}

func find(name string, patterns ...string) string {
	for _, pattern := range patterns {
		found, _ := filepath.Glob(filepath.Join(pattern, name)) // the pattern is a constant
		slices.Sort(found)
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// tempDir makes a directory with a short path, because a Unix socket's path is
// short, that belongs to the account.
func tempDir(a *account) (string, error) {
	dir, err := os.MkdirTemp(shortTemp(), "sukashi-")
	if err != nil {
		return "", fmt.Errorf("couldn't make a directory for a server: %w", err)
	}
	if err := a.own(dir); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("couldn't give a server its directory: %w", err)
	}
	return dir, nil
}

func shortTemp() string {
	if dir := os.TempDir(); len(dir) < 40 {
		return dir
	}
	return "/tmp"
}

// run runs a program to its end and returns what it said when it fails.
func run(a *account, dir, input string, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	a.apply(cmd)
	cmd.Dir = dir
	if input != "" {
		f, err := os.Open(input)
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	// A file and not a pipe: a daemon that is left behind would keep a pipe open.
	out, err := os.CreateTemp("", "sukashi-out-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name()) // only to explain err
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, said)
	}
	return nil
}

// guard runs a shell script once the test process is gone. The returned
// closer ends it without running the script.
func guard(a *account, script string, args ...string) (io.Closer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", "read x && exit 0\n" + script}, args...)...)
	a.apply(cmd)
	cmd.Dir, cmd.Stdin = "/", r
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	return &guardian{w, cmd}, nil
}

type guardian struct {
	w   *os.File
	cmd *exec.Cmd
}

// Close dismisses the guard.
func (g *guardian) Close() error {
	_, err := g.w.WriteString("done\n")
	g.w.Close()
	g.cmd.Wait()
	return err
}
