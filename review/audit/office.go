package audit

import (
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// proposalLife is how long an act may wait for its second officer.
const proposalLife = 24 * time.Hour

// actState is an act that waits for its second officer or had one.
type actState struct {
	index   uint64
	body    entry.OperatorAct
	at      time.Time
	settled bool
}

// operatorAct checks that what needs two officers had two: one proposed it,
// another one approved it, in time and once.
func (a *auditor) operatorAct(it *item, b *entry.OperatorAct) {
	a.count(ckOffice)
	if b.Phase == entry.PhaseSingle {
		if b.Act != entry.ActPublishLists {
			a.fail(ckOffice, text("記録 %d の操作(%s)は、担当者一人で行われています。", "The act of entry %d (%s) was one officer's alone.", it.index, b.Act), it.index)
		}
		return
	}
	p := a.acts[b.Proposal]
	if b.Phase == entry.PhaseProposed {
		if p != nil {
			a.fail(ckOffice, text("記録 %d の提案は、記録 %d と同じものです。", "Entry %d proposes what entry %d had proposed.", it.index, p.index), p.index, it.index)
			return
		}
		if a.acts == nil {
			a.acts = map[entry.Digest]*actState{}
		}
		a.acts[b.Proposal] = &actState{index: it.index, body: *b, at: it.e.At.Std()}
		return
	}
	switch {
	case p == nil || p.settled || p.body.Act != b.Act:
		a.fail(ckOffice, text("記録 %d(%s)の前に、それに当たる未処理の提案がありません。", "Entry %d (%s) has no open proposal of that act before it.", it.index, b.Phase), it.index)
		return
	case b.Phase == entry.PhaseApproved && p.body.Officer == b.Officer:
		a.fail(ckOffice, text("記録 %d の提案を、提案した担当者自身が承認しています(記録 %d)。", "The proposal of entry %d was approved by the officer who made it (entry %d).", p.index, it.index), p.index, it.index)
	case b.Phase == entry.PhaseApproved && it.e.At.Std().Sub(p.at) > proposalLife+a.o.Clock:
		a.fail(ckOffice, text("記録 %d の提案が、期限(24時間)を過ぎてから承認されています(記録 %d)。", "The proposal of entry %d was approved after its 24 hours (entry %d).", p.index, it.index), p.index, it.index)
	case b.Phase == entry.PhaseWithdrawn && p.body.Officer != b.Officer:
		a.fail(ckOffice, text("記録 %d の提案を、別の担当者が取り下げています(記録 %d)。", "The proposal of entry %d was withdrawn by another officer (entry %d).", p.index, it.index), p.index, it.index)
	}
	p.settled = true
}
