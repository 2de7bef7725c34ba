package audit

import (
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// holderState is one daily list (M1) as sent.
type holderState struct {
	sent     uint64 // index + 1
	at       entry.Time
	list     entry.Holders
	received bool
}

func (a *auditor) holdersSent(it *item, b *entry.HoldersSent) {
	h := b.Holders
	a.count(ckHoldersDaily)
	if n := len(a.holders); n > 0 && a.holders[n-1].list.Day >= h.Day {
		a.warn(ckHoldersDaily, text("記録 %d の利用者一覧は、前の一覧と同じ日か、それより前の日付です。", "The list of holders at entry %d has the day of an earlier list or one before it.", it.index), a.holders[n-1].sent-1, it.index)
	}
	a.count(ckHoldersTotal)
	if a.listened+h.New < h.Gone || a.listened+h.New-h.Gone != h.Total {
		a.fail(ckHoldersTotal, text("記録 %d の利用者一覧の合計 %d 件は、前回の %d 件に増減(+%d −%d)を合わせた数と違います。",
			"The total %[2]d of the list at entry %[1]d is not the last total %[3]d with its changes (+%[4]d −%[5]d).", it.index, h.Total, a.listened, h.New, h.Gone), it.index)
	}
	if h.Total > a.states.issued {
		a.fail(ckHoldersTotal, text("記録 %d の利用者一覧は %d 件ですが、それまでに発行された証明書は %d 件しかありません。",
			"The list at entry %d has %d holders, but only %d certificates had been issued.", it.index, h.Total, a.states.issued), it.index)
	}
	a.holderSet(it, &h)
	a.listened = h.Total
	a.holders = append(a.holders, holderState{sent: it.index + 1, at: it.e.At, list: h})
	a.figures.Holders.Sent++
	a.figures.Holders.New += h.New
	a.figures.Holders.Gone += h.Gone
	a.figures.Holders.Total = h.Total
}

func (a *auditor) holdersReceived(it *item, b *entry.HoldersReceived) {
	a.crossed(it.e.At)
	a.figures.Holders.Received++
	a.count(ckHoldersEqual)
	if a.holderRx >= len(a.holders) {
		a.fail(ckHoldersEqual, text("記録 %d で受け取った利用者一覧には、送った記録がありません。", "The list of holders received at entry %d was never logged as sent.", it.index), it.index)
		return
	}
	s := &a.holders[a.holderRx]
	a.holderRx++
	s.received = true
	if s.list != b.Holders {
		a.fail(ckHoldersEqual, text("利用者一覧が、送った側(記録 %d)と受けた側(記録 %d)で違います。", "A list of holders differs between its sender (entry %d) and its receiver (entry %d).", s.sent-1, it.index), s.sent-1, it.index)
	}
}

func (a *auditor) finishHolders() {
	for _, s := range a.holders[a.holderRx:] {
		if wait := seconds(s.at, a.newest); wait > int64(a.o.HoldersEvery.Seconds()) {
			a.fail(ckHoldersEqual, text("記録 %d で送られた利用者一覧が、%d 秒たっても受け取られていません。", "The list of holders sent at entry %d is not received after %d seconds.", s.sent-1, wait), s.sent-1)
		}
	}
}

// review takes the entries of the council's own work, disclosures, erasures,
// security events and announced tests.
func (a *auditor) review(it *item) {
	switch b := it.e.Body.(type) {
	case *entry.ReviewDraw:
		a.reviewDraw(it, b)
	case *entry.ReviewReport:
		a.figures.ReportsSeen = append(a.figures.ReportsSeen, it.index)
		a.reports[b.Digest] = it.index
	case *entry.Disclosure:
		a.concerned(it, b.Ordinals)
	case *entry.Erasure:
		a.concerned(it, b.Ordinals)
	case *entry.SecurityEvent:
		a.securityEvent(it, b)
	case *entry.TestAnnounced:
		a.testAnnounced(it, b)
	}
}

// concerned checks that a disclosure or erasure is about certificates that exist.
func (a *auditor) concerned(it *item, ordinals []uint64) {
	a.count(ckErasure)
	if i := slices.IndexFunc(ordinals, func(o uint64) bool { return o >= uint64(len(a.certs)) || a.certs[o].filler() }); i >= 0 {
		a.fail(ckErasure, text("記録 %d の開示または消去は、存在しない番号 %d を含みます。", "The disclosure or erasure of entry %d names number %d, which does not exist.", it.index, ordinals[i]), it.index)
	}
}

// finishReports compares earlier reports at hand with those in the log.
func (a *auditor) finishReports() {
	if len(a.src.Reports) == 0 && len(a.reports) == 0 {
		return
	}
	if len(a.src.Reports) == 0 {
		a.skip(ckReports, "以前の報告書が渡されていません。", "No earlier report was handed over.")
		return
	}
	for _, f := range a.src.Reports {
		a.count(ckReports)
		if _, ok := a.reports[entry.Sum(f.Bytes)]; !ok {
			a.failFile(ckReports, f.Name, text("この報告書は、ログに登録されたどの報告書とも一致しません。", "This report is none of those in the log."))
		}
	}
}
