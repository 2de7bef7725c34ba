package proof

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
)

// Policy says whom to believe: which log keys, which witnesses, and how many
// of them (C2SP tlog-policy). It is immutable and safe for concurrent use.
type Policy struct {
	logs      []Log
	witnesses []Witness
	quorum    *group // nil: no witness needed
}

// Log is a log line of a policy. Its key name is the checkpoint origin.
type Log struct {
	Origin string // key name = checkpoint origin
	VKey   string
	URL    string // "" where the policy gives none
	// From and Until are the tree sizes that this key may sign, both included.
	// Until is 0 for the origin's newest key, which has no last size.
	From, Until uint64
	key         key
}

// Witness is a witness line of a policy.
type Witness struct {
	Name    string // name within the policy file
	KeyName string // name in the witness's signature lines
	VKey    string
	URL     string // submission prefix (tlog-witness); "" where the policy gives none
	key     key
}

// group is satisfied when k of its members are; a leaf is one witness.
type group struct {
	witness int // index of the witness of a leaf, else -1
	k       int
	members []*group
}

func (g *group) holds(seen func(witness int) bool) bool {
	if g.witness >= 0 {
		return seen(g.witness)
	}
	n := 0
	for _, m := range g.members {
		if m.holds(seen) {
			n++
		}
	}
	return n >= g.k
}

// maxLines bounds logs, witnesses and groups of a policy, each.
const maxLines = 64

// Logs returns the policy's logs in file order.
func (p *Policy) Logs() []Log { return append([]Log(nil), p.logs...) }

// Witnesses returns the policy's witnesses in file order.
func (p *Policy) Witnesses() []Witness { return append([]Witness(nil), p.witnesses...) }

// NeedsWitnesses reports whether a checkpoint without any cosignature is
// refused.
func (p *Policy) NeedsWitnesses() bool {
	return p.quorum != nil
}

// Quorum reports whether the witnesses with these policy names are enough.
func (p *Policy) Quorum(names ...string) bool {
	if p.quorum == nil {
		return true
	}
	return p.quorum.holds(func(i int) bool {
		for _, n := range names {
			if p.witnesses[i].Name == n {
				return true
			}
		}
		return false
	})
}

// ParsePolicy reads a C2SP tlog-policy file of up to MaxFile bytes. Log keys
// must be Ed25519 (type 0x01), witness keys Ed25519 cosignature/v1 (type
// 0x04). Beyond the specification it refuses a policy without any log, a key
// that is both a log's and a witness's, and an origin with several keys unless
// "#until" lines say which tree sizes each may sign (see the package's
// description of key rotation in docs/formats.md).
func ParsePolicy(b []byte) (*Policy, error) {
	pp := policyParser{p: &Policy{}, names: map[string]*group{}, used: map[string]bool{}, keys: map[[32]byte]bool{}}
	line, err := pp.parse(b)
	if err != nil {
		return nil, say.New("policy.malformed",
			fmt.Sprintf("信頼方針ファイルの %d 行目を読み取れません。", line),
			fmt.Sprintf("Line %d of the trust policy file can't be read.", line)).
			Hint("監査主体から受け取ったファイルをそのまま使ってください。", "Use the file as you got it from whom you trust.").
			Because(err)
	}
	return pp.p, nil
}

type policyParser struct {
	p      *Policy
	names  map[string]*group // witnesses and groups, one namespace
	used   map[string]bool   // names that are already a member of a group
	keys   map[[32]byte]bool // public keys seen
	groups int
	done   bool // the quorum line was seen
}

func (pp *policyParser) parse(b []byte) (line int, err error) {
	if len(b) > MaxFile {
		return 1, fmt.Errorf("policy is larger than %d bytes", MaxFile)
	}
	for i, c := range b {
		if c != '\t' && c != '\n' && (c < 0x20 || c == 0x7f) {
			return 1 + bytes.Count(b[:i], []byte("\n")), errors.New("control character")
		}
	}
	lines := strings.Split(string(b), "\n")
	if lines[len(lines)-1] != "" {
		return len(lines), errors.New("last line has no newline: the file may be cut off")
	}
	for i, l := range lines {
		if err := pp.line(l); err != nil {
			return i + 1, err
		}
	}
	switch {
	case !pp.done:
		return len(lines), errors.New("no quorum line")
	case len(pp.p.logs) == 0:
		return len(lines), errors.New("no log line")
	}
	if err := chain(pp.p.logs); err != nil {
		return len(lines), err
	}
	return 0, nil
}

