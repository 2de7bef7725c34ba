// Package scenario holds the 25 acceptance scenarios of DOMAIN 11.4 as tests
// by those numbers, over the real roles: counters, CA, register, both link
// servers, ledger and witnesses on loopback connections. Each scenario is
// judged by what an outsider can see: entries of the log, a status receipt
// under a witnessed checkpoint, OCSP, the revocation list, an agency's answer
// to a signed application, the person's queue, refusal codes, and the
// council's audit of each world at its end.
//
// The package has no code of its own.
package scenario
