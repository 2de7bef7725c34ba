package ca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// Arrival is what the link server knows about how a notice came: who the
// channel says the sender is, and the request that carried it. The notice
// itself names nobody.
type Arrival struct {
	Sender   string // role identifier of the TLS identity; a notice comes from entry.ByNoticeSender
	Metadata policy.Metadata
}

// Outcome says what became of a notice.
type Outcome struct {
	Seq        uint64      // notice sequence
	Index      uint64      // of notice.received or notice.refused
	Repeated   bool        // the same notice had been taken in before
	Revocation *Revocation // nil when there was nothing left to revoke: the certificate is revoked or expired already
	Codes      []string    // rule codes of a refusal; empty when received
}

// ReceiveNotice takes in a change notice (M3) exactly as it arrived. The
// decision is logged before anything follows from it: notice.received and then
// the revocation on the ground of Article 12, or notice.refused and *Refused
// with the rule codes. A notice for a certificate that is revoked or expired
// is received and revokes nothing (IN-02).
//
// It is idempotent by notice sequence: the same bytes again are acknowledged
// again. A refusal uses up the sequence number only if the refused bytes are
// the very notice that the sender logged, or nobody can tell because the
// certificate is unknown or its record key erased; anything else (a broken or
// foreign message) leaves the number to the notice that it belongs to, so that
// no revocation gets lost.
func (a *Authority) ReceiveNotice(ctx context.Context, raw []byte, from Arrival) (*Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	defer a.moveCursors(ctx)
	defer a.tracker.begin()()
	n, form := notice.Examine(raw)
	wellFormed := form.Code() == ""
	// A copy gets its old answer only if it came as the first one must: what a
	// copy has beside its bytes goes before the rules, and on record.
	if wellFormed && n.Seq < a.nextNotice && from.Sender == entry.ByNoticeSender && from.Metadata.Clean(policy.PathNotices, len(raw)) {
		if out, err := a.repeated(raw, n.Seq); out != nil || err != nil {
			return out, err
		}
	}
	sent, err := a.sentEntry(ctx, n, wellFormed)
	if err != nil {
		return nil, err
	}
	rec, err := a.referred(raw, n, wellFormed, sent)
	if err != nil {
		return nil, err
	}
	check := policy.NoticeReceiveCheck{Bytes: raw, Mode: a.cfg.NoticeMode, Sender: from.Sender, Addressee: entry.ByCALink,
		NextSeq: a.nextNotice, Found: found(rec), Sent: sent, Metadata: from.Metadata}
	d := a.cfg.Decider.Decide(ctx, check.Facts())
	if !d.Allow {
		final := wellFormed && n.Seq == a.nextNotice && sent != nil && (rec == nil || rec.Key.IsZero() || announced(rec, raw, n.Seq, sent))
		return a.refuseNotice(ctx, raw, d, final, rec)
	}
	return a.acceptNotice(ctx, raw, n, rec, d)
}

// sentEntry is the sender's own entry of this sequence number, nil if there is
// none.
func (a *Authority) sentEntry(ctx context.Context, n notice.Notice, wellFormed bool) (*entry.NoticeSent, error) {
	if !wellFormed {
		return nil, nil
	}
	e, err := a.logged(ctx, entry.ByNoticeSender, n.Seq)
	if e == nil || err != nil {
		return nil, err
	}
	sent, _ := e.Body.(*entry.NoticeSent)
	return sent, nil
}

// referred is the record that a notice is about, nil if there is none. In echo
// mode several certificates may state the same four attributes (twins, or a
// renewed one): the sender's logged digest is under the record key of exactly
// one of them.
func (a *Authority) referred(raw []byte, n notice.Notice, wellFormed bool, sent *entry.NoticeSent) (*registry.Record, error) {
	if !wellFormed {
		return nil, nil
	}
	candidates := []uint64{n.Ordinal}
	if n.Mode == notice.Echo {
		var err error
		if candidates, err = a.reg.ByAttributes(*n.Echo); err != nil {
			return nil, err
		}
	}
	var first *registry.Record
	for _, o := range candidates {
		rec, err := a.reg.Get(o)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = rec
		}
		if announced(rec, raw, n.Seq, sent) {
			return rec, nil
		}
	}
	return first, nil
}

// announced reports whether the sender's entry is about exactly these bytes
// and this record.
func announced(rec *registry.Record, raw []byte, seq uint64, sent *entry.NoticeSent) bool {
	if sent == nil || rec.Key.IsZero() {
		return false
	}
	d, err := rec.Key.Notice(seq, raw)
	return err == nil && d == sent.Digest
}

func found(rec *registry.Record) policy.Referred {
	if rec == nil {
		return policy.Referred{}
	}
	return policy.Referred{Issued: rec.State == registry.Issued || rec.State == registry.Revoked, Ordinal: rec.Ordinal,
		Key: rec.Key, Certified: rec.Certified, Subject: rec.Subject}
}

// repeated answers a notice whose number is used up: the same bytes get the
// same answer, other bytes none (nil), and the rules refuse them.
func (a *Authority) repeated(raw []byte, seq uint64) (*Outcome, error) {
	row, err := a.reg.GetNotice(seq)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(row.Digest, a.noticeMark(raw, seq)) {
		return nil, nil
	}
	out := &Outcome{Seq: seq, Index: row.Index, Repeated: true}
	if row.State == registry.NoticeRefused {
		out.Codes = row.Codes
		return out, refused(row.Codes)
	}
	rec, err := a.reg.Get(row.Ordinal)
	if err != nil {
		return nil, err
	}
	if rec.State == registry.Revoked && rec.Cause == row.Index {
		out.Revocation = revocationOf(rec)
	}
	return out, nil
}

