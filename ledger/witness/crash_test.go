package witness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// family is a log with its two keys, and a thief who has the first of them and
// writes a history of his own. The sizes go to familySize.
type family struct {
	old, next, thief *testLog
	proofs           map[[2]int64][]tlog.Hash
	notes            map[*testLog]map[int64][]byte
}

const familySize = 40

func newFamily(t *testing.T) *family {
	old, next, thief := newLog(t, "a").grow(t, familySize, "entry"), newLog(t, "next"), newLog(t, "a").grow(t, familySize, "forged")
	next.hashes, next.n = old.hashes, old.n
	return &family{old: old, next: next, thief: thief, proofs: map[[2]int64][]tlog.Hash{}, notes: map[*testLog]map[int64][]byte{}}
}

// prove and note keep what they computed: the sweeps ask for the same things
// again and again.
func (f *family) prove(t *testing.T, from, to int64) []tlog.Hash {
	k := [2]int64{from, to}
	if _, ok := f.proofs[k]; !ok {
		f.proofs[k] = f.old.prove(t, from, to)
	}
	return f.proofs[k]
}

func (f *family) note(t *testing.T, l *testLog, size int64) []byte {
	if f.notes[l] == nil {
		f.notes[l] = map[int64][]byte{}
	}
	if f.notes[l][size] == nil {
		f.notes[l][size] = l.checkpoint(t, size)
	}
	return f.notes[l][size]
}

func (f *family) open(fs kv.FS, at time.Time) (*Server, error) {
	return openOn(Config{Dir: "/state/w", Name: "w.example", Key: seed("w"), Logs: []string{f.old.vkey, f.next.vkey},
		Now: func() time.Time { return at }}, fs)
}

// cosigned is what the world holds of a witness: the newest cosigned size, the
// key that it was under, the cosignature's time; and the sizes that were asked
// for since.
type cosigned struct {
	size  uint64
	tried []uint64
	next  bool // the log's second key has signed
	at    uint64
}

// add asks for a cosignature and notes what came of it.
func (f *family) add(t *testing.T, s *Server, held *cosigned, to int64, next bool) error {
	l := f.old
	if next {
		l = f.next
	}
	state := s.logs[origin]
	from := int64(state.size)
	held.tried = append(held.tried[:len(held.tried):len(held.tried)], uint64(to))
	if _, err := s.AddCheckpoint(context.Background(), uint64(from), f.prove(t, from, to), f.note(t, l, to)); err != nil {
		return err
	}
	*held = cosigned{size: uint64(to), next: next, at: state.last}
	return nil
}

// survived opens what is left of a witness's disk and says what is wrong with
// it: it must start, know everything that it gave away, follow no fork, and go
// on.
func (f *family) survived(t *testing.T, fs kv.FS, held cosigned) error {
	s, err := f.open(fs, noon.Add(-time.Hour)) // a clock that went back
	if err != nil {
		return fmt.Errorf("doesn't start: %w", err)
	}
	defer s.Close()
	l := s.logs[origin]
	if l.size != held.size && !slices.Contains(held.tried, l.size) {
		return fmt.Errorf("size is %d, cosigned was %d, tried were %d", l.size, held.size, held.tried)
	}
	if held.next && l.current != 1 || l.last < held.at {
		return fmt.Errorf("key %d and time %d after %d", l.current, l.last, held.at)
	}
	ctx, size := context.Background(), int64(l.size)
	if size > 0 {
		_, err := s.AddCheckpoint(ctx, l.size, f.prove(t, size, familySize), f.note(t, f.thief, familySize))
		if !errors.Is(err, ErrInconsistent) && !errors.Is(err, ErrSignature) {
			return fmt.Errorf("a fork of size %d: %v", size, err)
		}
	}
	if err := f.add(t, s, &held, familySize, true); err != nil {
		return fmt.Errorf("doesn't go on: %w", err)
	}
	return nil
}

// life is a witness's life on a disk: some cosignatures, with a restart between
// them and the log's change of keys. Its lengths come from the seed. An error
// of the disk is for onError to judge.
func (f *family) life(t *testing.T, fs kv.FS, seed uint64, held *cosigned, onError func(error)) {
	rng := rand.New(rand.NewPCG(seed, 1))
	to := int64(0)
	for part := range 3 {
		s, err := f.open(fs, noon.Add(time.Duration(to)*time.Second))
		if err != nil {
			onError(err)
			continue
		}
		for range 2 + rng.IntN(3) {
			if to += rng.Int64N(3) + int64(1); to == familySize {
				break
			}
			if err := f.add(t, s, held, to, part > 0); err != nil {
				onError(err)
			}
		}
		s.Close()
	}
}

// TestCrashAtEveryWrite cuts the power before each change of the disk of
// witnesses' lives: a cosignature that was given away is never forgotten.
func TestCrashAtEveryWrite(t *testing.T) {
	f, points, seeds := newFamily(t), 0, uint64(12)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		type cut struct {
			op   string
			fs   []*kv.MemFS
			held cosigned
		}
		var cuts []cut
		var held cosigned
		mem := kv.NewCrashableFS()
		look := func(op string) error {
			c := cut{op: op, held: held}
			for i, keep := range keeps {
				c.fs = append(c.fs, kv.Crash(mem, keep, seed*1_000_003+uint64(len(cuts)*len(keeps)+i)))
			}
			cuts = append(cuts, c)
			return nil
		}
		f.life(t, kv.Wrap(mem, look), seed, &held, func(err error) { t.Fatal(err) })
		_ = look("the end")
		for n, c := range cuts {
			for i, keep := range keeps {
				points++
				if err := f.survived(t, c.fs[i], c.held); err != nil {
					t.Fatalf("%d%% kept, seed %d, before change %d (%s): %v", keep, seed, n, c.op, err)
				}
			}
		}
	}
	t.Logf("%d crash points of the witness, 0 lost", points)
	if points < 150*int(seeds) {
		t.Errorf("only %d crash points", points)
	}
}

// keeps are the shares of unsynced data that power cuts leave, in percent.
var keeps = []int{0, 10, 50, 100}

// TestDiskErrorAtEveryWrite lets each change of the disk fail, once or from
// then on: nothing is given away that the disk may not have, and the witness,
// or the one started after it, goes on without a fork.
func TestDiskErrorAtEveryWrite(t *testing.T) {
	f, errs := newFamily(t), 0
	for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
		for _, forever := range []bool{false, true} {
			for at := 0; ; at++ {
				n, failed := 0, 0
				mem := kv.NewCrashableFS()
				fs := kv.Wrap(mem, func(string) error {
					if n++; n-1 == at || forever && n > at {
						return errno
					}
					return nil
				})
				var held cosigned
				f.life(t, fs, 7, &held, func(err error) {
					if failed++; !errors.Is(err, errno) {
						t.Errorf("%v at change %d: %v", errno, at, err)
					}
				})
				if n <= at {
					break
				}
				if errs++; failed == 0 {
					t.Errorf("%v at change %d: not noticed", errno, at)
				}
				for _, keep := range keeps {
					if err := f.survived(t, kv.Crash(mem, keep, uint64(at)), held); err != nil {
						t.Errorf("%v at change %d, forever %v, %d%% kept: %v", errno, at, forever, keep, err)
					}
				}
			}
		}
	}
	t.Logf("%d disk errors of the witness", errs)
	if errs < 4*30 {
		t.Errorf("only %d disk errors", errs)
	}
}
