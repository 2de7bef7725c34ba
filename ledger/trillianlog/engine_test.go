package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

var ctx = context.Background()

func TestGenesisIsTheFirstEntry(t *testing.T) {
	c := config(t, kv.NewMemFS())
	e := mustOpen(t, c)
	b, err := e.Entry(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	en, err := entry.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := en.Body.(*entry.Genesis)
	if !ok || g.Key != c.VKey || g.Origin != origin || en.By != entry.ByLog || en.Seq != 0 {
		t.Errorf("entry 0 is %+v", en)
	}
	if n, _ := e.Size(ctx); n != 1 {
		t.Errorf("a new log has %d entries", n)
	}
	if _, err := e.Checkpoint(ctx); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a new log has a published checkpoint: %v", err)
	}
}

func TestAppendGivesReceipts(t *testing.T) {
	e := mustOpen(t, config(t, kv.NewMemFS()))
	a, b := event(t, entry.ByOperator, 0), event(t, entry.ByCA, 0)
	rs := appendAll(t, e, a, b)
	if rs[0].Index != 1 || rs[1].Index != 2 {
		t.Errorf("indexes %d %d", rs[0].Index, rs[1].Index)
	}
	index, got, err := e.Lookup(ctx, entry.ByCA, 0)
	if err != nil || index != 2 || !bytes.Equal(got, b) {
		t.Errorf("Lookup = %d %s %v", index, got, err)
	}
	if n, err := e.NextSeq(ctx, entry.ByCA); err != nil || n != 1 {
		t.Errorf("NextSeq = %d %v", n, err)
	}
	if rs, err := e.Append(ctx); rs != nil || err != nil {
		t.Errorf("appending nothing: %v %v", rs, err)
	}
}

func TestRefusals(t *testing.T) {
	e := mustOpen(t, config(t, kv.NewMemFS()))
	appendAll(t, e, event(t, entry.ByCA, 0))
	other := marshal(t, entry.ByCA, 0, &entry.SecurityEvent{Code: "other", From: at, To: at})
	for name, c := range map[string]struct {
		entries [][]byte
		want    error
	}{
		"gap":              {[][]byte{event(t, entry.ByCA, 2)}, ledger.ErrGap},
		"conflict":         {[][]byte{other}, ledger.ErrConflict},
		"second is a gap":  {[][]byte{event(t, entry.ByCA, 1), event(t, entry.ByCA, 3)}, ledger.ErrGap},
		"conflict in call": {[][]byte{event(t, entry.ByOperator, 0), marshal(t, entry.ByOperator, 0, &entry.SecurityEvent{Code: "other", From: at, To: at})}, ledger.ErrConflict},
		"not canonical":    {[][]byte{append(event(t, entry.ByCA, 1), ' ')}, ledger.ErrInvalid},
		"no entry":         {[][]byte{[]byte("{}")}, ledger.ErrInvalid},
		"wrong writer":     {[][]byte{marshal(t, entry.ByOperator, 0, issued(0))}, ledger.ErrWriter},
		"the log's own":    {[][]byte{event(t, entry.ByLog, 1)}, ledger.ErrWriter},
		"too large":        {[][]byte{make([]byte, entry.MaxSize+1)}, ledger.ErrTooLarge},
		"too many":         {make([][]byte, ledger.MaxAppendEntries+1), ledger.ErrTooLarge},
		"no intent":        {[][]byte{marshal(t, entry.ByCA, 1, issued(0))}, ledger.ErrImpossible},
		"issued twice": {[][]byte{marshal(t, entry.ByCA, 1, intent(0)), marshal(t, entry.ByCA, 2, issued(0)),
			marshal(t, entry.ByCA, 3, issued(0))}, ledger.ErrImpossible},
		"aborted, then issued": {[][]byte{marshal(t, entry.ByCA, 1, intent(0)),
			marshal(t, entry.ByCA, 2, &entry.CertAborted{Ordinal: 0, Reason: entry.AbortSign}), marshal(t, entry.ByCA, 3, issued(0))}, ledger.ErrImpossible},
		"ordinal skipped": {[][]byte{marshal(t, entry.ByCA, 1, intent(0)), marshal(t, entry.ByCA, 2, intent(2))}, ledger.ErrImpossible},
		"revoked unissued": {[][]byte{marshal(t, entry.ByCA, 1, intent(0)), marshal(t, entry.ByCA, 2,
			&entry.Revocation{Ground: entry.GroundRequest, Ordinal: 0, Recorded: at, Serial: "0a"})}, ledger.ErrImpossible},
	} {
		t.Run(name, func(t *testing.T) {
			rs, err := e.Append(ctx, c.entries...)
			if !errors.Is(err, c.want) || rs != nil {
				t.Errorf("got %v, %v; want %v", rs, err, c.want)
			}
			if n, _ := e.Size(ctx); n != 2 {
				t.Fatalf("a refused call left %d entries", n)
			}
		})
	}
	appendAll(t, e, event(t, entry.ByCA, 1), marshal(t, entry.ByCA, 2, intent(0)), marshal(t, entry.ByCA, 3, issued(0)))
}

