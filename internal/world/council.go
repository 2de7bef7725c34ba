package world

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// Council is the privacy council: its members' approval keys and its own
// writer in the ledger.
type Council struct {
	Keys   []ed25519.PublicKey
	keys   []ed25519.PrivateKey
	Writer *ledger.Writer
}

// approvePolicy has every council member sign the shipped bundle and its proof
// and puts it into force: the rules are in the log before they decide anything (P5).
func (w *World) approvePolicy(ctx context.Context) error {
	c := &Council{}
	for range w.Council {
		pub, key, err := ed25519.GenerateKey(w.Rand)
		if err != nil {
			return fmt.Errorf("couldn't make a council member's key: %w", err)
		}
		c.Keys = append(c.Keys, pub)
		c.keys = append(c.keys, key)
	}
	w.Members = c
	w.Rules = policy.ShippedProposal()
	body, err := policy.Approve(w.Rules, c.keys...)
	if err != nil {
		return fmt.Errorf("couldn't approve the policy: %w", err)
	}
	log, err := w.ledgerClient(zone.Open, nameCouncil)
	if err != nil {
		return err
	}
	if c.Writer, err = ledger.NewWriter(ctx, log, entry.ByCouncil, w.Now); err != nil {
		return err
	}
	logged, err := c.Writer.Append(ctx, &body)
	if err != nil {
		return fmt.Errorf("couldn't log the policy's approval: %w", err)
	}
	w.PolicyIndex = logged.Index
	return nil
}

// decider is a role's own compiled copy of the rules in force.
func (w *World) decider(ctx context.Context) (*policy.Decider, error) {
	return policy.NewDecider(ctx, w.Rules.Bundle, w.PolicyIndex)
}
