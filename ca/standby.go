package ca

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Lease says whether this process is still the one that uses the registry. A
// registry that another process can take over has one (pgstore.Store); the
// embedded one admits a single process by itself.
type Lease interface {
	// Held returns registry.ErrFenced when another process has taken over.
	Held(ctx context.Context) error
}

// eventTakeover is the code of the security.event by which a process that has
// taken over closes the log to the one before it.
const eventTakeover = "takeover"

// fencedLog is the log for an authority with a lease. The registry's fence does
// not reach the log, so:
//
//   - A new process logs an entry under each writer before it reads the log.
//     The number after the old process's last entry is then taken.
//   - A number that the log refuses because it is taken means that somebody
//     else writes under our name: this process never appends again.
//   - A number that is asked for anew counts only if the lease was still held
//     after the answer: takeover comes before the new process's entry.
//
// So an old process can append nothing after the new one's first entry.
type fencedLog struct {
	ledger.Log
	lease  Lease
	open   atomic.Bool // the takeover is logged: conflicts are final
	fenced atomic.Bool
}

// Append implements ledger.Log.
func (l *fencedLog) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if l.fenced.Load() {
		return nil, registry.ErrFenced
	}
	out, err := l.Log.Append(ctx, entries...)
	if errors.Is(err, ledger.ErrConflict) && l.open.Load() {
		l.fenced.Store(true)
		return nil, registry.ErrFenced.Because(err)
	}
	return out, err
}

// NextSeq implements ledger.Log.
func (l *fencedLog) NextSeq(ctx context.Context, by string) (uint64, error) {
	n, err := l.Log.NextSeq(ctx, by)
	if err != nil {
		return 0, err
	}
	if l.fenced.Load() {
		return 0, registry.ErrFenced
	}
	if err := l.lease.Held(ctx); err != nil {
		if errors.Is(err, registry.ErrFenced) {
			l.fenced.Store(true)
		}
		return 0, err
	}
	return n, nil
}

// takeoverTries bounds how often the old process can be quicker with a number.
const takeoverTries = 100

// takeOver logs the takeover under both writers. Until then the old process may
// still append; each of its entries that comes between costs one try.
func (a *Authority) takeOver(ctx context.Context, log *fencedLog) error {
	for _, w := range []*ledger.Writer{a.own, a.link} {
		at := entry.At(a.cfg.Now())
		body := &entry.SecurityEvent{Code: eventTakeover, Count: 1, From: at, To: at}
		for try := 0; ; try++ {
			_, err := w.Append(ctx, body)
			if err == nil {
				break
			}
			if !errors.Is(err, ledger.ErrConflict) || try == takeoverTries {
				return fmt.Errorf("couldn't log the takeover: %w", err)
			}
		}
	}
	log.open.Store(true)
	return nil
}
