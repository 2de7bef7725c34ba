package trillianlog

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

const (
	childDir   = "SUKASHI_TEST_DISK_DIR"   // the child's directory
	childFail  = "SUKASHI_TEST_DISK_FAIL"  // which operation fails, counted from 1
	childErrno = "SUKASHI_TEST_DISK_ERRNO" // with which error
)

// TestDiskErrorChild is the process that TestDiskErrors starts: it appends on
// a disk whose n-th change, and all after it, fail, and says what was
// acknowledged. The store may end the process in the middle; that is its right.
func TestDiskErrorChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("only as a child of TestDiskErrors")
	}
	at, _ := strconv.ParseInt(os.Getenv(childFail), 10, 64)
	errno, _ := strconv.Atoi(os.Getenv(childErrno))
	var n atomic.Int64
	c := config(t, nil)
	c.Dir, c.HeadDir = filepath.Join(dir, "store"), filepath.Join(dir, "head")
	c.FS = kv.Wrap(kv.Disk(), func(string) error {
		if n.Add(1) >= at {
			return syscall.Errno(errno)
		}
		return nil
	})
	e, err := Open(ctx, c)
	if err != nil {
		fmt.Println("refused", say.Code(err))
		return
	}
	for seq := uint64(0); seq < 12; seq++ {
		rs, err := e.Append(ctx, event(t, entry.ByCA, seq))
		if err != nil {
			fmt.Println("stopped", say.Code(err))
			return // not closed: a broken log may not be able to
		}
		fmt.Println("acknowledged", seq, rs[0].Index)
		if seq%5 == 4 {
			if _, err := e.Publish(ctx); err != nil {
				fmt.Println("stopped", say.Code(err))
				return
			}
			fmt.Println("published", e.PublishedSize())
		}
	}
	if err := e.Close(); err != nil {
		fmt.Println("stopped", say.Code(err))
		return
	}
	fmt.Println("whole", n.Load())
}

// TestDiskErrors lets the disk fail from each of many operations on, with an
// I/O error and with no space left, in a process of its own: afterwards, on a
// good disk, everything acknowledged is there and a whole check finds nothing.
func TestDiskErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	out, _ := child(t, t.TempDir(), 1<<40, syscall.EIO)
	_, count, ok := strings.Cut(out, "whole ")
	total, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(count, "\n", 2)[0]))
	if !ok || err != nil || total < 60 {
		t.Fatalf("the good run changed the disk %d times: %v\n%s", total, err, out)
	}
	step := 7
	if s, err := strconv.Atoi(os.Getenv("SUKASHI_DISK_STEP")); err == nil && s > 0 {
		step = s
	}
	points := 0
	for i, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		for at := 1 + i; at <= total; at += step {
			dir := t.TempDir()
			out, whole := child(t, dir, int64(at), errno)
			if err := afterwards(t, dir, out); err != nil {
				t.Errorf("%v from operation %d on: %v\n%s", errno, at, err, out)
			}
			if whole {
				t.Errorf("%v from operation %d on was not noticed", errno, at)
			}
			points++
		}
	}
	t.Logf("%d points of %d operations", points, total)
}

func child(t *testing.T, dir string, at int64, errno syscall.Errno) (out string, whole bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestDiskErrorChild$", "-test.v=false")
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%d", childFail, at), fmt.Sprintf("%s=%d", childErrno, int(errno)))
	var b bytes.Buffer
	cmd.Stdout = &b
	_ = cmd.Run() // its end says nothing: the store may have ended it
	return b.String(), strings.Contains(b.String(), "whole ")
}

// afterwards opens what the child left on a good disk.
func afterwards(t *testing.T, dir, out string) error {
	c := config(t, nil)
	c.Dir, c.HeadDir = filepath.Join(dir, "store"), filepath.Join(dir, "head")
	e, err := Open(ctx, c)
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		var seq, index, size uint64
		if n, _ := fmt.Sscanf(lines.Text(), "acknowledged %d %d", &seq, &index); n == 2 {
			got, b, err := e.Lookup(ctx, entry.ByCA, seq)
			if err != nil || got != index || !bytes.Equal(b, event(t, entry.ByCA, seq)) {
				return fmt.Errorf("entry %d is lost: at %d, %v", seq, got, err)
			}
		}
		if n, _ := fmt.Sscanf(lines.Text(), "published %d", &size); n == 1 && e.PublishedSize() < size {
			return fmt.Errorf("published size went back to %d", e.PublishedSize())
		}
	}
	if err := e.Close(); err != nil {
		return err
	}
	r, err := Fsck(ctx, FsckConfig{Dir: c.Dir, HeadDir: c.HeadDir, VKey: c.VKey})
	if err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("check finds %+v", r.Findings)
	}
	return nil
}
