// Package policy decides whether a message may cross, a certificate may be
// issued or a revocation may be recorded (DESIGN section 6, promises P4, P5).
//
// Go computes facts, about twenty booleans per rule set; Rego decides over
// facts alone. A rule set allows exactly one vector, the one with every fact
// true, and that is proved (package policy/rules/prove). Every error, missing
// fact or undefined result is a refusal. A decision is logged as the bitmap of
// its facts and its codes, so that anyone decides it again with Replay.
//
//	d, err := policy.NewDecider(ctx, policy.Shipped(), index)
//	f := policy.NewFacts(policy.Revoke)
//	f.Set("ground_known", true) // … every fact of policy.FactNames
//	decision := d.Decide(ctx, f)
//
// The package never logs, keeps or reports a value of a message.
package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/rules"
)

// NotApproved is the policy index for a bundle that is not in force: every
// decision with it refuses with N902.
const NotApproved = ^uint64(0)

// maxPolicyIndex is the largest index that an entry can hold (2^53-1).
const maxPolicyIndex = 1<<53 - 1

// Bundle is a policy bundle: its exact bytes and digests.
type Bundle = rules.Bundle

// Shipped returns the bundle that this program carries.
func Shipped() Bundle { return rules.Shipped() }

// Decider decides with one bundle. It is safe for concurrent use.
type Decider struct {
	engine *rules.Engine
	bundle entry.Digest
	index  uint64
}

// NewDecider compiles the bundle. policyIndex is the index of the
// policy.approved entry that puts it into force, or NotApproved; that the
// entry is in the log, names this bundle and carries enough approvals is for
// the caller to check (VerifyApprovals). It fails when the bundle expects other
// facts than this program establishes.
func NewDecider(ctx context.Context, b Bundle, policyIndex uint64) (*Decider, error) {
	e, err := rules.Compile(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("couldn't compile the policy bundle: %w", err)
	}
	for _, r := range catalogue.Rulesets() {
		if !slices.Equal(e.Facts(r), catalogue.Facts(r)) {
			return nil, fmt.Errorf("the policy bundle's rule set %s has other facts than this program", r)
		}
	}
	if policyIndex != NotApproved && policyIndex > maxPolicyIndex {
		return nil, errors.New("the policy index is larger than 2^53-1")
	}
	return &Decider{engine: e, bundle: b.Digest, index: policyIndex}, nil
}

// Decide decides. It never fails: what goes wrong is a refusal with N901.
// The decision allows only when every fact was established as true.
func (d *Decider) Decide(ctx context.Context, f *Facts) entry.Decision {
	v := f.bits(d.index != NotApproved)
	out := entry.Decision{Bundle: d.bundle, Engine: rules.EngineID(), Facts: EncodeFacts(v), Ruleset: string(f.ruleset)}
	if d.index != NotApproved {
		out.Policy = d.index
	}
	allow, codes, err := d.engine.Eval(ctx, f.ruleset, v)
	if err != nil || allow == (len(codes) > 0) {
		out.Codes = []string{catalogue.CodeEngine}
		return out
	}
	out.Allow, out.Codes = allow, codes
	if out.Codes == nil {
		out.Codes = []string{}
	}
	return out
}

// ErrReplay is returned by Replay when a logged decision is not what the rules
// say about its own facts.
var ErrReplay = errors.New("the logged decision is not what the rules say about its facts")

// Replay decides again from the logged bitmap, with the bundle that the
// decision names, and compares. It returns ErrReplay when the outcome differs
// and another error when it can't tell (another bundle, an unreadable bundle).
// For many decisions of one bundle use NewReplayer.
func Replay(ctx context.Context, b Bundle, d entry.Decision) error {
	r, err := NewReplayer(ctx, b)
	if err != nil {
		return err
	}
	return r.Replay(ctx, d)
}

// Replayer decides logged decisions again with one bundle. It takes the fact
// order from the bundle's own catalogue, so it also reads decisions of older
// bundles. It is safe for concurrent use.
type Replayer struct {
	engine *rules.Engine
	bundle entry.Digest
}

// NewReplayer compiles the bundle once.
func NewReplayer(ctx context.Context, b Bundle) (*Replayer, error) {
	e, err := rules.Compile(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("couldn't compile the policy bundle: %w", err)
	}
	return &Replayer{engine: e, bundle: b.Digest}, nil
}

// Replay is Replay with the compiled bundle. A logged N901 (the engine could
// not decide) is a refusal and is accepted as one only when it stands alone.
func (r *Replayer) Replay(ctx context.Context, d entry.Decision) error {
	if d.Bundle != r.bundle {
		return errors.New("the decision names another policy bundle")
	}
	rs := Ruleset(d.Ruleset)
	facts := r.engine.Facts(rs)
	if facts == nil {
		return fmt.Errorf("%w: unknown rule set", ErrReplay)
	}
	v, ok := DecodeFacts(d.Facts, len(facts))
	if !ok {
		return fmt.Errorf("%w: the bitmap does not fit the rule set", ErrReplay)
	}
	if !d.Allow && slices.Equal(d.Codes, []string{catalogue.CodeEngine}) {
		return nil
	}
	allow, codes, err := r.engine.Eval(ctx, rs, v)
	if err != nil {
		return fmt.Errorf("couldn't decide again: %w", err)
	}
	if allow != d.Allow || !slices.Equal(codes, d.Codes) && len(codes)+len(d.Codes) > 0 {
		return ErrReplay
	}
	return nil
}
