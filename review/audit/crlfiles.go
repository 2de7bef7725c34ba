package audit

import (
	"fmt"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/pki"
)

// reasons are the public reason codes for each ground (DOMAIN 6.4). All of
// Article 12 is one code, so that a list never shows who died (PR-08).
var reasons = map[string][]int{
	entry.GroundRequest:      {pki.ReasonCessation},
	entry.GroundKeyLeak:      {pki.ReasonKey},
	entry.GroundChange:       {pki.ReasonAffiliation},
	entry.GroundError:        {pki.ReasonSuperseded, pki.ReasonUnspecified},
	entry.GroundIssuerKey:    {pki.ReasonCA},
	entry.GroundRenewed:      {pki.ReasonSuperseded},
	entry.GroundNotDelivered: {pki.ReasonUnspecified},
}

// finishCRLs compares the revocation lists at hand with the log.
func (a *auditor) finishCRLs() error {
	if a.src.CRLs == nil {
		for _, c := range []checkID{ckCRLContent, ckCRLBehindBack} {
			a.skip(c, "失効リストが渡されていません。", "No revocation lists were handed over.")
		}
		return nil
	}
	err := a.src.CRLs(func(f File) error {
		a.crlFile(f)
		return nil
	})
	for i := range a.lists {
		a.sameScope(&a.lists[i])
	}
	return err
}

// sameScope holds a delta's scope against its base's, byte for byte, where both
// files are at hand: else a client could not put them together.
func (a *auditor) sameScope(l *listState) {
	if l.base < 0 || l.names == nil || a.lists[l.base].names == nil {
		return
	}
	a.count(ckCRLDelta)
	if base := &a.lists[l.base]; *l.names != *base.names {
		a.fail(ckCRLDelta, text("差分リスト(記録 %d)の対象が、基となる失効リスト(記録 %d)の対象と違います。", "The delta list of entry %d has another scope than the list of entry %d on which it builds.", l.index, base.index), base.index, l.index)
	}
}

func (a *auditor) crlFile(f File) {
	a.count(ckCRLBehindBack)
	list, err := pki.ParseList(f.Bytes)
	if err != nil {
		a.failFile(ckCRLContent, f.Name, text("このファイルは失効リストとして読み取れません。", "This file can't be read as a revocation list."))
		return
	}
	signer := a.signerOf(list)
	i, ok := a.byTBS[list.TBS]
	if !ok {
		if signer == (entry.Digest{}) && len(a.issuers) > 0 {
			a.failFile(ckCRLContent, f.Name, text("この失効リストは、ログに予告がなく、署名も発行者のものではありません。書き換えられたか、偽物です。", "This revocation list was not announced in the log and is not signed by the issuer: it was changed or forged."))
			return
		}
		a.failFile(ckCRLBehindBack, f.Name, text("この失効リストは、ログに予告がありません。ログに隠れて署名されています。", "This revocation list was not announced in the log: it was signed behind the ledger's back."))
		return
	}
	l := &a.lists[i]
	names := fmt.Sprintf("%q %v %v", list.Partition, list.OnlyUsers, list.OnlyCAs)
	l.file, l.names = true, &names
	a.count(ckCRLContent)
	if len(a.issuers) > 0 && signer != l.body.Issuer {
		a.failFile(ckCRLContent, f.Name, text("この失効リストの署名は、予告された発行者の鍵によるものではありません。", "This revocation list is not signed with the announced issuer key."), l.index)
	}
	if (list.Base == nil) != (l.body.Base == nil) || list.Base != nil && *list.Base != *l.body.Base {
		a.failFile(ckCRLDelta, f.Name, text("この失効リストが基にする番号(差分かどうか)が、予告(記録 %d)と違います。", "This revocation list builds on another one, or none, than announced (entry %d).", l.index), l.index)
	}
	if list.Number != l.body.Number || uint64(len(list.Entries)) != l.body.Entries {
		a.failFile(ckCRLContent, f.Name, text("この失効リストの番号か件数が、予告(記録 %d)と違います。", "The number or count of this revocation list is not the announced one (entry %d).", l.index), l.index)
	}
	if a.scope(f.Name, list, l) {
		a.compare(f.Name, list, l)
	}
	if list.ThisUpdate.After(l.at.Std().Add(a.o.Clock)) {
		a.failFile(ckCRLContent, f.Name, text("この失効リストの作成時刻が、予告(記録 %d)より後です。", "This revocation list claims to be made after its announcement (entry %d).", l.index), l.index)
	}
	if newest, ok := a.complete[l.key()]; ok && newest == i && list.NextUpdate.Before(a.o.Now) {
		a.add(ckCRLTime, Finding{Class: ClassB, Severity: Warn, File: f.Name, Entries: []uint64{l.index},
			Text: text("区分 %s の最新の失効リストが、次回更新の時刻を過ぎています。", "The newest revocation list of partition %s is past its next update.", l.body.Partition)})
	}
}

