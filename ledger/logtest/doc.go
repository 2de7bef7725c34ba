// Package logtest tests engines of the ledger: whatever stores a log, its
// users see the same.
//
// It also makes the entries that such tests append. The entries are invented;
// none belongs to a person. Only tests import this package.
package logtest
