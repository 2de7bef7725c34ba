package stracetest

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Call is one system call as strace saw it.
type Call struct {
	Thread   int
	At       time.Time // of its beginning
	Name     string
	Args     []string // as strace prints them: 5</path>, "data", O_RDWR|O_CREAT
	Result   int64    // what it returned; -1 with an error
	Ended    bool     // it returned
	EndedAt  int      // the place of its return among all beginnings and returns
	BeganAt  int      // the same for its beginning
	Injected bool     // strace made it fail
}

// Failed tells whether the call had no effect that its caller knows of.
func (c *Call) Failed() bool { return !c.Ended || c.Result < 0 }

// parse reads strace -f -ttt -y.
func parse(text string) ([]Call, error) {
	var out []Call
	open := map[int]int{} // thread: its unfinished call
	begun := map[int]string{}
	for n := 0; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		thread, at, rest, err := prefix(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d of the trace: %w: %.80q", n+1, err, line)
		case strings.HasPrefix(rest, "+++") || strings.HasPrefix(rest, "---"):
			continue
		case strings.HasPrefix(rest, "<... "):
			i, ok := open[thread]
			_, tail, found := strings.Cut(rest, " resumed>")
			if !ok || !found {
				return nil, fmt.Errorf("line %d of the trace goes on with no call: %.80q", n+1, line)
			}
			delete(open, thread)
			if err := out[i].end(begun[thread]+tail, n); err != nil {
				return nil, fmt.Errorf("line %d of the trace: %w", n+1, err)
			}
			continue
		}
		name, tail, ok := strings.Cut(rest, "(")
		if !ok {
			return nil, fmt.Errorf("line %d of the trace is no call: %.80q", n+1, line)
		}
		out = append(out, Call{Thread: thread, At: at, Name: name, BeganAt: n})
		c := &out[len(out)-1]
		if head, ok := strings.CutSuffix(tail, " <unfinished ...>"); ok {
			open[thread], begun[thread] = len(out)-1, head
			c.Args, _ = arguments(head)
		} else if err := c.end(tail, n); err != nil {
			return nil, fmt.Errorf("line %d of the trace: %w", n+1, err)
		}
	}
	return out, nil
}

// prefix takes the thread and the time off a line.
func prefix(line string) (thread int, at time.Time, rest string, err error) {
	id, rest, ok1 := strings.Cut(line, " ")
	stamp, rest, ok2 := strings.Cut(strings.TrimLeft(rest, " "), " ")
	sec, micro, ok3 := strings.Cut(stamp, ".")
	thread, err1 := strconv.Atoi(id)
	s, err2 := strconv.ParseInt(sec, 10, 64)
	us, err3 := strconv.ParseInt(micro, 10, 64)
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || err3 != nil {
		return 0, at, "", fmt.Errorf("no thread and time")
	}
	return thread, time.Unix(s, us*1000), rest, nil
}

// end reads the rest of a call: its arguments, and how it ended.
func (c *Call) end(tail string, n int) error {
	args, rest := arguments(tail)
	_, result, ok := strings.Cut(rest, "= ")
	if !ok {
		return fmt.Errorf("%s has no result: %.80q", c.Name, tail)
	}
	c.Args, c.Injected = args, strings.Contains(result, "(INJECTED)")
	if strings.HasPrefix(result, "?") { // the process ended in it
		return nil
	}
	word := strings.FieldsFunc(result, func(r rune) bool { return r == ' ' || r == '<' })[0]
	v, err := strconv.ParseInt(word, 0, 64)
	if err != nil {
		return fmt.Errorf("%s has the result %q", c.Name, word)
	}
	c.Result, c.Ended, c.EndedAt = v, true, n
	return nil
}

// arguments splits at the commas that are in no string, path or structure, up to
// the closing parenthesis.
func arguments(s string) (args []string, rest string) {
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '(' || b == '[' || b == '{' || b == '<' && i > start && isNumber(s[start:i]):
			depth++
		case depth > 0 && (b == ')' || b == ']' || b == '}' || b == '>'):
			depth--
		case depth == 0 && (b == ',' || b == ')'):
			args = append(args, strings.TrimSpace(s[start:i]))
			if start = i + 1; b == ')' {
				return args, s[start:]
			}
		}
	}
	return append(args, strings.TrimSpace(s[start:])), ""
}

// isNumber tells whether a path in angle brackets may follow.
func isNumber(s string) bool {
	s = strings.TrimSpace(s)
	_, err := strconv.Atoi(s)
	return err == nil || s == "AT_FDCWD"
}

// Data is argument i as the bytes that it stands for.
func (c *Call) Data(i int) []byte {
	if i >= len(c.Args) {
		return nil
	}
	s := strings.TrimSuffix(c.Args[i], "...")
	if len(s) < 2 || s[0] != '"' {
		return nil
	}
	return unquote(s[1 : len(s)-1])
}

func unquote(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		if k := strings.IndexByte("abtnvfr", s[i]); k >= 0 {
			out = append(out, byte(7+k))
			continue
		}
		v, n := 0, 0
		for ; n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7'; n++ {
			v = v*8 + int(s[i+n]-'0')
		}
		if n == 0 {
			out = append(out, s[i])
			continue
		}
		out = append(out, byte(v))
		i += n - 1
	}
	return out
}

// FD is argument i as a descriptor's number and the path that is open there.
func (c *Call) FD(i int) (fd int, path string) {
	if i >= len(c.Args) {
		return -1, ""
	}
	num, rest, _ := strings.Cut(c.Args[i], "<")
	path, _, _ = strings.Cut(rest, ">")
	fd, err := strconv.Atoi(num)
	if err != nil {
		fd = -1
	}
	return fd, path
}

// Number is argument i as a number; -1 where it is none.
func (c *Call) Number(i int) int64 {
	if i < len(c.Args) {
		if v, err := strconv.ParseInt(c.Args[i], 0, 64); err == nil {
			return v
		}
	}
	return -1
}

// at names the path that arguments i and i+1 stand for: a directory that is open,
// and a name under it.
func (c *Call) at(i int) string {
	name := string(c.Data(i + 1))
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	_, dir := c.FD(i)
	return filepath.Join(dir, name)
}

// Paths are the files that the call is about: none for memory and sockets.
func (c *Call) Paths() []string {
	switch c.Name {
	case "renameat", "renameat2", "linkat":
		return []string{c.at(0), c.at(2)}
	}
	if len(c.Args) > 0 && strings.HasPrefix(c.Args[0], `"`) { // of an older kind: relative to where the program is
		return []string{string(c.Data(0))}
	}
	if len(c.Args) > 1 && strings.HasPrefix(c.Args[1], `"`) && strings.HasSuffix(c.Name, "at") {
		return []string{c.at(0)}
	}
	if _, path := c.FD(0); path != "" {
		return []string{path}
	}
	return nil
}
