package office

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// act is a request by a known officer.
type act func(w http.ResponseWriter, r *http.Request, by Officer, role Role)

// only lets callers of some roles through.
func (o *office) only(do act, roles ...Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, ok := o.c.Identify(r)
		role, listed := o.c.Roles[by.Name]
		if !ok || !listed || !slices.Contains(roles, role) || by.Certificate.IsZero() {
			problem.Write(w, r, http.StatusForbidden, errForbidden)
			return
		}
		do(w, r, by, role)
	})
}

func (o *office) describe(w http.ResponseWriter, r *http.Request, _ Officer, _ Role) {
	w.Header().Set("Content-Type", "application/yaml")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(OpenAPI))
}

// record logs one step of an act.
func (o *office) record(ctx context.Context, phase string, act string, by Officer, proposal entry.Digest) error {
	return o.c.Authority.RecordAct(ctx, &entry.OperatorAct{Act: act, Officer: by.Certificate, Phase: phase, Proposal: proposal})
}

func (o *office) propose(w http.ResponseWriter, r *http.Request, by Officer, role Role) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		problem.Write(w, r, http.StatusRequestEntityTooLarge, errBody)
		return
	}
	wish, err := parseWish(body)
	if err != nil {
		problem.Write(w, r, http.StatusUnprocessableEntity, errBody.Because(err))
		return
	}
	if !mayWish(role, wish) {
		problem.Write(w, r, http.StatusForbidden, errForbidden)
		return
	}
	o.sweep(r.Context())
	p, err := newProposal(wish, by, role, o.c.Now())
	if err != nil {
		problem.Write(w, r, http.StatusInternalServerError, err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting() >= MaxOpen {
		problem.Write(w, r, http.StatusTooManyRequests, errFull)
		return
	}
	if err := o.record(r.Context(), entry.PhaseProposed, wish.Act, by, p.digest); err != nil {
		problem.Write(w, r, ca.StatusOf(err), err)
		return
	}
	if err := o.keep(p); err != nil {
		problem.Write(w, r, http.StatusInternalServerError, err)
		return
	}
	o.all[p.id] = p
	answer(w, http.StatusCreated, p.public())
}

// live returns a proposal that waits and is not over. mu is held.
func (o *office) live(r *http.Request) *proposal {
	p := o.all[mux.Vars(r)["id"]]
	if p == nil || !p.waits() || !o.c.Now().Before(p.expires) {
		return nil
	}
	return p
}

func (o *office) list(w http.ResponseWriter, r *http.Request, _ Officer, role Role) {
	o.sweep(r.Context())
	o.mu.Lock()
	out := struct {
		Proposals []Proposal `json:"proposals"`
		V         int        `json:"v"`
	}{[]Proposal{}, 1}
	for _, p := range o.all {
		if p.waits() && (role == Auditor || role == p.role) {
			out.Proposals = append(out.Proposals, p.public())
		}
	}
	o.mu.Unlock()
	slices.SortFunc(out.Proposals, func(a, b Proposal) int { return bytes.Compare([]byte(a.Expires+a.ID), []byte(b.Expires+b.ID)) })
	answer(w, http.StatusOK, out)
}

func (o *office) show(w http.ResponseWriter, r *http.Request, _ Officer, role Role) {
	o.mu.Lock()
	p := o.live(r)
	o.mu.Unlock()
	if p == nil || role != Auditor && role != p.role {
		problem.Write(w, r, http.StatusNotFound, errGone)
		return
	}
	answer(w, http.StatusOK, p.public())
}

// take ends a proposal by an officer's word. Who has ended it may say so again.
func (o *office) take(r *http.Request, phase string, by Officer, role Role) (*proposal, int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.all[mux.Vars(r)["id"]]
	if p == nil || p.role != role {
		return nil, http.StatusNotFound, errGone
	}
	ctx := r.Context()
	if err := o.learn(ctx, p); err != nil {
		return nil, statusOf(err), err
	}
	if p.end == nil {
		same, sameName := p.by.Certificate == by.Certificate, p.by.Name == by.Name
		switch {
		case !o.c.Now().Before(p.expires):
			return nil, http.StatusNotFound, errGone
		case phase == entry.PhaseApproved && (same || sameName):
			return nil, http.StatusConflict, errSelf
		case phase == entry.PhaseWithdrawn && !same:
			return nil, http.StatusForbidden, errForbidden
		}
	}
	err := o.finish(ctx, phase, by, p)
	if errors.Is(err, errGone) {
		return nil, http.StatusNotFound, err
	}
	if err != nil {
		return nil, statusOf(err), err
	}
	return p, 0, nil
}

func (o *office) withdraw(w http.ResponseWriter, r *http.Request, by Officer, role Role) {
	if _, status, err := o.take(r, entry.PhaseWithdrawn, by, role); err != nil {
		problem.Write(w, r, status, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// approve is the second officer's word. The approval is used up whatever comes
// of it: an act that is refused is proposed again.
func (o *office) approve(w http.ResponseWriter, r *http.Request, by Officer, role Role) {
	o.sweep(r.Context())
	p, status, err := o.take(r, entry.PhaseApproved, by, role)
	if err != nil {
		problem.Write(w, r, status, err)
		return
	}
	o.carryOut(w, r, p)
}

// List is the newest list of a partition.
type List struct {
	NextUpdate string `json:"next_update"` // RFC 3339, UTC
	Number     uint64 `json:"number"`
	Overdue    bool   `json:"overdue"` // nextUpdate is over
	Partition  string `json:"partition"`
	ThisUpdate string `json:"this_update"` // RFC 3339, UTC
}

func (o *office) publish(w http.ResponseWriter, r *http.Request, by Officer, _ Role) {
	p, err := newProposal(Wish{Act: entry.ActPublishLists, V: 1}, by, Operator, o.c.Now())
	if err == nil {
		err = o.record(r.Context(), entry.PhaseSingle, entry.ActPublishLists, by, p.digest)
	}
	if err == nil {
		_, err = o.c.Authority.PublishCRLs(r.Context())
	}
	if err != nil {
		problem.Write(w, r, ca.StatusOf(err), err)
		return
	}
	o.lists(w, r, by, Operator)
}

func (o *office) lists(w http.ResponseWriter, r *http.Request, _ Officer, _ Role) {
	out := struct {
		Lists []List `json:"lists"`
		V     int    `json:"v"`
	}{[]List{}, 1}
	for _, name := range o.c.Authority.Partitions() {
		c, err := o.c.Authority.CRL(name)
		if errors.Is(err, ca.ErrNotFound) {
			continue
		}
		if err != nil {
			problem.Write(w, r, ca.StatusOf(err), err)
			return
		}
		out.Lists = append(out.Lists, List{Partition: name, Number: c.Number, Overdue: o.c.Now().After(c.NextTime),
			ThisUpdate: c.ThisTime.UTC().Format(time.RFC3339), NextUpdate: c.NextTime.UTC().Format(time.RFC3339)})
	}
	answer(w, http.StatusOK, out)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a client that went away needs no answer
}
