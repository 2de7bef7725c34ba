// Package pebblestore is Trillian storage (storage.LogStorage and
// storage.AdminStorage) on the embedded store of package internal/kv.
//
// The stored form of the Merkle tree is the C2SP tlog-tiles one: tiles 256
// hashes wide, by level and index. Trillian's Merkle nodes are computed from
// them, so there is no second copy, and a tile can be served as it lies.
//
// Promises: leaves, tiles and root of one transaction are on disk together or
// not at all, with one fsync; a leaf identity is logged once; a read-only
// transaction sees one moment. LOG and PREORDERED_LOG trees are both complete:
// queue, cut-off, duplicates, look-up by hash, rollback.
//
// A Stage is the short way that Trillian's own interface does not have: it
// hands leaves to the same transaction that integrates them, so that an append
// costs one fsync instead of two and no queue.
//
// The package never looks into leaves and never logs them.
//
//	st := pebblestore.New(kvStore, pebblestore.Options{HashIndex: true})
//	tree, err := storage.CreateTree(ctx, st.Admin(), &trillian.Tree{…})
package pebblestore