func TestEqualEntryIsLoggedOnce(t *testing.T) {
	e := mustOpen(t, config(t, kv.NewMemFS()))
	first, second := event(t, entry.ByCA, 0), event(t, entry.ByCA, 1)
	appendAll(t, e, first)
	rs := appendAll(t, e, first, second, second)
	if rs[0].Index != 1 || rs[1].Index != 2 || rs[2].Index != 2 {
		t.Errorf("indexes %d %d %d", rs[0].Index, rs[1].Index, rs[2].Index)
	}
	rs = appendAll(t, e, second, first)
	if rs[0].Index != 2 || rs[1].Index != 1 {
		t.Errorf("indexes %d %d", rs[0].Index, rs[1].Index)
	}
	if n, _ := e.Size(ctx); n != 3 {
		t.Errorf("%d entries", n)
	}
}

func TestPublishEndsWithStatusRoot(t *testing.T) {
	e := mustOpen(t, config(t, kv.NewMemFS()))
	appendAll(t, e, marshal(t, entry.ByCA, 0, intent(0)), marshal(t, entry.ByCA, 1, issued(0)), marshal(t, entry.ByCA, 2, intent(1)))
	note, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := e.Policy().VerifyCheckpoint(note)
	if err != nil || cp.Size != 5 {
		t.Fatalf("published %+v %v", cp, err)
	}
	again, err := e.Publish(ctx)
	if err != nil || !bytes.Equal(again, note) {
		t.Errorf("publishing without news made a new checkpoint: %v", err)
	}
	appendAll(t, e, marshal(t, entry.ByCA, 3, &entry.Revocation{Ground: entry.GroundRequest, Ordinal: 0, Recorded: at, Serial: "0a"}))
	wantStatus(t, e, 0, status.Valid) // not published yet
	if _, err := e.Proof(ctx, 5); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("proof of an unpublished entry: %v", err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, e, 0, status.Revoked)
	if _, err := e.Status(ctx, 1); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("status of a certificate that was not issued: %v", err)
	}
	size := e.PublishedSize()
	for i := range size {
		r, err := e.Proof(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := e.Entry(ctx, i)
		if _, err := e.Policy().VerifyReceipt(r, b); err != nil {
			t.Errorf("proof of %d: %v", i, err)
		}
	}
}

func wantStatus(t *testing.T, e *Engine, ordinal uint64, want status.State) {
	t.Helper()
	s, err := e.Status(ctx, ordinal)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = proof.ParseStatusReceipt(s.Marshal()); err != nil {
		t.Fatal(err)
	}
	r, err := e.Policy().VerifyStatus(s, nil)
	if err != nil || r.State != want || r.Ordinal != ordinal {
		t.Errorf("status of %d is %+v, %v; want %s", ordinal, r, err, want)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	c := config(t, nil)
	e := mustOpen(t, c)
	for i := range uint64(300) {
		appendAll(t, e, marshal(t, entry.ByCA, 2*i, intent(i)), marshal(t, entry.ByCA, 2*i+1, issued(i)))
	}
	note, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, e, marshal(t, entry.ByCA, 600, &entry.Revocation{Ground: entry.GroundRequest, Ordinal: 7, Recorded: at, Serial: "0a"}))
	commit, _ := e.Committed(ctx)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Append(ctx, event(t, entry.ByCA, 601)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}

	e = mustOpen(t, c)
	if got, _ := e.Checkpoint(ctx); !bytes.Equal(got, note) {
		t.Error("published checkpoint changed")
	}
	if got, _ := e.Committed(ctx); !bytes.Equal(got, commit) {
		t.Error("commit checkpoint changed")
	}
	wantStatus(t, e, 7, status.Valid)
	if n, _ := e.NextSeq(ctx, entry.ByCA); n != 601 {
		t.Errorf("next is %d", n)
	}
	appendAll(t, e, event(t, entry.ByCA, 601))
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, e, 7, status.Revoked)
	hashes, err := e.Consistency(ctx, 602, e.PublishedSize())
	if err != nil {
		t.Fatal(err)
	}
	old, _ := e.Policy().VerifyCheckpoint(note)
	newNote, _ := e.Checkpoint(ctx)
	newer, _ := e.Policy().VerifyCheckpoint(newNote)
	if err := proof.CheckConsistency(old, newer, hashes); err != nil {
		t.Errorf("consistency: %v", err)
	}
}

func TestOtherLogsStoreIsRefused(t *testing.T) {
	fs := kv.NewMemFS()
	c := config(t, fs)
	mustOpen(t, c).Close()
	other := c
	other.Origin = "log.test/2"
	other.Signer, other.VKey = keyPair(t, "log.test/2")
	if _, err := Open(ctx, other); say.Code(err) != CodeOrigin {
		t.Errorf("other origin: %v", err)
	}
	empty := c
	empty.Dir = "/elsewhere"
	if _, err := Open(ctx, empty); say.Code(err) != CodeLost {
		t.Errorf("store gone: %v", err)
	}
	e := mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 0))
	if _, err := Open(ctx, c); err == nil {
		t.Error("one log could be opened twice")
	}
	e.Close()
	headless := c
	headless.HeadDir = "/new-head"
	if _, err := Open(ctx, headless); say.Code(err) != CodeHead {
		t.Errorf("head gone: %v", err)
	}
	headless.AdoptHead = true
	mustOpen(t, headless)
}

