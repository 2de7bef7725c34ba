package trillianlog

import (
	"errors"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// applyStatus brings the new entries of one request into the status tree, all
// or none: what the tree would refuse is refused before anything changes.
func (e *Engine) applyStatus(fresh []parsed) error {
	if len(fresh) > 1 {
		if err := e.planStatus(fresh); err != nil {
			return err
		}
	}
	for i := range fresh {
		if err := e.status.Apply(fresh[i].entry); err != nil {
			if i > 0 {
				return e.fail(err) // the plan was wrong and half is applied
			}
			return err
		}
		e.track(fresh[i].entry)
	}
	return nil
}

// track keeps the set of pending ordinals, which planStatus needs.
func (e *Engine) track(en entry.Entry) {
	switch b := en.Body.(type) {
	case *entry.CertIntent:
		e.pending[b.Ordinal] = struct{}{}
	case *entry.CertIssued:
		delete(e.pending, b.Ordinal)
	case *entry.CertAborted:
		delete(e.pending, b.Ordinal)
	}
}

var errPlan = errors.New("the entries contradict the status tree")

// plan is what the entries of a request would change.
type plan struct {
	size    uint64
	pending map[uint64]bool // overrides Engine.pending
	state   map[uint64]status.State
}

// planStatus walks through several entries without changing the tree.
func (e *Engine) planStatus(fresh []parsed) error {
	p := plan{size: e.status.Size(), pending: map[uint64]bool{}, state: map[uint64]status.State{}}
	for i := range fresh {
		if !p.step(e, fresh[i].entry) {
			return errPlan
		}
	}
	return nil
}

func (p *plan) step(e *Engine, en entry.Entry) bool {
	switch b := en.Body.(type) {
	case *entry.CertIntent:
		if b.Ordinal != p.size || p.size >= status.MaxSize {
			return false
		}
		p.size++
		p.pending[b.Ordinal] = true
	case *entry.CertIssued:
		if !p.isPending(e, b.Ordinal) {
			return false
		}
		p.pending[b.Ordinal] = false
		p.state[b.Ordinal] = status.Valid
	case *entry.CertAborted:
		if !p.isPending(e, b.Ordinal) {
			return false
		}
		p.pending[b.Ordinal] = false
	case *entry.Revocation:
		s, ok := p.state[b.Ordinal]
		if !ok {
			s = e.status.State(b.Ordinal)
		}
		if s != status.Valid && s != status.Held {
			return false
		}
		p.state[b.Ordinal] = status.Revoked
	}
	return true
}

func (p *plan) isPending(e *Engine, ordinal uint64) bool {
	if is, ok := p.pending[ordinal]; ok {
		return is
	}
	_, ok := e.pending[ordinal]
	return ok
}
