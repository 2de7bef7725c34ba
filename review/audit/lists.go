package audit

import (
	"sort"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// fullPartition is the name of the list without partition.
const fullPartition = "full"

// caPartition names the list of CA certificates (ARL).
const caPartition = "ca"

// listKey is one series of revocation lists: each issuer key numbers its own.
type listKey struct {
	issuer    entry.Digest
	partition string
}

// listState is one crl.published entry.
type listState struct {
	index uint64
	at    entry.Time
	body  entry.CRLPublished
	base  int     // of a delta: position of the complete list that it builds on, -1 for none
	file  bool    // a file with this content was handed over
	names *string // scope as the file has it
}

func (l *listState) key() listKey { return listKey{l.body.Issuer, l.body.Partition} }

// delta is a list that says what was revoked since a complete one.
func (l *listState) delta() bool { return l.body.Base != nil }

// numbered is one complete list of a series.
type numbered struct {
	listKey
	number uint64
}

func (a *auditor) crlPublished(it *item, b *entry.CRLPublished) {
	a.issuerUsed(it, b.Issuer)
	a.count(ckCRLNumber)
	key := listKey{b.Issuer, b.Partition}
	if prev, ok := a.newestCL[key]; ok {
		p := &a.lists[prev]
		if p.body.Number >= b.Number {
			a.fail(ckCRLNumber, text("記録 %d の失効リストの番号 %d が、前の番号 %d より大きくありません。", "The revocation list of entry %d has number %d, which is not above the earlier %d.", it.index, b.Number, p.body.Number), p.index, it.index)
		}
		if p.body.Covers > b.Covers {
			a.fail(ckCRLNumber, text("記録 %d の失効リストは、前の失効リストより古い状態に基づいています。", "The revocation list of entry %d reflects an older state than the one before it.", it.index), p.index, it.index)
		}
	}
	if _, twice := a.byTBS[b.TBS]; twice {
		a.fail(ckCRLNumber, text("記録 %d は、すでに予告された失効リストをもう一度予告しています。", "Entry %d announces a revocation list that was announced before.", it.index), it.index)
	}
	a.byTBS[b.TBS] = len(a.lists)
	a.newestCL[key] = len(a.lists)
	a.lists = append(a.lists, listState{index: it.index, at: it.e.At, body: *b, base: -1})
	l := &a.lists[len(a.lists)-1]
	if l.delta() && !a.deltaBase(l) {
		return
	}
	a.listCount(it, l)
	if !l.delta() { // most clients read no deltas: what counts is the complete list
		a.complete[key] = len(a.lists) - 1
		a.byNumber[numbered{key, b.Number}] = len(a.lists) - 1
		a.listTimes(it, b)
	}
}

// deltaBase finds the complete list that a delta builds on: of the same issuer
// and partition, announced before (RFC 5280 5.2.4).
func (a *auditor) deltaBase(l *listState) bool {
	a.count(ckCRLDelta)
	i, ok := a.byNumber[numbered{l.key(), *l.body.Base}]
	if !ok {
		a.fail(ckCRLDelta, text("記録 %d の差分リストが基にするという番号 %d の完全な失効リストは、それより前のログにありません。", "The delta list of entry %d builds on number %d, and no complete list of that number was announced before.", l.index, *l.body.Base), l.index)
		return false
	}
	l.base = i
	return true
}

// listCount compares the announced number of entries with the log at covers,
// from the base's covers on for a delta. A list may leave out certificates that
// had expired (their dates are known only from the certificate files), nothing
// else.
func (a *auditor) listCount(it *item, l *listState) {
	b := &l.body
	a.count(ckCRLCount)
	if b.Covers > it.index {
		a.fail(ckCRLCount, text("記録 %d の失効リストは、まだない記録に基づくとしています。", "The revocation list of entry %d claims to reflect entries that did not exist yet.", it.index), it.index)
		return
	}
	revs, crosses := a.content(l)
	all := uint64(len(revs) + len(crosses))
	if b.Entries == all {
		return
	}
	if b.Entries > all || b.Entries < all-a.expired(revs, it.e.At) {
		a.fail(ckCRLCount, text("記録 %d の失効リストは %d 件ですが、ログでは %d 件です。", "The revocation list of entry %d has %d entries; the log says %d.", it.index, b.Entries, all), it.index)
	}
}

// content returns what the list must hold: positions in revs, and the revoked
// certificates between CAs.
func (a *auditor) content(l *listState) ([]int, []crossRevocation) {
	revs, crosses := a.revokedAt(l.key(), l.body.Covers), a.crossesAt(l.key(), l.body.Covers)
	if l.base < 0 {
		return revs, crosses
	}
	since := a.lists[l.base].body.Covers // no later than the delta's: CRL-1
	before := min(len(a.revokedAt(l.key(), since)), len(revs))
	return revs[before:], crosses[min(len(a.crossesAt(l.key(), since)), len(crosses)):]
}

// revokedAt returns positions in revs: the revocations of a series among the
// first covers entries.
func (a *auditor) revokedAt(key listKey, covers uint64) []int {
	revs := a.parted[key]
	n := sort.Search(len(revs), func(i int) bool { return a.revs[revs[i]].index >= covers })
	return revs[:n]
}

// expired counts those of the revocations whose certificate is known to have
// expired at a time.
func (a *auditor) expired(revs []int, at entry.Time) (n uint64) {
	for _, i := range revs {
		if f := a.certs[a.revs[i].ordinal].file; f != nil && f.notAfter.Before(at.Std()) {
			n++
		}
	}
	return n
}

// listTimes measures revocation → list. Lists of a partition cover more and
// more, so each revocation is looked at once for each partition.
func (a *auditor) listTimes(it *item, b *entry.CRLPublished) {
	revs := a.revokedAt(listKey{b.Issuer, b.Partition}, b.Covers)
	key := listKey{b.Issuer, b.Partition}
	done := min(a.listed[key], len(revs))
	a.listed[key] = len(revs)
	for _, i := range revs[done:] {
		r := &a.revs[i]
		if r.listed {
			continue
		}
		r.listed = true
		a.count(ckCRLTime)
		wait := seconds(r.at, it.e.At)
		a.times.list = append(a.times.list, wait)
		if wait > int64(a.o.List.Seconds()) {
			a.fail(ckCRLTime, text("記録 %d の失効が失効リストに載るまで %d 秒かかりました。", "It took %[2]d seconds until the revocation of entry %[1]d was in a revocation list.", r.index, wait), r.index, it.index)
		}
	}
}

// finishLists looks for revocations in no list and for lists gone stale.
func (a *auditor) finishLists() {
	for i := range a.revs {
		r := &a.revs[i]
		if r.listed {
			continue
		}
		a.count(ckCRLTime)
		if wait := seconds(r.at, a.newest); wait > int64(a.o.List.Seconds()) {
			a.fail(ckCRLTime, text("記録 %d の失効が、%d 秒たっても失効リストに載っていません。", "The revocation of entry %d is in no revocation list after %d seconds.", r.index, wait), r.index)
		}
	}
	newest := make([]int, 0, len(a.complete))
	for _, i := range a.complete {
		newest = append(newest, i)
	}
	sort.Slice(newest, func(i, j int) bool {
		x, y := &a.lists[newest[i]], &a.lists[newest[j]]
		if x.body.Partition != y.body.Partition {
			return x.body.Partition < y.body.Partition
		}
		return x.index < y.index
	})
	for _, i := range newest {
		l := a.lists[i]
		p := l.body.Partition
		if k := a.keys[l.body.Issuer]; k != nil && k.retired != 0 {
			continue // a retired key signs no more lists
		}
		a.figures.Lists = append(a.figures.Lists, ListFigure{Partition: p, Number: l.body.Number, Entries: l.body.Entries, Index: l.index, At: l.at})
		if age := a.o.Now.Unix() - l.at.Std().Unix(); age > int64((a.o.List + a.o.Pending).Seconds()) {
			a.warn(ckCRLTime, text("区分 %s の失効リストが %d 秒間更新されていません(記録 %d)。", "The revocation list of partition %s has not been renewed for %d seconds (entry %d).", p, age, l.index), l.index)
		}
	}
}
