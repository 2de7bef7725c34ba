package status

import (
	"bytes"
	"math/bits"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// naive is the tree by the book: a list of states, hashed recursively.
type naive []State

func (n naive) chunks() [][]byte {
	var out [][]byte
	for o, s := range n {
		if o%1024 == 0 {
			out = append(out, make([]byte, 256))
		}
		i := o % 1024
		out[len(out)-1][i/4] |= byte(s) << (2 * (i % 4))
	}
	return out
}

func mth(leaves [][]byte) tlog.Hash {
	if len(leaves) == 0 {
		return tlog.Hash(EmptyRoot())
	}
	if len(leaves) == 1 {
		return tlog.RecordHash(leaves[0])
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	return tlog.NodeHash(mth(leaves[:k]), mth(leaves[k:]))
}

func intent(o uint64) entry.Entry   { return entry.Entry{Body: &entry.CertIntent{Ordinal: o}} }
func issued(o uint64) entry.Entry   { return entry.Entry{Body: &entry.CertIssued{Ordinal: o}} }
func aborted(o uint64) entry.Entry  { return entry.Entry{Body: &entry.CertAborted{Ordinal: o}} }
func revoking(o uint64) entry.Entry { return entry.Entry{Body: &entry.Revocation{Ordinal: o}} }

// checkTree compares a tree with the naive list: root, counts, one proof.
func checkTree(t interface {
	Helper()
	Fatalf(string, ...any)
}, tree *Tree, n naive, o uint64) {
	t.Helper()
	if got, want := tlog.Hash(tree.Root()), mth(n.chunks()); got != want {
		t.Fatalf("root of %d ordinals differs from the naive one", len(n))
	}
	var issued, revoked uint64
	for _, s := range n {
		if s != None {
			issued++
		}
		if s == Revoked {
			revoked++
		}
	}
	if tree.Size() != uint64(len(n)) || tree.Issued() != issued || tree.Revoked() != revoked {
		t.Fatalf("counts %d %d %d, want %d %d %d", tree.Size(), tree.Issued(), tree.Revoked(), len(n), issued, revoked)
	}
	if len(n) == 0 {
		return
	}
	o %= uint64(len(n))
	c, path, err := tree.Prove(o)
	if err != nil {
		t.Fatalf("prove: %v", err)
	}
	s, err := Verify(tree.Root(), tree.Size(), o, c, path)
	if err != nil || s != n[o] || tree.State(o) != n[o] {
		t.Fatalf("ordinal %d: state %v, want %v, err %v", o, s, n[o], err)
	}
}

func TestTreeAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := New()
		var n naive
		pending := map[uint64]bool{}
		type snapshot struct {
			tree *Tree
			n    naive
		}
		var snaps []snapshot
		steps := rapid.IntRange(1, 12).Draw(t, "steps")
		for range steps {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0: // a run of intents, most of them issued
				for range rapid.IntRange(1, 3000).Draw(t, "run") {
					o := uint64(len(n))
					apply(t, tree, intent(o))
					n = append(n, None)
					switch o % 7 {
					case 0:
						pending[o] = true
					case 1:
						apply(t, tree, aborted(o))
					default:
						apply(t, tree, issued(o))
						n[o] = Valid
					}
				}
			case 1: // issue what is pending
				for o := range pending {
					apply(t, tree, issued(o))
					n[o] = Valid
					delete(pending, o)
				}
			case 2: // revoke some
				for range rapid.IntRange(1, 20).Draw(t, "revocations") {
					if len(n) == 0 {
						break
					}
					o := uint64(rapid.IntRange(0, len(n)-1).Draw(t, "revoke"))
					err := tree.Apply(revoking(o))
					if (err == nil) != (n[o] == Valid) {
						t.Fatalf("revoking %v: %v", n[o], err)
					}
					if err == nil {
						n[o] = Revoked
					}
				}
			case 3:
				snaps = append(snaps, snapshot{tree.Clone(), append(naive(nil), n...)})
			case 4: // go on with a clone, keep the original as a snapshot
				old := tree
				tree = tree.Clone()
				snaps = append(snaps, snapshot{old, append(naive(nil), n...)})
			}
			if rapid.Bool().Draw(t, "look") {
				checkTree(t, tree, n, rapid.Uint64().Draw(t, "ordinal"))
			}
		}
		checkTree(t, tree, n, rapid.Uint64().Draw(t, "ordinal"))
		for _, s := range snaps {
			checkTree(t, s.tree, s.n, rapid.Uint64().Draw(t, "ordinal"))
		}
	})
}

