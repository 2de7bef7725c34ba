package ca

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// ErrRetention says that a record may not be erased yet.
var ErrRetention = say.New("ca.retention", "保存期間がまだ終わっていません。", "The retention period is not over yet.").
	Hint("発行記録は有効期間の満了の翌日から10年間保存します。", "Issuance records are kept for 10 years after the day following the end of validity.")

// RetentionYears is how long an issuance record is kept after the day
// following the end of validity (Cabinet Order 408 of 2003, DOMAIN 8.2).
const RetentionYears = 10

// RetentionOver is the first moment at which an issuance record may be erased,
// given the last second of its certificate's validity. Ten years run from the
// day after the end of validity in Japan; where the last month has no such day,
// they end with the month (Civil Code, article 143). The day on which they have
// run out is kept whole.
//
// A revocation's record is due until the end of validity only. What the
// registry keeps of it after that is in the log as well and names nobody:
// serial, class of ground, day of recording.
func RetentionOver(notAfter time.Time) time.Time {
	y, m, d := notAfter.In(jtext.JST()).Date()
	y, m, d = time.Date(y, m, d+1, 0, 0, 0, 0, jtext.JST()).Date()
	last := time.Date(y+RetentionYears, m+1, 0, 0, 0, 0, 0, jtext.JST()).Day()
	return time.Date(y+RetentionYears, m, min(d, last)+1, 0, 0, 0, 0, jtext.JST())
}

// Erase destroys record keys and whatever names the persons, after the ledger
// says so (erasure, P8). basis is entry.BasisRetentionEnd, which needs the
// retention to be over, or entry.BasisLawfulRequest, which needs the
// certificates to be out of force. Every proof and audit still holds. When it
// returns, the keys that opened these rows are destroyed: old files of the
// store and its backups don't tell either who it was. The register side's copy
// goes with the holder list; whoever was shown an opening keeps that one value.
func (a *Authority) Erase(ctx context.Context, basis string, ordinals ...uint64) error {
	return a.EraseFor(ctx, nothingBefore, basis, ordinals...)
}

// nothingBefore is the act of who asks once.
var nothingBefore = Act{Seq: math.MaxUint64 - 1}

// EraseFor is Erase for an approved act.
func (a *Authority) EraseFor(ctx context.Context, act Act, basis string, ordinals ...uint64) error {
	ctx = context.WithoutCancel(ctx)
	if err := a.erase(ctx, act, basis, ordinals); err != nil {
		return err
	}
	if err := a.reg.Shred(ctx); err != nil {
		a.shredSoon()
		return fmt.Errorf("erased, but the keys are not destroyed yet: %w", err)
	}
	return a.reg.Scrub()
}

