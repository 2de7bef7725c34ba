package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/rules"
)

// approvalContext is signed in front of the two digests, so that an approval
// can't be taken for a council member's signature on anything else.
const approvalContext = "sukashi/v1/policy.approved\n"

// Proposal is what a council has before it: a bundle, and the certificate that
// proves it (package policy/rules/prove).
type Proposal struct {
	Bundle Bundle
	Proof  []byte // the proof certificate's bytes
}

// ShippedProposal is the bundle that this program carries, with its proof.
func ShippedProposal() Proposal { return Proposal{Bundle: Shipped(), Proof: rules.ShippedProof()} }

// check refuses a proof that is another bundle's or says that it failed.
// Whether the proof is true is told by proving again (prove.Again).
func (p Proposal) check() error {
	var c struct {
		Holds  bool         `json:"holds"`
		Bundle entry.Digest `json:"bundle"`
	}
	if err := json.Unmarshal(p.Proof, &c); err != nil {
		return fmt.Errorf("couldn't read the proof certificate: %w", err)
	}
	if c.Bundle != p.Bundle.Digest {
		return errors.New("the proof certificate is for another policy bundle")
	}
	if !c.Holds {
		return errors.New("the proof certificate says that the policy bundle is not proved")
	}
	return nil
}

func approvalMessage(bundle, proof entry.Digest) []byte {
	return append(append([]byte(approvalContext), bundle[:]...), proof[:]...)
}

// Sign is one council member's approval: an Ed25519 signature over
// "sukashi/v1/policy.approved\n", the 32 bytes of the bundle's digest and the
// 32 bytes of the proof certificate's. It fails for a proof that is another
// bundle's or failed.
func (p Proposal) Sign(member ed25519.PrivateKey) (entry.Approval, error) {
	if err := p.check(); err != nil {
		return entry.Approval{}, err
	}
	if len(member) != ed25519.PrivateKeySize {
		return entry.Approval{}, errors.New("a council key has the wrong size")
	}
	pub, ok := member.Public().(ed25519.PublicKey)
	if !ok {
		return entry.Approval{}, errors.New("a council key is not an Ed25519 key")
	}
	return entry.Approval{
		Key: base64.StdEncoding.EncodeToString(pub),
		Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(member, approvalMessage(p.Bundle.Digest, entry.Sum(p.Proof)))),
	}, nil
}

// Approved is the body of policy.approved with these approvals (promise P5).
// Whether they are enough and the council's is VerifyApprovals' to say.
func (p Proposal) Approved(approvals ...entry.Approval) (entry.PolicyApproved, error) {
	out := entry.PolicyApproved{Approvals: approvals, Bundle: p.Bundle.Digest, Capabilities: p.Bundle.Capabilities,
		Grammar: p.Bundle.Grammar, Proof: entry.Sum(p.Proof), Scanner: p.Bundle.Scanner}
	if err := out.Validate(); err != nil {
		return entry.PolicyApproved{}, fmt.Errorf("couldn't approve the policy bundle: %w", err)
	}
	return out, nil
}

// Approve has each of the council's members sign, where all keys are in one
// hand: in tests and in the story.
func Approve(p Proposal, members ...ed25519.PrivateKey) (entry.PolicyApproved, error) {
	var approvals []entry.Approval
	for _, k := range members {
		a, err := p.Sign(k)
		if err != nil {
			return entry.PolicyApproved{}, err
		}
		approvals = append(approvals, a)
	}
	return p.Approved(approvals...)
}

// VerifyApprovals checks that at least k different members of the council
// signed the digests of bundle and proof. Every approval in the body must be a
// valid one of a member, and none may appear twice: an approval that can't be
// explained makes the whole entry suspect.
func VerifyApprovals(body entry.PolicyApproved, k int, members []ed25519.PublicKey) error {
	if k < 1 || k > len(members) {
		return errors.New("the number of approvals asked for is not between 1 and the number of members")
	}
	if err := body.Validate(); err != nil {
		return fmt.Errorf("the policy approval is not valid: %w", err)
	}
	seen := map[string]bool{}
	for _, a := range body.Approvals {
		pub, err := base64.StdEncoding.Strict().DecodeString(a.Key)
		if err != nil || !isMember(pub, members) {
			return errors.New("an approval is by a key that is not a council member's")
		}
		sig, err := base64.StdEncoding.Strict().DecodeString(a.Sig)
		if err != nil || !ed25519.Verify(pub, approvalMessage(body.Bundle, body.Proof), sig) {
			return errors.New("an approval's signature is not valid")
		}
		if seen[string(pub)] {
			return errors.New("a council member approved twice")
		}
		seen[string(pub)] = true
	}
	if len(seen) < k {
		return fmt.Errorf("%d of the %d approvals needed", len(seen), k)
	}
	return nil
}

func isMember(pub []byte, members []ed25519.PublicKey) bool {
	for _, m := range members {
		if len(pub) == ed25519.PublicKeySize && bytes.Equal(pub, m) {
			return true
		}
	}
	return false
}

// VerifyBundle checks that body approves exactly this bundle.
func VerifyBundle(body entry.PolicyApproved, b Bundle) error {
	if body.Bundle != b.Digest || body.Capabilities != b.Capabilities || body.Grammar != b.Grammar || body.Scanner != b.Scanner {
		return errors.New("the approval is for another policy bundle")
	}
	return nil
}