func apply(t interface{ Fatalf(string, ...any) }, tree *Tree, e entry.Entry) {
	if err := tree.Apply(e); err != nil {
		t.Fatalf("apply %s: %v", e.Body.Kind(), err)
	}
}

func TestImpossibleTransitions(t *testing.T) {
	tree := New()
	for _, e := range []entry.Entry{intent(0), issued(0), intent(1), aborted(1), intent(2), issued(2), revoking(2), intent(3)} {
		apply(t, tree, e)
	}
	root := tree.Root()
	for name, e := range map[string]entry.Entry{
		"ordinal skipped":          intent(5),
		"ordinal again":            intent(3),
		"issued twice":             issued(0),
		"issued after abort":       issued(1),
		"issued after revocation":  issued(2),
		"issued without intent":    issued(9),
		"aborted after issue":      aborted(0),
		"aborted twice":            aborted(1),
		"revoked twice":            revoking(2),
		"revoked while pending":    revoking(3),
		"revoked after abort":      revoking(1),
		"revoked without an issue": revoking(4),
	} {
		if err := tree.Apply(e); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if tree.Root() != root || tree.Size() != 4 || tree.Pending() != 1 {
		t.Error("a refused entry changed the tree")
	}
	apply(t, tree, entry.Entry{Body: &entry.StatusRoot{}})
}

func TestVerifyRefuses(t *testing.T) {
	tree := New()
	for o := range uint64(5000) {
		apply(t, tree, intent(o))
		apply(t, tree, issued(o))
	}
	c, path, err := tree.Prove(4500)
	if err != nil {
		t.Fatal(err)
	}
	root := tree.Root()
	if _, err := Verify(root, 5000, 4500, c, path); err != nil {
		t.Fatal(err)
	}
	for i := range c {
		for bit := range 8 {
			d := bytes.Clone(c)
			d[i] ^= 1 << bit
			if _, err := Verify(root, 5000, 4500, d, path); err == nil {
				t.Fatalf("bit %d of byte %d flipped and accepted", bit, i)
			}
		}
	}
	for i := range path {
		q := append([]tlog.Hash(nil), path...)
		q[i][7] ^= 1
		if _, err := Verify(root, 5000, 4500, c, q); err == nil {
			t.Fatalf("hash %d changed and accepted", i)
		}
	}
	for name, f := range map[string]func() (State, error){
		"beyond":      func() (State, error) { return Verify(root, 5000, 5000, c, path) },
		"other chunk": func() (State, error) { return Verify(root, 5000, 10, c, path) },
		"short chunk": func() (State, error) { return Verify(root, 5000, 4500, c[:255], path) },
		"longer path": func() (State, error) {
			return Verify(root, 5000, 4500, c, append(path[:len(path):len(path)], tlog.Hash{}))
		},
		"shorter path": func() (State, error) { return Verify(root, 5000, 4500, c, path[1:]) },
		"other root":   func() (State, error) { return Verify(EmptyRoot(), 5000, 4500, c, path) },
		"huge":         func() (State, error) { return Verify(root, MaxSize+1, 4500, c, path) },
		"smaller tree": func() (State, error) { return Verify(root, 4600, 4500, c, path) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, _, err := tree.Prove(5000); err == nil {
		t.Error("proof for an ordinal that doesn't exist")
	}
}

func TestEmptyAndWords(t *testing.T) {
	if New().Root() != EmptyRoot() || New().State(0) != None || EmptyRoot() != entry.Sum(nil) {
		t.Error("empty tree")
	}
	for s, w := range map[State]string{None: "none", Valid: "valid", Revoked: "revoked", Held: "held", 9: "unknown"} {
		if s.String() != w {
			t.Errorf("%d is called %q", s, s)
		}
	}
}

func BenchmarkClone(b *testing.B) {
	tree := New()
	for o := range uint64(4 << 20) {
		_ = tree.Apply(intent(o))
		_ = tree.Apply(issued(o))
	}
	tree.Root()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := tree.Clone()
		if i < 1<<20 {
			_ = tree.Apply(revoking(uint64(i) * 3 % (4 << 20)))
		}
		_ = c.Root()
	}
}
