package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// approvalPrefix is signed in front of the digests of bundle and proof.
const approvalPrefix = "sukashi/v1/policy.approved\n"

func approvalMessage(bundle, proof entry.Digest) []byte {
	return append(append([]byte(approvalPrefix), bundle[:]...), proof[:]...)
}

// policyState is one policy.approved entry.
type policyState struct {
	index         uint64
	at            entry.Time
	bundle, proof entry.Digest
	proved        *ProofFigure
	approvals     int
	used          uint64
}

func (a *auditor) policyApproved(it *item, b *entry.PolicyApproved) {
	a.count(ckPolicyApproval)
	valid, bad := map[string]bool{}, 0
	for _, ap := range b.Approvals {
		if a.approvalHolds(b, ap) && !valid[ap.Key] {
			valid[ap.Key] = true
		} else {
			bad++
		}
	}
	need := max(a.src.Threshold, 1)
	if len(valid) < need || bad > 0 {
		a.fail(ckPolicyApproval, text("記録 %d の規則の承認は、正しい署名が %d 件、正しくない署名が %d 件です(必要数 %d)。",
			"The rules approved at entry %d carry %d valid and %d invalid signatures; %d are needed.", it.index, len(valid), bad, need), it.index)
	}
	if len(a.src.Council) == 0 {
		a.warn(ckPolicyApproval, text("記録 %d の承認は、ログに登録された鍵で確かめました。審議会自身が控えた鍵で確かめ直す必要があります。",
			"The approvals at entry %d were checked with keys taken from the log; check them again with the keys that the council keeps itself.", it.index), it.index)
	}
	a.policies = append(a.policies, policyState{index: it.index, at: it.e.At, bundle: b.Bundle, approvals: len(valid),
		proof: b.Proof, proved: a.policyProof(it, b)})
}

// policyProof looks at the proof certificate that the council had before it:
// is it at hand, this bundle's, and does it say that the rules hold? Proving
// again is for whoever doubts it (sukashi policy prove --again).
func (a *auditor) policyProof(it *item, b *entry.PolicyApproved) *ProofFigure {
	if a.src.Proofs == nil {
		a.skip(ckPolicyProof, "規則の証明書が渡されていません。", "No proof certificate was handed over.")
		return nil
	}
	a.count(ckPolicyProof)
	i := slices.IndexFunc(a.src.Proofs, func(f File) bool { return entry.Sum(f.Bytes) == b.Proof })
	if i < 0 {
		a.warn(ckPolicyProof, text("記録 %d の規則の証明書が手元にありません。", "The proof certificate of the rules approved at entry %d is not at hand.", it.index), it.index)
		return nil
	}
	f, err := parseProof(a.src.Proofs[i].Bytes)
	switch {
	case err != nil:
		a.fail(ckPolicyProof, text("記録 %d の規則の証明書を読み取れません。", "The proof certificate of the rules approved at entry %d can't be read.", it.index), it.index)
		return nil
	case f.bundle != b.Bundle:
		a.fail(ckPolicyProof, text("記録 %d の規則の証明書は、別の規則のものです。", "The proof certificate of the rules approved at entry %d is for other rules.", it.index), it.index)
	case !f.Holds:
		a.fail(ckPolicyProof, text("記録 %d の規則は、証明書によれば証明できていません。", "The rules approved at entry %d are not proved, says their own certificate.", it.index), it.index)
	}
	return f
}

