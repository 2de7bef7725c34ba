package office

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

func isName(s string) bool { return transfer.IsOperator(s) }

// Wish is the body of a proposal: what shall be done.
type Wish struct {
	Act      string   `json:"act"`                // entry.ActRevoke, ActRevokeAll, ActErase or ActDisclose
	Basis    string   `json:"basis,omitempty"`    // erase, disclose: on what basis
	Ground   string   `json:"ground,omitempty"`   // revoke: on what ground
	Ordinals []uint64 `json:"ordinals,omitempty"` // which certificates; revoke: one
	V        int      `json:"v"`                  // 1
}

// Proposal is a wish that waits for its second officer.
type Proposal struct {
	Wish
	Expires  string `json:"expires"` // RFC 3339, UTC
	ID       string `json:"id"`
	Proposer string `json:"proposer"` // name of the officer who proposed it
	Role     Role   `json:"role"`     // of whoever may approve it
}

// proposal is one that waits, or whose end is remembered.
type proposal struct {
	wish    Wish
	id      string
	by      Officer
	role    Role
	expires time.Time
	digest  entry.Digest

	end   *ending    // nil: it waits
	tried []Officer  // whose word may be in the log
	from  uint64     // where to look for it: the CA's entries from this number on; 0: nobody has tried
	doing sync.Mutex // held while the act is done or its answer made
}

// waits says whether it can be ended as far as is known.
func (p *proposal) waits() bool { return p.end == nil || p.end.At == (ca.Act{}) }

func (p *proposal) public() Proposal {
	return Proposal{Wish: p.wish, Expires: p.expires.UTC().Format(time.RFC3339), ID: p.id, Proposer: p.by.Name, Role: p.role}
}

var wishGrounds = map[Role][]string{
	Counter:  {entry.GroundRequest, entry.GroundKeyLeak, entry.GroundNotDelivered},
	Operator: {entry.GroundError, entry.GroundIssuerKey, entry.GroundRenewed},
}

// parseWish reads one JSON object of the known members.
func parseWish(b []byte) (Wish, error) {
	var w Wish
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil || dec.More() {
		return w, errors.New("not one JSON object of the known members")
	}
	if w.V != 1 || len(w.Ordinals) > MaxOrdinals || !slices.IsSorted(w.Ordinals) || len(slices.Compact(slices.Clone(w.Ordinals))) != len(w.Ordinals) {
		return w, errors.New("another version, or ordinals that are too many, double or out of order")
	}
	for _, o := range w.Ordinals {
		if o >= 1<<53 {
			return w, errors.New("an ordinal is too large")
		}
	}
	ok := false
	switch w.Act {
	case entry.ActRevoke:
		ok = len(w.Ordinals) == 1 && w.Basis == "" && slices.Contains(append(wishGrounds[Counter], wishGrounds[Operator]...), w.Ground)
	case entry.ActRevokeAll:
		ok = len(w.Ordinals) == 0 && w.Basis == "" && w.Ground == entry.GroundIssuerKey
	case entry.ActErase:
		ok = len(w.Ordinals) > 0 && w.Ground == "" && (w.Basis == entry.BasisRetentionEnd || w.Basis == entry.BasisLawfulRequest)
	case entry.ActDisclose:
		ok = len(w.Ordinals) > 0 && w.Ground == "" && (w.Basis == entry.BasisCouncilSample || w.Basis == entry.BasisOwnRequest)
	}
	if !ok {
		return w, errors.New("the act does not go with these members")
	}
	return w, nil
}

// mayWish says whether a role may propose it: counters revoke for the holder,
// the CA's officers do the rest (DOMAIN 6.4).
func mayWish(r Role, w Wish) bool {
	if w.Act == entry.ActRevoke {
		return slices.Contains(wishGrounds[r], w.Ground)
	}
	return r == Operator
}

