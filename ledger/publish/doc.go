// Package publish is the ledger over HTTP: the read side of C2SP tlog-tiles,
// proofs, status receipts, and the door for writers.
//
//	GET  /ledger/checkpoint                 newest published checkpoint
//	GET  /ledger/tile/<L>/<N>[.p/<W>]       hash tile, C2SP tlog-tiles
//	GET  /ledger/tile/entries/<N>[.p/<W>]   entry bundle, C2SP tlog-tiles
//	GET  /ledger/proof/<index>              tlog-proof under the published checkpoint
//	GET  /ledger/entry/<index>              one entry
//	GET  /ledger/entries?from=&to=          framed entries, as many as fit
//	GET  /ledger/size                       committed entries
//	GET  /ledger/lookup?by=&seq=            entry of a writer; index in a header
//	GET  /ledger/next?by=                   next sequence number of a writer
//	GET  /status/ordinal/<n>                status receipt
//	POST /ledger/append                     framed entries → receipts
//
// A writer is known by its TLS client certificate, through Config.Authorize; it
// may only append under the role identifiers that the function returns.
// Errors are RFC 9457 problem documents (package internal/problem) with the
// codes of package ledger, so errors.Is works on the client's side too.
//
// Caching follows tlog-tiles: a tile or bundle of any width never changes, so it
// may be kept for ever; a checkpoint may not be kept; an error never. With
// Config.Restrict the public gets everything but the entries themselves. With
// Config.EntriesPerSecond each client has its share of appends.
//
// A frame is a 16-bit big-endian length and the entry's bytes, as in an entry
// bundle. Everything from outside is bounded.
//
//	srv := &http.Server{Handler: publish.Handler(publish.Config{Source: engine, Log: engine, Authorize: byCertificate})}
//	c, err := publish.NewClient("https://log.example", httpClient)
//	receipts, err := c.Append(ctx, entryBytes)
package publish