func (a *Authority) erase(ctx context.Context, act Act, basis string, ordinals []uint64) error {
	if basis != entry.BasisRetentionEnd && basis != entry.BasisLawfulRequest {
		return errors.New("records are erased at the end of retention or on a lawful request only")
	}
	if err := a.settle(ctx); err != nil {
		return err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	defer a.tracker.begin()()
	now := a.cfg.Now()
	for _, o := range ordinals {
		rec, err := a.reg.Get(o)
		if err != nil {
			return err
		}
		over := !now.Before(RetentionOver(rec.NotAfter))
		outOfForce := rec.State == registry.Revoked || rec.State == registry.Issued && now.After(rec.NotAfter)
		if basis == entry.BasisRetentionEnd && !over || !outOfForce {
			return ErrRetention
		}
	}
	body := &entry.Erasure{Basis: basis, Ordinals: slices.Sorted(slices.Values(ordinals))}
	if _, _, err := a.once(ctx, act.Seq+1, body, sameBody(body)); err != nil {
		return a.uncertain(err)
	}
	if err := a.eraseRecords(body.Ordinals); err != nil {
		return a.uncertain(err)
	}
	return nil
}

// eraseRecords is idempotent; it also runs when a crash came between the log
// and the registry.
func (a *Authority) eraseRecords(ordinals []uint64) error {
	for _, o := range ordinals {
		err := a.reg.Change(o, registry.Synced, func(r *registry.Record) error {
			if !r.Erased {
				r.Erase()
			}
			return nil
		})
		if err != nil {
			return missing(err)
		}
	}
	return nil
}

// shredSoon has the keys of what was erased, aborted or delivered destroyed in
// the background.
func (a *Authority) shredSoon() {
	select {
	case a.doom <- struct{}{}:
	default:
	}
}

// shredding destroys keys when asked; a new start finds what an earlier run
// left.
func (a *Authority) shredding(ctx context.Context) {
	defer a.loop.Done()
	for {
		select {
		case <-a.doom:
		case <-a.quit:
			return
		}
		if err := a.reg.Shred(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("keys of erased records are not destroyed yet", "error", err.Error())
		}
	}
}

// Opening is one record's disclosure: the asked values with their salts, the
// commitments of the rest (commitment.Verify holds it against cert.intent).
type Opening struct {
	Ordinal uint64
	Slots   []commitment.Opening
}

// Disclose opens the asked fields (attr.Field…) of records, by ordinal, for the
// council's sample or for the person concerned, after the ledger says so
// (DESIGN 4). What it hands out opens nothing else, so that erasure also binds
// whoever keeps it. Erased records can't be opened.
func (a *Authority) Disclose(ctx context.Context, basis string, fields []string, ordinals ...uint64) ([]Opening, error) {
	return a.DiscloseFor(ctx, nothingBefore, basis, fields, ordinals...)
}

// DiscloseFor is Disclose for an approved act: it is on record once, and who
// asks again for it sees the same.
func (a *Authority) DiscloseFor(ctx context.Context, act Act, basis string, fields []string, ordinals ...uint64) ([]Opening, error) {
	ordinals = slices.Sorted(slices.Values(ordinals))
	out := make([]Opening, len(ordinals))
	err := a.disclose(ctx, act, basis, ordinals, func(i int, rec *registry.Record) (err error) {
		out[i].Ordinal = rec.Ordinal
		out[i].Slots, err = rec.Key.Disclose(rec.Certified.Slots(), fields...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// NoticeOpening tells whose certificate one notice was about: Salt opens the
// holder commitment of its notice.sent entry and nothing else.
type NoticeOpening struct {
	Notice  uint64
	Ordinal uint64
	Salt    []byte
}

// DiscloseNotices opens notices that were received, by sequence number, as
// Disclose opens records.
func (a *Authority) DiscloseNotices(ctx context.Context, basis string, notices ...uint64) ([]NoticeOpening, error) {
	of := map[uint64][]uint64{} // notices by ordinal
	for _, seq := range notices {
		n, err := a.reg.GetNotice(seq)
		if err != nil {
			return nil, notFound(err)
		}
		if n.State != registry.NoticeDone {
			return nil, ErrNotFound
		}
		of[n.Ordinal] = append(of[n.Ordinal], seq)
	}
	var out []NoticeOpening
	err := a.disclose(ctx, nothingBefore, basis, slices.Sorted(maps.Keys(of)), func(_ int, rec *registry.Record) error {
		for _, seq := range of[rec.Ordinal] {
			salt, err := rec.Key.HolderSalt(seq)
			if err != nil {
				return err
			}
			out = append(out, NoticeOpening{Notice: seq, Ordinal: rec.Ordinal, Salt: salt})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// disclose lets open see each record, then logs the disclosure; only then may
// what was opened leave.
func (a *Authority) disclose(ctx context.Context, act Act, basis string, ordinals []uint64, open func(int, *registry.Record) error) error {
	ctx = context.WithoutCancel(ctx)
	if basis != entry.BasisCouncilSample && basis != entry.BasisOwnRequest {
		return errors.New("records are disclosed for the council's sample or to the person concerned only")
	}
	for i, o := range ordinals {
		rec, err := a.reg.Get(o)
		if err != nil {
			return notFound(err)
		}
		if rec.Key.IsZero() || rec.State != registry.Issued && rec.State != registry.Revoked {
			return ErrNotFound
		}
		if err := open(i, rec); err != nil {
			return err
		}
	}
	body := &entry.Disclosure{Basis: basis, Ordinals: ordinals}
	if _, _, err := a.once(ctx, act.Seq+1, body, sameBody(body)); err != nil {
		return a.uncertain(err)
	}
	return nil
}
