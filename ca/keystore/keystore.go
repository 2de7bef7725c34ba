// Package keystore holds the CA's keys and the only road to them: a signature
// is made for bytes whose digest is in the log, and for nothing else
// (promise P2).
//
// Sign takes the bytes to be signed (a TBSCertificate or TBSCertList), the log
// entry that announces them and the receipt for that entry. It checks that
//
//   - the entry is canonical, of a kind that announces a signature (cert.intent,
//     key.created, cross.intent, crl.published), by a writer that may write it;
//   - its tbs digest is the SHA-256 of exactly these bytes, and its issuer, where
//     it names one, is this key;
//   - the bytes have the form of what the entry's kind announces: a certificate
//     with the announced serial or key, or a revocation list with the announced
//     number, complete or on the announced base;
//   - the receipt proves the entry under the configured log key;
//   - the receipt's index has never been used.
//
// Then it writes a record of the use into the signing journal, an own directory
// that may be another disk, and only when that is on the disk is the key used.
// The signature is verified in software before it is given out. So the journal
// holds every use of the key there ever was, and an auditor shows
// journal ⊆ logged intents.
//
//	k, err := keystore.OpenSoftware(keystore.SoftwareConfig{…})
//	sig, err := k.Sign(ctx, tbs, logged.Bytes, logged.Receipt)
//
// # One intent, one certificate
//
// A crash may come after the journal record and before the certificate is
// stored. Sign refuses the used receipt for ever. Resume takes it again for
// identical bytes, if and only if the key signs deterministically (RSA
// PKCS #1 v1.5, and ECDSA in software by RFC 6979): then the second signature
// is the first one bit for bit, and there is still one certificate. A token's
// ECDSA is randomised; there Resume refuses, and the intent is closed with
// cert.aborted. Resumptions are journalled like signatures.
//
// # OCSP
//
// Responses are many, follow from the log's state, and are signed by a delegated
// key of its own role, so they need no receipt each. Responder signs only what
// has the form of a ResponseData, and counts its uses: it reserves blocks of
// uses in its journal before the key is used, so the count on disk is never
// below the number of signatures made.
//
// Keys from CreateSoftware are for demonstrations: encrypted at rest, but in
// the memory of the process. Demo reports it, so that a server can refuse them.
package keystore

import (
	"context"
	"crypto"
	"errors"
	"io"
	"iter"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// ToSign is what Sign takes: bytes to be signed, the entry that announces them and
// its receipt.
type ToSign struct {
	TBS, Entry []byte
	Receipt    *proof.Receipt
}

// Key is an issuer key behind its gate. Implementations are safe for concurrent
// use.
type Key interface {
	// Public is the public key: *rsa.PublicKey or *ecdsa.PublicKey.
	Public() crypto.PublicKey
	// KeyID is the SHA-256 of the SubjectPublicKeyInfo, the issuer of log entries.
	KeyID() entry.Digest
	// Demo reports that the key is not held by a token.
	Demo() bool
	// Sign signs tbs if entryBytes announces exactly tbs and r proves that entry
	// in the log. A receipt works once. Refusals are ErrRefused.
	Sign(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error)
	// SignAll is Sign for several uses, which share one write of the journal.
	// done is called once for each of them, with its place among uses, from
	// several goroutines, as soon as its signature or refusal is there; when
	// SignAll returns, it was called for all.
	SignAll(ctx context.Context, uses []ToSign, done func(i int, sig []byte, err error))
	// SignStream is Sign for bytes that are written rather than held, such as a
	// revocation list of a million entries. tbs is asked to write them once.
	SignStream(ctx context.Context, tbs io.WriterTo, entryBytes []byte, r *proof.Receipt) ([]byte, error)
	// Resume signs again what Sign was asked to sign before a crash: the receipt
	// must be used, for the same bytes, and the key deterministic.
	Resume(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error)
	// Ready reports whether the key and its journal could be used now. It uses
	// neither. Asked before something is announced, it keeps a token that is away
	// from filling the log with announcements of what can't be signed.
	Ready() error
	// Used reports whether the receipt at this log index has been used.
	Used(index uint64) bool
	// Journal calls fn for every use of the key, oldest first.
	Journal(fn func(Record) error) error
	// Covers compares the journal with the log at start: done gives the log index
	// of every announcement that the log says was carried out (a cert.intent with
	// its cert.issued, a CRL that is out). One that is not in the journal means
	// that the journal is older than the log, as after a restored backup:
	// ErrBehind, and Sign refuses from then on.
	Covers(done iter.Seq[uint64]) error
	// Close flushes the journal and lets go of the key.
	Close() error
}

// Errors to branch on.
var (
	// ErrRefused is in the chain of every refusal of the gate. No key was used.
	ErrRefused = errors.New("signature refused")
	// ErrUsed says that the receipt was used before. It is a refusal.
	ErrUsed = errors.New("receipt was used before")
	// ErrNotDeterministic says that Resume can't give the same signature again.
	// It is a refusal.
	ErrNotDeterministic = errors.New("this key's signatures are randomised, so the same one can't be made again")
	// ErrJournal says that the journal can't be written; no key is used any more.
	ErrJournal = errors.New("signing journal can't be written")
	// ErrCorrupt says that the journal on disk is not what was written.
	ErrCorrupt = errors.New("signing journal is damaged")
	// ErrBehind says that the journal lacks uses that the log knows of.
	ErrBehind = errors.New("signing journal is older than the log")
	// ErrInUse says that another process holds the journal.
	ErrInUse = errors.New("signing journal is in use by another process")
)
