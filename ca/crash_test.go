package ca

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

var errPower = errors.New("the power is off")

// cut is a power cut at a chosen step. Steps are the file-system operations of
// the ledger's store, its head and the registry, and the moments before and
// after each use of the key. At the step, copies are taken of what a disk would
// keep; from then on the old process reaches neither the log nor the key, and
// whatever it still answers doesn't count.
type cut struct {
	mu     sync.Mutex
	n, at  int
	fired  bool
	steady bool // the power can't fail now
	freeze func()
}

func (c *cut) step() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steady {
		return nil
	}
	c.n++
	if !c.fired && c.n == c.at {
		c.fired = true
		c.freeze()
	}
	return nil
}

func (c *cut) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fired
}

// cutLog is the log as a process sees it whose power can fail.
type cutLog struct {
	ledger.Log
	c *cut
}

func (l cutLog) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if l.c.dead() {
		return nil, errPower
	}
	r, err := l.Log.Append(ctx, entries...)
	if l.c.dead() {
		return nil, errPower
	}
	return r, err
}

func (l cutLog) NextSeq(ctx context.Context, by string) (uint64, error) {
	if l.c.dead() {
		return 0, errPower
	}
	return l.Log.NextSeq(ctx, by)
}

// cutKey is the key likewise.
type cutKey struct {
	IssuerKey
	c *cut
}

func (k cutKey) Sign(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	k.c.step()
	if k.c.dead() {
		return nil, errPower
	}
	sig, err := k.IssuerKey.Sign(ctx, tbs, e, r)
	k.c.step()
	if k.c.dead() {
		return nil, errPower
	}
	return sig, err
}

func (k cutKey) SignAll(ctx context.Context, uses []keystore.ToSign, done func(i int, sig []byte, err error)) {
	oneByOne(ctx, k, uses, done)
}

func (k cutKey) SignStream(ctx context.Context, tbs io.WriterTo, e []byte, r *proof.Receipt) ([]byte, error) {
	k.c.step()
	if k.c.dead() {
		return nil, errPower
	}
	sig, err := k.IssuerKey.SignStream(ctx, tbs, e, r)
	k.c.step()
	if k.c.dead() {
		return nil, errPower
	}
	return sig, err
}

func (k cutKey) Resume(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	if k.c.dead() {
		return nil, errPower
	}
	return k.IssuerKey.Resume(ctx, tbs, e, r)
}

// power is a world whose power can be cut again and again.
type power struct {
	*world
	cut         *cut
	logFS, rgFS *kv.MemFS
	keep        int
	seed        uint64
	cuts        int
	again       int // step of the next restart at which the power fails once more; 0: none
}

// arm makes the next cut happen at step n from now (0: never).
func (p *power) arm(n int) {
	p.cut.mu.Lock()
	defer p.cut.mu.Unlock()
	p.cut.n, p.cut.at, p.cut.fired = 0, n, false
}

func (p *power) mount() {
	c := p.cut
	p.logConf.FS = kv.Wrap(p.logFS, func(string) error { return c.step() })
	p.regWrap = kv.Wrap(p.rgFS, func(string) error { return c.step() })
	logFS, rgFS := p.logFS, p.rgFS
	c.freeze = func() {
		p.seed++
		p.logFS, p.rgFS = kv.Crash(logFS, p.keep, p.seed), kv.Crash(rgFS, p.keep, p.seed)
	}
}

// reboot throws the old process away and starts a new one from what the disks
// kept. The start itself can lose its power, too.
func (p *power) reboot() error {
	p.cuts++
	p.t.Helper()
	if p.ca != nil {
		p.ca.Close()
	}
	p.sender.Close()
	p.reg.Close()
	p.engine.Close()
	p.ca, p.reg = nil, nil
	p.ends = p.ends[:0] // what is closed isn't kept: each reboot has a copy of all files
	clear(p.ends[:cap(p.ends)])
	p.cut = &cut{}
	p.mount()
	p.openLog()
	p.log, p.signing = cutLog{p.engine, p.cut}, cutKey{p.key, p.cut}
	var err error
	p.sender, err = ledger.NewWriter(ctx, p.engine, entry.ByNoticeSender, p.clock.now)
	must(p.t, err)
	if p.again > 0 {
		p.arm(p.again)
		p.again = 0
	}
	err = p.tryOpen()
	if p.cut.dead() {
		return p.reboot()
	}
	return err
}

