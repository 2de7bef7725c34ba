package ca

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// settle makes sure that nothing is uncertain: after an append whose outcome
// is not known, the registry is brought up to the log before anything new
// begins. It is the same code as after a crash.
func (a *Authority) settle(ctx context.Context) error {
	if !a.unsure.Load() {
		return nil
	}
	a.issueMu.Lock()
	defer a.issueMu.Unlock()
	return a.settleHeld(ctx)
}

// settleHeld is settle for who holds issueMu.
func (a *Authority) settleHeld(ctx context.Context) error {
	if !a.unsure.Load() {
		return nil
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	a.flight.Wait()
	if err := a.resolve(ctx); err != nil {
		return ErrUncertain.Because(err)
	}
	a.settled.Add(1)
	a.unsure.Store(false)
	return nil
}

// resolve reads what was logged since the cursors into the registry, then ends
// what is open: every intent as issued or aborted, every request and notice
// with its revocation. Nothing else runs meanwhile.
func (a *Authority) resolve(ctx context.Context) error {
	asked := map[uint64]*entry.RevocationRequested{} // by ordinal, not yet revoked
	cause := map[uint64]uint64{}
	err := a.replay(ctx, entry.ByCA, func(index uint64, e entry.Entry) error {
		switch b := e.Body.(type) {
		case *entry.RevocationRequested:
			if b.Decision.Allow {
				asked[b.Ordinal], cause[b.Ordinal] = b, index
			}
			return nil
		case *entry.Revocation:
			delete(asked, b.Ordinal)
		}
		return a.reflect(index, e)
	})
	if err != nil {
		return err
	}
	if err := a.replay(ctx, entry.ByCALink, a.reflect); err != nil {
		return err
	}
	if err := a.endOpen(ctx); err != nil {
		return err
	}
	if a.next, err = a.reg.Size(); err != nil {
		return err
	}
	if err := a.endRequests(ctx, asked, cause); err != nil {
		return err
	}
	if err := a.endNotice(ctx); err != nil {
		return err
	}
	return a.advance(ctx)
}

// advance moves the cursors to the end of the log: everything is reflected.
func (a *Authority) advance(ctx context.Context) error {
	a.tracker.restart()
	for _, by := range []string{entry.ByCA, entry.ByCALink} {
		n, err := a.cfg.Log.NextSeq(ctx, by)
		if err != nil {
			return err
		}
		if err := a.reg.SetCursor(by, n); err != nil {
			return err
		}
	}
	return nil
}

// replay calls fn for a writer's entries from the registry's cursor on.
func (a *Authority) replay(ctx context.Context, by string, fn func(index uint64, e entry.Entry) error) error {
	from, err := a.reg.Cursor(by)
	if err != nil {
		return err
	}
	to, err := a.cfg.Log.NextSeq(ctx, by)
	if err != nil {
		return fmt.Errorf("couldn't ask the log for the end of %s: %w", by, err)
	}
	if from > to {
		return ErrLogBehind
	}
	for seq := from; seq < to; seq++ {
		index, b, err := a.cfg.Log.Lookup(ctx, by, seq)
		if err != nil {
			return fmt.Errorf("couldn't read entry %d of %s: %w", seq, by, err)
		}
		e, err := entry.Parse(b)
		if err != nil {
			return fmt.Errorf("couldn't read entry %d of %s: %w", seq, by, err)
		}
		if err := fn(index, e); err != nil {
			return fmt.Errorf("couldn't bring entry %d of %s into the registry: %w", seq, by, err)
		}
	}
	return nil
}

// reflect brings one logged entry into the registry. It is idempotent: entries
// that are reflected already change nothing.
func (a *Authority) reflect(index uint64, e entry.Entry) error {
	switch b := e.Body.(type) {
	case *entry.CertIntent:
		return a.change(b.Ordinal, func(r *registry.Record) error {
			if r.Serial != b.Serial || r.Digest != b.TBS {
				return ErrBehind.Because(errors.New("the record is another certificate's"))
			}
			if r.State == registry.Prepared {
				r.State = registry.Intended
			}
			r.IntentIndex, r.IntentSeq = index, e.Seq
			return nil
		})
	case *entry.CertIssued:
		return a.change(b.Ordinal, func(r *registry.Record) error {
			if r.State == registry.Signed {
				r.State = registry.Issued
			}
			if r.State < registry.Issued {
				return ErrBehind.Because(errors.New("the log has a certificate that the registry lacks"))
			}
			r.IssuedIndex = index
			return nil
		})
	case *entry.CertAborted:
		return a.change(b.Ordinal, func(r *registry.Record) error {
			if r.State != registry.Aborted {
				r.Abort()
			}
			return nil
		})
	case *entry.Revocation:
		_, err := a.recordRevocation(b, index)
		return missing(err)
	case *entry.Erasure:
		return a.eraseRecords(b.Ordinals)
	case *entry.NoticeReceived:
		return a.reflectNotice(b.Notice, index)
	case *entry.NoticeRefused:
		return a.reflectRefusal(b, index)
	case *entry.HoldersSent:
		return a.reflectList(b, index)
	}
	return nil
}

func (a *Authority) change(ordinal uint64, fn func(*registry.Record) error) error {
	return missing(a.reg.Change(ordinal, registry.Relaxed, fn))
}

// missing turns a record that the log knows and the registry doesn't into the
// sentence for an old backup.
func missing(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return ErrBehind.Because(err)
	}
	return err
}

