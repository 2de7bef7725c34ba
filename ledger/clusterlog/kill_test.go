package clusterlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// acknowledged is what one writer was promised.
type acknowledged struct {
	by       string
	entries  [][]byte
	receipts []*proof.Receipt
}

// TestKillingThePartsLosesNothing kills the database, the log server and the
// signer with SIGKILL while four writers append, and starts them again; twice
// the engine's own machine dies too, with or without its cache. Then every
// promise is checked against an independent computation of the tree.
func TestKillingThePartsLosesNothing(t *testing.T) {
	slow(t)
	pg := servers.OwnPostgres(t, servers.PGOptions{Durable: true})
	p := newPlace(t, servers.TrillianOnPostgres(t, pg, servers.Preordered))
	rng := rand.New(rand.NewPCG(7, 7))
	writers := []*acknowledged{{by: entry.ByCA}, {by: entry.ByOperator}, {by: entry.ByCALink}, {by: entry.ByRegisterLink}}
	victims := []func(){
		func() { pg.Kill(t); time.Sleep(200 * time.Millisecond); pg.Start(t) },
		func() { p.cluster.KillServer(); p.cluster.StartServer(t) },
		func() { p.cluster.KillSigner(); time.Sleep(300 * time.Millisecond); p.cluster.StartSigner(t) },
	}
	for life := range 3 {
		e, err := Open(ctx, p.config(t, logtest.Settings{Origin: logtest.Origin, Head: "head"}))
		if err != nil {
			t.Fatal(err)
		}
		stop, end := context.WithCancel(ctx)
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() { w.run(t, stop, e) })
		}
		for _, i := range rng.Perm(len(victims)) {
			time.Sleep(time.Duration(200+rng.IntN(300)) * time.Millisecond)
			victims[i]()
		}
		time.Sleep(300 * time.Millisecond)
		end()
		if life == 1 { // the next life must find out by itself what was taken
			p.cluster.KillServer()
		}
		wg.Wait()
		closing := e.Close()
		if life == 1 {
			p.cluster.StartServer(t)
			p.cache = t.TempDir() // and its cache is gone
		} else if closing != nil {
			t.Error(closing)
		}
	}
	audit(t, p, writers)
}

// run appends batches until it is told to stop. An uncertain batch is sent
// again, as package ledger tells writers to.
func (w *acknowledged) run(t *testing.T, stop context.Context, e *Engine) {
	for n := uint64(1); stop.Err() == nil; n = n%40 + 7 {
		var batch [][]byte
		for i := range n {
			batch = append(batch, logtest.Event(t, w.by, uint64(len(w.entries))+i))
		}
		rs, err := e.Append(stop, batch...)
		switch {
		case err == nil:
			w.entries, w.receipts = append(w.entries, batch...), append(w.receipts, rs...)
		case errors.Is(err, ledger.ErrUncertain), errors.Is(err, context.Canceled), errors.Is(err, ledger.ErrBroken) && stop.Err() != nil:
			return
		default:
			t.Errorf("%s: %v", w.by, err)
			return
		}
	}
}

// audit reads the whole log and recomputes it.
func audit(t *testing.T, p *place, writers []*acknowledged) {
	t.Helper()
	e, err := Open(ctx, p.config(t, logtest.Settings{Origin: logtest.Origin, Head: "head"}))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	size, _ := e.Size(ctx)
	var model tree
	next := map[string]uint64{}
	err = e.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		en, err := entry.Parse(b)
		if err != nil || en.Seq != next[en.By] {
			return fmt.Errorf("entry %d is %s %d, want %d (%v)", i, en.By, en.Seq, next[en.By], err)
		}
		next[en.By]++
		return model.add(b)
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, w := range writers {
		total += len(w.entries)
		for i, r := range w.receipts {
			b, err := e.Entry(ctx, r.Index)
			if i%53 == 0 && (err != nil || !bytes.Equal(b, w.entries[i])) {
				t.Fatalf("acknowledged entry %d of %s is not at %d: %v", i, w.by, r.Index, err)
			}
			cp, err := e.Policy().VerifyReceipt(r, w.entries[i])
			if err != nil {
				t.Fatal(err)
			}
			if root, err := tlog.TreeHash(int64(cp.Size), &model); err != nil || root != cp.Root {
				t.Fatalf("the checkpoint of size %d was signed for another tree: %v", cp.Size, err)
			}
		}
		if next[w.by] < uint64(len(w.entries)) {
			t.Errorf("%s: %d entries of %d acknowledged", w.by, next[w.by], len(w.entries))
		}
	}
	if total < 30 {
		t.Errorf("only %d entries were acknowledged: the test proves nothing", total)
	}
	t.Logf("%d entries, %d acknowledged", size, total)
}

// tree is the model: x/mod's own Merkle tree.
type tree struct {
	hashes []tlog.Hash
	size   int64
}

func (m *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = m.hashes[x]
	}
	return out, nil
}

func (m *tree) add(data []byte) error {
	hs, err := tlog.StoredHashes(m.size, data, m)
	m.hashes, m.size = append(m.hashes, hs...), m.size+1
	return err
}

// TestOutage: while the cluster is away an append waits as long as its context
// allows and says that it is uncertain; the same append succeeds afterwards. In
// the last one the database gets what this project adds to its schema.
func TestOutage(t *testing.T) {
	slow(t)
	p := newPlace(t, servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Stock))
	e, err := Open(ctx, p.config(t, logtest.Settings{Origin: logtest.Origin, Head: "head"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	for i, away := range []struct{ kill, start func() }{
		{p.cluster.KillServer, func() { p.cluster.StartServer(t) }},
		{p.cluster.KillSigner, func() { p.cluster.StartSigner(t) }},
		{p.cluster.KillServer, func() { p.cluster.Prepare(t) }},
	} {
		b := logtest.Event(t, entry.ByCA, uint64(i))
		away.kill()
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := e.Append(short, b)
		cancel()
		if !errors.Is(err, ledger.ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("append during an outage: %v", err)
		}
		away.start()
		rs, err := e.Append(ctx, b)
		if err != nil || rs[0].Index != uint64(i)+1 {
			t.Errorf("the same append after the outage: %v, %v", rs, err)
		}
	}
	if n, _ := e.Size(ctx); n != 4 {
		t.Errorf("%d entries", n)
	}
}

// TestSecondProcessIsNoticed lets two engines append to one log: one of them
// stops, and the log stays one.
func TestSecondProcessIsNoticed(t *testing.T) {
	slow(t)
	p := newPlace(t, servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Preordered))
	s := logtest.Settings{Origin: logtest.Origin, Head: "head"}
	e, err := Open(ctx, p.config(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	second := &place{cluster: p.cluster, cache: t.TempDir(), heads: t.TempDir()}
	s.Adopt = true
	other, err := Open(ctx, second.config(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	if _, err := other.Append(ctx, logtest.Event(t, entry.ByOperator, 0)); err != nil {
		t.Fatal(err)
	}
	_, err = e.Append(ctx, logtest.Event(t, entry.ByCA, 0), logtest.Event(t, entry.ByCA, 1))
	if !errors.Is(err, ledger.ErrBroken) || !errors.Is(err, ErrForeign) {
		t.Errorf("append beside a second process: %v", err)
	}
	if n, _ := e.Size(ctx); n != 1 {
		t.Errorf("%d entries are signed for", n)
	}
}
