package audit

import (
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// cause is an entry that a revocation may name: a received notice or a request.
type cause struct {
	index   uint64
	at      entry.Time
	ground  string
	notice  uint64 // of a notice
	ordinal uint64 // of a request
	refused bool   // a request that the rules refused
	used    uint64 // index + 1 of the revocation
}

// revState is one revocation entry that took effect.
type revState struct {
	index    uint64
	ordinal  uint64
	ground   string
	at       entry.Time
	recorded entry.Time
	sentAt   entry.Time // of the notice, if a notice caused it
	listed   bool       // in a revocation list already
}

func (a *auditor) revocationRequested(it *item, b *entry.RevocationRequested) {
	a.decision(it, &b.Decision, "revoke")
	a.figures.Notices.Requests++
	a.causes = append(a.causes, cause{index: it.index, at: it.e.At, ground: b.Ground, ordinal: b.Ordinal, refused: !b.Decision.Allow})
}

func (a *auditor) revocation(it *item, b *entry.Revocation) {
	r := revState{index: it.index, ordinal: b.Ordinal, ground: b.Ground, at: it.e.At, recorded: b.Recorded}
	a.causeOf(it, b, &r)
	a.count(ckRecordedTime)
	if d := seconds(b.Recorded, it.e.At); d > int64(a.o.Clock.Seconds()) || -d > int64(a.o.Clock.Seconds()) {
		a.fail(ckRecordedTime, text("記録 %d の失効の記録時刻が、ログの時刻と %d 秒ずれています。", "The recorded time of the revocation at entry %d is %d seconds off the log's.", it.index, d), it.index)
	}
	a.count(ckOnce)
	if b.Ordinal >= uint64(len(a.certs)) || !a.certs[b.Ordinal].issued {
		a.fail(ckOnce, text("記録 %d は、発行されていない証明書(番号 %d)を失効させています。", "Entry %d revokes certificate %d, which was never issued.", it.index, b.Ordinal), it.index)
		return
	}
	c := &a.certs[b.Ordinal]
	if c.revoked != 0 {
		a.fail(ckOnce, text("記録 %d は、失効済みの証明書(番号 %d)をもう一度失効させています。", "Entry %d revokes certificate %d a second time.", it.index, b.Ordinal), c.revoked-1, it.index)
		return
	}
	if k := makeSerialKey(c.serial.issuer, b.Serial); k != c.serial {
		a.fail(ckOnce, text("記録 %d の失効の発行番号が、予告された番号と違います。", "The serial of the revocation at entry %d is not the announced one.", it.index), c.intent-1, it.index)
	}
	c.revoked = it.index + 1
	a.states.set(b.Ordinal, stateRevoked)
	a.figures.Certificates.Revoked++
	a.figures.Certificates.Grounds[b.Ground]++
	for _, p := range []string{fullPartition, c.municipality} {
		key := listKey{c.serial.issuer, p}
		a.parted[key] = append(a.parted[key], len(a.revs))
	}
	a.goneNext = append(a.goneNext, b.Ordinal)
	a.revs = append(a.revs, r)
}

// causeOf checks that a revocation names a cause of the right kind, before it,
// used by no other revocation (IN-04).
func (a *auditor) causeOf(it *item, b *entry.Revocation, r *revState) {
	a.count(ckCause)
	i, ok := slices.BinarySearchFunc(a.causes, b.Cause, func(c cause, x uint64) int {
		switch {
		case c.index < x:
			return -1
		case c.index > x:
			return 1
		}
		return 0
	})
	if !ok {
		a.fail(ckCause, text("記録 %d の失効には、原因となる先立つ記録がありません。", "The revocation at entry %d has no cause before it.", it.index), b.Cause, it.index)
		return
	}
	c := &a.causes[i]
	notice := c.ground == entry.GroundChange
	switch {
	case c.used != 0:
		a.fail(ckCause, text("記録 %d の失効は、ほかの失効と同じ原因(記録 %d)を使っています。", "The revocation at entry %d uses a cause (entry %d) that another revocation used.", it.index, c.index), c.index, c.used-1, it.index)
		return
	case c.ground != b.Ground, !notice && c.ordinal != b.Ordinal:
		a.fail(ckCause, text("記録 %d の失効は、原因(記録 %d)と種類か番号が合いません。", "The revocation at entry %d doesn't fit its cause (entry %d) in kind or number.", it.index, c.index), c.index, it.index)
		return
	case c.refused:
		a.fail(ckCause, text("記録 %d の失効の原因(記録 %d)は、拒否された申請です。", "The cause (entry %[2]d) of the revocation at entry %[1]d is a refused request.", it.index, c.index), c.index, it.index)
		return
	}
	c.used = it.index + 1
	wait := seconds(c.at, it.e.At)
	a.count(ckRevokeTime)
	if wait > int64(a.o.Revoke.Seconds()) {
		a.fail(ckRevokeTime, text("記録 %d の失効は、原因(記録 %d)から %d 秒かかっています。", "The revocation at entry %d came %[3]d seconds after its cause (entry %[2]d).", it.index, c.index, wait), c.index, it.index)
	}
	if !notice {
		return
	}
	a.times.record = append(a.times.record, wait)
	if n := a.noticeAt(c.notice); n != nil && n.received && n.answer == c.index+1 {
		n.revoked = it.index + 1
		r.sentAt = n.sentAt
	}
}

// finishRequests looks for allowed requests that led to nothing.
func (a *auditor) finishRequests() {
	for i := range a.causes {
		c := &a.causes[i]
		if c.ground == entry.GroundChange || c.refused {
			continue
		}
		a.count(ckRequestRevokes)
		if c.used != 0 {
			continue
		}
		if wait := seconds(c.at, a.newest); wait > int64(a.o.Revoke.Seconds()) {
			a.fail(ckRequestRevokes, text("記録 %d の認められた失効申請が、%d 秒たっても失効につながっていません。", "The allowed request of entry %d has led to no revocation after %d seconds.", c.index, wait), c.index)
		}
	}
	for _, r := range a.revs[a.statusOK:] {
		if wait := seconds(r.at, a.newest); wait > int64(a.o.Status.Seconds()) {
			a.fail(ckRevokeTime, text("記録 %d の失効が、%d 秒たっても状態のまとめに入っていません。", "The revocation of entry %d is in no status summary after %d seconds.", r.index, wait), r.index)
		}
	}
}
