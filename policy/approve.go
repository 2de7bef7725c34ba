package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// approvalContext is signed in front of the bundle digest, so that an approval
// can't be taken for a council member's signature on anything else.
const approvalContext = "sukashi/v1/policy.approved\n"

func approvalMessage(bundle entry.Digest) []byte {
	return append([]byte(approvalContext), bundle[:]...)
}

// Approve signs the bundle's digest with each council member's key and returns
// the body of policy.approved (promise P5). The signed bytes are
// "sukashi/v1/policy.approved\n" and the 32 bytes of the digest.
func Approve(b Bundle, members ...ed25519.PrivateKey) (entry.PolicyApproved, error) {
	out := entry.PolicyApproved{Bundle: b.Digest, Capabilities: b.Capabilities, Grammar: b.Grammar, Scanner: b.Scanner}
	for _, k := range members {
		if len(k) != ed25519.PrivateKeySize {
			return entry.PolicyApproved{}, errors.New("a council key has the wrong size")
		}
		pub, ok := k.Public().(ed25519.PublicKey)
		if !ok {
			return entry.PolicyApproved{}, errors.New("a council key is not an Ed25519 key")
		}
		out.Approvals = append(out.Approvals, entry.Approval{
			Key: base64.StdEncoding.EncodeToString(pub),
			Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(k, approvalMessage(b.Digest))),
		})
	}
	if err := out.Validate(); err != nil {
		return entry.PolicyApproved{}, fmt.Errorf("couldn't approve the policy bundle: %w", err)
	}
	return out, nil
}

// VerifyApprovals checks that at least k different members of the council
// signed the bundle digest. Every approval in the body must be a valid one of
// a member, and none may appear twice: an approval that can't be explained
// makes the whole entry suspect.
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
		if err != nil || !ed25519.Verify(pub, approvalMessage(body.Bundle), sig) {
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
