// Package path builds and validates certification paths the way RFC 5280
// section 6 says, for agencies and auditors. It is the one validator that
// outsiders run; it shares no code with the CA and takes nothing but its own
// DER reader and the signature arithmetic from elsewhere.
//
//	pool := path.NewPool()
//	pool.AddCertificate(link)       // intermediates, link and cross certificates, CRL issuers
//	pool.AddCRL(list)
//	r, err := path.Verify(cert, path.Options{Anchors: anchors, Pool: pool, Time: now})
//	if code := path.CodeOf(err); code == path.Revoked { … }
//
// Verify goes in three steps, one file each:
//
//	build.go       finds candidate paths from the target to an anchor. All
//	               generations of one CA share a name, so issuers are told apart
//	               by key: a candidate that did not sign is never followed.
//	validate.go    section 6.1: signature, validity, name chaining, basic
//	               constraints, key usage, name constraints (constraints.go),
//	               policies (policy.go), unknown critical extensions
//	revocation.go  section 6.3: distribution points, scopes, reasons, indirect
//	               lists, deltas, and the path of whoever signed the list
//
// The policy tree is the graph of RFC 9618, which decides the same and grows
// with the input instead of exponentially. Names compare by RFC 5280 7.1.
//
// Everything fails closed. A certificate whose status no list settles is not
// valid. A list with a critical extension that is not known here, of version 1
// or without nextUpdate, is not used at all. What costs is bounded by Limits:
// a pool full of certificates that all have one name ends in the error code
// Limit, not in an endless search.
//
// Not supported, and refused where it would matter: RSA-PSS, subtree distances
// in name constraints, constraints on otherName, X.400, EDI and registered
// identifiers, attribute certificates. SHA-1, DSA and RSA below 2048 bits are
// refused unless Options.Legacy says that a test suite of old needs them.
//
// The package does no I/O and has no clock. Errors never quote a name or value.
package path
