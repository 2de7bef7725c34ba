package grammar

import (
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strconv"
)

// maxStates bounds an automaton; the echo grammar has about 6,200 states.
const maxStates = 1 << 16

// edge is a transition of the nondeterministic automaton on any byte of lo to
// hi. outside is true where the byte is not part of a bound slot.
type edge struct {
	lo, hi  byte
	to      int
	outside bool
}

type builder struct {
	states  [][]edge
	outside bool // of the part that is being built
}

func (b *builder) state() int {
	b.states = append(b.states, nil)
	return len(b.states) - 1
}

func (b *builder) edge(from int, lo, hi byte, to int) {
	b.states[from] = append(b.states[from], edge{lo, hi, to, b.outside})
}

// lit adds a chain of exact bytes and returns its end.
func (b *builder) lit(from int, s string) int {
	for i := range len(s) {
		to := b.state()
		b.edge(from, s[i], s[i], to)
		from = to
	}
	return from
}

// class adds one byte of lo to hi.
func (b *builder) class(from int, lo, hi byte) int {
	to := b.state()
	b.edge(from, lo, hi, to)
	return to
}

// uint adds the decimal numbers 0 to max without leading zeros, and returns
// the states where a number may end.
func (b *builder) uint(from int, max uint64) (ends []int) {
	digits := strconv.FormatUint(max, 10)
	ends = append(ends, b.lit(from, "0"))
	if len(digits) > 1 { // shorter numbers: any digits
		at := b.class(from, '1', '9')
		ends = append(ends, at)
		for range len(digits) - 2 {
			at = b.class(at, '0', '9')
			ends = append(ends, at)
		}
	}
	// Numbers as long as max: tight follows max's own digits, free is the
	// state after a digit that was already smaller.
	tight, free := from, -1
	for i := range len(digits) {
		lo := byte('0')
		if i == 0 {
			lo = '1'
		}
		nextFree := b.state()
		if free >= 0 {
			b.edge(free, '0', '9', nextFree)
		}
		if digits[i] > lo {
			b.edge(tight, lo, digits[i]-1, nextFree)
		}
		tight, free = b.lit(tight, digits[i:i+1]), nextFree
	}
	return append(ends, tight, free)
}

