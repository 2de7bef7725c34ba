// Package proof holds the offline checks of the ledger: was this entry logged,
// is one checkpoint a continuation of another, did enough witnesses see it,
// and what was a certificate's status.
//
// The formats are C2SP's: signed notes, tlog-checkpoint, tlog-cosignature,
// tlog-policy and tlog-proof v1. The reader is stricter than they ask for:
// a proof file has exactly one valid byte form. Every signature line must be
// made by a key of the policy and be valid, no line twice, base64 in its one
// canonical form, no extension lines, no "extra" line; so changing any byte of
// a proof makes it fail.
//
// Errors for which errors.Is(err, ErrFalse) holds mean: checked, and it is
// false. Every other error means that it could not be told: the file is not
// readable as what it claims to be. Both carry sentences for people (package
// say) and never quote the content of a file.
//
//	p, err := proof.ParsePolicy(policyText)
//	r, err := proof.ParseReceipt(tlogProof)
//	cp, err := p.VerifyReceipt(r, entryBytes)
//
// The package is pure: no I/O, no clock, no randomness, and it runs in a
// browser.
package proof

import (
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/say"
)

// ErrFalse is in the chain of every error that means "checked and false"
// (exit code 2), as opposed to "could not tell" (exit code 1).
var ErrFalse = errors.New("checked and false")

// Limits on what comes from outside.
const (
	// MaxFile is the largest proof, receipt, policy or checkpoint in bytes.
	MaxFile = 64 << 10
	// MaxHashes is the largest number of hashes in one Merkle path.
	MaxHashes = 63
	// MaxSize is the largest tree size (also the largest integer of JCS).
	MaxSize = 1<<53 - 1
	// maxSignatures is the largest number of signature lines of a checkpoint.
	maxSignatures = 64
)

// wrong says that something was checked and is false. The detail is for
// operators and must not hold content of the file.
func wrong(code, ja, en, detail string, args ...any) *say.Error {
	return say.New(code, ja, en).Because(fmt.Errorf("%w: %s", ErrFalse, fmt.Sprintf(detail, args...)))
}

// unreadable says that a file can't be read as what it claims to be.
func unreadable(code, ja, en, detail string, args ...any) *say.Error {
	return say.New(code, ja, en).Because(fmt.Errorf(detail, args...))
}
