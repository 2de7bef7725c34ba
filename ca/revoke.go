package ca

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// Role says who asks for a revocation.
type Role string

// Roles.
const (
	RoleCounter  Role = "counter"  // for the holder, at the town hall
	RoleOperator Role = "operator" // the CA's own officers
)

// grounds says on which ground a role may ask (DOMAIN 6.4). Article 12 is in
// neither list: it comes from a notice.
var grounds = map[Role][]string{
	RoleCounter:  {entry.GroundRequest, entry.GroundKeyLeak, entry.GroundNotDelivered},
	RoleOperator: {entry.GroundError, entry.GroundIssuerKey, entry.GroundRenewed},
}

// RevocationRequest asks for a revocation without a notice: Articles 9, 10, 13
// and 14, renewal, destruction before delivery. Two different officers answer
// for it (dual control).
type RevocationRequest struct {
	Ordinal   uint64
	Ground    string // one of entry.Grounds but Article 12
	Role      Role
	Operators [2]string // ids of two different officers (transfer.IsOperator)
}

func (r RevocationRequest) dual() bool {
	return transfer.IsOperator(r.Operators[0]) && transfer.IsOperator(r.Operators[1]) && r.Operators[0] != r.Operators[1]
}

// Revocation is a recorded revocation (R1).
type Revocation struct {
	Ordinal  uint64
	Serial   string
	Ground   string
	Recorded time.Time
	Cause    uint64 // index of revocation.requested or notice.received
	Index    uint64 // index of revocation
}

func revocationOf(r *registry.Record) *Revocation {
	return &Revocation{Ordinal: r.Ordinal, Serial: r.Serial, Ground: r.Ground, Recorded: r.Recorded, Cause: r.Cause, Index: r.RevocationIndex}
}

// RevokeOnRequest records the request and the revocation. A request that the
// policy refuses (unknown or revoked certificate, one officer only, a ground
// that this role may not use) is logged as refused where the certificate
// exists, and returned as *Refused. There is no way back (IN-06).
func (a *Authority) RevokeOnRequest(ctx context.Context, r RevocationRequest) (*Revocation, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	return a.request(ctx, r)
}

// revokeRenewed replaces a certificate: the sequencer calls it before the new
// intent, so that at no moment two are in force (Article 6).
func (a *Authority) revokeRenewed(ctx context.Context, ordinal uint64, officer string) (*Revocation, error) {
	a.revMu.Lock()
	defer a.revMu.Unlock()
	return a.request(ctx, RevocationRequest{Ordinal: ordinal, Ground: entry.GroundRenewed, Role: RoleOperator,
		Operators: [2]string{officer, entry.ByCA}})
}

// request decides, logs the request and revokes. revMu is held.
func (a *Authority) request(ctx context.Context, r RevocationRequest) (*Revocation, error) {
	defer a.tracker.begin()()
	rec, err := a.reg.Get(r.Ordinal)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	d := a.cfg.Decider.Decide(ctx, revokeFacts(r, rec))
	if !d.Allow {
		a.tally.add(a.cfg.Now(), d.Codes...)
		if rec != nil && (rec.State == registry.Issued || rec.State == registry.Revoked) && validRequestGround(r.Ground) {
			if _, err := a.own.Append(ctx, &entry.RevocationRequested{Decision: d, Ground: r.Ground, Ordinal: r.Ordinal}); err != nil {
				return nil, a.uncertain(err)
			}
		}
		return nil, refused(d.Codes)
	}
	logged, err := a.own.Append(ctx, &entry.RevocationRequested{Decision: d, Ground: r.Ground, Ordinal: r.Ordinal})
	if err != nil {
		return nil, a.uncertain(err)
	}
	return a.revoke(ctx, rec, r.Ground, logged.Index)
}

func validRequestGround(g string) bool {
	return g != entry.GroundChange && slices.Contains(entry.Grounds, g)
}

func revokeFacts(r RevocationRequest, rec *registry.Record) *policy.Facts {
	f := policy.NewFacts(policy.Revoke)
	issued := rec != nil && (rec.State == registry.Issued || rec.State == registry.Revoked)
	f.Set("ground_known", validRequestGround(r.Ground))
	f.Set("basis_named", validRequestGround(r.Ground)) // the ground is the article
	f.Set("requester_verified", r.dual())
	f.Set("role_may_ask", slices.Contains(grounds[r.Role], r.Ground))
	f.Set("certificate_issued", issued)
	f.Set("not_yet_revoked", issued && rec.State != registry.Revoked)
	f.Set("public_reason_neutral", r.Ground != entry.GroundChange)
	f.Set("no_free_text", r.dual()) // operator ids are the only words of a request
	f.SetTextFacts(r.Operators[:]...)
	return f
}

