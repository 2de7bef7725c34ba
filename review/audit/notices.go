package audit

import (
	"slices"

	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// noticeState is one sequence number of the link: as sent, as answered, and
// what followed.
type noticeState struct {
	sent, answer, revoked uint64 // index + 1 of each; 0: none
	sentAt, answerAt      entry.Time
	digest, holder        entry.Digest
	received              bool   // the answer is a receipt
	refusals              uint64 // notice.refused entries with this number
}

func (a *auditor) noticeSent(it *item, b *entry.NoticeSent) {
	a.crossed(it.e.At)
	a.decision(it, &b.Decision, "notice-send")
	a.figures.Notices.Sent++
	a.figures.Notices.Modes[b.Mode]++
	a.count(ckNoticeMode)
	if !slices.Contains(a.o.Modes, b.Mode) {
		a.fail(ckNoticeMode, text("記録 %d の通知は、認められていない方式 %s で送られています。", "The notice of entry %d was sent in mode %s, which was not agreed.", it.index, b.Mode), it.index)
	}
	a.count(ckNoticeSequence)
	next := uint64(len(a.notices))
	if b.Notice != it.e.Seq || b.Notice != next {
		a.fail(ckNoticeSequence, text("記録 %d の通知の番号は %d ですが、次は %d のはずです。", "The notice of entry %d has number %d where %d comes next.", it.index, b.Notice, next), it.index)
		if b.Notice < next || !a.fill(b.Notice-next) {
			return
		}
		a.notices = append(a.notices, make([]noticeState, b.Notice-next)...)
	}
	a.notices = append(a.notices, noticeState{sent: it.index + 1, sentAt: it.e.At, digest: b.Digest, holder: b.Holder})
}

// noticeAt returns the notice that an answer refers to, or nil when none was
// logged as sent.
func (a *auditor) noticeAt(n uint64) *noticeState {
	if n >= uint64(len(a.notices)) || a.notices[n].sent == 0 {
		return nil
	}
	return &a.notices[n]
}

func (a *auditor) noticeReceived(it *item, b *entry.NoticeReceived) {
	a.decision(it, &b.Decision, "notice-receive")
	a.figures.Notices.Received++
	a.causes = append(a.causes, cause{index: it.index, at: it.e.At, notice: b.Notice, ground: entry.GroundChange})
	a.count(ckNoticeAnswer)
	n := a.noticeAt(b.Notice)
	if n == nil {
		a.fail(ckNoticeAnswer, text("記録 %d は通知 %d の受領ですが、その通知が送られた記録がありません。", "Entry %d receives notice %d, which was never logged as sent.", it.index, b.Notice), it.index)
		return
	}
	if n.received {
		a.fail(ckNoticeAnswer, text("通知 %[2]d は、記録 %[1]d で二度めに受領されています。", "Notice %[2]d is received a second time at entry %[1]d.", it.index, b.Notice), n.answer-1, it.index)
		return
	}
	if b.Notice < a.lastRecv {
		a.fail(ckNoticeAnswer, text("通知 %[2]d の受領(記録 %[1]d)が、番号の順ではありません。", "The receipt of notice %[2]d at entry %[1]d is out of order.", it.index, b.Notice), it.index)
	}
	a.lastRecv = max(a.lastRecv, b.Notice+1)
	n.received, n.answer, n.answerAt = true, it.index+1, it.e.At
	a.times.answer = append(a.times.answer, seconds(n.sentAt, it.e.At))
	a.count(ckNoticeDigest)
	if n.digest != b.Digest {
		a.fail(ckNoticeDigest, text("通知 %d の内容が、送った側(記録 %d)と受けた側(記録 %d)で違います。", "Notice %d differs between its sender (entry %d) and its receiver (entry %d).", b.Notice, n.sent-1, it.index), n.sent-1, it.index)
	}
}

func (a *auditor) noticeRefused(it *item, b *entry.NoticeRefused) {
	a.decision(it, &b.Decision, "notice-receive")
	a.figures.Notices.Refused++
	for _, c := range b.Decision.Codes {
		a.figures.Notices.Codes[c]++
	}
	a.count(ckNoticeRefused)
	n := a.noticeAt(b.Notice)
	if n == nil {
		a.warn(ckNoticeRefused, text("記録 %d は、送られた記録のない通信を拒否しています(規則 %s)。誰が何を送ろうとしたか、説明が必要です。",
			"Entry %d refuses a message that nobody logged as sent (rules %s). Who tried to send what must be explained.", it.index, codes(b.Decision.Codes)), it.index)
		return
	}
	n.refusals++
	if !n.received && n.answer == 0 {
		n.answer, n.answerAt = it.index+1, it.e.At
	}
	a.warn(ckNoticeRefused, text("通知 %[2]d は、規則 %[3]s により拒否されています(記録 %[1]d)。その後の処置の説明が必要です。",
		"Notice %[2]d was refused under rules %[3]s (entry %[1]d). What was done about it must be explained.", it.index, b.Notice, codes(b.Decision.Codes)), n.sent-1, it.index)
}

func codes(cs []string) string {
	s := ""
	for i, c := range cs {
		if i > 0 {
			s += ", "
		}
		s += c
	}
	return s
}

// finishNotices looks for notices without an answer and receipts without a
// revocation.
func (a *auditor) finishNotices() {
	opened := a.openings()
	a.finishDraws(opened)
	for n := range a.notices {
		s := &a.notices[n]
		if s.sent == 0 {
			continue
		}
		a.count(ckNoticeAnswer)
		if s.answer == 0 {
			a.unanswered(uint64(n), s)
			continue
		}
		if s.received {
			a.count(ckNoticeRevokes)
			if s.revoked == 0 {
				a.notRevoked(uint64(n), s, opened)
			}
		}
	}
}

func (a *auditor) unanswered(n uint64, s *noticeState) {
	a.figures.Notices.Waiting++
	wait := seconds(s.sentAt, a.newest)
	if n+1 < a.lastRecv {
		a.fail(ckNoticeAnswer, text("通知 %d は送られましたが、受領も拒否もされず、後の番号が先に受領されています。", "Notice %d was sent but neither received nor refused, while later ones were received.", n), s.sent-1)
	} else if wait > int64(a.o.Pending.Seconds()) {
		a.fail(ckNoticeAnswer, text("通知 %d は、送られてから %d 秒たっても受領も拒否もされていません。", "Notice %d is neither received nor refused %d seconds after it was sent.", n, wait), s.sent-1)
	}
}

// notRevoked judges a received notice without a revocation of its own. It is
// right only when the certificate was revoked or had expired before; the log
// does not say whose notice it was, so that must be disclosed.
func (a *auditor) notRevoked(n uint64, s *noticeState, opened map[uint64]uint64) {
	wait := seconds(s.answerAt, a.newest)
	if o, ok := opened[n]; ok {
		c := &a.certs[o]
		switch {
		case c.revoked != 0 && c.revoked < s.answer:
			return // IN-02: no live certificate any more
		case c.file != nil && c.file.notAfter.Before(s.answerAt.Std()):
			return
		case wait > int64(a.o.Revoke.Seconds()):
			a.fail(ckNoticeRevokes, text("通知 %d は番号 %d の有効な証明書についてのものですが、失効していません。", "Notice %d was about the live certificate %d, which was not revoked for it.", n, o), s.sent-1, s.answer-1)
		}
		return
	}
	switch {
	case wait > explainWithin:
		a.fail(ckNoticeRevokes, text("受領した通知 %d が失効につながっていません。受領から %d 日たっても、その理由が開示されていません。",
			"The received notice %d led to no revocation, and %d days later the reason is still not disclosed.", n, wait/86400), s.answer-1)
	case wait > int64(a.o.Revoke.Seconds()):
		a.warn(ckNoticeRevokes, text("受領した通知 %d が失効につながっていません。すでに失効か満了していた証明書か、開示による確認が必要です。",
			"The received notice %d led to no revocation. Whether the certificate was revoked or expired before must be disclosed.", n), s.answer-1)
	}
}

// explainWithin is how long, in seconds, the CA may take to disclose why a
// notice led to no revocation: seven days.
const explainWithin = 7 * 86400

// openings checks what was disclosed and returns notice → ordinal.
func (a *auditor) openings() map[uint64]uint64 {
	out := map[uint64]uint64{}
	for _, o := range a.src.Openings {
		n := a.noticeAt(o.Notice)
		if n == nil || o.Ordinal >= uint64(len(a.certs)) || a.certs[o.Ordinal].filler() {
			a.warn(ckErasure, text("開示された通知 %d は、ログにありません。", "The disclosed notice %d is not in the log.", o.Notice))
			continue
		}
		a.count(ckErasure)
		if commitment.OpenHolder(o.Salt, o.Ordinal) != n.holder {
			a.fail(ckErasure, text("通知 %d の開示が、ログの値と合いません。", "The disclosure of notice %d doesn't open the value in the log.", o.Notice), n.sent-1)
			continue
		}
		out[o.Notice] = o.Ordinal
		a.figures.Openings = append(a.figures.Openings, OpenedNotice{Notice: o.Notice, Ordinal: o.Ordinal, Index: n.sent - 1})
	}
	return out
}