func (pp *policyParser) line(l string) error {
	f := strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == '\t' })
	switch {
	case len(f) > 0 && f[0] == untilMark:
		return pp.until(f[1:])
	case len(f) == 0 || f[0][0] == '#':
		return nil
	case f[0] == "log" && (len(f) == 2 || len(f) == 3):
		return pp.log(f[1:])
	case f[0] == "witness" && (len(f) == 3 || len(f) == 4):
		return pp.witness(f[1:])
	case f[0] == "group" && len(f) >= 4:
		return pp.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		return pp.quorum(f[1])
	}
	return errors.New("not a log, witness, group or quorum line with the right number of items")
}

// key parses a vkey and refuses one whose public key was seen before under any
// name: one party must not count twice.
func (pp *policyParser) key(vkey string, typ byte) (key, error) {
	k, err := parseKey(vkey, typ)
	if err != nil {
		return k, err
	}
	if pp.keys[k.public] {
		return k, errors.New("public key is listed twice")
	}
	pp.keys[k.public] = true
	return k, nil
}

func (pp *policyParser) log(f []string) error {
	if len(pp.p.logs) == maxLines {
		return fmt.Errorf("more than %d logs", maxLines)
	}
	k, err := pp.key(f[0], typeLog)
	if err != nil {
		return err
	}
	l := Log{Origin: k.verifier.Name(), VKey: f[0], key: k}
	if len(f) == 2 {
		l.URL = f[1]
	}
	pp.p.logs = append(pp.p.logs, l)
	return nil
}

func (pp *policyParser) define(name string, g *group) error {
	if name == "none" || pp.names[name] != nil {
		return errors.New("name is reserved or defined twice")
	}
	pp.names[name] = g
	return nil
}

func (pp *policyParser) witness(f []string) error {
	if len(pp.p.witnesses) == maxLines {
		return fmt.Errorf("more than %d witnesses", maxLines)
	}
	k, err := pp.key(f[1], typeCosignature)
	if err != nil {
		return err
	}
	w := Witness{Name: f[0], KeyName: k.verifier.Name(), VKey: f[1], key: k}
	if len(f) == 3 {
		w.URL = f[2]
	}
	if err := pp.define(f[0], &group{witness: len(pp.p.witnesses)}); err != nil {
		return err
	}
	pp.p.witnesses = append(pp.p.witnesses, w)
	return nil
}

func (pp *policyParser) group(name, threshold string, members []string) error {
	if pp.groups++; pp.groups > maxLines {
		return fmt.Errorf("more than %d groups", maxLines)
	}
	g := &group{witness: -1}
	switch threshold {
	case "any":
		g.k = 1
	case "all":
		g.k = len(members)
	default:
		k, err := strconv.Atoi(threshold)
		if err != nil || k < 1 || k > len(members) || strconv.Itoa(k) != threshold {
			return errors.New("threshold is not any, all or a number from 1 to the number of members")
		}
		g.k = k
	}
	for _, m := range members {
		if pp.names[m] == nil {
			return errors.New("group member is not defined on an earlier line")
		}
		if pp.used[m] {
			return errors.New("name is a group member twice")
		}
		pp.used[m] = true
		g.members = append(g.members, pp.names[m])
	}
	return pp.define(name, g)
}

func (pp *policyParser) quorum(name string) error {
	if pp.done {
		return errors.New("second quorum line")
	}
	pp.done = true
	if name == "none" {
		return nil
	}
	if pp.p.quorum = pp.names[name]; pp.p.quorum == nil {
		return errors.New("quorum is not defined on an earlier line")
	}
	return nil
}
