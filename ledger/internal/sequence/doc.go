// Package sequence holds the rules that every engine of the ledger shares: who
// may append what and in which order, what is logged once, when a checkpoint
// is signed and what is published. An engine brings a Store.
//
// Append calls are queued and taken in batches. A batch's entries get their
// places, the tree is grown by a computation of this package's own, the Store
// writes the entries, and only then the checkpoint is kept outside the store
// (package ledger/head) and every caller answered.
//
// Promises: (by, seq) is gapless and logged once; nothing is acknowledged
// before the Store says that it is durable and the head has moved; a root is
// signed only if this package computed it; a store that is behind its head,
// differs from it or was made for another log is refused; after a failed write
// the log stops instead of guessing. Every published checkpoint ends with a
// status.root entry.
//
// It never logs the content of entries.
//
//	l, err := sequence.New(cfg)       // opens the head
//	err = l.Start(ctx, store)         // checks the store against it
//	receipts, err := l.Append(ctx, entryBytes)
package sequence
