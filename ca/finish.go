package ca

import (
	"context"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Announced groups are signed, a few of them side by side; each is one write of
// the signing journal, and all share the sessions of the token. Two loops take
// what is signed to its end, many at a time: storing makes certificates durable,
// in one write for all that wait; closing logs their cert.issued, in one append,
// and only then are they given out (IN-01). While one group is logged, the next
// is stored, and waits for it: so that one grows that is signed meanwhile, and
// writes are few.

// signers is how many groups are signed at a time: while the journal writes for
// one, the token works for another.
const signers = 4

// maxEnding bounds how many certificates are stored or logged at a time.
const maxEnding = 256

// more returns j with what waits behind it.
func more(j *job, from <-chan *job) []*job {
	group := []*job{j}
	for len(group) < maxEnding {
		select {
		case j, ok := <-from:
			if !ok {
				return group
			}
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

func (a *Authority) signing(ctx context.Context) {
	for group := range a.announced {
		uses := make([]keystore.ToSign, len(group))
		for i, j := range group {
			j.rec.IntentIndex = j.intent.Index
			uses[i] = keystore.ToSign{TBS: j.rec.TBS, Entry: j.intent.Bytes, Receipt: j.intent.Receipt}
		}
		a.cfg.Key.SignAll(ctx, uses, func(i int, sig []byte, err error) {
			j := group[i]
			if err == nil {
				j.der, err = a.assemble(j.rec.TBS, sig)
			}
			if err != nil {
				a.land(j, nil, a.abort(ctx, j.rec, entry.AbortSign, err))
				return
			}
			a.signed <- j
		})
	}
}

func (a *Authority) storing() {
	defer close(a.stored)
	for j := range a.signed {
		group := more(j, a.signed)
		if err := a.store(group...); err != nil {
			a.unsure.Store(true)
			for _, j := range group {
				a.land(j, nil, ErrUncertain.Because(err))
			}
			continue
		}
		a.stored <- group
	}
}

func (a *Authority) closing(ctx context.Context) {
	defer close(a.closed)
	for group := range a.stored {
		out, err := a.complete(ctx, group...)
		for i, j := range group {
			if err != nil {
				a.land(j, nil, err)
			} else {
				a.land(j, out[i], nil)
			}
		}
	}
}

func ordinals(group []*job) []uint64 {
	out := make([]uint64, len(group))
	for i, j := range group {
		out[i] = j.rec.Ordinal
	}
	return out
}

// store makes certificates durable before the log says that they exist.
func (a *Authority) store(group ...*job) error {
	return a.reg.ChangeAll(registry.Synced, ordinals(group), func(i int, r *registry.Record) error {
		r.State, r.DER, r.TBS, r.IntentIndex = registry.Signed, group[i].der, nil, group[i].rec.IntentIndex
		return nil
	})
}

// complete logs cert.issued.
func (a *Authority) complete(ctx context.Context, group ...*job) ([]*Certificate, error) {
	bodies := make([]entry.Body, len(group))
	for i, j := range group {
		bodies[i] = &entry.CertIssued{Ordinal: j.rec.Ordinal, Certificate: entry.Sum(j.der)}
	}
	logged, err := a.own.AppendAll(ctx, bodies...)
	if err != nil {
		a.unsure.Store(true)
		return nil, ErrUncertain.Because(err)
	}
	defer a.news()
	out := make([]*Certificate, len(group))
	err = a.reg.ChangeAll(registry.Relaxed, ordinals(group), func(i int, r *registry.Record) error {
		r.State, r.IssuedIndex = registry.Issued, logged[i].Index
		out[i] = certificate(r)
		return nil
	})
	if err != nil {
		a.unsure.Store(true)
		return nil, ErrUncertain.Because(err)
	}
	return out, nil
}