// signerOf returns the known issuer key that signed the list, or zero.
func (a *auditor) signerOf(list *pki.CRL) entry.Digest {
	for _, c := range a.issuers {
		if list.SignedBy(c) == nil {
			return c.SPKI
		}
	}
	return entry.Digest{}
}

// scope checks that the list's partition is the announced one: the names in
// it are those that certificates of the municipality point to.
func (a *auditor) scope(name string, list *pki.CRL, l *listState) bool {
	if l.body.Partition == fullPartition {
		if len(list.Partition) > 0 {
			a.failFile(ckCRLContent, name, text("全体の失効リスト(記録 %d)が、一部の区分に限られています。", "The complete revocation list (entry %d) is limited to a partition.", l.index), l.index)
			return false
		}
		return true
	}
	if (l.body.Partition == caPartition) != list.OnlyCAs {
		a.failFile(ckCRLContent, name, text("失効リスト(記録 %d)の対象(認証局の証明書かどうか)が、予告と違います。", "The scope of the revocation list of entry %d (CA certificates or not) is not the announced one.", l.index), l.index)
		return false
	}
	if list.OnlyCAs {
		return true
	}
	if len(list.Partition) == 0 {
		a.failFile(ckCRLContent, name, text("区分 %s の失効リスト(記録 %d)に、区分の記載がありません。", "The revocation list of partition %s (entry %d) doesn't name its partition.", l.body.Partition, l.index), l.index)
		return false
	}
	points, known := a.points[l.body.Partition]
	if !known {
		return true // no certificate of this municipality at hand
	}
	for _, p := range list.Partition {
		for _, q := range points {
			if p == q {
				return true
			}
		}
	}
	a.failFile(ckCRLContent, name, text("区分 %s の失効リスト(記録 %d)の区分名が、その市町村の証明書の配布点と違います。", "The partition name of the list for %s (entry %d) is not where that municipality's certificates point.", l.body.Partition, l.index), l.index)
	return false
}

// compare holds the list's entries against the revocations in the log: a delta's
// against those since its base, so that both together are the complete list.
func (a *auditor) compare(name string, list *pki.CRL, l *listState) {
	if l.delta() && l.base < 0 {
		return // it has no base: told already
	}
	revs, crosses := a.content(l)
	found := a.compareCA(name, list, l, crosses)
	for _, i := range revs {
		r := &a.revs[i]
		c := &a.certs[r.ordinal]
		e, ok := list.Find(serialText(c.serial))
		if !ok {
			if c.file != nil && c.file.notAfter.Before(list.ThisUpdate) {
				continue // expired certificates may leave the list
			}
			a.failFile(ckCRLContent, name, text("記録 %d で失効した証明書(番号 %d)が、失効リスト(記録 %d)にありません。", "Certificate %[2]d, revoked at entry %[1]d, is missing from the revocation list of entry %[3]d.", r.index, r.ordinal, l.index), r.index, l.index)
			continue
		}
		found++
		if !e.Date.Equal(r.recorded.Std()) {
			a.failFile(ckCRLContent, name, text("番号 %d の失効日時が、記録(記録 %d)と違います。", "The revocation date of certificate %d is not the recorded one (entry %d).", r.ordinal, r.index), r.index, l.index)
		}
		if !contains(reasons[r.ground], e.Reason) {
			a.failFile(ckCRLContent, name, text("番号 %d の失効理由の公表コードが、定められたもの(記録 %d)と違います。", "The public reason code of certificate %d is not the prescribed one (entry %d).", r.ordinal, r.index), r.index, l.index)
		}
	}
	if extra := len(list.Entries) - found; extra > 0 {
		a.failFile(ckCRLContent, name, text("失効リスト(記録 %d)に、ログでは失効していない証明書が %d 件あります。", "The revocation list of entry %d holds %d certificates that the log did not revoke.", l.index, extra), l.index)
	}
}

func serialText(k serialKey) string { return hexText(k.serial[:k.n]) }

func contains(list []int, x int) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}