// utf8Ranges are the well-formed UTF-8 sequences of two to four bytes
// (Unicode 3.9, table 3-7).
var utf8Ranges = [][][2]byte{
	{{0xC2, 0xDF}, {0x80, 0xBF}},
	{{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
	{{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
	{{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
	{{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}},
}

// char adds one character of a JSON string in canonical form: no control
// character, and \" and \\ as the only escapes.
func (b *builder) char(from, to int) {
	for _, r := range [][2]byte{{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0x7e}} {
		b.edge(from, r[0], r[1], to)
	}
	esc := b.class(from, '\\', '\\')
	b.edge(esc, '"', '"', to)
	b.edge(esc, '\\', '\\', to)
	for _, seq := range utf8Ranges {
		at := from
		for i, r := range seq {
			if i == len(seq)-1 {
				b.edge(at, r[0], r[1], to)
				break
			}
			at = b.class(at, r[0], r[1])
		}
	}
}

func (b *builder) text(from int, max uint64) int {
	at := b.lit(from, `"`)
	end := b.state()
	for range max {
		next := b.state()
		b.char(at, next)
		at = next
		b.edge(at, '"', '"', end)
	}
	return end
}

func (b *builder) birth(from int) int {
	at := b.class(b.lit(from, `"`), '0', '5')
	for range 4 {
		at = b.class(at, '0', '9')
	}
	day, end := b.state(), b.state()
	b.edge(b.lit(at, "0"), '0', '9', day) // month 00 to 12
	b.edge(b.lit(at, "1"), '0', '2', day)
	b.edge(b.class(day, '0', '2'), '0', '9', end) // day 00 to 31
	b.edge(b.lit(day, "3"), '0', '1', end)
	return b.lit(end, `"`)
}

// slot adds one slot and returns the states where it may end.
func (b *builder) slot(from int, p Part) []int {
	b.outside = p.Bound == ""
	defer func() { b.outside = true }()
	switch p.Type {
	case TypeUint:
		return b.uint(from, p.Max)
	case TypeText:
		return []int{b.text(from, p.Max)}
	case TypeBirth:
		return []int{b.birth(from)}
	}
	return []int{b.lit(b.class(b.lit(from, `"`), '1', '3'), `"`)}
}

// Automaton is a deterministic automaton over bytes that accepts exactly the
// grammar's notices.
type Automaton struct {
	next    [][256]int32 // 0 is the dead state
	outside [][256]bool
	accept  []bool
	start   int32
}

// Automaton builds the automaton.
func (g Grammar) Automaton() (*Automaton, error) {
	b := &builder{outside: true}
	at := []int{b.state()}
	for _, p := range g.Parts {
		if err := p.validate(); err != nil {
			return nil, err
		}
		var ends []int
		for _, from := range at {
			if p.Lit != "" {
				ends = append(ends, b.lit(from, p.Lit))
			} else {
				ends = append(ends, b.slot(from, p)...)
			}
			if len(b.states) > maxStates {
				return nil, errors.New("the grammar's automaton is too large")
			}
		}
		at = b.join(ends)
	}
	return b.determinise(at)
}

// join merges states without outgoing edges into one, so that alternatives
// don't multiply with every part.
func (b *builder) join(ends []int) []int {
	var open, closed []int
	for _, e := range ends {
		if len(b.states[e]) == 0 {
			closed = append(closed, e)
		} else {
			open = append(open, e)
		}
	}
	if len(closed) > 1 {
		one := closed[0]
		for i := range b.states {
			for j := range b.states[i] {
				if slices.Contains(closed, b.states[i][j].to) {
					b.states[i][j].to = one
				}
			}
		}
		closed = closed[:1]
	}
	return append(open, closed...)
}

// determinise is the subset construction.
func (b *builder) determinise(final []int) (*Automaton, error) {
	a := &Automaton{next: make([][256]int32, 1), outside: make([][256]bool, 1), accept: make([]bool, 1)}
	ids, sets := map[string]int32{}, [][]int{nil}
	id := func(set []int) int32 {
		key := make([]byte, 0, 4*len(set))
		for _, s := range set {
			key = binary.LittleEndian.AppendUint32(key, uint32(s))
		}
		if n, ok := ids[string(key)]; ok {
			return n
		}
		n := int32(len(sets))
		ids[string(key)] = n
		sets = append(sets, set)
		a.next, a.outside = append(a.next, [256]int32{}), append(a.outside, [256]bool{})
		a.accept = append(a.accept, slices.ContainsFunc(set, func(s int) bool { return slices.Contains(final, s) }))
		return n
	}
	a.start = id([]int{0})
	for i := 1; i < len(sets); i++ {
		if len(sets) > maxStates {
			return nil, errors.New("the grammar's automaton is too large")
		}
		var targets [256][]int
		for _, s := range sets[i] {
			for _, e := range b.states[s] {
				for c := int(e.lo); c <= int(e.hi); c++ {
					targets[c] = append(targets[c], e.to)
					a.outside[i][c] = a.outside[i][c] || e.outside
				}
			}
		}
		for c, to := range targets {
			if len(to) > 0 {
				slices.Sort(to)
				n := id(slices.Compact(to)) // may grow a.next, so not in one line with the store
				a.next[i][c] = n
			}
		}
	}
	return a, nil
}

// States returns the number of states.
func (a *Automaton) States() int { return len(a.next) - 1 }

// Accepts reports whether s is a notice of the grammar.
func (a *Automaton) Accepts(s []byte) bool {
	at := a.start
	for _, c := range s {
		if at = a.next[at][c]; at == 0 {
			return false
		}
	}
	return a.accept[at]
}

// Count returns the exact number of byte strings that the automaton accepts.
// It fails when there are infinitely many.
func (a *Automaton) Count() (*big.Int, error) {
	memo := make([]*big.Int, len(a.next))
	open := make([]bool, len(a.next))
	var count func(s int32) (*big.Int, error)
	count = func(s int32) (*big.Int, error) {
		if memo[s] != nil {
			return memo[s], nil
		}
		if open[s] {
			return nil, errors.New("the grammar is not finite")
		}
		open[s] = true
		n := new(big.Int)
		if a.accept[s] {
			n.SetInt64(1)
		}
		for c := 0; c < 256; {
			to, first := a.next[s][c], c
			for c < 256 && a.next[s][c] == to {
				c++
			}
			if to != 0 {
				m, err := count(to)
				if err != nil {
					return nil, err
				}
				n.Add(n, new(big.Int).Mul(m, big.NewInt(int64(c-first))))
			}
		}
		memo[s], open[s] = n, false
		return n, nil
	}
	return count(a.start)
}

// LongestDigits returns the length of the longest run of ASCII digits in any
// accepted string, at most limit. With outside, a byte of a bound slot ends a
// run: what counts is what the sender could write.
func (a *Automaton) LongestDigits(limit int, outside bool) int {
	live := a.live()
	type node struct {
		state int32
		run   int
	}
	seen, todo, longest := make([]bool, len(a.next)*(limit+1)), []node{{a.start, 0}}, 0
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		longest = max(longest, n.run)
		for c := range 256 {
			to := a.next[n.state][c]
			if to == 0 {
				continue
			}
			run := 0
			if c >= '0' && c <= '9' && (!outside || a.outside[n.state][c]) {
				run = min(n.run+1, limit)
			}
			if at := int(to)*(limit+1) + run; live[to] && !seen[at] {
				seen[at] = true
				todo = append(todo, node{to, run})
			}
		}
	}
	return longest
}

// live marks the states from which an accepting one can be reached.
func (a *Automaton) live() []bool {
	live := slices.Clone(a.accept)
	for changed := true; changed; {
		changed = false
		for s := len(a.next) - 1; s > 0; s-- {
			if live[s] {
				continue
			}
			for c := range 256 {
				if to := a.next[s][c]; to != 0 && live[to] {
					live[s], changed = true, true
					break
				}
			}
		}
	}
	return live
}
