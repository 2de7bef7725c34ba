package proof

import (
	"errors"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// StatusResult is what a status receipt proves.
type StatusResult struct {
	Ordinal     uint64
	Certificate entry.Digest // SHA-256 of the certificate's DER
	State       status.State // Valid, Revoked or Held; never None
	IssuedAt    time.Time    // when cert.issued was written
	// AsOf is the time as of which State holds: the newest time at which a
	// quorum of witnesses saw this tree as the newest one; where the policy
	// asks for no witness, when the log wrote the status.root.
	AsOf       time.Time
	Witnessed  bool // AsOf comes from witnesses
	Root       entry.StatusRoot
	Checkpoint *Checkpoint
}

// Answer says what a StatusResult tells about a moment.
type Answer byte

// Answers of StatusResult.At.
const (
	Unknown    Answer = iota // this receipt can't tell: it is too old, or revoked since and no older receipt is at hand
	WasValid                 // the certificate was in force at that moment
	WasRevoked               // it was revoked at or before that moment
	WasNone                  // it had not been issued yet
	WasHeld                  // it is held as of the receipt and the moment is that one
)

// At says what the receipt proves about moment t, such as the time of a
// signature (promise P7). Revocation is final, so Valid as of A proves that
// the certificate was in force from its issue up to A: an older receipt whose
// AsOf is not before t proves "valid at signing time t", whatever came later.
// Revoked as of A proves it for every moment from A on.
func (r *StatusResult) At(t time.Time) Answer {
	switch {
	case t.Before(r.IssuedAt):
		return WasNone
	case r.State == status.Valid && !t.After(r.AsOf):
		return WasValid
	case r.State == status.Revoked && !t.Before(r.AsOf):
		return WasRevoked
	case r.State == status.Held && t.Equal(r.AsOf):
		return WasHeld
	}
	return Unknown
}

// VerifyStatus checks every step of a status receipt: the checkpoint against
// the policy, the inclusion of cert.issued, that status.root is the last entry
// under the checkpoint and covers all others, and the chunk's path to its
// root. With certDER it also checks that the receipt is that certificate's.
//
// A revoked certificate is a result, not an error: the receipt holds.
func (p *Policy) VerifyStatus(s *StatusReceipt, certDER []byte) (*StatusResult, error) {
	note := s.note
	if note == nil || note.raw != string(s.Checkpoint) {
		var err error
		if note, err = parseSigned(s.Checkpoint); err != nil {
			return nil, err
		}
	}
	cp, err := p.verify(note)
	if err != nil {
		return nil, err
	}
	issued, err := s.issued()
	if err != nil {
		return nil, err
	}
	body := issued.Body.(*entry.CertIssued)
	if certDER != nil && entry.Sum(certDER) != body.Certificate {
		return nil, wrong("status.other-certificate", "この状態証明は、別の証明書のものです。",
			"The status receipt is for another certificate.", "certificate digests differ")
	}
	if err := included(cp, s.Index, s.IssuedPath, s.Issued); err != nil {
		return nil, err
	}
	root, at, err := s.root(cp)
	if err != nil {
		return nil, err
	}
	state, err := s.state(root, body.Ordinal)
	if err != nil {
		return nil, err
	}
	res := &StatusResult{
		Ordinal: body.Ordinal, Certificate: body.Certificate, State: state,
		IssuedAt: issued.At.Std(), AsOf: at, Root: *root, Checkpoint: cp,
	}
	if !cp.Witnessed.IsZero() {
		res.AsOf, res.Witnessed = cp.Witnessed, true
	}
	return res, nil
}

func (s *StatusReceipt) issued() (entry.Entry, error) {
	e, err := entry.Parse(s.Issued)
	if err != nil {
		return e, malformedStatus("cert.issued: %w", err)
	}
	if _, ok := e.Body.(*entry.CertIssued); !ok || e.By != entry.ByCA {
		return e, wrong("status.issued", "状態証明が示す記録は、認証局による発行の記録ではありません。",
			"The receipt's entry is not a cert.issued entry by the CA.", "kind %s", e.Body.Kind())
	}
	return e, nil
}

// root checks the status.root entry: it must be the last one and cover all
// entries before it, so that it can't be an outdated one.
func (s *StatusReceipt) root(cp *Checkpoint) (*entry.StatusRoot, time.Time, error) {
	e, err := entry.Parse(s.Root)
	if err != nil {
		return nil, time.Time{}, malformedStatus("status.root: %w", err)
	}
	b, ok := e.Body.(*entry.StatusRoot)
	if !ok || e.By != entry.ByLog || cp.Size == 0 || b.Covers != cp.Size-1 {
		return nil, time.Time{}, wrong("status.root", "チェックポイントの最後の記録が、全記録を対象とする状態の記録ではありません。",
			"The last entry under the checkpoint is not a status.root that covers all entries.", "kind %s", e.Body.Kind())
	}
	if err := included(cp, cp.Size-1, s.RootPath, s.Root); err != nil {
		return nil, time.Time{}, err
	}
	return b, e.At.Std(), nil
}

func (s *StatusReceipt) state(root *entry.StatusRoot, ordinal uint64) (status.State, error) {
	st, err := status.Verify(root.Root, root.Size, ordinal, s.Chunk, s.ChunkPath)
	if err != nil {
		detail := "ordinal or chunk doesn't fit the tree"
		if errors.Is(err, status.ErrMismatch) {
			detail = "path doesn't lead from the chunk to the root"
		}
		return st, wrong("status.chunk", "状態の一覧が、ログに記録された状態の木と一致しません。",
			"The status chunk doesn't belong to the status tree in the log.", "%s", detail)
	}
	if st == status.None {
		return st, wrong("status.none", "発行の記録があるのに、状態の木では未発行です。ログが矛盾しています。",
			"The certificate was logged as issued but the status tree says that it never was: the log contradicts itself.", "ordinal %d", ordinal)
	}
	return st, nil
}
