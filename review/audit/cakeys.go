package audit

import (
	"slices"
	"sort"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/pki"
)

// crossState is one announced certificate between CAs.
type crossState struct {
	intent  uint64 // index
	revoked uint64 // index + 1
}

// crossRevocation is one revoked certificate between CAs.
type crossRevocation struct {
	index    uint64
	serial   serialKey
	ground   string
	recorded entry.Time
}

// mayIssue checks that a key is the one that issues at entry it.
func (a *auditor) mayIssue(it *item, spki entry.Digest) {
	k := a.keys[spki]
	if k == nil {
		return // issuerUsed speaks
	}
	a.count(ckKeys)
	if k.followed != 0 {
		a.fail(ckKeys, text("記録 %d は、次の世代に交代した鍵で証明書を発行しようとしています。", "Entry %d announces a certificate by a key that another generation had succeeded.", it.index), k.followed-1, it.index)
	}
	if k.leaked != 0 {
		a.fail(ckKeys, text("記録 %d は、漏えいした発行者の鍵で証明書を発行しようとしています。", "Entry %d announces a certificate by an issuer key that had leaked.", it.index), k.leaked-1, it.index)
	}
}

func (a *auditor) keySucceeded(it *item, b *entry.KeySucceeded) {
	a.count(ckKeys)
	k, next := a.keys[b.SPKI], a.keys[b.Successor]
	if k == nil || next == nil || k.role != "issuer" || next.role != "issuer" || k == next ||
		k.followed != 0 || k.retired != 0 || next.followed != 0 || next.leaked != 0 || next.retired != 0 {
		a.fail(ckKeys, text("記録 %d の世代交代は、登録された使える発行者の鍵どうしのものではありません。", "The succession of entry %d is not between two registered issuer keys in use.", it.index), it.index)
		return
	}
	k.followed = it.index + 1
}

func (a *auditor) keyLeaked(it *item, b *entry.KeyLeaked) {
	a.count(ckKeys)
	k := a.keys[b.SPKI]
	if k == nil || k.role != "issuer" || k.leaked != 0 {
		a.fail(ckKeys, text("記録 %d は、発行者の鍵でないか、すでに漏えいを記録した鍵の漏えいを記録しています。", "Entry %d records the leak of a key that is no issuer's or is recorded as leaked already.", it.index), it.index)
		return
	}
	k.leaked, k.leakedAt = it.index+1, it.e.At
}

// crossIntent announces a link or cross certificate: by a registered key that
// has not leaked, under a serial of its own.
func (a *auditor) crossIntent(it *item, b *entry.CrossIntent) {
	a.keyTBS[it.index] = b.TBS
	a.issuerUsed(it, b.Issuer)
	if k := a.keys[b.Issuer]; k != nil && k.leaked != 0 {
		a.fail(ckKeys, text("記録 %d は、漏えいした発行者の鍵で認証局の間の証明書を作ろうとしています。", "Entry %d announces a certificate between CAs by a key that had leaked.", it.index), k.leaked-1, it.index)
	}
	if k := a.keys[b.SPKI]; b.Purpose == entry.PurposeLink && (k == nil || k.role != "issuer") {
		a.fail(ckKeys, text("記録 %d のリンク証明書は、登録された発行者の鍵のものではありません。", "The link certificate of entry %d is not for a registered issuer key.", it.index), it.index)
	}
	a.count(ckSerials)
	s := makeSerialKey(b.Issuer, b.Serial)
	if other := a.crosses[s]; other != nil {
		a.fail(ckSerials, text("記録 %d の発行番号は、すでに使われています。", "The serial announced at entry %d was used before.", it.index), other.intent, it.index)
		return
	}
	if o, twice := a.serials[s]; twice {
		a.fail(ckSerials, text("記録 %d の発行番号は、番号 %d の証明書ですでに使われています。", "The serial announced at entry %d was used before, by certificate %d.", it.index, o), it.index)
		return
	}
	a.crosses[s] = &crossState{intent: it.index}
}

func (a *auditor) crossRevoked(it *item, b *entry.CrossRevoked) {
	a.count(ckOnce)
	s := makeSerialKey(b.Issuer, b.Serial)
	c := a.crosses[s]
	if c == nil || c.revoked != 0 {
		a.fail(ckOnce, text("記録 %d は、予告されていないか失効済みの、認証局の間の証明書を失効させています。", "Entry %d revokes a certificate between CAs that was never announced or is revoked already.", it.index), it.index)
		return
	}
	c.revoked = it.index + 1
	a.partedCA[b.Issuer] = append(a.partedCA[b.Issuer], crossRevocation{it.index, s, b.Ground, b.Recorded})
}

// crossesAt returns the certificates between CAs that a list must hold.
func (a *auditor) crossesAt(key listKey, covers uint64) []crossRevocation {
	if key.partition != fullPartition && key.partition != caPartition {
		return nil
	}
	revs := a.partedCA[key.issuer]
	return revs[:sort.Search(len(revs), func(i int) bool { return revs[i].index >= covers })]
}

// compareCA holds a list against the revoked certificates between CAs and
// returns how many of its entries they explain.
func (a *auditor) compareCA(name string, list *pki.CRL, l *listState, crosses []crossRevocation) (found int) {
	for _, r := range crosses {
		e, ok := list.Find(serialText(r.serial))
		if !ok || !e.Date.Equal(r.recorded.Std()) || !slices.Contains(reasons[r.ground], e.Reason) {
			a.failFile(ckCRLContent, name, text("記録 %d で失効した認証局の間の証明書が、失効リスト(記録 %d)にないか、日時か理由が違います。", "The certificate between CAs revoked at entry %d is missing from the revocation list of entry %d or differs in date or reason.", r.index, l.index), r.index, l.index)
		}
		if ok {
			found++
		}
	}
	return found
}

// finishLeaks checks that a leaked key has no certificate in force (Article 14).
func (a *auditor) finishLeaks() {
	for o := range a.certs {
		c := &a.certs[o]
		k := a.keys[c.serial.issuer]
		if c.filler() || k == nil || k.leaked == 0 || !c.issued {
			continue
		}
		a.count(ckRequestRevokes)
		if c.revoked != 0 {
			continue
		}
		if c.file != nil && c.file.notAfter.Before(k.leakedAt.Std()) {
			continue // it had expired
		}
		if wait := seconds(k.leakedAt, a.newest); wait > int64(a.o.Revoke.Seconds()) {
			a.fail(ckRequestRevokes, text("番号 %d の証明書は、発行者の鍵の漏えい(記録 %d)から %d 秒たっても失効していません。", "Certificate %d is not revoked %[3]d seconds after its issuer's key leaked (entry %[2]d).", o, k.leaked-1, wait), k.leaked-1)
		}
	}
}
