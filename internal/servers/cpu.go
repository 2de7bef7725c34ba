package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTicks is the unit of the times in /proc/PID/stat: USER_HZ, which Linux
// fixes at 100 a second for every architecture that Go runs on.
const clockTicks = 100

// CPU is the processor time that the server's processes have used so far: what
// a benchmark divides by entries, because it means the same on a busy machine.
// It is zero where there is no /proc.
func (pg *PG) CPU() time.Duration {
	pid, err := pg.pid()
	if err != nil {
		return 0
	}
	sum := processTime(pid) // and its children that have ended
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if f, ok := readStat(name); ok && f.parent == pid {
			sum += f.used
		}
	}
	return sum
}

// CPU is as PG's.
func (m *Maria) CPU() time.Duration { return processTime(m.server.pid()) }

// CPU is the processor time of the log server and of the signer.
func (tr *Trillian) CPU() (server, signer time.Duration) {
	return processTime(tr.server.pid()), processTime(tr.signer.pid())
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func processTime(pid int) time.Duration {
	f, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return f.used
}

type stat struct {
	parent int
	used   time.Duration // with the children that were waited for
}

// readStat reads a process's line, proc(5): fields are counted after the name,
// which may hold anything.
func readStat(name string) (s stat, ok bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return s, false
	}
	line := string(b)
	f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(f) < 15 {
		return s, false
	}
	s.parent, _ = strconv.Atoi(f[1])
	for _, v := range f[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(v, 10, 64)
		s.used += time.Duration(n) * time.Second / clockTicks
	}
	return s, true
}
