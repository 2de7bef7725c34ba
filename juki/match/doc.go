// Package match is the business subsystem's matching (突合, DOMAIN 3.3, 4.3):
// it compares every change of the register with the list of certificate
// holders, and says which certificates a notice is due for.
//
// It keeps three things in one store, so that they never disagree:
//   - CertHolderDB (証明書発行者DB): exactly what the CA's daily lists (M1)
//     delivered, nothing else; no resident code is linked to a holder. Beside it
//     stay the bare names and addresses of all holders listed, for as long as
//     the CA side may have them (Crossed).
//   - An outcome for every change and for every holder that arrived, and a
//     person's queue for what is not clear.
//   - The outbox of notices (M3) for package juki/link.
//
// What it promises:
//   - Every change has exactly one outcome: a notice, a person's decision, or
//     a recorded reason why none is due.
//   - A certificate gets at most one notice, however many changes hit it,
//     unless a person decides on another after a refusal.
//   - Several hits, twins with equal attributes and near misses never go on
//     silently: they wait in the queue.
//   - A change that came before the holder's list is found when the list
//     arrives (IN-07), also when the record has changed back since.
//
// What it never does: it sends nothing, it never looks at all holders or all
// records for one change, and its counts hold no person.
//
//	e, err := match.Open(dir, match.Config{Now: clock.Now, Register: reg})
//	n, err := e.Match(ctx)                     // changes since the last call
//	err = e.ApplyList(ctx, list, ledgerIndex)  // M1 arrived
//	cases, err := e.Cases(true)                // what waits for a person
package match
