package audit

import (
	"context"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

// finish makes the checks that need the whole log.
func (a *auditor) finish(ctx context.Context, cp *proof.Checkpoint) error {
	if err := a.finishLog(ctx, cp); err != nil {
		return err
	}
	a.finishEarlier()
	a.finishIssuers()
	a.finishHolders()
	a.finishNotices()
	a.finishCounts()
	a.finishTests()
	a.finishCerts()
	a.finishLeaks()
	a.finishRequests()
	a.finishLists()
	a.finishFiles()
	if err := a.finishCRLs(); err != nil {
		return err
	}
	if err := a.finishOCSP(); err != nil {
		return err
	}
	a.finishJournal()
	a.finishReports()
	return a.replayAll(ctx)
}

// result puts everything together.
func (a *auditor) result(cp *proof.Checkpoint) *Result {
	r := a.figures
	r.Origin, r.Size, r.Checkpoint, r.Now = cp.Origin, a.size, cp, a.o.Now.UTC()
	r.From, r.To, r.Kinds = a.first, a.newest, a.kinds
	for _, p := range a.policies {
		r.Policies = append(r.Policies, PolicyFigure{Index: p.index, At: p.at, Bundle: p.bundle, Approvals: p.approvals, Decisions: p.used, Proof: p.proof, Proved: p.proved})
	}
	r.Times = TimeFigures{
		Answer: spread(a.times.answer), Record: spread(a.times.record), Publish: spread(a.times.publish),
		List: spread(a.times.list), WholePath: spread(a.times.whole),
	}
	r.Checks, r.Limits = a.checks(), a.o
	return &r
}