// revoke logs the revocation and records it (R1). revMu is held, the cause is
// in the log. A revocation that was recorded before is returned as it is.
func (a *Authority) revoke(ctx context.Context, rec *registry.Record, ground string, cause uint64) (*Revocation, error) {
	if rec.State == registry.Revoked {
		return revocationOf(rec), nil
	}
	at := entry.At(a.cfg.Now())
	body := &entry.Revocation{Cause: cause, Ground: ground, Ordinal: rec.Ordinal, Recorded: at, Serial: rec.Serial}
	logged, err := a.own.Append(ctx, body)
	if err != nil {
		return nil, a.uncertain(err)
	}
	return a.recordRevocation(body, logged.Index)
}

// recordRevocation brings a logged revocation into the registry; it is
// idempotent. The change is relaxed: the log is the record that counts.
func (a *Authority) recordRevocation(b *entry.Revocation, index uint64) (*Revocation, error) {
	var out *Revocation
	err := a.reg.Change(b.Ordinal, registry.Relaxed, func(r *registry.Record) error {
		reflectIn(r, b, index)
		out = revocationOf(r)
		return nil
	})
	if err != nil {
		return nil, a.uncertain(err)
	}
	a.log.Info("revoked", "ordinal", b.Ordinal)
	a.news()
	return out, nil
}

// uncertain notes that something logged may not be reflected in the registry.
func (a *Authority) uncertain(err error) error {
	a.unsure.Store(true)
	return ErrUncertain.Because(err)
}

// RevokeAll revokes every certificate in force on one ground, in batches, whatever
// key issued it. It returns how many it revoked. Asking again after an error goes
// on where it stopped. For one leaked key use RevokeLeaked.
func (a *Authority) RevokeAll(ctx context.Context, ground string, operators [2]string) (int, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return 0, err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	size, err := a.reg.Size()
	if err != nil {
		return 0, err
	}
	total := 0
	var recs []*registry.Record
	for o := uint64(0); o < size; o++ {
		rec, err := a.reg.Get(o)
		if err != nil {
			return total, err
		}
		if rec.State == registry.Issued && a.cfg.Now().Before(rec.NotAfter) {
			recs = append(recs, rec)
		}
		if len(recs) == leakBatch || o == size-1 {
			if err := a.revokeMany(ctx, recs, ground, operators); err != nil {
				return total, err
			}
			total, recs = total+len(recs), recs[:0]
		}
	}
	return total, nil
}

// revokeMany revokes certificates on one ground that the CA's own officers answer
// for. revMu is held.
func (a *Authority) revokeMany(ctx context.Context, recs []*registry.Record, ground string, operators [2]string) error {
	if len(recs) == 0 {
		return nil
	}
	defer a.tracker.begin()()
	bodies := make([]entry.Body, len(recs))
	for i, rec := range recs {
		r := RevocationRequest{Ordinal: rec.Ordinal, Ground: ground, Role: RoleOperator, Operators: operators}
		d := a.cfg.Decider.Decide(ctx, revokeFacts(r, rec))
		if !d.Allow {
			return refused(d.Codes)
		}
		bodies[i] = &entry.RevocationRequested{Decision: d, Ground: ground, Ordinal: rec.Ordinal}
	}
	causes, err := a.own.AppendAll(ctx, bodies...)
	if err != nil {
		return a.uncertain(err)
	}
	at := entry.At(a.cfg.Now())
	for i, rec := range recs {
		bodies[i] = &entry.Revocation{Cause: causes[i].Index, Ground: ground, Ordinal: rec.Ordinal, Recorded: at, Serial: rec.Serial}
	}
	logged, err := a.own.AppendAll(ctx, bodies...)
	if err != nil {
		return a.uncertain(err)
	}
	ordinals := make([]uint64, len(recs))
	for i, rec := range recs {
		ordinals[i] = rec.Ordinal
	}
	err = a.reg.ChangeAll(registry.Relaxed, ordinals, func(i int, r *registry.Record) error {
		reflectIn(r, bodies[i].(*entry.Revocation), logged[i].Index)
		return nil
	})
	if err != nil {
		return a.uncertain(err)
	}
	a.log.Info("revoked", "certificates", len(recs))
	a.news()
	return nil
}

// reflectIn brings a logged revocation into a record; one that is there stays.
func reflectIn(r *registry.Record, b *entry.Revocation, index uint64) {
	if r.State != registry.Revoked {
		r.State, r.Ground, r.Recorded, r.Cause, r.RevocationIndex = registry.Revoked, b.Ground, b.Recorded.Std(), b.Cause, index
	}
}

// Revocations calls fn for every revocation in order of ordinals.
func (a *Authority) Revocations(fn func(registry.Revocation) error) error {
	if err := a.reg.Revocations(fn); err != nil {
		return fmt.Errorf("couldn't list the revocations: %w", err)
	}
	return nil
}
