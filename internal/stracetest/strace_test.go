package stracetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	calls, err := parse(`17 1795832985.433118 openat(AT_FDCWD</tmp/st>, "head/\346\227\245 (1)", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 9</tmp/st/head/x>
17 1795832985.433200 pwrite64(9</tmp/st/head/x>, "a, \"b\")\n\0001\\", 10, 4096 <unfinished ...>
18 1795832985.433300 newfstatat(AT_FDCWD</tmp/st>, "head", {st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 0
18 1795832985.433350 --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=17033, si_uid=0} ---
17 1795832985.433400 <... pwrite64 resumed>) = 10
18 1795832985.433500 renameat(AT_FDCWD</tmp/st>, "a", 5</tmp/st/head>, "b") = -1 EIO (Input/output error) (INJECTED)
18 1795832985.433600 fsync(9</tmp/st/head/x>(deleted) <unfinished ...>
18 1795832985.433700 <... fsync resumed>) = ?
17 1795832985.433800 +++ killed by SIGKILL +++
`)
	if err != nil || len(calls) != 5 {
		t.Fatalf("%d calls: %v", len(calls), err)
	}
	open, write, stat, rename, sync := calls[0], calls[1], calls[2], calls[3], calls[4]
	if p := open.Paths(); len(p) != 1 || p[0] != "/tmp/st/head/日 (1)" || open.Result != 9 || len(open.Args) != 4 {
		t.Errorf("%+v %q", open, p)
	}
	if fd, path := write.FD(0); fd != 9 || path != "/tmp/st/head/x" || string(write.Data(1)) != "a, \"b\")\n\x001\\" || write.Number(3) != 4096 || write.EndedAt != 4 || write.Result != 10 {
		t.Errorf("%+v %q", write, write.Data(1))
	}
	if stat.Failed() || len(stat.Args) != 4 {
		t.Errorf("%+v", stat)
	}
	if p := rename.Paths(); len(p) != 2 || p[0] != "/tmp/st/a" || p[1] != "/tmp/st/head/b" || !rename.Injected || !rename.Failed() {
		t.Errorf("%+v %q", rename, p)
	}
	if _, path := sync.FD(0); path != "/tmp/st/head/x" || !sync.Failed() || sync.Ended {
		t.Errorf("%+v", sync)
	}
	for _, bad := range []string{"x", "17 1795832985.433118 nothing", "17 1795832985.433118 <... read resumed>) = 0", "17 1795832985.433118 read(3) and no result"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("read: %s", bad)
		}
	}
}

// A fault reaches a real program, and only where it should.
func TestFaults(t *testing.T) {
	x := New(t)
	dir := t.TempDir()
	run := func(f *Fault) ([]Call, *os.ProcessState) {
		cmd := exec.Command("/bin/sh", "-c", "mkdir a; mkdir b; mkdir c")
		cmd.Dir = dir
		p, err := x.Start(cmd, []string{"mkdir", "mkdirat"}, false, f)
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the state says it
		calls, err := p.Calls()
		if err != nil {
			t.Fatal(err)
		}
		return calls, cmd.ProcessState
	}
	calls, state := run(nil)
	if len(calls) != 3 || !state.Success() || calls[2].Paths()[0] == "" {
		t.Fatalf("%+v %v", calls, state)
	}
	for _, n := range []string{"a", "b", "c"} {
		if err := os.Remove(filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	name := calls[0].Name
	calls, _ = run(&Fault{Call: name, What: "error=ENOSPC", N: 1})
	if left, err := os.ReadDir(dir); len(left) != 0 || err != nil || len(calls) != 3 || !calls[0].Injected {
		t.Errorf("%v %v %+v", left, err, calls)
	}
	calls, state = run(&Fault{Call: name, What: "signal=KILL", N: 1})
	if left, err := os.ReadDir(dir); len(left) != 0 || err != nil || !calls[0].Failed() || state.Success() {
		t.Errorf("%v %v %+v %s", left, err, calls, strings.TrimSpace(state.String()))
	}
}
