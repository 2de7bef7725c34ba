package link

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// Handler serves POST /link/v1/holders (M1): policy.Taken when the list is in
// force, also when it was before; a rule code when it is refused; 503 when it
// cannot be taken now and should be sent again. These answers leave the zone
// of resident codes, so they are words of a closed list, all equally long.
func (s *Server) Handler() http.Handler {
	r := mux.NewRouter()
	r.NotFoundHandler, r.MethodNotAllowedHandler = http.HandlerFunc(policy.Nowhere), http.HandlerFunc(policy.Nowhere)
	r.HandleFunc(policy.PathHolders, s.serveHolders).Methods(http.MethodPost)
	return r
}

func (s *Server) serveHolders(w http.ResponseWriter, r *http.Request) {
	role, ok := s.c.Peer(r)
	if !ok || role != entry.ByCALink {
		policy.Status(http.StatusForbidden).Write(w)
		return
	}
	most := policy.WireSize(policy.PathHolders, int(s.c.MaxList))
	wire, err := io.ReadAll(io.LimitReader(r.Body, int64(most)+1))
	if err != nil {
		return // the connection broke: nobody hears an answer
	}
	if len(wire) > most {
		policy.Status(http.StatusRequestEntityTooLarge).Write(w)
		return
	}
	body, meta := policy.Arrived(r, wire)
	err = s.Receive(r.Context(), body, role, meta)
	var refused *Refused
	switch {
	case err == nil:
		policy.Taken.Write(w)
	case errors.As(err, &refused):
		policy.Answer{Status: http.StatusConflict, Code: refused.Codes[0]}.Write(w)
	default:
		s.c.Logger.Warn("a holders list could not be taken in", "code", say.Code(err))
		policy.Status(http.StatusServiceUnavailable).Write(w)
	}
}

// Refused says by which rules a list was refused.
type Refused struct{ Codes []string }

// Error names the first code.
func (e *Refused) Error() string { return "the holders list is refused: " + e.Codes[0] }

// Receive takes in one M1: decide, keep on disk, log holders.received, apply,
// re-match. The same list again changes nothing. A list that is refused gives
// a *Refused; what else fails leaves the list to be sent again.
func (s *Server) Receive(ctx context.Context, body []byte, sender string, meta policy.Metadata) error {
	s.receive.Lock()
	defer s.receive.Unlock()
	if err := s.syncFirst(ctx); err != nil {
		return err
	}
	if err := s.finishStaged(ctx); err != nil {
		return err
	}
	list, form := holders.Examine(body)
	var check match.ListCheck
	if form.Code() == "" {
		var err error
		if check, err = s.c.Engine.CheckList(list); err != nil {
			return err
		}
		// A copy with something beside its bytes goes before the rules.
		if check.Known && meta.Clean(policy.PathHolders, len(body)) {
			return nil
		}
		if check.Conflict {
			return s.refuse(ctx, body, []string{CodeConflict})
		}
	}
	d, err := s.decideList(ctx, list, body, sender, meta, check, form.Code() == "")
	if err != nil {
		return err
	}
	if !d.Allow {
		return s.refuse(ctx, body, d.Codes)
	}
	// A client that goes away does not stop what has begun: the same list
	// again finds it done.
	ctx = context.WithoutCancel(ctx)
	if err := s.stage(ctx, list, body); err != nil {
		return err
	}
	return s.finishStaged(ctx)
}

// syncFirst compares outbox and ledger before a list strikes holders off: a
// notice that has to be rebuilt needs its holder's key.
func (s *Server) syncFirst(ctx context.Context) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	return s.sync(ctx)
}