func newPower(t testing.TB) *power {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	w.sender.Close()
	must(t, w.reg.Close())
	must(t, w.engine.Close())
	p := &power{world: w, cut: &cut{}, logFS: w.logConf.FS.(*kv.MemFS), rgFS: w.regFS}
	w.ca, w.reg = nil, nil
	p.mount()
	w.openLog()
	w.log, w.signing = cutLog{w.engine, p.cut}, cutKey{w.key, p.cut}
	var err error
	w.sender, err = ledger.NewWriter(ctx, w.engine, entry.ByNoticeSender, w.clock.now)
	must(t, err)
	w.open()
	return p
}

// until does something until it succeeds without a power cut in between. do
// must be what a caller does who got no answer: the same thing again.
func (p *power) until(what string, do func() error) {
	p.t.Helper()
	for range 5 {
		err := do()
		if !p.cut.dead() {
			must(p.t, err)
			return
		}
		if err := p.reboot(); err != nil {
			p.t.Fatalf("%s: no start after the power cut: %v", what, err)
		}
	}
	p.t.Fatalf("%s never succeeds", what)
}

// steadily does something during which the power doesn't fail.
func (p *power) steadily(do func()) {
	p.t.Helper()
	p.cut.mu.Lock()
	p.cut.steady = true
	p.cut.mu.Unlock()
	if p.cut.dead() {
		must(p.t, p.reboot())
	}
	do()
	p.cut.mu.Lock()
	p.cut.steady = false
	p.cut.mu.Unlock()
}

// day is one day of a CA: two issuances, the list of holders, a notice, a request,
// a delta, an erasure, lists.
func (p *power) day(i int) (got [2]*Certificate) {
	p.t.Helper()
	p.clock.add(24 * time.Hour)
	var apps [2]*counter.Application
	for k := range apps {
		apps[k] = p.application(certifiedOf(fmt.Sprintf("住民　%c%c%c", 'あ'+rune(i/80%80), 'あ'+rune(i%80), 'ア'+rune(k))))
		p.until("issue", func() (err error) {
			got[k], err = p.ca.Issue(ctx, apps[k], "counter-terminal")
			return err
		})
	}
	p.until("list", func() error {
		_, err := p.ca.DailyHolders(ctx, Today(p.clock.now()))
		return err
	})
	var raw []byte
	var from Arrival
	p.steadily(func() { raw, from = p.sendNotice(got[0].Ordinal) }) // another organisation's machine
	p.until("notice", func() error {
		out, err := p.ca.ReceiveNotice(ctx, raw, from)
		if err == nil && out.Revocation == nil {
			return errors.New("the notice revoked nothing")
		}
		return err
	})
	p.until("request", func() error {
		_, err := p.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: got[1].Ordinal, Ground: entry.GroundRequest, Role: RoleCounter,
			Operators: [2]string{"op-1", "op-2"}})
		if codes(err) == "R205" {
			return nil // done before the cut
		}
		return err
	})
	p.clock.add(2 * deltaWait)
	p.until("deltas", func() error {
		_, err := p.ca.PublishDeltas(ctx)
		return err
	})
	p.until("erasure", func() error {
		if p.erasureLogged(got[0].Ordinal) { // before the cut: a start has made it true
			rec, err := p.reg.Get(got[0].Ordinal)
			if err == nil && !rec.Erased {
				err = errors.New("the log says erased, the registry still knows the person")
			}
			return err
		}
		return p.ca.Erase(ctx, entry.BasisLawfulRequest, got[0].Ordinal)
	})
	p.until("lists", func() error {
		_, err := p.ca.PublishCRLs(ctx)
		return err
	})
	return got
}

func (p *power) erasureLogged(ordinal uint64) bool {
	for _, e := range p.entries() {
		if b, ok := e.Body.(*entry.Erasure); ok && slices.Contains(b.Ordinals, ordinal) {
			return true
		}
	}
	return false
}

// TestPowerCuts cuts the power at steps of a CA's day, restarts from what the
// disks kept (0, 50 or 100 % of what was not synced) and goes on. At the end,
// the whole log, the journal and the registry are held against the invariants:
// no certificate without an intent, no serial twice, no revocation lost, every
// intent ended once. A restart can lose its power again, so there are about
// twice as many cuts as days: more than 2,000. SUKASHI_CRASH_RUNS sets another
// number of days.
func TestPowerCuts(t *testing.T) {
	runs := 30 * worldRuns
	if testing.Short() {
		runs = worldRuns
	}
	if s := os.Getenv("SUKASHI_CRASH_RUNS"); s != "" {
		var err error
		runs, err = strconv.Atoi(s)
		must(t, err)
	}
	var cuts atomic.Int64
	t.Run("worlds", func(t *testing.T) {
		for first := 0; first < runs; first += worldRuns {
			t.Run(strconv.Itoa(first), func(t *testing.T) {
				t.Parallel()
				cuts.Add(int64(cutWorld(t, first, min(worldRuns, runs-first), runs)))
			})
		}
	})
	t.Logf("%d power cuts in %d days", cuts.Load(), runs)
	if int(cuts.Load()) < runs*8/10 {
		t.Errorf("only %d cuts happened in %d days", cuts.Load(), runs)
	}
}

