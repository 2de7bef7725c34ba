package stracetest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DiskCalls are the calls that a Disk has to know of.
var DiskCalls = strings.Fields("openat close read write pwrite64 lseek fsync fdatasync renameat renameat2 linkat unlinkat mkdirat ftruncate fallocate copy_file_range sendfile writev pwritev")

// Disk is a folder as a program changed it, and what of it a power cut would
// leave when nothing stays that was not brought to disk: bytes by fsync or
// fdatasync of their file, names by fsync of their directory.
type Disk struct {
	path string
	root *node
	open map[int]*opened
}

// node is a file or a directory. What a sync brings to disk is what was there
// when it began.
type node struct {
	now, kept   map[string]*node // directory: names; nil: a file
	data, saved []byte           // file
}

type opened struct {
	n   *node
	pos int64
	end bool // writes go to the end
}

// NewDisk reads the folder as it is before the program starts; all of it is on
// disk. path is what the program knows it by.
func NewDisk(folder, path string) (*Disk, error) {
	root, err := load(folder)
	return &Disk{path: path, root: root, open: map[int]*opened{}}, err
}

func load(path string) (*node, error) {
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	n := directory()
	for _, e := range list {
		child := &node{}
		if e.IsDir() {
			child, err = load(filepath.Join(path, e.Name()))
		} else if child.data, err = os.ReadFile(filepath.Join(path, e.Name())); err == nil {
			child.saved = child.data
		}
		if err != nil {
			return nil, err
		}
		n.now[e.Name()], n.kept[e.Name()] = child, child
	}
	return n, nil
}

func directory() *node { return &node{now: map[string]*node{}, kept: map[string]*node{}} }

// Replay does what the calls did, and calls visit before each sync that brings
// something new to disk is over, with the moment at which it began, and at the
// end with a moment after everything.
func (d *Disk) Replay(calls []Call, visit func(at time.Time) error) error {
	type event struct {
		n   int
		c   *Call
		end bool
	}
	var events []event
	for i := range calls {
		c := &calls[i]
		events = append(events, event{c.BeganAt, c, false})
		if c.Ended {
			events = append(events, event{c.EndedAt, c, true})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.n - b.n })
	syncs := map[*Call]*node{} // what is under way, as it was when it began
	for _, e := range events {
		isSync := e.c.Name == "fsync" || e.c.Name == "fdatasync"
		switch {
		case e.c.Name == "close": // its number may be another file's before it is over
			if fd, _ := e.c.FD(0); !e.end {
				delete(d.open, fd)
			}
		case isSync && !e.end:
			syncs[e.c] = d.seen(e.c)
		case isSync && !e.c.Failed():
			if was := syncs[e.c]; was != nil && d.differs(e.c, was) {
				if err := visit(e.c.At); err != nil {
					return err
				}
				d.keep(e.c, was)
			}
		case e.end && !e.c.Failed():
			if err := d.apply(e.c); err != nil {
				return fmt.Errorf("%s(%s): %w", e.c.Name, strings.Join(e.c.Paths(), ", "), err)
			}
		}
	}
	return visit(time.Now().Add(time.Hour))
}

func (d *Disk) file(c *Call) *opened {
	fd, _ := c.FD(0)
	return d.open[fd]
}

func (d *Disk) seen(c *Call) *node {
	o := d.file(c)
	if o == nil {
		return nil
	}
	return &node{now: maps.Clone(o.n.now), data: bytes.Clone(o.n.data)}
}

func (d *Disk) differs(c *Call, was *node) bool {
	n := d.file(c).n
	return !maps.Equal(n.kept, was.now) || !bytes.Equal(n.saved, was.data)
}

func (d *Disk) keep(c *Call, was *node) {
	n := d.file(c).n
	n.kept, n.saved = was.now, was.data
}

// find leads to the directory and the name in it; nil outside the folder.
func (d *Disk) find(path string) (dir *node, name string) {
	if path == d.path {
		return &node{now: map[string]*node{".": d.root}}, "."
	}
	rel, ok := strings.CutPrefix(path, d.path+"/")
	if !ok {
		return nil, ""
	}
	parts := strings.Split(rel, "/")
	dir = d.root
	for _, p := range parts[:len(parts)-1] {
		if dir = dir.now[p]; dir == nil || dir.now == nil {
			return nil, ""
		}
	}
	return dir, parts[len(parts)-1]
}

func (d *Disk) apply(c *Call) error {
	switch c.Name {
	case "openat":
		d.opens(c)
	case "read", "lseek", "write", "pwrite64", "ftruncate", "fallocate":
		if o := d.file(c); o != nil && o.n.now == nil {
			return o.apply(c)
		}
	case "mkdirat", "unlinkat":
		if dir, name := d.find(c.Paths()[0]); dir != nil && c.Name == "mkdirat" {
			dir.now[name] = directory()
		} else if dir != nil {
			delete(dir.now, name)
		}
	case "renameat", "renameat2", "linkat":
		from, a := d.find(c.Paths()[0])
		to, b := d.find(c.Paths()[1])
		if from == nil || to == nil || from.now[a] == nil {
			return fmt.Errorf("one of them is not known")
		}
		to.now[b] = from.now[a]
		if c.Name != "linkat" {
			delete(from.now, a)
		}
	default:
		if o := d.file(c); o != nil {
			return fmt.Errorf("the replay doesn't know this call")
		}
	}
	return nil
}

func (d *Disk) opens(c *Call) {
	fd := int(c.Result)
	delete(d.open, fd)
	dir, name := d.find(c.Paths()[0])
	if dir == nil {
		return
	}
	n := dir.now[name]
	if n == nil {
		n = &node{}
		dir.now[name] = n
	}
	if strings.Contains(c.Args[2], "O_TRUNC") {
		n.data = nil
	}
	d.open[fd] = &opened{n: n, end: strings.Contains(c.Args[2], "O_APPEND")}
}

func (o *opened) apply(c *Call) error {
	switch c.Name {
	case "read":
		o.pos += c.Result
	case "lseek":
		o.pos = c.Result
	case "write":
		if o.end {
			o.pos = int64(len(o.n.data))
		}
		o.n.write(c.Data(1), c.Result, o.pos)
		o.pos += c.Result
	case "pwrite64":
		o.n.write(c.Data(1), c.Result, c.Number(3))
	case "ftruncate":
		o.n.resize(c.Number(1))
	case "fallocate":
		if size := c.Number(2) + c.Number(3); !strings.Contains(c.Args[1], "KEEP_SIZE") && size > int64(len(o.n.data)) {
			o.n.resize(size)
		}
	}
	return nil
}

// write copies, because what a sync saw must not change afterwards.
func (n *node) write(b []byte, count, at int64) {
	data := make([]byte, max(int64(len(n.data)), at+count))
	copy(data, n.data)
	copy(data[at:at+count], b)
	n.data = data
}

func (n *node) resize(size int64) {
	data := make([]byte, size)
	copy(data, n.data)
	n.data = data
}

// Leave writes to a new folder what a power cut would leave.
func (d *Disk) Leave(folder string) error { return d.root.leave(folder) }

func (n *node) leave(path string) error {
	if n.kept == nil {
		return os.WriteFile(path, n.saved, 0o600)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for name, child := range n.kept {
		if err := child.leave(filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}
