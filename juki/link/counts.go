package link

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/counts"
)

// Keys sign the daily counts: this end's own, and the CA's end's public one.
type Keys struct {
	Own  *rsa.PrivateKey
	Peer *rsa.PublicKey
}

func (k *Keys) check() error {
	if k == nil {
		return nil
	}
	if k.Own == nil {
		return errors.New("the link server needs its own key for the daily counts")
	}
	return errors.Join(counts.CheckKey(&k.Own.PublicKey), counts.CheckKey(k.Peer))
}

var errDiffer = say.New(CodeDiffer, "認証局側の件数が、こちらの件数と一致しません。", "The CA side's counts differ from this side's.").
	Hint("両側の数をログに残しました。食い違いの理由を調べてください。", "Both numbers are in the log. Find out why they differ.")

// CloseDay states what has crossed until the end of a day in Japan
// ("2026-11-23") and returns the statement once the CA side has counter-signed
// it. The statement is in the ledger before it leaves, and what leaves is that
// entry's bytes, nothing else. It covers every notice that is answered and
// every list that is in force; the rest is counted the next day.
//
// Calling it again for the same day, after whatever happened, goes on where it
// stopped and gives the same statement. A day is closed once. Where the two
// ends count differently the error has CodeDiffer, and both numbers are in the
// ledger.
func (s *Server) CloseDay(ctx context.Context, day string) (entry.Counts, error) {
	if s.c.Keys == nil {
		return entry.Counts{}, say.New(CodeOff, "この連携では、件数の確認書を交わしていません。", "This link exchanges no statements of counts.")
	}
	s.send.Lock()
	defer s.send.Unlock()
	last, b, err := s.lastCounts(ctx)
	if err != nil {
		return entry.Counts{}, err
	}
	if last != nil {
		// A statement without an answer goes again first, whatever its day.
		if err := s.exchange(ctx, last, b); err != nil || last.Day >= day {
			return last.Counts, err
		}
	}
	sent, b, err := s.newCounts(ctx, day, last)
	if err != nil {
		return entry.Counts{}, err
	}
	return sent.Counts, s.exchange(ctx, sent, b)
}

// lastCounts is the newest statement in the ledger, nil before the first.
func (s *Server) lastCounts(ctx context.Context) (*entry.CountsSent, []byte, error) {
	next, err := s.c.Log.NextSeq(ctx, entry.ByRegisterCounts)
	if err != nil {
		return nil, nil, errLedger(err)
	}
	if next == 0 {
		return nil, nil, nil
	}
	_, b, err := s.c.Log.Lookup(ctx, entry.ByRegisterCounts, next-1)
	if err != nil {
		return nil, nil, errLedger(err)
	}
	e, err := entry.Parse(b)
	if err != nil {
		return nil, nil, err
	}
	sent, ok := e.Body.(*entry.CountsSent)
	if !ok {
		return nil, nil, errors.New("the ledger's newest statement of counts is none")
	}
	return sent, b, nil
}

// newCounts counts, signs and logs a new statement.
func (s *Server) newCounts(ctx context.Context, day string, last *entry.CountsSent) (*entry.CountsSent, []byte, error) {
	c := entry.Counts{Day: day}
	if last != nil {
		c = last.Counts
		c.Day, c.Number = day, last.Number+1
	}
	if err := s.count(&c); err != nil {
		return nil, nil, err
	}
	sig, err := counts.Sign(s.c.Keys.Own, c)
	if err != nil {
		return nil, nil, err
	}
	sent := &entry.CountsSent{Counts: c, Signature: sig}
	b, err := entry.Entry{At: entry.At(s.c.Now()), By: entry.ByRegisterCounts, Seq: c.Number, Body: sent}.Marshal()
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.c.Log.Append(ctx, b); err != nil {
		return nil, nil, errLedger(err)
	}
	return sent, b, nil
}

// count goes on from c to everything that is settled now.
func (s *Server) count(c *entry.Counts) error {
	next, err := s.c.Engine.NextSeq()
	if err != nil {
		return err
	}
	done := *c
	for c.Notices < next {
		i, err := s.c.Engine.BySeq(c.Notices)
		if err != nil {
			return err
		}
		if i.State != match.Delivered && i.State != match.Rejected {
			break
		}
		c.Notices++
		if i.State == match.Delivered {
			c.Received++
			done = *c
		} else {
			c.Refused++
		}
	}
	// A refusal counts when a later notice was taken: only then is it certain
	// that it has used up its number at the CA side.
	*c = done
	lists, err := s.c.Engine.Lists()
	if err != nil {
		return err
	}
	for ; c.Lists < uint64(len(lists)); c.Lists++ {
		c.New += lists[c.Lists].New
		c.Gone += lists[c.Lists].Gone
	}
	return nil
}

// exchange sends the statement's entry and checks the counter-signed entry
// that the ledger holds after that: it is about these numbers and signed.
func (s *Server) exchange(ctx context.Context, sent *entry.CountsSent, b []byte) error {
	_, answer, err := s.c.Log.Lookup(ctx, entry.ByCACounts, sent.Number)
	if errors.Is(err, ledger.ErrNotFound) {
		if err := s.postCounts(ctx, b); err != nil {
			return err
		}
		if _, answer, err = s.c.Log.Lookup(ctx, entry.ByCACounts, sent.Number); errors.Is(err, ledger.ErrNotFound) {
			return errDiffer.Because(errors.New("the CA side says that it counter-signed, and the ledger has no such entry"))
		}
	}
	if err != nil {
		return errLedger(err)
	}
	e, err := entry.Parse(answer)
	if err != nil {
		return errDiffer.Because(err)
	}
	got, ok := e.Body.(*entry.CountsReceived)
	if !ok || got.Counts != sent.Counts || got.Sender != sent.Signature {
		return errDiffer
	}
	if err := counts.Verify(s.c.Keys.Peer, got.Counts, got.Signature); err != nil {
		return errDiffer.Because(err)
	}
	return nil
}

func (s *Server) postCounts(ctx context.Context, b []byte) error {
	a, err := policy.Ask(ctx, s.c.Client, s.base, policy.PathCounts, b)
	switch {
	case err != nil:
		return errAnswer(err)
	case a.Status == http.StatusConflict:
		return errDiffer.Because(a.Err())
	case a != policy.Taken:
		return errDown(a.Err())
	}
	return nil
}
