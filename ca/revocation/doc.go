// Package revocation turns the ledger's entries into what clients ask for:
// revocation lists and OCSP responses.
//
// State is fed every entry of the log in order and holds nothing that is not in
// the log. Lists and Responder read it. So CRL, OCSP and the status tree say the
// same by construction, and an auditor who feeds the same entries to a program
// of their own can compare (promise P6).
//
//	s := revocation.NewState()
//	err := s.Apply(index, e)                          // every entry, in order
//
//	list, err := lists.Build("202029", now)           // a CRL before its signature
//	logged, err := writer.Append(ctx, list.Body())    // crl.published
//	sig, err := key.SignStream(ctx, list, logged.Bytes, logged.Receipt)
//	err = list.Write(file, sig)                       // verified, then written
//
// Lists are of two kinds: "full", without any critical extension, for every
// client there is; and one per municipality, whose critical
// issuingDistributionPoint repeats the names of the certificates' distribution
// point, so that a list can't stand in for another one. Of both there are deltas,
// which say what was revoked after a complete list of the same scope (RFC 5280
// 5.2.4): a revocation is final, so a delta never takes one back, and base and delta
// together are the complete list of the delta's moment. When they are made, package
// ca says. All are streamed: a million entries need no more memory than one.
//
// A responder says good only for a certificate whose cert.issued is in the log.
// What was never issued, is pending or was aborted is unknown, never good.
//
// The reason that the public sees is one for all grounds of Article 12, so that
// a list never shows who died (DOMAIN PR-08).
package revocation
