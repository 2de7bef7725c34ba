package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

func testGenesis(t *testing.T, make Maker) {
	e := open(t, make(t))
	_, vkey := Key(t, Origin)
	b, err := e.Entry(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	en, err := entry.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := en.Body.(*entry.Genesis)
	if !ok || g.Key != vkey || g.Origin != Origin || en.By != entry.ByLog || en.Seq != 0 {
		t.Errorf("entry 0 is %+v", en)
	}
	if n, _ := e.Size(ctx); n != 1 {
		t.Errorf("a new log has %d entries", n)
	}
	if _, err := e.Checkpoint(ctx); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a new log has a published checkpoint: %v", err)
	}
}

func testReceipts(t *testing.T, make Maker) {
	e := open(t, make(t))
	a, b := Event(t, entry.ByOperator, 0), Event(t, entry.ByCA, 0)
	rs := appended(t, e, a, b)
	if rs[0].Index != 1 || rs[1].Index != 2 {
		t.Errorf("indexes %d %d", rs[0].Index, rs[1].Index)
	}
	index, got, err := e.Lookup(ctx, entry.ByCA, 0)
	if err != nil || index != 2 || !bytes.Equal(got, b) {
		t.Errorf("Lookup = %d %s %v", index, got, err)
	}
	if _, _, err := e.Lookup(ctx, entry.ByCA, 1); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Lookup of what is not there: %v", err)
	}
	if n, err := e.NextSeq(ctx, entry.ByCA); err != nil || n != 1 {
		t.Errorf("NextSeq = %d %v", n, err)
	}
	if _, err := e.NextSeq(ctx, "nobody"); !errors.Is(err, ledger.ErrWriter) {
		t.Errorf("NextSeq of an unknown writer: %v", err)
	}
	if rs, err := e.Append(ctx); rs != nil || err != nil {
		t.Errorf("appending nothing: %v %v", rs, err)
	}
	if _, err := e.Entry(ctx, 3); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("entry beyond the log: %v", err)
	}
	if err := e.Entries(ctx, 0, 4, func(uint64, []byte) error { return nil }); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("entries beyond the log: %v", err)
	}
}

