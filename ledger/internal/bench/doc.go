// Package bench measures the ledger beside its peers in one run: what it costs
// from an append to a signed checkpoint that covers the entry, in a closed loop
// of callers, with fsync on.
//
// Each measurement runs in a process of its own on an empty directory; rounds
// are interleaved and the table shows medians, because the same machine is
// never the same for two minutes. The peers are built from a module of their
// own (bench/peers). The table is markdown; the single measurements go into a
// file of JSON lines beside it.
//
//	make bench-ledger          # about eight minutes
//	make bench-ledger-quick    # about one
//	make bench-cluster         # about ten: the engine on Trillian's servers beside them alone
//
// The package holds tests only, and nothing of it runs unless it is asked to.
package bench