func TestConfigIsChecked(t *testing.T) {
	good := config(t, kv.NewMemFS())
	_, otherKey := keyPair(t, "log.test/2")
	for name, change := range map[string]func(*Config){
		"no dir":       func(c *Config) { c.Dir = "" },
		"same dir":     func(c *Config) { c.HeadDir = c.Dir },
		"no signer":    func(c *Config) { c.Signer = nil },
		"no clock":     func(c *Config) { c.Now = nil },
		"other origin": func(c *Config) { c.Origin = "x" },
		"other key":    func(c *Config) { c.VKey = otherKey },
		"no key":       func(c *Config) { c.VKey = "" },
		"limits":       func(c *Config) { c.MaxBatch = -1 },
	} {
		c := good
		change(&c)
		if _, err := Open(ctx, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestConcurrentAppends(t *testing.T) {
	c := config(t, nil)
	c.MaxBatch = 50
	e := mustOpen(t, c)
	writers := []string{entry.ByCA, entry.ByOperator, entry.ByCALink, entry.ByRegisterLink}
	var wg sync.WaitGroup
	for _, by := range writers {
		w, err := ledger.NewWriter(ctx, e, by, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		for g := range 8 {
			wg.Go(func() {
				for i := range 40 {
					l, err := w.Append(ctx, &entry.SecurityEvent{Code: fmt.Sprintf("g%d.%d", g, i), From: at, To: at})
					if err != nil {
						t.Errorf("append: %v", err)
						return
					}
					check(t, e, []*proof.Receipt{l.Receipt}, [][]byte{l.Bytes})
				}
			})
		}
	}
	wg.Go(func() {
		for range 20 {
			if _, err := e.Publish(ctx); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	})
	wg.Wait()
	seen := map[string]uint64{}
	size, _ := e.Size(ctx)
	err := e.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		en, err := entry.Parse(b)
		if err != nil {
			return err
		}
		if en.Seq != seen[en.By] {
			return fmt.Errorf("entry %d has seq %d, want %d", i, en.Seq, seen[en.By])
		}
		seen[en.By]++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, by := range writers {
		if seen[by] != 320 {
			t.Errorf("%s logged %d entries", by, seen[by])
		}
	}
}

func TestCancelledAppendIsCertain(t *testing.T) {
	e := mustOpen(t, config(t, kv.NewMemFS()))
	for i := uint64(0); i < 200; {
		c, cancel := context.WithCancel(ctx)
		go cancel()
		b := event(t, entry.ByCA, i)
		rs, err := e.Append(c, b)
		if err == nil {
			check(t, e, rs, [][]byte{b})
			i++
			continue
		}
		if n, _ := e.NextSeq(ctx, entry.ByCA); n != i {
			t.Fatalf("append was cancelled, but the entry is there")
		}
		if _, err := e.Append(ctx, b); err != nil {
			t.Fatal(err)
		}
		i++
	}
}

func TestCosignHook(t *testing.T) {
	c := config(t, kv.NewMemFS())
	var fail error
	var proved int
	var foreign bool
	c.Cosign = func(_ context.Context, note []byte, prove func(uint64) ([]tlog.Hash, error)) ([]byte, error) {
		if fail != nil {
			return nil, fail
		}
		if foreign {
			return []byte("something else"), nil
		}
		hs, err := prove(1)
		if err != nil {
			return nil, err
		}
		proved = len(hs)
		return append(note, "— witness AAAA\n"...), nil
	}
	e := mustOpen(t, c)
	first, err := e.Publish(ctx)
	if err != nil || !bytes.HasSuffix(first, []byte("witness AAAA\n")) || proved == 0 {
		t.Fatalf("%q %v", first, err)
	}
	appendAll(t, e, event(t, entry.ByCA, 0))
	fail = errors.New("witness is away")
	if _, err := e.Publish(ctx); !errors.Is(err, fail) {
		t.Errorf("publish without witness: %v", err)
	}
	size, _ := e.Size(ctx)
	if _, err := e.Publish(ctx); !errors.Is(err, fail) {
		t.Errorf("publish without witness again: %v", err)
	}
	if now, _ := e.Size(ctx); now != size {
		t.Error("the log grows while a witness is away")
	}
	if got, _ := e.Checkpoint(ctx); !bytes.Equal(got, first) {
		t.Error("a checkpoint without cosignature was published")
	}
	appendAll(t, e, event(t, entry.ByCA, 1)) // goes on meanwhile
	fail = nil
	if got, err := e.Publish(ctx); err != nil || bytes.Equal(got, first) {
		t.Errorf("publish after the witness is back: %v", err)
	}
	foreign = true
	appendAll(t, e, event(t, entry.ByCA, 2))
	if _, err := e.Publish(ctx); err == nil {
		t.Error("a foreign checkpoint was published")
	}
}
