package ca

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Act is where an officer's approval is in the log. What is done for it is done
// once: who asks again, because an answer got lost or the process died, gets
// what was done.
type Act struct {
	Index uint64 `json:"index"` // of the entry
	Seq   uint64 `json:"seq"`   // among the CA's entries
}

// errLogged stops an append because the entry is in the log.
var errLogged = errors.New("it is in the log already")

// RecordAct logs a step of an officer (package ca/office), before anything
// else happens because of it.
func (a *Authority) RecordAct(ctx context.Context, b *entry.OperatorAct) error {
	if _, err := a.own.Append(context.WithoutCancel(ctx), b); err != nil {
		return fmt.Errorf("couldn't record an officer's act: %w", err)
	}
	return nil
}

// NextEntry is the number from which on what the CA is about to log will be.
func (a *Authority) NextEntry(ctx context.Context) (uint64, error) {
	return a.cfg.Log.NextSeq(ctx, entry.ByCA)
}

// Ended looks for the entry that ended a proposal, among the CA's entries from
// number from on; nil: there is none.
func (a *Authority) Ended(ctx context.Context, proposal entry.Digest, from uint64) (*entry.OperatorAct, Act, error) {
	var ended *entry.OperatorAct
	at, _, err := a.search(ctx, from, func(b entry.Body) bool {
		ended = endOf(b, proposal)
		return ended != nil
	})
	return ended, at, err
}

func endOf(b entry.Body, proposal entry.Digest) *entry.OperatorAct {
	if act, ok := b.(*entry.OperatorAct); ok && act.Proposal == proposal && act.Phase != entry.PhaseProposed {
		return act
	}
	return nil
}

// EndProposal logs how a proposal ends, if nothing has ended it from number
// from on: it is an error then, and Ended tells.
func (a *Authority) EndProposal(ctx context.Context, b *entry.OperatorAct, from uint64) (Act, error) {
	at, logged, err := a.once(context.WithoutCancel(ctx), from, b, func(x entry.Body) bool { return endOf(x, b.Proposal) != nil })
	if err == nil && logged {
		err = errLogged
	}
	if err != nil {
		return Act{}, fmt.Errorf("couldn't record an officer's act: %w", err)
	}
	return at, nil
}

// search looks through the CA's entries from a number on. next is where it would
// go on.
func (a *Authority) search(ctx context.Context, from uint64, same func(entry.Body) bool) (at Act, next uint64, err error) {
	to, err := a.NextEntry(ctx)
	if err != nil {
		return Act{}, from, err
	}
	for ; from < to; from++ {
		at, found, err := a.at(ctx, from, same)
		if err != nil || found {
			return at, from, err
		}
	}
	return Act{}, max(from, to), nil
}

// at looks at one entry; one that isn't in the log yet is not the same.
func (a *Authority) at(ctx context.Context, seq uint64, same func(entry.Body) bool) (Act, bool, error) {
	e, err := a.logged(ctx, entry.ByCA, seq)
	if err != nil || e == nil || !same(e.Body) {
		return Act{}, false, err
	}
	index, _, err := a.cfg.Log.Lookup(ctx, entry.ByCA, seq)
	return Act{Index: index, Seq: seq}, err == nil, err
}

// once appends an entry unless the same is in the log, from a number on. An
// append whose answer got lost may still arrive: so the last look is taken when
// the number is given. An earlier one spares the writer the longer search.
func (a *Authority) once(ctx context.Context, from uint64, body entry.Body, same func(entry.Body) bool) (at Act, logged bool, err error) {
	found := false
	look := func(b entry.Body) bool {
		found = found || same(b)
		return found
	}
	at, from, err = a.search(ctx, from, look)
	if err != nil || found {
		return at, found, err
	}
	out, err := a.own.AppendFunc(ctx, func(seq uint64) (entry.Body, error) {
		for ; from < seq; from++ {
			at, logged, err = a.at(ctx, from, same)
			if err != nil {
				return nil, err
			}
			if logged {
				return nil, errLogged
			}
		}
		at.Seq = seq
		return body, nil
	})
	if errors.Is(err, errLogged) {
		return at, true, nil
	}
	if err != nil {
		return Act{}, false, err
	}
	at.Index = out.Index
	return at, false, nil
}

// sameBody matches an entry that says the same.
func sameBody(body entry.Body) func(entry.Body) bool {
	return func(b entry.Body) bool { return reflect.DeepEqual(b, body) }
}

// RevokeFor is RevokeOnRequest for an approved act: a revocation on this ground
// that the log has since is its own.
func (a *Authority) RevokeFor(ctx context.Context, act Act, r RevocationRequest) (*Revocation, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	rec, err := a.reg.Get(r.Ordinal)
	if err == nil && rec.State == registry.Revoked && rec.Ground == r.Ground && rec.Cause > act.Index {
		return revocationOf(rec), nil
	}
	return a.request(ctx, r)
}

// RevokeAllFor is RevokeAll for an approved act; it counts what was revoked for
// it from the first time it was asked on.
func (a *Authority) RevokeAllFor(ctx context.Context, act Act, ground string, operators [2]string) (n int, err error) {
	if _, err := a.RevokeAll(ctx, ground, operators); err != nil {
		return 0, err
	}
	err = a.Revocations(func(r registry.Revocation) error {
		if r.Ground == ground && r.Index > act.Index {
			n++
		}
		return nil
	})
	return n, err
}