func testRefusals(t *testing.T, make Maker) {
	e := open(t, make(t))
	appended(t, e, Event(t, entry.ByCA, 0))
	other := func(by string) []byte {
		return Marshal(t, by, 0, &entry.SecurityEvent{Code: "other", From: At, To: At})
	}
	for name, c := range map[string]struct {
		entries [][]byte
		want    error
	}{
		"gap":                  {[][]byte{Event(t, entry.ByCA, 2)}, ledger.ErrGap},
		"conflict":             {[][]byte{other(entry.ByCA)}, ledger.ErrConflict},
		"second is a gap":      {[][]byte{Event(t, entry.ByCA, 1), Event(t, entry.ByCA, 3)}, ledger.ErrGap},
		"conflict in call":     {[][]byte{Event(t, entry.ByOperator, 0), other(entry.ByOperator)}, ledger.ErrConflict},
		"not canonical":        {[][]byte{append(Event(t, entry.ByCA, 1), ' ')}, ledger.ErrInvalid},
		"no entry":             {[][]byte{[]byte("{}")}, ledger.ErrInvalid},
		"wrong writer":         {[][]byte{Marshal(t, entry.ByOperator, 0, Issued(0))}, ledger.ErrWriter},
		"the log's own":        {[][]byte{Event(t, entry.ByLog, 1)}, ledger.ErrWriter},
		"too large":            {[][]byte{bytes.Repeat([]byte{' '}, entry.MaxSize+1)}, ledger.ErrTooLarge},
		"too many":             {append([][]byte(nil), manyNil[:]...), ledger.ErrTooLarge},
		"no intent":            {[][]byte{Marshal(t, entry.ByCA, 1, Issued(0))}, ledger.ErrImpossible},
		"issued twice":         {[][]byte{Marshal(t, entry.ByCA, 1, Intent(0)), Marshal(t, entry.ByCA, 2, Issued(0)), Marshal(t, entry.ByCA, 3, Issued(0))}, ledger.ErrImpossible},
		"aborted, then issued": {[][]byte{Marshal(t, entry.ByCA, 1, Intent(0)), Marshal(t, entry.ByCA, 2, &entry.CertAborted{Ordinal: 0, Reason: entry.AbortSign}), Marshal(t, entry.ByCA, 3, Issued(0))}, ledger.ErrImpossible},
		"ordinal skipped":      {[][]byte{Marshal(t, entry.ByCA, 1, Intent(0)), Marshal(t, entry.ByCA, 2, Intent(2))}, ledger.ErrImpossible},
		"revoked unissued":     {[][]byte{Marshal(t, entry.ByCA, 1, Intent(0)), Marshal(t, entry.ByCA, 2, Revocation(0))}, ledger.ErrImpossible},
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
	appended(t, e, Event(t, entry.ByCA, 1), Marshal(t, entry.ByCA, 2, Intent(0)), Marshal(t, entry.ByCA, 3, Issued(0)))
}

var manyNil [ledger.MaxAppendEntries + 1][]byte

func testAgain(t *testing.T, make Maker) {
	e := open(t, make(t))
	first, second := Event(t, entry.ByCA, 0), Event(t, entry.ByCA, 1)
	appended(t, e, first)
	rs := appended(t, e, first, second, second)
	if rs[0].Index != 1 || rs[1].Index != 2 || rs[2].Index != 2 {
		t.Errorf("indexes %d %d %d", rs[0].Index, rs[1].Index, rs[2].Index)
	}
	rs = appended(t, e, second, first)
	if rs[0].Index != 2 || rs[1].Index != 1 {
		t.Errorf("indexes %d %d", rs[0].Index, rs[1].Index)
	}
	if n, _ := e.Size(ctx); n != 3 {
		t.Errorf("%d entries", n)
	}
}

func testConcurrent(t *testing.T, make Maker) {
	e := with(t, make(t), Settings{Origin: Origin, Head: "head", MaxBatch: 50})
	writers := []string{entry.ByCA, entry.ByOperator, entry.ByCALink, entry.ByRegisterLink}
	const callers, each = 8, 40
	var wg sync.WaitGroup
	for _, by := range writers {
		w, err := ledger.NewWriter(ctx, e, by, Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		for g := range callers {
			wg.Go(func() {
				for i := range each {
					l, err := w.Append(ctx, &entry.SecurityEvent{Code: fmt.Sprintf("g%d.%d", g, i), From: At, To: At})
					if err != nil {
						t.Errorf("append: %v", err)
						return
					}
					if _, err := e.Policy().VerifyReceipt(l.Receipt, l.Bytes); err != nil {
						t.Errorf("receipt: %v", err)
					}
				}
			})
		}
	}
	wg.Go(func() {
		for range 10 {
			if _, err := e.Publish(ctx); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	})
	wg.Wait()
	for by, n := range numbered(t, e) {
		if by != entry.ByLog && n != callers*each {
			t.Errorf("%s logged %d entries", by, n)
		}
	}
}

// numbered checks that every writer's entries are gapless and in order, and
// counts them.
func numbered(t testing.TB, e Engine) map[string]uint64 {
	t.Helper()
	seen := map[string]uint64{}
	size, err := e.Size(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Entries(ctx, 0, size, func(i uint64, b []byte) error {
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
		t.Fatal(err)
	}
	return seen
}

// testCancelled: an append whose context ends either logged nothing, or says
// that it is uncertain and sending again settles it.
func testCancelled(t *testing.T, make Maker) {
	e := open(t, make(t))
	for i := range uint64(60) {
		c, cancel := context.WithCancel(ctx)
		go cancel()
		b := Event(t, entry.ByCA, i)
		rs, err := e.Append(c, b)
		switch {
		case err == nil:
			Check(t, e, rs, [][]byte{b})
			continue
		case errors.Is(err, ledger.ErrUncertain):
		case !errors.Is(err, context.Canceled):
			t.Fatal(err)
		default:
			if n, _ := e.NextSeq(ctx, entry.ByCA); n != i {
				t.Fatalf("append was cancelled, but the entry is there")
			}
		}
		appended(t, e, b)
	}
	if n := numbered(t, e)[entry.ByCA]; n != 60 {
		t.Errorf("%d entries", n)
	}
}
