package audit

import (
	"bufio"
	"container/heap"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// maxHolders is the largest number of new, and of gone, holders in one list.
const maxHolders = 1 << 18

// holderSet recomputes the content of a list of holders from the log: new are
// the certificates in force that no list has told yet, gone are those told and
// no longer in force (PR-12). Ordinals and subject commitments stand in the
// log, so this needs no attribute.
//
// The list was made a moment before it was logged; what was issued or revoked
// in between is the newest of what is waiting, and is left for the next list.
func (a *auditor) holderSet(it *item, h *entry.Holders) {
	a.count(ckHoldersSet)
	seq := uint64(len(a.holders))
	fresh, gone, ok := a.holderChanges(it.e.At, h)
	if ok && setDigest(h.Day, seq, a.certs, fresh, gone, h.Total) == h.Set {
		return
	}
	if a.src.Certificates == nil {
		a.warn(ckHoldersSet, text("記録 %d の利用者一覧の中身を、ログだけからは再現できません。満了日を確かめるため、証明書と突き合わせる必要があります。",
			"The content of the list of holders at entry %d can't be recomputed from the log alone; the certificates are needed for their expiry.", it.index), it.index)
		return
	}
	a.fail(ckHoldersSet, text("記録 %d の利用者一覧の中身が、発行と失効の記録から計算した一覧と違います。", "The content of the list of holders at entry %d is not what issues and revocations say.", it.index), it.index)
}

// holderChanges returns the new and gone ordinals of a list in ascending order
// and marks them as told.
func (a *auditor) holderChanges(at entry.Time, h *entry.Holders) (fresh, gone []uint64, ok bool) {
	for _, o := range a.newNext {
		if c := &a.certs[o]; c.revoked == 0 && !c.told && !expiredAt(c, at) {
			fresh = append(fresh, o)
		}
	}
	for _, o := range a.goneNext {
		if c := &a.certs[o]; c.told && !c.gone {
			gone = append(gone, o)
		}
	}
	gone = append(gone, a.expiredHolders(at)...)
	fresh, ok1 := take(fresh, h.New)
	gone, ok2 := take(gone, h.Gone)
	for _, o := range fresh {
		a.certs[o].told = true
	}
	for _, o := range gone {
		a.certs[o].gone = true
	}
	a.newNext = slices.DeleteFunc(a.newNext, func(o uint64) bool { return a.certs[o].told || a.certs[o].revoked != 0 })
	a.goneNext = slices.DeleteFunc(a.goneNext, func(o uint64) bool { return a.certs[o].gone || !a.certs[o].told })
	return fresh, gone, ok1 && ok2
}

// take leaves out what came last until n are left, and sorts. A full list
// holds the smallest ordinals instead.
func take(os []uint64, n uint64) ([]uint64, bool) {
	if n > uint64(len(os)) {
		slices.Sort(os)
		return os, false
	}
	if n == maxHolders {
		slices.Sort(os)
		return os[:n], true
	}
	os = os[:n]
	slices.Sort(os)
	return os, true
}

func expiredAt(c *certState, at entry.Time) bool {
	return c.file != nil && c.file.notAfter.Before(at.Std())
}

// expiredHolders are told, unrevoked certificates that are known to have
// expired. Only certificate files say when that is.
func (a *auditor) expiredHolders(at entry.Time) (out []uint64) {
	for len(a.expiries) > 0 && a.expiries[0].at.Before(at.Std()) {
		o := heap.Pop(&a.expiries).(expiry).ordinal
		if c := &a.certs[o]; c.told && !c.gone && c.revoked == 0 {
			out = append(out, o)
		}
	}
	return out
}

// expiry is when a certificate ends by itself.
type expiry struct {
	at      time.Time
	ordinal uint64
}

// expiries is a heap, soonest first.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *expiries) Push(x any) { *e = append(*e, x.(expiry)) }

// Pop implements heap.Interface.
func (e *expiries) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// setDigest is the digest that holders.sent and holders.received carry,
// written a second time (the first is in package policy/holders).
func setDigest(day string, seq uint64, certs []certState, fresh, gone []uint64, total uint64) entry.Digest {
	h := sha256.New()
	w := bufio.NewWriter(h)
	fmt.Fprintf(w, "sukashi/v1/holders\nday %s\nseq %d\ntotal %d\n", day, seq, total)
	for _, o := range gone {
		fmt.Fprintf(w, "gone %d\n", o)
	}
	for _, o := range fresh {
		fmt.Fprintf(w, "new %d %s\n", o, certs[o].subject)
	}
	w.Flush() // a hash takes everything
	return entry.Digest(h.Sum(nil))
}
