package path

import (
	"errors"
	"time"
)

// Code says why a path was refused. Codes are stable.
type Code string

// Codes, roughly in the order of the checks.
const (
	NoPath            Code = "no-path"            // no chain of issuers leads to an anchor
	Limit             Code = "limit"              // the search was given up (Limits)
	Algorithm         Code = "algorithm"          // key or signature algorithm not accepted
	Signature         Code = "signature"          // a signature does not match
	NotYetValid       Code = "not-yet-valid"      // before notBefore
	Expired           Code = "expired"            // after notAfter
	NameChaining      Code = "name-chaining"      // issuer is not the subject above
	NotCA             Code = "not-ca"             // an issuer is no CA
	PathLength        Code = "path-length"        // pathLenConstraint
	KeyUsage          Code = "key-usage"          // an issuer's key is not for certificates
	NameConstraints   Code = "name-constraints"   // a name outside permitted or inside excluded subtrees
	Policy            Code = "policy"             // no acceptable policy, or a mapping of anyPolicy
	UnknownCritical   Code = "unknown-critical"   // a critical extension that is not known
	Revoked           Code = "revoked"            // a list has the certificate
	RevocationUnknown Code = "revocation-unknown" // no usable list settles the status
)

// Error is a refusal.
type Error struct {
	Code  Code
	Depth int // of the certificate: 0 is the target, 1 its issuer, …
	Why   string
	// Reason and At are the list's reason code and date when Code is Revoked.
	Reason int
	At     time.Time
}

// Error says why, in English, without quoting anything.
func (e *Error) Error() string { return "path " + string(e.Code) + ": " + e.Why }

// CodeOf returns the code of a refusal, or "" for another error or none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func refuse(code Code, depth int, why string) *Error {
	return &Error{Code: code, Depth: depth, Why: why}
}
