package holders

import (
	"bufio"
	"crypto/sha256"
	"fmt"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Member is what the set digest holds of one new holder; both values stand in
// the ledger's cert.intent entry.
type Member struct {
	Ordinal uint64
	Subject entry.Digest // subject commitment (package commitment)
}

// SetDigest is the digest that holders.sent and holders.received carry. It is
// computed from public values only, in ascending order of ordinals:
//
//	sukashi/v1/holders
//	day 2026-11-23
//	seq 4
//	total 1017
//	gone 12            one line for each
//	new 1016 <hex>     one line for each: ordinal and subject commitment
//
// so an auditor recomputes it from the log without seeing an attribute.
func SetDigest(day string, seq uint64, add []Member, gone []uint64, total uint64) entry.Digest {
	h := sha256.New()
	w := bufio.NewWriter(h)
	fmt.Fprintf(w, "sukashi/v1/holders\nday %s\nseq %d\ntotal %d\n", day, seq, total)
	for _, o := range gone {
		fmt.Fprintf(w, "gone %d\n", o)
	}
	for _, m := range add {
		fmt.Fprintf(w, "new %d %s\n", m.Ordinal, m.Subject)
	}
	w.Flush() // writing to a hash never fails
	return entry.Digest(h.Sum(nil))
}

// Members returns the ordinal and the subject commitment of every new holder,
// or an error when a record key is missing.
func (l List) Members() ([]Member, error) {
	out := make([]Member, len(l.New))
	for i := range l.New {
		d, err := l.New[i].Key.Subject(l.New[i].Certified.Slots())
		if err != nil {
			return nil, fmt.Errorf("couldn't commit to holder %d of the list: %w", i, err)
		}
		out[i] = Member{Ordinal: l.New[i].Ordinal, Subject: d}
	}
	return out, nil
}

// Digest returns the list's set digest, or the zero digest, which every entry
// refuses, when a record key is missing.
func (l List) Digest() entry.Digest {
	ms, err := l.Members()
	if err != nil {
		return entry.Digest{}
	}
	return SetDigest(l.Day, l.Seq, ms, l.Gone, l.Total)
}

// Entry returns the body that holders.sent and holders.received share.
func (l List) Entry() entry.Holders {
	return entry.Holders{Day: l.Day, New: uint64(len(l.New)), Gone: uint64(len(l.Gone)), Total: l.Total, Set: l.Digest()}
}