// worldRuns is how many cuts one world sees: a log that grows makes restarts
// of the engine longer.
const worldRuns = 36

// cutWorld lives through days with a cut in each, and checks at the end.
func cutWorld(t *testing.T, first, days, runs int) int {
	p := newPower(t)
	p.arm(0)
	p.day(0)
	p.cut.mu.Lock()
	steps := p.cut.n
	p.cut.mu.Unlock()
	if steps < 50 {
		t.Fatalf("a day has only %d steps", steps)
	}
	held := map[uint64][]byte{}
	stride := max(1, steps/runs) | 1 // odd, so that neighbours differ from day to day
	for i := first + 1; i <= first+days; i++ {
		p.keep = []int{0, 50, 100}[i%3]
		p.arm(1 + (i*stride)%steps)
		p.again = i % 8 // a restart has few steps of its own
		for _, c := range p.day(i) {
			held[c.Ordinal] = c.DER
		}
	}
	p.check()
	deltas := 0
	for _, e := range p.entries() {
		if b, ok := e.Body.(*entry.CRLPublished); ok && b.Base != nil {
			deltas++
		}
	}
	if deltas < days {
		t.Errorf("%d delta lists in %d days", deltas, days)
	}
	for o, der := range held {
		rec, err := p.reg.Get(o)
		must(t, err)
		if !rec.Erased && !bytes.Equal(rec.DER, der) {
			t.Errorf("certificate %d is not the one that was handed over", o)
		}
		if rec.State != registry.Revoked {
			t.Errorf("certificate %d: a revocation got lost", o)
		}
	}
	p.ca.Close()
	p.reg.Close()
	p.engine.Close()
	return p.cuts
}

// Deterministic appends whose answers get lost, without a crash: the same
// process finds out by itself what happened.
func TestLostAnswers(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	l := &lossyLog{Log: w.engine}
	w.log = l
	w.open()
	for i := range 12 {
		l.lose(1+i%4, i%2 == 0)
		app := w.application(certifiedOf(fmt.Sprintf("住民　%c", 'あ'+rune(i))))
		if _, err := w.ca.Issue(ctx, app, "counter-terminal"); err != nil && !errors.Is(err, ErrUncertain) {
			t.Fatalf("%d: %v", i, err)
		}
		l.lose(0, false)
		c, err := w.ca.Issue(ctx, app, "counter-terminal")
		if err != nil {
			t.Fatalf("%d again: %v", i, err)
		}
		raw, from := w.sendNotice(c.Ordinal)
		l.lose(1+i%3, i%2 == 1)
		if _, err := w.ca.ReceiveNotice(ctx, raw, from); err != nil && !errors.Is(err, ErrUncertain) {
			t.Fatalf("notice %d: %v", i, err)
		}
		l.lose(0, false)
		if out := w.receive(raw, from); out.Revocation == nil {
			t.Fatalf("notice %d revoked nothing", i)
		}
	}
	w.check()
}

// An entry whose outcome is uncertain holds the cursors back, so that a start
// after a crash reads it.
func TestUncertainEntriesAreReadAgain(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	l := &lossyLog{Log: w.engine}
	w.log = l
	w.open()
	l.lose(2, true) // the intent's answer comes, that of cert.issued doesn't
	if _, err := w.ca.Issue(ctx, w.application(certifiedOf("総務　太郎")), "counter-terminal"); !errors.Is(err, ErrUncertain) {
		t.Fatal(err)
	}
	l.lose(0, false)
	for range 5 {
		w.clock.add(2 * cursorEvery)
		w.ca.moveCursors(ctx)
	}
	w.restart()
	w.check()
}

// lossyLog loses the answers of a few appends: all retries of one call.
type lossyLog struct {
	ledger.Log
	mu    sync.Mutex
	n, at int
	taken bool
}

// lose makes the at-th append from now fail; taken says whether the log took it.
func (l *lossyLog) lose(at int, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n, l.at, l.taken = 0, at, taken
}

func (l *lossyLog) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	l.mu.Lock()
	l.n++
	lost, taken := l.at > 0 && l.n >= l.at && l.n < l.at+3, l.taken
	l.mu.Unlock()
	if lost && !taken {
		return nil, errPower
	}
	r, err := l.Log.Append(ctx, entries...)
	if lost {
		return nil, errPower
	}
	return r, err
}