func (s *Server) decideList(ctx context.Context, l holders.List, body []byte, sender string, meta policy.Metadata, c match.ListCheck, readable bool) (entry.Decision, error) {
	var sent *entry.HoldersSent
	if readable {
		var err error
		if sent, err = s.findSent(ctx, l.Digest(), l.Seq == c.NextSeq); err != nil {
			return entry.Decision{}, err
		}
	}
	check := policy.HoldersReceiveCheck{Bytes: body, Sender: sender, Addressee: entry.ByRegisterLink, NextSeq: c.NextSeq,
		LastDay: c.LastDay, Held: c.Held, Unknown: c.Unknown, Sent: sent, Metadata: meta}
	return s.c.Decider.Decide(ctx, check.Facts()), nil
}

// findSent looks for the CA side's holders.sent entry of this list among its
// entries since the last list. The search for later lists starts there only if
// this is the next one: a list that came too early must not hide those before.
func (s *Server) findSent(ctx context.Context, set entry.Digest, next bool) (*entry.HoldersSent, error) {
	for seq := s.c.Engine.SentCursor(); ; seq++ {
		_, b, err := s.c.Log.Lookup(ctx, entry.ByCALink, seq)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, errLedger(err)
		}
		e, err := entry.Parse(b)
		if err != nil {
			return nil, errLedger(err)
		}
		sent, ok := e.Body.(*entry.HoldersSent)
		if !ok || sent.Set != set {
			continue
		}
		if next {
			err = s.c.Engine.SetSentCursor(seq)
		}
		return sent, err
	}
}

// refuse records the refusal by code (PR-09) and returns it. The same bytes
// refused again on the same grounds are recorded once, so that a sender that
// repeats itself can't fill the ledger.
func (s *Server) refuse(ctx context.Context, body []byte, codes []string) error {
	mark := entry.Sum(append([]byte(strings.Join(codes, " ")+"\n"), body...))
	if mark == s.refused {
		return &Refused{Codes: codes}
	}
	at := entry.At(s.c.Now())
	seq, err := s.c.Log.NextSeq(ctx, entry.ByRegisterLink)
	if err != nil {
		return errLedger(err)
	}
	event := &entry.SecurityEvent{Code: "holders.refused." + codes[0], Count: 1, From: at, To: at}
	b, err := entry.Entry{At: at, By: entry.ByRegisterLink, Seq: seq, Body: event}.Marshal()
	if err != nil {
		return err
	}
	if _, err := s.c.Log.Append(ctx, b); err != nil {
		return errLedger(err)
	}
	s.refused = mark
	return &Refused{Codes: codes}
}

// stage keeps the list and its entry on disk before the entry is logged.
func (s *Server) stage(ctx context.Context, l holders.List, body []byte) error {
	seq, err := s.c.Log.NextSeq(ctx, entry.ByRegisterLink)
	if err != nil {
		return errLedger(err)
	}
	e := entry.Entry{At: entry.At(s.c.Now()), By: entry.ByRegisterLink, Seq: seq, Body: &entry.HoldersReceived{Holders: l.Entry()}}
	b, err := e.Marshal()
	if err != nil {
		return err
	}
	return s.c.Engine.Stage(match.Staged{Bytes: body, Entry: b})
}

// finishStaged logs and applies the list that is staged, if any. The entry is
// the same bytes every time, so the ledger has it once.
func (s *Server) finishStaged(ctx context.Context) error {
	st, ok, err := s.c.Engine.Staged()
	if err != nil || !ok {
		return err
	}
	l, err := holders.Parse(st.Bytes)
	if err != nil {
		return err
	}
	receipts, err := s.c.Log.Append(ctx, st.Entry)
	if errors.Is(err, ledger.ErrConflict) {
		// Another entry took the number: give the list the next one.
		if err := s.stage(ctx, l, st.Bytes); err != nil {
			return err
		}
		if st, _, err = s.c.Engine.Staged(); err != nil {
			return err
		}
		receipts, err = s.c.Log.Append(ctx, st.Entry)
	}
	if err == nil && len(receipts) != 1 {
		err = errors.New("the ledger gave no receipt")
	}
	if err != nil {
		return errLedger(err)
	}
	if err := s.c.Engine.ApplyList(ctx, l, receipts[0].Index); err != nil {
		return err
	}
	s.Wake()
	return nil
}
