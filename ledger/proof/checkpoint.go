package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed tree head.
type Checkpoint struct {
	Origin   string
	Size     uint64    // entries in the tree
	Root     tlog.Hash // RFC 6962 root hash
	Cosigned []Cosignature
	Raw      []byte // the signed note
	// Witnessed is the newest time at which enough witnesses for the quorum
	// saw this tree as the newest one; zero where the policy asks for none.
	Witnessed time.Time
}

// Cosignature is one witness's statement: at Time, this was the newest tree
// that it had seen.
type Cosignature struct {
	Witness string    // the witness's name in the policy
	Time    time.Time // UTC, whole seconds
}

// ParseUnverified reads a checkpoint without believing any signature; its
// Cosigned is empty. It is for logs and witnesses that look at their own
// notes, never for a decision whom to believe.
func ParseUnverified(note []byte) (*Checkpoint, error) {
	n, err := parseSigned(note)
	if err != nil {
		return nil, err
	}
	return n.checkpoint(), nil
}

func (n *signedNote) checkpoint() *Checkpoint {
	return &Checkpoint{Origin: n.origin, Size: n.size, Root: n.root, Raw: []byte(n.raw)}
}

// VerifyCheckpoint checks a signed note against the policy: a log key of this
// origin signed it, every signature line is made by a key of the policy and is
// valid, none twice, and the witnesses reach the quorum.
func (p *Policy) VerifyCheckpoint(note []byte) (*Checkpoint, error) {
	n, err := parseSigned(note)
	if err != nil {
		return nil, err
	}
	return p.verify(n)
}

func (p *Policy) verify(n *signedNote) (*Checkpoint, error) {
	cp := n.checkpoint()
	if n.size == 0 && n.root != tlog.Hash(sha256.Sum256(nil)) {
		return nil, wrong("checkpoint.empty", "記録が 0 件なのに、ハッシュ値が空の木のものではありません。",
			"The checkpoint has no entries but its hash is not the empty tree's.", "root of size 0")
	}
	lines, err := p.explain(n)
	if err != nil {
		return nil, err
	}
	verifyAll([]byte(n.text), lines)
	times := make(map[int]uint64, len(lines)) // witness index → time
	signed := false
	for i, l := range lines {
		switch {
		case !l.valid:
			return nil, wrong("checkpoint.signature", "チェックポイントの署名が正しくありません。",
				"A signature of the checkpoint is not valid.", "signature line %d", i+1)
		case l.witness < 0:
			signed = true
		default:
			t, ok := cosignTime(l.sig)
			if !ok {
				return nil, wrong("checkpoint.time", "立会いの署名の時刻が範囲外です。",
					"A witness's cosignature has a time out of range.", "signature line %d", i+1)
			}
			times[l.witness] = uint64(t.Unix())
			cp.Cosigned = append(cp.Cosigned, Cosignature{p.witnesses[l.witness].Name, t})
		}
	}
	if !signed {
		return nil, wrong("checkpoint.no-log", "チェックポイントに、信頼するログの署名がありません。",
			"The checkpoint has no signature by a trusted log.", "%d signature lines", len(n.sigs)).
			Hint("このログのための信頼方針ファイルか確かめてください。", "See whether the trust policy file is the one for this log.")
	}
	if err := p.checkQuorum(cp, times); err != nil {
		return nil, err
	}
	return cp, nil
}

// line is a signature line with the key that explains it.
type line struct {
	sig     []byte
	key     *key
	witness int // index in the policy, -1 for a log
	valid   bool
}

