// Package clusterlog is the ledger's engine on a cluster: the entries and their
// Merkle tree are kept by Trillian's log server and signer on PostgreSQL or
// MariaDB, spoken to by gRPC. The rules are those of every engine (package
// ledger/internal/sequence).
//
// This process gives the entries their order and adds each batch with one
// AddSequencedLeaves call to a PREORDERED_LOG tree, so that the database takes
// it whole or not at all. The signer integrates it; the root that comes back is
// compared with the tree that this process computed itself, and only then a
// checkpoint is signed. A batch whose answer was lost is sent again until it is
// certain.
//
// Trillian's servers are not trusted with history: a root that differs from our
// own computation stops the log, unsigned. They are trusted to keep what they
// acknowledged; how durable that is, is the database's setting. The head stays
// outside, as with every engine.
//
// Beside the cluster a cache on this machine holds tiles, the index by writer
// and number, and what the status tree needs. It is compared with the cluster's
// root at every start. When it is lost or doesn't fit it is built again by
// reading the log once.
//
// There must be one process per log: two that append refuse each other's
// entries and stop, because the database takes an index only once.
//
//	e, err := clusterlog.Open(ctx, clusterlog.Config{Address: "trillian.lgwan:8090", TLS: tlsConfig,
//		CacheDir: "cache", HeadDir: "head", Origin: "log.example/1", Signer: signer, VKey: vkey, Now: time.Now})
package clusterlog
