// Package profile builds the exact bytes that a CA key signs, and checks them.
//
// A profile is data: a strict YAML file that says which names and extensions a
// certificate of one role carries (DOMAIN 6.1, 6.2), or a certificate between CAs. Its digest stands in every
// cert.intent, so that anyone can see under which profile a certificate was
// announced. The package turns a profile and a Request into a TBSCertificate,
// the same bytes for the same input, always; the signature is made elsewhere
// (package keystore) and joined by Assemble. Nothing here touches a key.
//
//	p, _ := profile.Shipped(profile.Resident)
//	tbs, err := p.BuildCertificateTBS(req)        // built, then linted: a finding is an error
//	… the digest of tbs is logged, the receipt opens the key store …
//	der, err := profile.Assemble(tbs, issuer.Alg, signature)
//
// House lints (Lint, LintCRL, LintOCSP) are one small function per clause and
// run on bytes, not on the values that the bytes were built from. Certificates
// are read for them by a reader of their own (read.go) that takes only what this
// CA writes; a test holds it to refusing whatever crypto/x509 refuses.
//
// The package never puts a name into a subject DN, never writes a policy OID of
// the production service, and never does I/O.
//
// # Object identifiers
//
// The arc of the project is 2.999.20040129 (2.999 is the arc that X.660 sets
// aside for examples; the Act came into force on 2004-01-29). An arc under
// 2.25 from a UUID would be free as well, but needs a 128-bit number, and Go's
// crypto/x509 refuses to parse a certificate with such an extension ("malformed
// extension OID field"); a certificate that a common client can't read is no
// use to anyone. An operator who runs this in earnest puts an arc of their own
// into the profile.
package profile