// approvalHolds checks one signature by a key of the council.
func (a *auditor) approvalHolds(b *entry.PolicyApproved, ap entry.Approval) bool {
	key, err := base64.StdEncoding.Strict().DecodeString(ap.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(ap.Sig)
	if err != nil || !a.councilKey(key) {
		return false
	}
	return ed25519.Verify(key, approvalMessage(b.Bundle, b.Proof), sig)
}

// councilKey reports whether the key is the council's: from the caller's list,
// or, without one, from key.created entries.
func (a *auditor) councilKey(key ed25519.PublicKey) bool {
	if len(a.src.Council) > 0 {
		return slices.ContainsFunc(a.src.Council, func(k ed25519.PublicKey) bool { return k.Equal(key) })
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return false
	}
	k := a.keys[entry.Sum(der)]
	return k != nil && k.role == "council" && k.retired == 0
}

// replayKey is what a decision's outcome depends on, and the outcome.
type replayKey struct {
	bundle                        entry.Digest
	ruleset, engine, facts, codes string
	allow                         bool
}

// replayState is one distinct decision with the entries that hold it.
type replayState struct {
	d       entry.Decision
	n       uint64
	entries []uint64 // the first few
}

// decision checks a logged decision's frame and keeps it for replay.
func (a *auditor) decision(it *item, d *entry.Decision, ruleset string) {
	a.count(ckRuleset)
	if d.Ruleset != ruleset {
		a.fail(ckRuleset, text("記録 %d の判定は、規則 %s でなく %s で行われています。", "The decision of entry %d used rule set %[3]s instead of %[2]s.", it.index, ruleset, d.Ruleset), it.index)
	}
	a.policyOf(it, d)
	k := replayKey{bundle: d.Bundle, ruleset: d.Ruleset, engine: d.Engine, facts: d.Facts, codes: codes(d.Codes), allow: d.Allow}
	r := a.replays[k]
	if r == nil {
		r = &replayState{d: *d}
		a.replays[k] = r
	}
	r.n++
	if len(r.entries) < 8 {
		r.entries = append(r.entries, it.index)
	}
}

// policyOf checks promise P5: the named policy is an approved one with a
// smaller index and the same bundle, and the newest in force.
func (a *auditor) policyOf(it *item, d *entry.Decision) {
	a.count(ckPolicyBefore)
	if slices.Equal(d.Codes, []string{codeNotApproved}) {
		return // refused because no bundle was in force: nothing to look up
	}
	i, ok := slices.BinarySearchFunc(a.policies, d.Policy, func(p policyState, x uint64) int {
		switch {
		case p.index < x:
			return -1
		case p.index > x:
			return 1
		}
		return 0
	})
	if !ok {
		a.fail(ckPolicyBefore, text("記録 %d の判定が示す規則(記録 %d)は、それより前に承認されていません。", "The rules that the decision of entry %d names (entry %d) were not approved before it.", it.index, d.Policy), d.Policy, it.index)
		return
	}
	p := &a.policies[i]
	p.used++
	if p.bundle != d.Bundle {
		a.fail(ckPolicyBefore, text("記録 %d の判定の規則は、承認された規則(記録 %d)と内容が違います。", "The rules of the decision of entry %d are not the ones approved at entry %d.", it.index, d.Policy), d.Policy, it.index)
	}
	a.count(ckPolicyNewest)
	if i+1 < len(a.policies) {
		if late := seconds(a.policies[i+1].at, it.e.At); late > int64(a.o.Clock.Seconds()) {
			a.warn(ckPolicyNewest, text("記録 %d の判定は、新しい規則が承認されて %d 秒後にも古い規則を使っています。", "The decision of entry %d used old rules %d seconds after newer ones were approved.", it.index, late), p.index, a.policies[i+1].index, it.index)
		}
	}
}

// codeNotApproved is the rule code of a refusal for want of an approved bundle.
const codeNotApproved = "N902"

// replayAll decides every distinct decision again. Equal decisions with equal
// facts are one question, so this takes as long as there are kinds of cases.
func (a *auditor) replayAll(ctx context.Context) error {
	if a.src.Replay == nil {
		if len(a.replays) > 0 {
			a.skip(ckReplay, "この監査では、判定のやり直しは行っていません。", "Decisions were not made again in this audit.")
		}
		return nil
	}
	all := make([]*replayState, 0, len(a.replays))
	for _, r := range a.replays {
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y *replayState) int { return int(int64(x.entries[0]) - int64(y.entries[0])) })
	for _, r := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		a.tallies[ckReplay].examined += r.n
		err := a.src.Replay(ctx, r.d)
		var open interface{ CouldNotTell() bool }
		switch {
		case err == nil:
		case errors.As(err, &open) && open.CouldNotTell():
			a.warn(ckReplay, text("判定をやり直せません。その規則が手元にありません(%d 件)。", "It can't be decided again: those rules are not at hand (%d decisions).", r.n), r.entries...)
		default:
			a.fail(ckReplay, text("判定をやり直すと、記録された結果になりません(%d 件)。", "Deciding again does not give the logged answer (%d decisions).", r.n), r.entries...)
		}
	}
	return nil
}
