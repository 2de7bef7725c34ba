package link

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/policy"
)

// Sent says what one Flush did.
type Sent struct {
	Logged    int // notices that went into the ledger
	Stopped   int // refused by the sender's own policy; a person's case
	Withdrawn int // their holder was struck off before they were logged
	Delivered int // taken by the CA side
	Rejected  int // refused by the CA side; a person's case
}

// batch is how many notices are fixed, logged and marked together.
const batch = 256

// Flush matches what changed, logs every notice that is due and sends every
// logged one, in order, until there are none or something fails. When the ledger is down it still
// sends what is logged; when the link is down it still logs what is due, so
// that the ledger shows when a change was found. After an error the rest stays
// on disk for the next call; Wait says when.
func (s *Server) Flush(ctx context.Context) (Sent, error) {
	s.send.Lock()
	defer s.send.Unlock()
	var n Sent
	if _, err := s.c.Engine.Match(ctx); err != nil {
		s.result(err)
		return n, err
	}
	logErr := s.logAll(ctx, &n)
	if say.Code(logErr) == CodeLedgerOld || say.Code(logErr) == CodeUnexplained {
		s.result(logErr)
		return n, logErr // the ledger is not to be trusted: send nothing on its word
	}
	err := errors.Join(logErr, s.sendAll(ctx, &n))
	s.result(err)
	return n, err
}

func (s *Server) logAll(ctx context.Context, n *Sent) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.sync(ctx); err != nil {
			return err
		}
		due, err := s.c.Engine.ToLog(batch)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := s.logBatch(ctx, due, n); err != nil {
			s.synced = false // compare again before the next number is given
			return err
		}
	}
}

// logBatch decides about the notices, fixes those that may go with their
// sequence on disk, and logs them all or none.
func (s *Server) logBatch(ctx context.Context, due []match.Intent, n *Sent) error {
	seq, err := s.c.Engine.NextSeq()
	if err != nil {
		return err
	}
	if fixed := again(due, seq); fixed != nil {
		return s.append(ctx, fixed, n)
	}
	var fixed []match.Fixed
	for _, i := range due {
		f, err := s.fix(ctx, i, seq, n)
		if err != nil {
			return err
		}
		if f != nil {
			fixed = append(fixed, *f)
			seq++
		}
	}
	if len(fixed) == 0 {
		return nil
	}
	if err := s.c.Engine.Prepare(fixed...); err != nil {
		return err
	}
	return s.append(ctx, fixed, n)
}

// again returns the notices that were fixed for exactly these sequences before,
// or nil. Their append was in doubt, so the same entries go again, whatever
// has changed since: the ledger may have them any moment.
func again(due []match.Intent, seq uint64) []match.Fixed {
	var out []match.Fixed
	for _, i := range due {
		if i.State != match.Prepared || *i.Seq != seq {
			break
		}
		out = append(out, match.Fixed{ID: i.ID, Seq: seq, Bytes: i.Bytes, Entry: i.Entry})
		seq++
	}
	return out
}

func (s *Server) append(ctx context.Context, fixed []match.Fixed, n *Sent) error {
	entries := make([][]byte, len(fixed))
	for k, f := range fixed {
		entries[k] = f.Entry
	}
	receipts, err := s.c.Log.Append(ctx, entries...)
	if err == nil && len(receipts) != len(fixed) {
		err = fmt.Errorf("the ledger gave %d receipts for %d entries", len(receipts), len(fixed))
	}
	if err != nil {
		return errLedger(err)
	}
	at := map[uint64]uint64{}
	for k, r := range receipts {
		at[fixed[k].ID] = r.Index
	}
	n.Logged += len(fixed)
	return s.c.Engine.Log(at)
}

func (s *Server) sendAll(ctx context.Context, n *Sent) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		i, ok, err := s.c.Engine.NextToSend()
		if err != nil || !ok {
			return err
		}
		if err := s.sendOne(ctx, i, n); err != nil {
			return err
		}
	}
}

// stepCode is the rule code for a sequence that is not the next one.
const stepCode = "N203"

// sendOne posts one logged notice. Only receipt and a refusal by rule code
// settle it; after everything else it is sent again.
func (s *Server) sendOne(ctx context.Context, i match.Intent, n *Sent) error {
	a, err := policy.Ask(ctx, s.c.Client, s.base, policy.PathNotices, i.Bytes)
	switch {
	case err != nil:
		return errAnswer(err)
	case a == policy.Taken:
		n.Delivered++
		return s.c.Engine.Deliver(i.ID)
	case a.Status == http.StatusConflict && a.Code == stepCode:
		return s.outOfStep(*i.Seq, a.Err())
	case a.Status == http.StatusConflict:
		n.Rejected++
		s.c.Logger.Warn("the CA side refused a notice", "code", a.Code)
		return s.c.Engine.Reject(i.ID, a.Code)
	}
	return errDown(a.Err())
}

// errAnswer tells an answer in a form that is not allowed from no answer.
func errAnswer(err error) error {
	if errors.Is(err, policy.ErrAnswer) {
		return err
	}
	return errDown(err)
}

// outOfStep: the CA side expects another sequence. When the notice before was
// refused, the CA side did not count that refusal (it could not see the entry,
// say), so that notice goes again first.
func (s *Server) outOfStep(seq uint64, cause error) error {
	if seq > 0 {
		again, err := s.c.Engine.Reopen(seq - 1)
		if err != nil {
			return err
		}
		if again {
			return errDown(cause)
		}
	}
	return say.New(CodeStep, "認証局側が期待する通知番号と合いません。", "The CA side expects another notice sequence.").
		Hint("認証局側が古いバックアップから戻っていないか確かめてください。", "Check whether the CA side was restored from an old backup.").Because(cause)
}
