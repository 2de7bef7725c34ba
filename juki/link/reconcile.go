package link

import (
	"context"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// sync compares the outbox with the ledger before new numbers are given: after
// a start, and after every append whose result is in doubt. Each notice that
// the ledger has is marked logged; whatever can't be explained stops the link.
func (s *Server) sync(ctx context.Context) error {
	if s.synced {
		return nil
	}
	next, err := s.c.Engine.NextSeq()
	if err != nil {
		return err
	}
	has, err := s.c.Log.NextSeq(ctx, entry.ByNoticeSender)
	if err != nil {
		return errLedger(err)
	}
	if err := s.checkLast(ctx, next, has); err != nil {
		return err
	}
	for seq := next; seq < has; seq++ {
		if err := s.explain(ctx, seq); err != nil {
			return err
		}
	}
	s.synced = true
	return nil
}

// checkLast makes sure that the ledger still has the newest notice that it
// gave a receipt for, at the same place.
func (s *Server) checkLast(ctx context.Context, next, has uint64) error {
	if next == 0 {
		return nil
	}
	i, err := s.c.Engine.BySeq(next - 1)
	if err != nil {
		return err
	}
	old := say.New(CodeLedgerOld, "ログに、すでに記録したはずの通知がありません。",
		"The ledger lacks a notice that it gave a receipt for.").
		Hint("ログが古いバックアップから戻されていないか、運用者と審議会に知らせてください。",
			"Tell the ledger's operator and the council: it may have been restored from an old backup.")
	if has < next {
		return old
	}
	index, _, err := s.c.Log.Lookup(ctx, entry.ByNoticeSender, next-1)
	if err != nil {
		return errLedger(err)
	}
	if i.Index == nil || index != *i.Index {
		return old
	}
	return nil
}

// explain finds out which due notice the ledger's entry with this sequence is.
func (s *Server) explain(ctx context.Context, seq uint64) error {
	index, b, err := s.c.Log.Lookup(ctx, entry.ByNoticeSender, seq)
	if err != nil {
		return errLedger(err)
	}
	e, err := entry.Parse(b)
	if err != nil {
		return unexplained(seq)
	}
	body, ok := e.Body.(*entry.NoticeSent)
	if !ok || body.Notice != seq {
		return unexplained(seq)
	}
	due, err := s.c.Engine.ToLog(batch)
	if err != nil {
		return err
	}
	for _, i := range due {
		if i.State != match.Prepared || *i.Seq != seq {
			continue
		}
		h, err := i.HolderCopy()
		if err != nil {
			return err
		}
		if same(body, h, i.Bytes) {
			return s.c.Engine.Log(map[uint64]uint64{i.ID: index})
		}
	}
	return s.rebuild(body, index)
}

// rebuild makes a notice again that the ledger has and the outbox lost: its
// holder is the one whose commitment the entry holds, and its bytes follow
// from the sequence and what was certified.
func (s *Server) rebuild(body *entry.NoticeSent, index uint64) error {
	var found *holders.Holder
	err := s.c.Engine.Holders(func(h holders.Holder) error {
		d, err := h.Key.Holder(body.Notice, h.Ordinal)
		if err != nil {
			return err
		}
		if d == body.Holder {
			found = &h
			return kv.ErrStop
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found == nil {
		return unexplained(body.Notice)
	}
	b, err := compose(body.Mode, body.Notice, *found)
	if err != nil || !same(body, *found, b) {
		return unexplained(body.Notice)
	}
	return s.c.Engine.Adopt(*found, body.Notice, index, b)
}

// same reports whether the entry is the one of these bytes for this holder.
func same(body *entry.NoticeSent, h holders.Holder, b []byte) bool {
	digest, err := h.Key.Notice(body.Notice, b)
	if err != nil || digest != body.Digest {
		return false
	}
	holder, err := h.Key.Holder(body.Notice, h.Ordinal)
	return err == nil && holder == body.Holder
}

func unexplained(seq uint64) error {
	return say.New(CodeUnexplained, fmt.Sprintf("ログの通知 %d 番に当たる電子証明書がありません。", seq),
		fmt.Sprintf("No certificate explains the ledger's notice %d.", seq)).
		Hint("この接続は止まっています。誰がその通知を記録したか、運用者が調べてください。",
			"The link has stopped. The operator must find out who logged that notice.")
}
