// Package replay decides every logged decision again (promise P4).
//
// A decision in the log holds its rule set, the bitmap of facts, the digest of
// the policy bundle and the answer. Given the bundle, anyone can decide again
// from the same facts: an answer that the rules don't give was not made by the
// rules. What this can't tell is whether the facts were true; the audit's
// other checks and the council's samples are for that.
//
//	r, err := replay.New(ctx, policy.Shipped())
//	result, err := audit.Audit(ctx, audit.Source{…, Replay: r.Replay}, options)
//
// The policy engine is reached through package policy only; the package does
// no I/O.
package replay

import (
	"context"
	"fmt"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// ErrDiffers means that the rules give another answer than the logged one.
var ErrDiffers = policy.ErrReplay

// ErrUnknownBundle means that a decision names a bundle that was not handed
// over, so it can't be told.
var ErrUnknownBundle error = unknownBundle{}

type unknownBundle struct{}

func (unknownBundle) Error() string { return "the decision names a policy bundle that is not at hand" }

// CouldNotTell tells the auditor that this is no false decision.
func (unknownBundle) CouldNotTell() bool { return true }

// Replayer decides again with one or more bundles. It is safe for concurrent use.
type Replayer struct {
	bundles map[entry.Digest]*policy.Replayer
}

// New compiles the bundles: the one in force and those in force before.
func New(ctx context.Context, bundles ...policy.Bundle) (*Replayer, error) {
	r := &Replayer{bundles: make(map[entry.Digest]*policy.Replayer, len(bundles))}
	for _, b := range bundles {
		p, err := policy.NewReplayer(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("couldn't use policy bundle %s: %w", b.Digest, err)
		}
		r.bundles[b.Digest] = p
	}
	return r, nil
}

// Replay decides again. nil: the same answer; ErrDiffers: another answer;
// anything else: it could not be told.
func (r *Replayer) Replay(ctx context.Context, d entry.Decision) error {
	p := r.bundles[d.Bundle]
	if p == nil {
		return ErrUnknownBundle
	}
	return p.Replay(ctx, d)
}

// Of returns the decision that an entry holds, if it holds one.
func Of(b entry.Body) (entry.Decision, bool) {
	switch b := b.(type) {
	case *entry.CertIntent:
		return b.Decision, true
	case *entry.NoticeSent:
		return b.Decision, true
	case *entry.NoticeReceived:
		return b.Decision, true
	case *entry.NoticeRefused:
		return b.Decision, true
	case *entry.RevocationRequested:
		return b.Decision, true
	}
	return entry.Decision{}, false
}

// Entries is the read side of a log.
type Entries interface {
	// Entries calls fn for each entry in [from, to) in order.
	Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error
}

// Mismatch is a decision that could not be confirmed.
type Mismatch struct {
	Index uint64
	Err   error // ErrDiffers, ErrUnknownBundle or another
}

// Log decides every decision among the first size entries of a log again, one
// by one, and returns how many there were and those that were not confirmed.
// It is the slow, plain way; the audit asks about equal decisions once.
func (r *Replayer) Log(ctx context.Context, log Entries, size uint64) (n uint64, bad []Mismatch, err error) {
	err = log.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err != nil {
			return fmt.Errorf("couldn't read entry %d: %w", i, err)
		}
		d, ok := Of(e.Body)
		if !ok {
			return nil
		}
		n++
		if err := r.Replay(ctx, d); err != nil {
			bad = append(bad, Mismatch{Index: i, Err: err})
		}
		return nil
	})
	return n, bad, err
}
