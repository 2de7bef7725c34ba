package ca

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// An intent is logged in two steps. The sequencer, which decides, writes a
// group's records into the registry, where its next look finds them, and takes
// up the next group at once. Another goroutine, which announces, waits until
// the records are on disk and only then logs the intents, one group after the
// other, so that ordinals ascend in log order and every logged intent has its
// record. When a group comes to no certain end, those behind it are not
// announced any more: their records are discarded by the settlement.

// begun is a group whose records are in the registry, though perhaps not on
// disk yet, and whose intents are not logged.
type begun struct {
	jobs    []*job
	durable func() error // of the records; must be called
}

// launch takes what was prepared into the registry and lets the issuances go
// their way. It is called with issueMu held.
func (a *Authority) launch(ready []*job) {
	end := a.tracker.begin()
	recs := make([]*registry.Record, len(ready))
	for i, j := range ready {
		recs[i] = j.rec
	}
	durable, err := a.reg.Begin(recs...)
	if err != nil {
		a.unsure.Store(true)
		end()
		for _, j := range ready {
			a.fail(j, fmt.Errorf("couldn't write the issuance records: %w", err))
		}
		return
	}
	a.next += uint64(len(ready))
	a.flight.Add(len(ready))
	var left atomic.Int64
	left.Store(int64(len(ready)))
	landed := func() {
		if left.Add(-1) == 0 {
			end()
		}
		a.flight.Done()
	}
	for _, j := range ready {
		j.landed = landed
	}
	a.begun <- begun{ready, durable}
}

func (a *Authority) announcing(ctx context.Context) {
	for g := range a.begun {
		logged, err := a.announce(ctx, g)
		if err != nil {
			for _, j := range g.jobs {
				a.land(j, nil, err)
			}
			continue
		}
		for i, j := range g.jobs {
			j.intent = logged[i]
		}
		a.announced <- g.jobs
	}
}

// announce logs the intents of a group once its records are on disk.
func (a *Authority) announce(ctx context.Context, g begun) ([]*ledger.Logged, error) {
	if err := g.durable(); err != nil {
		a.unsure.Store(true)
		return nil, fmt.Errorf("couldn't write the issuance records: %w", err)
	}
	if a.unsure.Load() {
		return nil, ErrUncertain.Because(errors.New("an issuance before this one came to no certain end"))
	}
	bodies := make([]entry.Body, len(g.jobs))
	for i, j := range g.jobs {
		bodies[i] = j.body
	}
	logged, err := a.own.AppendAll(ctx, bodies...)
	if err == nil {
		return logged, nil
	}
	a.unsure.Store(true) // even when the log refused: the ordinals are given out, here and perhaps behind
	if isRefusal(err) {
		return nil, fmt.Errorf("the log refused the intents: %w", err)
	}
	return nil, ErrUncertain.Because(err)
}

// isRefusal reports that the log certainly holds nothing of a call.
func isRefusal(err error) bool {
	for _, e := range []error{ledger.ErrInvalid, ledger.ErrWriter, ledger.ErrTooLarge, ledger.ErrImpossible} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
