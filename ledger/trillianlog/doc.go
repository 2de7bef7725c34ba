// Package trillianlog is the ledger's engine on one machine: Trillian's
// IntegrateBatch in-process over package pebblestore, driven by a group-commit
// loop of our own.
//
// Concurrent Append calls are gathered; their leaves, the tiles, the root and
// the sequence numbers are written in one batch with one fsync; what was
// written is checked against an independent computation of the tree; then the
// checkpoint is signed, the head outside the store is moved (package
// ledger/head) and every caller gets index, proof and commit checkpoint.
//
// Promises: what was acknowledged survives any crash; (by, seq) is gapless and
// logged once; the log refuses to start on a store that is behind its head,
// differs from it or was made for another log; after a failed write it stops
// instead of guessing. Published checkpoints end with a status.root entry.
//
// It never logs the content of entries, and never signs a root that it has not
// computed itself.
//
//	e, err := trillianlog.Open(ctx, trillianlog.Config{
//		Dir: "ledger", HeadDir: "head", Origin: "log.example/1",
//		Signer: signer, VKey: vkey, Now: time.Now, PublishEvery: time.Second})
//	receipts, err := e.Append(ctx, entryBytes)
//	checkpoint, err := e.Publish(ctx)
package trillianlog