// newProposal draws the identifier that also keeps the logged digest from
// being guessed.
func newProposal(w Wish, by Officer, role Role, now time.Time) (*proposal, error) {
	var id [16]byte
	rand.Read(id[:])
	p := &proposal{wish: w, id: hex.EncodeToString(id[:]), by: by, role: role, expires: now.Add(ProposalLife)}
	var err error
	p.digest, err = digestOf(p.id, w)
	return p, err
}

// digestOf is what the log calls a proposal.
func digestOf(id string, w Wish) (entry.Digest, error) {
	b, err := json.Marshal(struct {
		ID   string `json:"id"`
		Wish Wish   `json:"wish"`
	}{id, w})
	return entry.Sum(b), err
}

// Outcome is what an approved act did.
type Outcome struct {
	ID          string       `json:"id"`
	Openings    []Opening    `json:"openings,omitempty"`    // disclose
	Revocations []Revocation `json:"revocations,omitempty"` // revoke
	Revoked     int          `json:"revoked"`               // revoke, revoke-all: how many
	Erased      int          `json:"erased"`                // erase: how many
	V           int          `json:"v"`                     // 1
}

// Revocation is one revocation as recorded.
type Revocation struct {
	Index    uint64 `json:"index"` // of the revocation entry
	Ordinal  uint64 `json:"ordinal"`
	Recorded string `json:"recorded"` // RFC 3339, UTC
	Serial   string `json:"serial"`   // lower-case hex
}

// Opening is a record as opened: each value with the salt by which anyone can
// check it against the commitment in the log; the maps of substitutes stay
// closed, as commitments.
type Opening struct {
	Ordinal uint64 `json:"ordinal"`
	Slots   []Slot `json:"slots"` // in the order of the subject commitment
}

// Slot is one value of a record; Salt and Value are empty where it stays closed.
type Slot struct {
	Commitment string `json:"commitment"` // lower-case hex
	Field      string `json:"field"`      // otherName suffix: 1 name, 4 birth date, 3 sex, 5 address
	Salt       string `json:"salt"`       // lower-case hex
	Value      string `json:"value"`
}

// perform does an approved act for two officers, or finds what was done for it.
func perform(ctx context.Context, a *ca.Authority, p *proposal) (*Outcome, error) {
	two, act := [2]string{p.by.Name, p.end.By.Name}, p.end.At
	out := &Outcome{ID: p.id, V: 1}
	switch p.wish.Act {
	case entry.ActRevoke:
		role := ca.RoleOperator
		if p.role == Counter {
			role = ca.RoleCounter
		}
		r, err := a.RevokeFor(ctx, act, ca.RevocationRequest{Ordinal: p.wish.Ordinals[0], Ground: p.wish.Ground, Role: role, Operators: two})
		if err != nil {
			return nil, err
		}
		out.Revoked = 1
		out.Revocations = []Revocation{{Index: r.Index, Ordinal: r.Ordinal, Serial: r.Serial, Recorded: r.Recorded.UTC().Format(time.RFC3339)}}
	case entry.ActRevokeAll:
		n, err := a.RevokeAllFor(ctx, act, p.wish.Ground, two)
		if err != nil {
			return nil, err
		}
		out.Revoked = n
	case entry.ActErase:
		if err := a.EraseFor(ctx, act, p.wish.Basis, p.wish.Ordinals...); err != nil {
			return nil, err
		}
		out.Erased = len(p.wish.Ordinals)
	case entry.ActDisclose:
		opened, err := a.DiscloseFor(ctx, act, p.wish.Basis, []string{attr.FieldName, attr.FieldBirthDate, attr.FieldSex, attr.FieldAddress}, p.wish.Ordinals...)
		if err != nil {
			return nil, err
		}
		for _, o := range opened {
			opening := Opening{Ordinal: o.Ordinal}
			for _, x := range o.Slots {
				opening.Slots = append(opening.Slots, Slot{Commitment: x.Commit.String(), Field: x.Field, Salt: hex.EncodeToString(x.Salt), Value: x.Value})
			}
			out.Openings = append(out.Openings, opening)
		}
	}
	return out, nil
}
