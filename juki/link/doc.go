// Package link is the CALinkServer (認証局連携サーバ, DOMAIN 3.3): the register
// side's end of the link to the CA side. It takes in the daily holders list
// (M1) and sends change notices (M3); nothing else crosses.
//
// What it promises:
//   - Nothing is sent that is not in the ledger first (notice.sent), and
//     nothing is acted on that is not (holders.received). Order: fix the bytes
//     on disk, decide, log, send.
//   - Notices have gapless sequence numbers, are sent in order, again after
//     every doubt, and are the same bytes every time; the CA side knows them
//     by sequence, so the effect is exactly once.
//   - Outages of the link, the ledger or the CA side only delay: what is due
//     waits on disk. The caller drives attempts with Flush or Run; the time
//     between them grows up to a bound.
//   - At the end of a day it states how much has crossed, signed, and the CA
//     side counts for itself and counter-signs; both are in the ledger.
//   - What the sender's policy or the CA side refuses is recorded and waits
//     for a person.
//   - A ledger that is older than the outbox, or that holds a notice which no
//     certificate explains, stops the link (promise P9).
//
// What it never does: it puts nothing into a request but the notice's bytes
// and the fixed headers of policy.LinkHeader, and it logs no value of a
// message.
//
//	s, err := link.New(link.Config{Engine: engine, Register: reg, Log: log, Decider: d, …})
//	http.Handle("/link/", s.Handler())
//	sent, err := s.Flush(ctx)
package link
