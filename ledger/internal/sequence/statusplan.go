package sequence

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// applyStatus brings the new entries of one request into the status tree, all
// or none: what the tree would refuse is refused before anything changes.
func (l *Log) applyStatus(fresh []Entry) error {
	if len(fresh) > 1 {
		if err := l.planStatus(fresh); err != nil {
			return err
		}
	}
	for i := range fresh {
		if err := l.status.Apply(fresh[i].Parsed); err != nil {
			if i > 0 {
				return l.fail(err) // the plan was wrong and half is applied
			}
			return err
		}
		l.track(fresh[i].Parsed)
	}
	return nil
}

// track keeps the set of pending ordinals, which planStatus needs.
func (l *Log) track(en entry.Entry) {
	switch b := en.Body.(type) {
	case *entry.CertIntent:
		l.pending[b.Ordinal] = struct{}{}
	case *entry.CertIssued:
		delete(l.pending, b.Ordinal)
	case *entry.CertAborted:
		delete(l.pending, b.Ordinal)
	}
}

var errPlan = errors.New("the entries contradict the status tree")

// plan is what the entries of a request would change.
type plan struct {
	size    uint64
	pending map[uint64]bool // overrides Log.pending
	state   map[uint64]status.State
}

// planStatus walks through several entries without changing the tree.
func (l *Log) planStatus(fresh []Entry) error {
	p := plan{size: l.status.Size(), pending: map[uint64]bool{}, state: map[uint64]status.State{}}
	for i := range fresh {
		if !p.step(l, fresh[i].Parsed) {
			return errPlan
		}
	}
	return nil
}

func (p *plan) step(l *Log, en entry.Entry) bool {
	switch b := en.Body.(type) {
	case *entry.CertIntent:
		if b.Ordinal != p.size || p.size >= status.MaxSize {
			return false
		}
		p.size++
		p.pending[b.Ordinal] = true
	case *entry.CertIssued:
		if !p.isPending(l, b.Ordinal) {
			return false
		}
		p.pending[b.Ordinal] = false
		p.state[b.Ordinal] = status.Valid
	case *entry.CertAborted:
		if !p.isPending(l, b.Ordinal) {
			return false
		}
		p.pending[b.Ordinal] = false
	case *entry.Revocation:
		s, ok := p.state[b.Ordinal]
		if !ok {
			s = l.status.State(b.Ordinal)
		}
		if s != status.Valid && s != status.Held {
			return false
		}
		p.state[b.Ordinal] = status.Revoked
	}
	return true
}

func (p *plan) isPending(l *Log, ordinal uint64) bool {
	if is, ok := p.pending[ordinal]; ok {
		return is
	}
	_, ok := l.pending[ordinal]
	return ok
}

// StatusPart reads what the status tree needs of a stored entry: its kind and
// ordinal. The entry was parsed whole before it was stored; parsing all of them
// again at every start would take 30 times as long. No string of an entry holds
// a quote, so the marks can't occur elsewhere. Body is nil for kinds without a
// status.
func StatusPart(b []byte) (entry.Entry, error) {
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
