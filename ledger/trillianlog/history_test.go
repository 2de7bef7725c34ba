package trillianlog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"go.uber.org/goleak"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// op is one call of a recorded history; all are about one writer.
type op struct {
	kind string // "append", "next" or "lookup"
	seq  uint64
	code string // append: what the entry says
}

// result is its answer.
type result struct {
	err  string // "", "conflict", "gap", "notfound"
	next uint64 // next
	code string // lookup
}

// contract is the whole contract of a writer's entries: a list that grows at
// its end.
var contract = porcupine.Model{
	Init: func() any { return []string{} },
	Step: func(state, in, out any) (bool, any) {
		list, o, r := state.([]string), in.(op), out.(result)
		n := uint64(len(list))
		switch {
		case o.kind == "next":
			return r.next == n, list
		case o.kind == "lookup" && o.seq >= n:
			return r.err == "notfound", list
		case o.kind == "lookup":
			return r.err == "" && r.code == list[o.seq], list
		case o.seq > n:
			return r.err == "gap", list
		case o.seq < n && list[o.seq] == o.code:
			return r.err == "", list
		case o.seq < n:
			return r.err == "conflict", list
		}
		return r.err == "", append(list[:n:n], o.code)
	},
	Equal: func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) },
}

func (o op) run(t *testing.T, e *Engine) result {
	name := func(err error) string {
		switch {
		case err == nil:
			return ""
		case errors.Is(err, ledger.ErrConflict):
			return "conflict"
		case errors.Is(err, ledger.ErrGap):
			return "gap"
		case errors.Is(err, ledger.ErrNotFound):
			return "notfound"
		}
		t.Errorf("%+v: %v", o, err)
		return "other"
	}
	switch o.kind {
	case "next":
		n, err := e.NextSeq(ctx, entry.ByCA)
		return result{next: n, err: name(err)}
	case "lookup":
		_, b, err := e.Lookup(ctx, entry.ByCA, o.seq)
		if err != nil {
			return result{err: name(err)}
		}
		en, err := entry.Parse(b)
		if err != nil {
			t.Error(err)
			return result{}
		}
		return result{code: en.Body.(*entry.SecurityEvent).Code}
	}
	_, err := e.Append(ctx, marshal(t, entry.ByCA, o.seq, &entry.SecurityEvent{Code: o.code, From: at, To: at}))
	return result{err: name(err)}
}

// TestHistoriesAreLinearizable lets clients race for a writer's numbers and
// checks that every answer fits one order of all calls.
func TestHistoriesAreLinearizable(t *testing.T) {
	for seed := range uint64(40) {
		e := mustOpen(t, config(t, kv.NewMemFS()))
		var mu sync.Mutex
		var history []porcupine.Operation
		start := time.Now()
		var wg sync.WaitGroup
		for client := range 4 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(client)))
				guess := uint64(0)
				for range 12 {
					o := op{kind: []string{"append", "append", "next", "lookup"}[rng.IntN(4)], seq: guess, code: fmt.Sprintf("c%d", rng.IntN(2))}
					call := time.Since(start)
					r := o.run(t, e)
					done := time.Since(start)
					if o.kind == "next" {
						guess = r.next
					} else if r.err == "" {
						guess++
					}
					mu.Lock()
					history = append(history, porcupine.Operation{ClientId: client, Input: o, Output: r, Call: int64(call), Return: int64(done)})
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		e.Close()
		if got := porcupine.CheckOperationsTimeout(contract, history, 20*time.Second); got != porcupine.Ok {
			t.Fatalf("seed %d: history of %d calls is not linearizable: %s", seed, len(history), got)
		}
	}
}

func TestNothingRunsAfterClose(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := config(t, nil)
	c.PublishEvery = time.Millisecond
	e := mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 0))
	for e.PublishedSize() < 3 { // published in the background
		appendAll(t, e, event(t, entry.ByCA, 0))
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}
