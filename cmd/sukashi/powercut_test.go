package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/stracetest"
)

// TestPowerCutsOfTheProgram records each command of the real program once, with
// all that it writes, and cuts the power between any two syncs: the folder is
// made again with nothing but what fsync and fdatasync had brought to disk, and
// must keep what had been promised until just before the next of them. Where
// TestEverySystemCall leaves the operating system's memory alone, this takes it
// away.
func TestPowerCutsOfTheProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: runs the program some hundred times")
	}
	x := stracetest.New(t)
	program := realProgram(t)
	each := 7 // cuts of a command in a usual run
	if os.Getenv("SUKASHI_STRACE_ALL") != "" {
		each = 1 << 20
	}
	work := t.TempDir()
	for n, a := range actors(t, program) {
		t.Run(a.name, func(t *testing.T) {
			c := &cutter{t: t, actor: a, program: program, dir: filepath.Join(work, fmt.Sprint(n))}
			c.record(x)
			c.cut(each)
		})
	}
}

// cutter cuts the power under one command.
type cutter struct {
	t            *testing.T
	actor        actor
	program, dir string
	act          act
	calls        []stracetest.Call
}

// record runs the command once.
func (c *cutter) record(x *stracetest.Tracer) {
	for _, d := range []string{c.dir, c.dir + "-run"} {
		if err := copyFolder(d, c.actor.base); err != nil {
			c.t.Fatal(err)
		}
	}
	s := &sandbox{program: c.program, dir: c.dir + "-run", trace: &tracing{x: x, calls: stracetest.DiskCalls, data: true}}
	c.act = c.actor.make()
	err := c.act.run(s)
	if err == nil {
		c.calls, err = s.trace.proc.Calls()
	}
	if err != nil {
		c.t.Fatalf("%v\n%s", err, s.said())
	}
}

// replay visits all cuts and counts them.
func (c *cutter) replay(visit func(i int, d *stracetest.Disk, at time.Time)) (n int) {
	d, err := stracetest.NewDisk(c.dir, c.dir+"-run")
	if err == nil {
		err = d.Replay(c.calls, func(at time.Time) error {
			visit(n, d, at)
			n++
			return nil
		})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// cut tries some of the cuts, the last one always.
func (c *cutter) cut(some int) {
	all := c.replay(func(int, *stracetest.Disk, time.Time) {})
	step, tried, promises := max(1, all/some), 0, 0
	c.replay(func(i int, d *stracetest.Disk, at time.Time) {
		if i%step != 0 && i != all-1 {
			return
		}
		tried++
		left := &sandbox{program: c.program, dir: fmt.Sprint(c.dir, "-", i)}
		defer left.remove()
		kept, err := 0, d.Leave(left.dir)
		if err == nil {
			var then act
			if then, err = c.act.at(at, left); err == nil {
				kept, err = then.check(left)
			}
		}
		if err != nil {
			c.t.Errorf("cut before sync %d of %d: %v\n%s", i, all, err, left.said())
		}
		promises += kept
	})
	c.t.Logf("%d of %d power cuts, %d promises kept", tried, all, promises)
	if all < 2 || promises == 0 {
		c.t.Error("the sweep misses what the command writes")
	}
}
