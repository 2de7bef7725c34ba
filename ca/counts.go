package ca

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/counts"
)

// LinkKeys are the keys that sign the daily counts: this end's own, and the
// register's end's public one.
type LinkKeys struct {
	Own  *rsa.PrivateKey
	Peer *rsa.PublicKey
}

// ExchangeCounts makes the authority counter-sign the daily counts with these
// keys; before, it answers ErrCountsOff.
func (a *Authority) ExchangeCounts(k LinkKeys) error {
	if err := k.check(); err != nil {
		return err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	a.linkKeys = &k
	return nil
}

func (k LinkKeys) check() error {
	if k.Own == nil {
		return errors.New("needs its own key for the daily counts")
	}
	return errors.Join(counts.CheckKey(&k.Own.PublicKey), counts.CheckKey(k.Peer))
}

// Errors about the daily counts.
var (
	ErrCounts = say.New("counts.refused", "件数の確認書が正しくありません。", "The statement of counts is not valid.").
			Hint("登録側がログに記録したものを、そのまま送ってください。", "Send exactly what the register's end has logged.")
	ErrCountsDiffer = say.New("counts.differ", "両側の件数が一致しません。", "The two ends' counts differ.").
			Hint("両側の数をログに残しました。食い違いの理由を調べてください。", "Both numbers are in the log. Find out why they differ.")
	ErrCountsOff = say.New("counts.off", "この連携では、件数の確認書を交わしていません。", "This link exchanges no statements of counts.")
)

// eventCounts counts statements that were refused.
const eventCounts = "counts.refused"

// ReceiveCounts takes in the register's end's statement of the daily counts:
// the very bytes of its counts.sent entry. It counts for itself, logs its own
// numbers with both signatures (counts.received) and returns that entry. Where
// the numbers differ it returns ErrCountsDiffer beside the entry, and both stay
// in the log for the council. The same statement again gets the same answer.
func (a *Authority) ReceiveCounts(ctx context.Context, raw []byte, from Arrival) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	if a.linkKeys == nil {
		return nil, ErrCountsOff
	}
	sent, err := a.statement(ctx, raw, from)
	if err != nil {
		if errors.Is(err, ErrCounts) {
			a.tally.add(a.cfg.Now(), eventCounts)
		}
		return nil, err
	}
	body := &entry.CountsReceived{}
	_, answer, err := a.cfg.Log.Lookup(ctx, entry.ByCACounts, sent.Number)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		if answer, err = a.counterSign(ctx, sent, body); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("couldn't look the statement up: %w", err)
	default:
		e, err := entry.Parse(answer)
		if err != nil {
			return nil, err
		}
		body, _ = e.Body.(*entry.CountsReceived)
	}
	if body == nil || body.Counts != sent.Counts {
		return answer, ErrCountsDiffer
	}
	return answer, nil
}

// statement checks that raw is the register's own entry, as logged and signed,
// and nothing else. Since it equals an entry of the log, it can't carry more.
func (a *Authority) statement(ctx context.Context, raw []byte, from Arrival) (*entry.CountsSent, error) {
	e, err := entry.Parse(raw)
	if err != nil || from.Sender != entry.ByRegisterCounts || !from.Metadata.Clean(policy.PathCounts, len(raw)) {
		return nil, ErrCounts
	}
	sent, ok := e.Body.(*entry.CountsSent)
	if !ok || e.By != entry.ByRegisterCounts || e.Seq != sent.Number {
		return nil, ErrCounts
	}
	if counts.Verify(a.linkKeys.Peer, sent.Counts, sent.Signature) != nil {
		return nil, ErrCounts
	}
	_, logged, err := a.cfg.Log.Lookup(ctx, entry.ByRegisterCounts, e.Seq)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, ErrCounts
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't look the statement up: %w", err)
	}
	if !bytes.Equal(logged, raw) {
		return nil, ErrCounts
	}
	return sent, nil
}

// counterSign counts, signs and logs under the statement's number.
func (a *Authority) counterSign(ctx context.Context, sent *entry.CountsSent, body *entry.CountsReceived) ([]byte, error) {
	own, err := a.counted(ctx, sent.Counts)
	if err != nil {
		return nil, err
	}
	body.Counts, body.Sender = own, sent.Signature
	if body.Signature, err = counts.Sign(a.linkKeys.Own, own); err != nil {
		return nil, err
	}
	b, err := entry.Entry{At: entry.At(a.cfg.Now()), By: entry.ByCACounts, Seq: sent.Number, Body: body}.Marshal()
	if err != nil {
		return nil, err
	}
	if _, err := a.cfg.Log.Append(ctx, b); err != nil {
		return nil, fmt.Errorf("couldn't log the counter-signature: %w", err)
	}
	return b, nil
}

// counted is this end's own count as far as the statement goes, beginning from
// its own statement before.
func (a *Authority) counted(ctx context.Context, s entry.Counts) (entry.Counts, error) {
	own := entry.Counts{Day: s.Day, Number: s.Number}
	if s.Number > 0 {
		e, err := a.logged(ctx, entry.ByCACounts, s.Number-1)
		if err != nil {
			return own, err
		}
		last, ok := (*entry.CountsReceived)(nil), false
		if e != nil {
			last, ok = e.Body.(*entry.CountsReceived)
		}
		if !ok {
			return own, ErrCounts // the one before has no counter-signature yet
		}
		own = last.Counts
		own.Day, own.Number = s.Day, s.Number
	}
	for ; own.Notices < min(s.Notices, a.nextNotice); own.Notices++ {
		row, err := a.reg.GetNotice(own.Notices)
		if err != nil {
			return own, missing(err)
		}
		if row.State == registry.NoticeDone {
			own.Received++
		} else {
			own.Refused++
		}
	}
	for ; own.Lists < s.Lists; own.Lists++ {
		list, err := a.reg.GetList(own.Lists)
		if errors.Is(err, registry.ErrNotFound) || err == nil && list.State == registry.ListPending {
			return own, nil
		}
		if err != nil {
			return own, err
		}
		b, err := a.cfg.Reader.Entry(ctx, list.Logged)
		if err != nil {
			return own, err
		}
		e, err := entry.Parse(b)
		if err != nil {
			return own, err
		}
		if h, ok := e.Body.(*entry.HoldersSent); ok {
			own.New, own.Gone = own.New+h.New, own.Gone+h.Gone
		}
	}
	return own, nil
}
