package proof

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
)

// LogKey is one key of a log and the largest tree that it may sign.
type LogKey struct {
	VKey  string // verifier key; its name is the origin
	Until uint64 // largest tree size that it may sign; 0: it is in use
}

// Keys returns the policy's keys of one origin, oldest first: the last one is in
// use.
func (p *Policy) Keys(origin string) []LogKey {
	var keys []LogKey
	for _, l := range p.logs {
		if l.Origin == origin {
			keys = append(keys, LogKey{l.VKey, l.Until})
		}
	}
	return keys
}

var errLogKey = say.New("policy.key", "ログの検証鍵を読み取れません。", "The log's verifier key can't be read.")

// LogOnly is the policy for commit checkpoints: the log's signature and no
// witness. vkey is the log's verifier key; its name is the origin.
func LogOnly(vkey string) (*Policy, error) { return LogKeys(LogKey{VKey: vkey}) }

// LogKeys is LogOnly for a log whose key was rotated: its keys, oldest first,
// each with the largest tree that it may sign; the last one is in use.
func LogKeys(keys ...LogKey) (*Policy, error) {
	p := &Policy{}
	seen := map[[32]byte]bool{}
	for _, lk := range keys {
		k, err := parseKey(lk.VKey, typeLog)
		switch {
		case err != nil:
			return nil, errLogKey.Because(err)
		case seen[k.public]:
			return nil, errLogKey.Because(errors.New("a key is listed twice"))
		case len(p.logs) > 0 && k.verifier.Name() != p.logs[0].Origin:
			return nil, errLogKey.Because(errors.New("keys of different logs"))
		}
		seen[k.public] = true
		p.logs = append(p.logs, Log{Origin: k.verifier.Name(), VKey: lk.VKey, Until: lk.Until, key: k})
	}
	if len(p.logs) == 0 {
		return nil, errLogKey
	}
	if err := chain(p.logs); err != nil {
		return nil, errLogKey.Because(err)
	}
	return p, nil
}

// untilMark begins a line that other readers of tlog-policy take for a comment:
//
//	#until <name>+<key id> <size>
//
// It says that the log's key with this name and id, of an earlier line, may sign
// no tree larger than size, because the log went over to its next key there.
const untilMark = "#until"

// UntilLine returns the policy line that ends a key at a tree size.
func UntilLine(vkey string, size uint64) string {
	return fmt.Sprintf("%s %s %d", untilMark, shortKey(vkey), size)
}

// shortKey is a vkey without the key itself: name and id.
func shortKey(vkey string) string {
	parts := strings.SplitN(vkey, "+", 3) // base64 has plus signs too
	return strings.Join(parts[:min(2, len(parts))], "+")
}

func (pp *policyParser) until(f []string) error {
	if len(f) != 2 {
		return errors.New("an #until line has a key and a tree size")
	}
	size, ok := parseDecimal(f[1])
	if !ok || size == 0 {
		return errors.New("an #until line ends with a tree size")
	}
	for i := range pp.p.logs {
		if l := &pp.p.logs[i]; shortKey(l.VKey) == f[0] {
			if l.Until != 0 {
				return errors.New("second #until line for one key")
			}
			l.Until = size
			return nil
		}
	}
	return errors.New("an #until line names a key that no earlier log line has")
}

// chain checks that the keys of each origin follow one another without a gap:
// every one but the last ends, each at a larger tree than the one before, and
// the next one begins there. Where a reader knows no sizes, an old key would be
// good for ever; so several keys of one origin without sizes are refused.
func chain(logs []Log) error {
	last := map[string]*Log{}
	for i := range logs {
		l := &logs[i]
		if before := last[l.Origin]; before != nil {
			if before.Until == 0 || l.Until != 0 && l.Until <= before.Until {
				return errors.New("a log has several keys, and it isn't said from which tree size on each is used")
			}
			l.From = before.Until
		}
		l.key.from, l.key.until = l.From, l.Until
		last[l.Origin] = l
	}
	for _, l := range last {
		if l.Until != 0 {
			return errors.New("a log's newest key has ended")
		}
	}
	return nil
}
