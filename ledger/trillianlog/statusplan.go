package trillianlog

import (
	"bytes"
	"errors"
	"strconv"

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

// statusPart reads what the status tree needs of a stored entry: its kind and
// ordinal. The entry was parsed whole before it was stored; parsing all of them
// again at every start would take 30 times as long. No string of an entry holds
// a quote, so the marks can't occur elsewhere. Body is nil for kinds without a
// status.
func statusPart(b []byte) (entry.Entry, error) {
	i := bytes.LastIndex(b, []byte(`,"kind":"`))
	if i < 0 {
		return entry.Entry{}, errors.New("stored entry has no kind")
	}
	kind, _, _ := bytes.Cut(b[i+len(`,"kind":"`):], []byte(`"`))
	switch k := entry.Kind(kind); k {
	case entry.KindCertIntent, entry.KindCertIssued, entry.KindCertAborted, entry.KindRevocation:
		n, ok := ordinalOf(b)
		if !ok {
			return entry.Entry{}, errors.New("stored entry has no ordinal")
		}
		return entry.Entry{Body: statusBody(k, n)}, nil
	}
	return entry.Entry{}, nil
}

func statusBody(k entry.Kind, ordinal uint64) entry.Body {
	switch k {
	case entry.KindCertIntent:
		return &entry.CertIntent{Ordinal: ordinal}
	case entry.KindCertIssued:
		return &entry.CertIssued{Ordinal: ordinal}
	case entry.KindCertAborted:
		return &entry.CertAborted{Ordinal: ordinal}
	}
	return &entry.Revocation{Ordinal: ordinal}
}

func ordinalOf(b []byte) (uint64, bool) {
	_, rest, ok := bytes.Cut(b, []byte(`"ordinal":`))
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(rest[:n]), 10, 64)
	return v, ok && err == nil
}
