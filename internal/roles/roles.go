// Package roles puts the parts of one role together: what the CA server, the
// register's server and the public pages consist of. The processes of sukashi
// serve, the commands that open a store themselves and the demo's world share
// it, so that a role is wired once.
//
// It opens no listener and reads no configuration of its own; keys, stores and
// the ledger's client are given to it.
package roles

import (
	"context"
	"errors"
	"net/http"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// Peer names a client of one zone by its verified certificate.
func Peer(peers zone.Peers, z zone.Zone) func(*http.Request) (string, bool) {
	return func(r *http.Request) (string, bool) {
		id, ok := peers.Identify(r)
		return id.Name, ok && id.Zone == z
	}
}

// Decider decides by the rules that come with the program, if the council put
// them into force in this log (promise P5).
func Decider(ctx context.Context, log ledger.Log) (*policy.Decider, error) {
	n, err := log.NextSeq(ctx, entry.ByCouncil)
	if err != nil {
		return nil, err
	}
	bundle := policy.Shipped()
	for seq := n; seq > 0; seq-- {
		index, b, err := log.Lookup(ctx, entry.ByCouncil, seq-1)
		if err != nil {
			return nil, err
		}
		e, err := entry.Parse(b)
		if err != nil {
			return nil, err
		}
		if p, ok := e.Body.(*entry.PolicyApproved); ok && p.Bundle == bundle.Digest {
			return policy.NewDecider(ctx, bundle, index)
		}
	}
	return nil, say.New("ca.policy", "この規則は、ログで承認されていません。", "These rules are not approved in the log.").
		Hint("審議会の承認(policy.approved)を先にログへ載せてください。", "Put the council's approval (policy.approved) into the log first.")
}

// closers close in the opposite order of opening.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i]())
	}
	return errors.Join(errs...)
}