// explain finds the key of every signature line.
func (p *Policy) explain(n *signedNote) ([]line, error) {
	lines := make([]line, len(n.sigs))
	seen := make(map[*key]bool, len(n.sigs))
	for i, s := range n.sigs {
		k, witness := p.find(n.origin, s)
		if k != nil && witness < 0 && !k.covers(n.size) {
			return nil, wrong("checkpoint.retired-key", "チェックポイントは、その大きさの木に署名してはならない鍵で署名されています。",
				"The checkpoint is signed with a key that may not sign trees of its size.", "signature line %d, size %d", i+1, n.size).
				Hint("ログの鍵は交替しています。信頼方針が新しいか確かめてください。新しければ、古い鍵が盗まれて使われたおそれがあります。",
					"The log's key was rotated. See whether your trust policy is up to date; if it is, somebody may be using a retired key.")
		}
		if k == nil {
			return nil, wrong("checkpoint.unknown-key", "チェックポイントに、信頼方針にない鍵の署名があります。",
				"The checkpoint has a signature by a key that the trust policy doesn't list.", "signature line %d", i+1).
				Hint("このログのための信頼方針ファイルか確かめてください。", "See whether the trust policy file is the one for this log.")
		}
		if seen[k] {
			return nil, wrong("checkpoint.twice", "チェックポイントに、同じ鍵の署名が二つあります。",
				"The checkpoint has two signatures by one key.", "signature line %d", i+1)
		}
		seen[k] = true
		lines[i] = line{sig: s.sig, key: k, witness: witness}
	}
	return lines, nil
}

// verifyAll verifies the signatures side by side: an Ed25519 verification is
// most of the time that a receipt takes. There are no more goroutines than
// processors: each has to grow a stack for it.
func verifyAll(text []byte, lines []line) {
	var next atomic.Int32
	work := func() {
		for i := next.Add(1) - 1; int(i) < len(lines); i = next.Add(1) - 1 {
			l := &lines[i]
			l.valid = l.key.verifier.Verify(text, l.sig)
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(lines)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// cosignTime reads the time of a verified cosignature (timestamp ‖ signature).
func cosignTime(sig []byte) (time.Time, bool) {
	u := binary.BigEndian.Uint64(sig)
	if u == 0 || u > maxTime {
		return time.Time{}, false
	}
	return time.Unix(int64(u), 0).UTC(), true
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

// find returns the policy's key for a signature line, and the index of the
// witness or -1 for a log.
func (p *Policy) find(origin string, s sigLine) (*key, int) {
	for i := range p.logs {
		if v := p.logs[i].key.verifier; s.name == origin && v.Name() == s.name && v.KeyHash() == s.id {
			return &p.logs[i].key, -1
		}
	}
	for i := range p.witnesses {
		if v := p.witnesses[i].key.verifier; v.Name() == s.name && v.KeyHash() == s.id {
			return &p.witnesses[i].key, i
		}
	}
	return nil, 0
}

// checkQuorum finds the newest time at or after which a quorum signed.
func (p *Policy) checkQuorum(cp *Checkpoint, times map[int]uint64) error {
	if p.quorum == nil {
		return nil
	}
	var newest []uint64
	for _, t := range times {
		newest = append(newest, t)
	}
	sort.Slice(newest, func(i, j int) bool { return newest[i] > newest[j] })
	for _, t := range newest {
		if p.quorum.holds(func(w int) bool { return times[w] >= t }) {
			cp.Witnessed = time.Unix(int64(t), 0).UTC()
			return nil
		}
	}
	return wrong("checkpoint.quorum", "チェックポイントに、信頼方針が求める数の証人の署名がありません。",
		"The checkpoint is not signed by as many witnesses as the trust policy asks for.", "%d cosignatures", len(times))
}

// CheckConsistency checks that the tree of new continues the tree of old:
// nothing was changed or taken away. hashes is the RFC 6962 2.1.2 proof; it is
// empty when old is empty or both trees have one size.
func CheckConsistency(old, new *Checkpoint, hashes []tlog.Hash) error {
	forked := func(detail string) error {
		return wrong("checkpoint.fork", "新しいチェックポイントは、古いチェックポイントの続きではありません。",
			"The newer checkpoint doesn't continue the older one.", "%s", detail)
	}
	switch {
	case old.Origin != new.Origin:
		return forked("origins differ")
	case old.Size > new.Size:
		return forked("old tree is larger than new tree")
	case len(hashes) > MaxHashes:
		return forked("proof is too long")
	case old.Size == 0 || old.Size == new.Size:
		if len(hashes) != 0 {
			return forked("proof must be empty")
		}
		if old.Size == new.Size && old.Root != new.Root {
			return forked("roots differ at one size")
		}
		return nil
	}
	if tlog.CheckTree(hashes, int64(new.Size), new.Root, int64(old.Size), old.Root) != nil {
		return forked("consistency proof doesn't lead to both roots")
	}
	return nil
}
