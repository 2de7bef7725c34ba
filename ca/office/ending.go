package office

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// ending is how a proposal ends, by whose word, and how far that has come:
//
//	stored            the entry may be in the log: p.from says where to look
//	At is set         it is
//	Outcome, Problem  what the approver is answered, now and again
//
// An answer that holds a person's attributes is not stored: it is made again.
type ending struct {
	Phase   string            `json:"phase"`
	By      Officer           `json:"by"`
	At      ca.Act            `json:"at"`
	Outcome *Outcome          `json:"outcome,omitempty"`
	Problem *problem.Document `json:"problem,omitempty"`
}

func (e *ending) valid() bool {
	return slices.Contains([]string{entry.PhaseApproved, entry.PhaseWithdrawn, entry.PhaseExpired}, e.Phase) && isName(e.By.Name) && !e.By.Certificate.IsZero()
}

// learn finds out whether an end was logged whose logging had no certain answer,
// because the answer got lost or the process died. mu is held.
func (o *office) learn(ctx context.Context, p *proposal) error {
	if p.end == nil || !p.waits() {
		return nil
	}
	logged, at, err := o.c.Authority.Ended(ctx, p.digest, p.from)
	switch {
	case err != nil:
		return errUncertain.Because(err)
	case logged == nil:
		p.end = nil
		return nil
	}
	i := slices.IndexFunc(p.tried, func(by Officer) bool { return by.Certificate == logged.Officer })
	if i < 0 {
		return errors.New("a proposal was ended by nobody who tried")
	}
	p.end = &ending{Phase: logged.Phase, By: p.tried[i], At: at} // an earlier word may have arrived late
	return nil
}

// finish logs how a proposal ends, once: the same word again finds it done, any
// other comes too late. mu is held.
func (o *office) finish(ctx context.Context, phase string, by Officer, p *proposal) error {
	if err := o.learn(ctx, p); err != nil {
		return err
	}
	if p.end != nil {
		if p.end.Phase == phase && p.end.By == by {
			return nil
		}
		return errGone
	}
	if p.from == 0 {
		from, err := o.c.Authority.NextEntry(ctx)
		if err != nil {
			return errUncertain.Because(err)
		}
		p.from = from
	}
	p.end = &ending{Phase: phase, By: by}
	if !slices.Contains(p.tried, by) {
		p.tried = append(p.tried, by)
	}
	if err := o.keep(p); err != nil { // nothing is logged
		p.end = nil
		return err
	}
	at, err := o.c.Authority.EndProposal(ctx, &entry.OperatorAct{Act: p.wish.Act, Officer: by.Certificate, Phase: phase, Proposal: p.digest}, p.from)
	if err != nil {
		return errUncertain.Because(err)
	}
	p.end.At = at
	return o.keep(p)
}

// sweep ends what nobody approved in time, and forgets ends a day later.
func (o *office) sweep(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.c.Now()
	var ended []*proposal
	for _, p := range o.all {
		if p.waits() && !now.Before(p.expires) {
			// Not logged now: the next caller tries again. It can't be approved any more.
			_ = o.finish(ctx, entry.PhaseExpired, p.by, p)
		}
		if !p.waits() {
			ended = append(ended, p)
		}
	}
	slices.SortFunc(ended, func(a, b *proposal) int { return a.expires.Compare(b.expires) })
	for i, p := range ended {
		over := p.end.Phase == entry.PhaseExpired || !now.Before(p.expires.Add(ProposalLife)) || len(ended)-i > MaxEnded
		if over && p.doing.TryLock() {
			if o.c.Proposals.DropProposal(p.id) == nil {
				delete(o.all, p.id)
			}
			p.doing.Unlock()
		}
	}
}

// waiting counts the proposals that wait. mu is held.
func (o *office) waiting() (n int) {
	for _, p := range o.all {
		if p.waits() {
			n++
		}
	}
	return n
}

// carryOut does an approved act, or answers what was answered before. What may
// yet succeed is not remembered: who asks again has it tried again.
func (o *office) carryOut(w http.ResponseWriter, r *http.Request, p *proposal) {
	p.doing.Lock() // one that is under way is waited for
	defer p.doing.Unlock()
	if p.end.Problem != nil {
		p.end.Problem.Write(w)
		return
	}
	out := p.end.Outcome
	if out == nil {
		var err error
		out, err = perform(r.Context(), o.c.Authority, p)
		if err != nil {
			if errors.Is(err, ca.ErrUncertain) {
				err = errUncertain.Because(err)
			}
			doc := problem.Of(statusOf(err), err)
			if doc.Status < http.StatusInternalServerError {
				o.remember(p, nil, &doc)
			}
			doc.Write(w)
			return
		}
		if len(out.Openings) == 0 {
			o.remember(p, out, nil)
		}
	}
	answer(w, http.StatusOK, out)
}

func statusOf(err error) int {
	if errors.Is(err, errUncertain) {
		return http.StatusServiceUnavailable
	}
	return ca.StatusOf(err)
}

// remember stores an answer. Without it the act is found done by what is in the
// log and the registry.
func (o *office) remember(p *proposal, out *Outcome, doc *problem.Document) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p.end.Outcome, p.end.Problem = out, doc
	if o.keep(p) != nil {
		p.end.Outcome, p.end.Problem = nil, nil
	}
}