// endOpen ends every open issuance:
//
//	prepared   the intent is not in the log: the record is discarded, its ordinal is free
//	intended   the key was not used: aborted. It was used: signed again bit for
//	           bit where the key can do that, else aborted (no copy exists)
//	signed     the certificate exists: issued
func (a *Authority) endOpen(ctx context.Context) error {
	open, err := a.reg.Open()
	if err != nil {
		return err
	}
	var unlogged []uint64
	for _, o := range open {
		rec, err := a.reg.Get(o)
		if err != nil {
			return err
		}
		switch rec.State {
		case registry.Prepared:
			unlogged = append(unlogged, o)
		case registry.Intended:
			err = a.endIntended(ctx, rec)
		case registry.Signed:
			_, err = a.complete(ctx, &job{rec: rec, der: rec.DER})
		}
		if err != nil {
			return fmt.Errorf("couldn't end issuance %d: %w", o, err)
		}
	}
	if len(unlogged) == 0 {
		return nil
	}
	slices.Sort(unlogged)
	return a.reg.Discard(unlogged...)
}

func (a *Authority) endIntended(ctx context.Context, rec *registry.Record) error {
	if !a.cfg.Key.Used(rec.IntentIndex) {
		return a.closeAborted(ctx, rec)
	}
	_, b, err := a.cfg.Log.Lookup(ctx, entry.ByCA, rec.IntentSeq)
	if err != nil {
		return err
	}
	receipts, err := a.cfg.Log.Append(ctx, b) // logged already: its receipt again
	if err != nil || len(receipts) != 1 {
		return fmt.Errorf("couldn't get the intent's receipt again: %w", err)
	}
	sig, err := a.cfg.Key.Resume(ctx, rec.TBS, b, receipts[0])
	if errors.Is(err, keystore.ErrNotDeterministic) {
		return a.closeAborted(ctx, rec)
	}
	if err != nil {
		return err
	}
	der, err := a.assemble(rec.TBS, sig)
	if err != nil {
		return err
	}
	j := &job{rec: rec, der: der}
	if err := a.store(j); err != nil {
		return err
	}
	_, err = a.complete(ctx, j)
	return err
}

func (a *Authority) closeAborted(ctx context.Context, rec *registry.Record) error {
	if _, err := a.own.Append(ctx, &entry.CertAborted{Ordinal: rec.Ordinal, Reason: entry.AbortCrash}); err != nil {
		return err
	}
	return a.change(rec.Ordinal, func(r *registry.Record) error { r.Abort(); return nil })
}

// endRequests revokes what was asked for and allowed before a crash.
func (a *Authority) endRequests(ctx context.Context, asked map[uint64]*entry.RevocationRequested, cause map[uint64]uint64) error {
	ordinals := make([]uint64, 0, len(asked))
	for o := range asked {
		ordinals = append(ordinals, o)
	}
	slices.Sort(ordinals)
	for _, o := range ordinals {
		rec, err := a.reg.Get(o)
		if err != nil {
			return missing(err)
		}
		if rec.State != registry.Issued {
			continue
		}
		if _, err := a.revoke(ctx, rec, asked[o].Ground, cause[o]); err != nil {
			return err
		}
	}
	return nil
}

// logged returns the entry of a writer by sequence number, nil if there is none.
func (a *Authority) logged(ctx context.Context, by string, seq uint64) (*entry.Entry, error) {
	_, b, err := a.cfg.Log.Lookup(ctx, by, seq)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't read entry %d of %s: %w", seq, by, err)
	}
	e, err := entry.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("couldn't read entry %d of %s: %w", seq, by, err)
	}
	return &e, nil
}
