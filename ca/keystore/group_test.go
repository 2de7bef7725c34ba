package keystore

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
)

// answers collects what SignAll says; it must say something about each use once.
type answers struct {
	mu   sync.Mutex
	sigs map[int][]byte
	errs map[int]error
	n    int
}

func signAll(t *testing.T, g *gated, uses []ToSign) *answers {
	t.Helper()
	a := &answers{sigs: map[int][]byte{}, errs: map[int]error{}}
	g.SignAll(t.Context(), uses, func(i int, sig []byte, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.n++
		a.sigs[i], a.errs[i] = sig, err
	})
	if a.n != len(uses) || len(a.errs) != len(uses) {
		t.Fatalf("%d answers about %d of %d uses", a.n, len(a.errs), len(uses))
	}
	return a
}

// 10,000 bad uses hidden among good ones: the good ones alone are signed.
func TestGroupsGiveNoSignatureToBadUses(t *testing.T) {
	l := newLog(t)
	g, c := countingKey(t, l, t.TempDir())
	as := attacks(t, l, g)
	r := rand.New(rand.NewPCG(3, 4))
	before, good := c.uses(), 0
	const groups, size = 200, 50
	for n := range groups {
		uses := make([]ToSign, size+1)
		fine := r.IntN(len(uses))
		for i := range uses {
			tbs, b, receipt := as[(n*size+i)%len(as)].make(r)
			uses[i] = ToSign{tbs, b, receipt}
		}
		tbs, logged := intent(t, l, g.id, uint64(1000+n))
		uses[fine] = ToSign{tbs, logged.Bytes, logged.Receipt}
		a := signAll(t, g, uses)
		for i := range uses {
			switch {
			case i == fine && a.errs[i] == nil:
				checkSignature(t, g, tbs, a.sigs[i])
				good++
			case i == fine:
				t.Fatal(a.errs[i])
			case a.sigs[i] != nil || !errors.Is(a.errs[i], ErrRefused):
				t.Fatalf("a bad use got %v", a.errs[i])
			}
		}
	}
	if n := c.uses() - before; good != groups || n != groups {
		t.Errorf("%d good uses signed, the key was used %d times", good, n)
	}
}

// One receipt twice in a group works once.
func TestGroupWithOneReceiptTwice(t *testing.T) {
	l := newLog(t)
	g, c := countingKey(t, l, t.TempDir())
	uses := groupOf(t, l, g, 3)
	uses = append(uses, uses[1], uses[1])
	a := signAll(t, g, uses)
	signed := 0
	for i := range uses {
		if a.errs[i] == nil {
			signed++
		} else if !errors.Is(a.errs[i], ErrUsed) {
			t.Error(a.errs[i])
		}
	}
	if signed != 3 || c.uses() != 3 {
		t.Errorf("%d signatures, %d uses of the key", signed, c.uses())
	}
}

// A group is one write and one fsync; when either fails, the key is not used for
// any of it, and not afterwards.
func TestGroupIsOneWrite(t *testing.T) {
	for calls := range 3 {
		l := newLog(t)
		g, c := countingKey(t, l, t.TempDir())
		g.j.f = &faulty{File: g.j.f.(*os.File), left: calls}
		a := signAll(t, g, groupOf(t, l, g, 40))
		for i, err := range a.errs {
			if calls == 2 && err != nil || calls < 2 && (!errors.Is(err, ErrJournal) || a.sigs[i] != nil) {
				t.Errorf("with %d calls to the disk: %v", calls, err)
			}
		}
		if want := calls / 2 * 40; c.uses() != want {
			t.Errorf("with %d calls to the disk the key was used %d times, not %d", calls, c.uses(), want)
		}
		if a := signAll(t, g, groupOf(t, l, g, 1)); !errors.Is(a.errs[0], ErrJournal) {
			t.Errorf("after a failure of the disk: %v", a.errs[0])
		}
	}
}

func groupOf(t *testing.T, l *keystoretest.Log, g *gated, n int) []ToSign {
	uses := make([]ToSign, n)
	for i := range uses {
		tbs, logged := intent(t, l, g.id, uint64(i))
		uses[i] = ToSign{tbs, logged.Bytes, logged.Receipt}
	}
	return uses
}
