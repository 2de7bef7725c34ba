// Package link is the CA's end of the link to the register side: the
// JukiLinkServer (住基連携サーバ) of DOMAIN 3.4.
//
// In comes M3, the change notice: a POST of the notice's exact bytes, nothing
// else, answered by policy.Taken when it is received (logged and acted on) and
// by a rule code when it is refused. Out goes M1, the daily list of holders:
// store and forward, the oldest first, one at a time, again and again until
// the register side has taken it. Once a day the register's end states how much
// has crossed, and this end counts for itself and counter-signs in the ledger.
// Every answer is a word of a closed list and as long as any other.
//
// The package moves bytes. What they may be is decided by package policy
// through package ca, and nothing leaves or is acted on before the ledger holds
// the entry about it. It keeps nothing and logs no content.
//
//	h, err := link.Handler(authority, func(r *http.Request) (string, bool) { … })
//	s, err := link.NewSender(link.SenderConfig{Outbox: authority, Client: mtls, URL: "https://…"})
//	err = s.Flush(ctx)      // what waits, once
//	go s.Run(ctx)           // for ever, with back-off
package link

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/pad"
)

// Receiver takes in notices and the daily counts; *ca.Authority is one.
type Receiver interface {
	ReceiveNotice(ctx context.Context, raw []byte, from ca.Arrival) (*ca.Outcome, error)
	ReceiveCounts(ctx context.Context, raw []byte, from ca.Arrival) ([]byte, error)
}

// Handler serves POST /link/v1/notices. identify says who sent a request, from
// the verified TLS chain; ok is false for anyone who is not in the register's
// zone. A caller of that zone with another name than the register's link
// server is refused by the rules, on record (N201).
func Handler(r Receiver, identify func(*http.Request) (name string, ok bool)) (http.Handler, error) {
	if r == nil || identify == nil {
		return nil, errors.New("the link needs a receiver and a way to identify callers")
	}
	m := mux.NewRouter()
	m.NotFoundHandler, m.MethodNotAllowedHandler = http.HandlerFunc(policy.Nowhere), http.HandlerFunc(policy.Nowhere)
	m.HandleFunc(policy.PathNotices, func(w http.ResponseWriter, req *http.Request) {
		name, ok := identify(req)
		if !ok {
			policy.Status(http.StatusForbidden).Write(w)
			return
		}
		// One byte more than allowed is enough to be refused for its size.
		wire, err := io.ReadAll(io.LimitReader(req.Body, pad.Fixed+1))
		if err != nil {
			return // the connection broke: nobody hears an answer
		}
		raw, meta := policy.Arrived(req, wire)
		_, err = r.ReceiveNotice(req.Context(), raw, ca.Arrival{Sender: role(name), Metadata: meta})
		answer(err).Write(w)
	}).Methods(http.MethodPost)
	m.HandleFunc(policy.PathCounts, func(w http.ResponseWriter, req *http.Request) { serveCounts(w, req, r, identify) }).Methods(http.MethodPost)
	return m, nil
}

// serveCounts answers POST /link/v1/counts: taken when both ends count the
// same, refused when not. The counter-signed entry is in the ledger by then.
func serveCounts(w http.ResponseWriter, req *http.Request, r Receiver, identify func(*http.Request) (string, bool)) {
	name, ok := identify(req)
	if !ok || name != entry.ByRegisterLink {
		policy.Status(http.StatusForbidden).Write(w)
		return
	}
	wire, err := io.ReadAll(io.LimitReader(req.Body, pad.Fixed+1))
	if err != nil {
		return
	}
	raw, meta := policy.Arrived(req, wire)
	_, err = r.ReceiveCounts(req.Context(), raw, ca.Arrival{Sender: entry.ByRegisterCounts, Metadata: meta})
	answer(err).Write(w)
}

// role maps a TLS name to the role whose sequence notices have.
func role(name string) string {
	if name == entry.ByRegisterLink {
		return entry.ByNoticeSender
	}
	return name
}

// answer is what the register's end hears about its message.
func answer(err error) policy.Answer {
	var refused *ca.Refused
	switch {
	case err == nil:
		return policy.Taken
	case errors.As(err, &refused) && len(refused.Codes) > 0:
		return policy.Answer{Status: http.StatusConflict, Code: refused.Codes[0]}
	case errors.Is(err, ca.ErrCounts), errors.Is(err, ca.ErrCountsDiffer), errors.Is(err, ca.ErrCountsOff):
		return policy.Refusal(err)
	case errors.Is(err, ca.ErrUncertain), errors.Is(err, ca.ErrClosed):
		return policy.Status(http.StatusServiceUnavailable)
	}
	return policy.Status(http.StatusInternalServerError)
}