// noticeMark is how the registry knows the bytes of a notice again. The row is
// sealed, so a plain hash inside it tells nobody anything.
func (a *Authority) noticeMark(raw []byte, seq uint64) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64([]byte("sukashi/v1/notice-mark\n"), seq))
	h.Write(raw)
	return h.Sum(nil)
}

// acceptNotice: on disk here, logged as received, revoked, done.
func (a *Authority) acceptNotice(ctx context.Context, raw []byte, n notice.Notice, rec *registry.Record, d entry.Decision) (*Outcome, error) {
	digest, err := rec.Key.Notice(n.Seq, raw)
	if err != nil {
		return nil, err
	}
	row := registry.Notice{Seq: n.Seq, Ordinal: rec.Ordinal, Digest: a.noticeMark(raw, n.Seq), State: registry.NoticePending}
	if err := a.reg.SetNotice(row, registry.Synced); err != nil {
		return nil, err
	}
	logged, err := a.link.Append(ctx, &entry.NoticeReceived{Decision: d, Digest: digest, Notice: n.Seq})
	if err != nil {
		return nil, a.uncertain(err)
	}
	row.Index = logged.Index
	rev, err := a.actOnNotice(ctx, row)
	if err != nil {
		return nil, err
	}
	return &Outcome{Seq: n.Seq, Index: logged.Index, Revocation: rev}, nil
}

// actOnNotice does what a received notice calls for, once: its entry is in the
// log at row.Index.
func (a *Authority) actOnNotice(ctx context.Context, row registry.Notice) (*Revocation, error) {
	rec, err := a.reg.Get(row.Ordinal)
	if err != nil {
		return nil, missing(err)
	}
	var rev *Revocation
	switch {
	case rec.State == registry.Revoked && rec.Cause == row.Index && rec.Ground == entry.GroundChange:
		rev = revocationOf(rec)
	case rec.State == registry.Issued && a.cfg.Now().Before(rec.NotAfter):
		if rev, err = a.revoke(ctx, rec, entry.GroundChange, row.Index); err != nil {
			return nil, err
		}
	}
	row.State = registry.NoticeDone
	if err := a.reg.SetNotice(row, registry.Relaxed); err != nil {
		return nil, a.uncertain(err)
	}
	a.nextNotice = row.Seq + 1
	return rev, nil
}

// refuseNotice logs the refusal without the offending value (PR-09). The same
// bytes at the same place are logged once: a sender that repeats itself can't
// fill the ledger.
func (a *Authority) refuseNotice(ctx context.Context, raw []byte, d entry.Decision, final bool, rec *registry.Record) (*Outcome, error) {
	mark := [sha256.Size]byte(a.noticeMark(raw, a.nextNotice))
	if a.lastRefusal != nil && a.lastRefused == mark {
		out := *a.lastRefusal
		out.Repeated = true
		return &out, refused(out.Codes)
	}
	seq := a.nextNotice
	row := registry.Notice{Seq: seq, Digest: mark[:], State: registry.NoticePending, Codes: d.Codes}
	if rec != nil {
		row.Ordinal = rec.Ordinal
	}
	if final {
		if err := a.reg.SetNotice(row, registry.Synced); err != nil {
			return nil, err
		}
	}
	logged, err := a.link.Append(ctx, &entry.NoticeRefused{Decision: d, Notice: seq})
	if err != nil {
		return nil, a.uncertain(err)
	}
	if final {
		row.State, row.Index = registry.NoticeRefused, logged.Index
		if err := a.reg.SetNotice(row, registry.Relaxed); err != nil {
			return nil, a.uncertain(err)
		}
		a.nextNotice++
	}
	a.log.Warn("notice refused", "expected", seq, "codes", d.Codes)
	out := &Outcome{Seq: seq, Index: logged.Index, Codes: d.Codes}
	a.lastRefused, a.lastRefusal = mark, out
	return out, refused(d.Codes)
}

// reflectNotice brings notice.received into a row that a crash left pending.
func (a *Authority) reflectNotice(seq, index uint64) error {
	row, err := a.reg.GetNotice(seq)
	if err != nil {
		return missing(err)
	}
	if row.State == registry.NoticePending && len(row.Codes) == 0 {
		row.Index = index
		return a.reg.SetNotice(row, registry.Relaxed)
	}
	return nil
}

// reflectRefusal brings a final refusal into a row that a crash left pending.
func (a *Authority) reflectRefusal(b *entry.NoticeRefused, index uint64) error {
	row, err := a.reg.GetNotice(b.Notice)
	if errors.Is(err, registry.ErrNotFound) {
		return nil // refused without using up the number
	}
	if err != nil {
		return err
	}
	if row.State == registry.NoticePending && len(row.Codes) > 0 && slices.Equal(row.Codes, b.Decision.Codes) {
		row.State, row.Index = registry.NoticeRefused, index
		return a.reg.SetNotice(row, registry.Relaxed)
	}
	return nil
}

// endNotice ends the one notice that may be pending after a crash: logged as
// received, it is acted on; else it is forgotten and the sender sends it again.
func (a *Authority) endNotice(ctx context.Context) error {
	row, err := a.reg.LastNotice()
	if errors.Is(err, registry.ErrNotFound) {
		a.nextNotice = 0
		return nil
	}
	if err != nil {
		return err
	}
	a.nextNotice = row.Seq + 1
	if row.State != registry.NoticePending {
		return nil
	}
	if row.Index == 0 || len(row.Codes) > 0 {
		a.nextNotice = row.Seq
		return a.reg.DropNotice(row.Seq)
	}
	_, err = a.actOnNotice(ctx, row)
	return err
}
