// Package register is the identity information database (本人確認情報DB,
// DOMAIN 3.3): the residents with their resident codes, four attributes and
// the whole history of typed changes. It is the only store of the system in
// which a resident code is kept, and it belongs to zone juki.
//
// What it promises:
//   - Every change (異動) has a position in one gapless sequence, the values
//     before and after, and a time. The sequence never changes afterwards.
//   - Values are kept code point by code point; nothing is normalised
//     (DOMAIN 10.6).
//   - A batch of changes is applied whole and on disk, or not at all.
//   - Every export to a transfer file is recorded before the file exists.
//
// What it never does: it sends nothing to anybody, and its errors and counts
// hold no value of a record.
//
//	r, err := register.Open(dir, register.Config{Now: clock.Now})
//	n, err := r.Import(residents)
//	done, err := r.Apply(register.Event{Kind: register.MoveWithin, Code: code,
//		Municipality: "202011", Attr: moved})
//	err = r.Changes(from, r.Size(), func(c register.Change) error { … })
package register
