package audit

import (
	"encoding/hex"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/pki"
)

// keyState is one key.created entry.
type keyState struct {
	role     string
	created  uint64
	retired  uint64 // index + 1; 0: in use
	followed uint64 // index + 1 of key.succeeded; 0: it may issue
	leaked   uint64 // index + 1 of key.leaked
	leakedAt entry.Time
}

func (a *auditor) keyCreated(it *item, b *entry.KeyCreated) {
	a.count(ckKeys)
	if b.Role == roleLog {
		a.logKeyCreated(it, b)
	}
	if b.TBS != nil {
		a.keyTBS[it.index] = *b.TBS
	}
	if k, again := a.keys[b.SPKI]; again {
		if k.role != b.Role || k.retired != 0 {
			a.fail(ckKeys, text("記録 %d は、別の役割で登録済みか廃止済みの鍵をもう一度登録しています。", "Entry %d registers a key that has another role or is retired.", it.index), k.created, it.index)
		}
		return // a further certificate for the same key
	}
	a.keys[b.SPKI] = &keyState{role: b.Role, created: it.index}
}

func (a *auditor) keyRetired(it *item, b *entry.KeyRetired) {
	a.count(ckKeys)
	if b.Role == roleLog {
		a.logKeyRetired(it, b)
	}
	k := a.keys[b.SPKI]
	if k == nil || k.role != b.Role || k.retired != 0 {
		a.fail(ckKeys, text("記録 %d は、登録されていないか廃止済みの鍵を廃止しています。", "Entry %d retires a key that was never registered or is retired already.", it.index), it.index)
		return
	}
	k.retired = it.index + 1
}

// issuerUsed checks that an issuer key named by entry it may be used there.
func (a *auditor) issuerUsed(it *item, spki entry.Digest) {
	a.count(ckKeys)
	switch k := a.keys[spki]; {
	case k == nil || k.role != "issuer":
		a.fail(ckKeys, text("記録 %d は、発行者の鍵として登録されていない鍵を使っています。", "Entry %d uses a key that was not registered as an issuer's.", it.index), it.index)
	case k.retired != 0:
		a.fail(ckKeys, text("記録 %d は、廃止された鍵を使っています。", "Entry %d uses a retired key.", it.index), k.retired-1, it.index)
	}
}

// serialKey is an issuer and a serial number without leading zeros.
type serialKey struct {
	issuer entry.Digest
	serial [20]byte
	n      uint8
}

func makeSerialKey(issuer entry.Digest, s string) serialKey {
	k := serialKey{issuer: issuer}
	s = pki.NormalSerial(s)
	n, _ := hex.Decode(k.serial[:], []byte(s)) // the entry's own reader has checked form and length
	k.n = uint8(n)
	return k
}

// certState is one ordinal: what was announced and how it ended.
type certState struct {
	serial       serialKey
	tbs, digest  entry.Digest
	subject      entry.Digest // subject commitment
	municipality string
	at, endAt    entry.Time // of the intent and of its end
	intent       uint64     // index + 1 of each; 0: none
	end          uint64
	revoked      uint64
	issued       bool
	told         bool // in a list of holders
	gone         bool // struck off again
	file         *fileCert
}

// filler marks ordinals that were skipped over.
func (c *certState) filler() bool { return c.intent == 0 }

func (a *auditor) certIntent(it *item, b *entry.CertIntent) {
	a.decision(it, &b.Decision, "issue")
	a.count(ckApplication)
	if d := &b.Decision; d.Ruleset != "issue" || !d.Allow {
		a.fail(ckApplication, text("記録 %d の発行予告には、申請についての許可の判定がありません。", "The announcement of entry %d has no decision that allows the application.", it.index), it.index)
	}
	a.count(ckOrdinals)
	next := uint64(len(a.certs))
	if b.Ordinal != next {
		a.fail(ckOrdinals, text("記録 %d の発行予告の番号は %d ですが、次は %d のはずです。", "The announcement at entry %d has number %d where %d comes next.", it.index, b.Ordinal, next), it.index)
		if b.Ordinal < next || !a.fill(b.Ordinal-next) {
			return
		}
		for uint64(len(a.certs)) < b.Ordinal {
			a.certs = append(a.certs, certState{})
			a.states.grow()
		}
	}
	a.issuerUsed(it, b.Issuer)
	a.mayIssue(it, b.Issuer)
	c := certState{serial: makeSerialKey(b.Issuer, b.Serial), tbs: b.TBS, subject: b.Subject, municipality: b.Municipality, at: it.e.At, intent: it.index + 1}
	a.count(ckSerials)
	if other, twice := a.serials[c.serial]; twice {
		a.fail(ckSerials, text("記録 %d の発行番号は、番号 %d の証明書ですでに使われています。", "The serial announced at entry %d was used before, by certificate %d.", it.index, other), a.certs[other].intent-1, it.index)
	} else {
		a.serials[c.serial] = b.Ordinal
	}
	a.certs = append(a.certs, c)
	a.states.grow()
	a.figures.Certificates.Intents++
}

// ending finds the certificate that an issued or aborted entry closes.
func (a *auditor) ending(it *item, ordinal uint64) *certState {
	a.count(ckIssuedAfterIntent)
	if ordinal >= uint64(len(a.certs)) || a.certs[ordinal].filler() {
		a.fail(ckIssuedAfterIntent, text("記録 %d の証明書(番号 %d)には、先立つ発行予告がありません。", "Certificate %[2]d of entry %[1]d was never announced before.", it.index, ordinal), it.index)
		return nil
	}
	c := &a.certs[ordinal]
	if c.end != 0 {
		a.fail(ckIssuedAfterIntent, text("記録 %d は、すでに終わった発行予告(番号 %d)をもう一度終わらせています。", "Entry %d ends announcement %d, which had ended before.", it.index, ordinal), c.end-1, it.index)
		return nil
	}
	c.end, c.endAt = it.index+1, it.e.At
	return c
}

func (a *auditor) certIssued(it *item, b *entry.CertIssued) {
	c := a.ending(it, b.Ordinal)
	if c == nil {
		return
	}
	c.issued, c.digest = true, b.Certificate
	a.newNext = append(a.newNext, b.Ordinal)
	a.states.set(b.Ordinal, stateValid)
	a.figures.Certificates.Issued++
	if f := a.files[b.Certificate]; f != nil {
		a.matchFile(it, b.Ordinal, c, f)
	}
}

func (a *auditor) certAborted(it *item, b *entry.CertAborted) {
	if a.ending(it, b.Ordinal) != nil {
		a.figures.Certificates.Aborted++
	}
}

// finishCerts looks for announcements without an end.
func (a *auditor) finishCerts() {
	for o := range a.certs {
		c := &a.certs[o]
		if c.filler() {
			continue
		}
		a.count(ckIntentEnds)
		if c.end != 0 {
			continue
		}
		a.figures.Certificates.Pending++
		if wait := seconds(c.at, a.newest); wait > int64(a.o.Pending.Seconds()) {
			a.fail(ckIntentEnds, text("番号 %d の発行予告が、%d 秒たっても発行か中止で終わっていません。", "Announcement %d has not ended after %d seconds.", o, wait), c.intent-1)
		}
	}
}
