package audit

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// LinkKeys are the public keys with which the two ends of the link sign the
// daily counts.
type LinkKeys struct {
	Register *rsa.PublicKey // CALinkServer, the register's end
	CA       *rsa.PublicKey // JukiLinkServer, the CA's end
}

// Marshal returns the keys as two PEM blocks, the register's end first.
func (k *LinkKeys) Marshal() ([]byte, error) {
	var out []byte
	for _, pub := range []*rsa.PublicKey{k.Register, k.CA} {
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			return nil, errors.New("couldn't encode a key of the link")
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	return out, nil
}

// ParseLinkKeys reads what Marshal writes.
func ParseLinkKeys(b []byte) (*LinkKeys, error) {
	k := &LinkKeys{}
	for _, pub := range []**rsa.PublicKey{&k.Register, &k.CA} {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != "PUBLIC KEY" {
			return nil, errLinkKeys
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(*rsa.PublicKey)
		if err != nil || !ok {
			return nil, errLinkKeys
		}
		*pub, b = key, rest
	}
	if len(bytes.TrimSpace(b)) > 0 {
		return nil, errLinkKeys
	}
	return k, nil
}

var errLinkKeys = say.New("audit.link-keys", "連携の両側の鍵のファイルを読み取れません。", "The file with the keys of the link's two ends can't be read.").
	Hint("登録側、認証局側の順に、RSA公開鍵を二つ並べたPEMファイルです。", "It is a PEM file of two RSA public keys: the register's end's, then the CA's end's.")

// countState is what the statements of the daily counts have told so far.
type countState struct {
	last   entry.Counts // of the newest statement
	sent   *countsSent  // the newest statement while it has no counter-signature
	day    string       // newest day with a counter-signed statement
	active []time.Time  // ends of the days (in Japan) on which something crossed, after the newest statement
}

type countsSent struct {
	index uint64
	at    entry.Time
	body  entry.CountsSent
}

// tokyo is the zone of the days; Japan has no summer time.
var tokyo = time.FixedZone("JST", 9*60*60)

// crossed notes that something crossed the wall on the entry's day.
func (a *auditor) crossed(at entry.Time) {
	y, m, d := at.Std().In(tokyo).Date()
	end := time.Date(y, m, d+1, 0, 0, 0, 0, tokyo)
	if n := len(a.counts.active); n == 0 || a.counts.active[n-1].Before(end) {
		a.counts.active = append(a.counts.active, end)
	}
}

// countsSent recomputes the register's statement from the log.
func (a *auditor) countsSent(it *item, b *entry.CountsSent) {
	a.count(ckCounts)
	s := &a.counts
	if s.sent != nil {
		a.fail(ckCountersigned, text("記録 %d の件数の確認書には、認証局側の副署がないまま、次の確認書(記録 %d)が出ています。",
			"The statement of counts at entry %d has no counter-signature, and the next one (entry %d) is out already.", s.sent.index, it.index), s.sent.index, it.index)
	}
	if n := a.figuresOf(b.Counts); n != b.Counts {
		a.fail(ckCounts, text("記録 %d の件数の確認書(受領 %d・拒否 %d・追加 %d・削除 %d)が、ログから数えた件数(受領 %d・拒否 %d・追加 %d・削除 %d)と違います。",
			"The statement of counts at entry %d (received %d, refused %d, added %d, struck off %d) is not what the log says (received %d, refused %d, added %d, struck off %d).",
			it.index, b.Received, b.Refused, b.New, b.Gone, n.Received, n.Refused, n.New, n.Gone), it.index)
	}
	if b.Number != it.e.Seq || b.Day <= s.last.Day {
		a.fail(ckCounts, text("記録 %d の件数の確認書の番号か日付が、前の確認書に続いていません。", "The number or day of the statement of counts at entry %d doesn't follow the one before.", it.index), it.index)
	}
	a.signed(ckCountersigned, it.index, b.Counts, b.Signature, false)
	s.last, s.sent = b.Counts, &countsSent{index: it.index, at: it.e.At, body: *b}
}

// countsReceived compares the counter-signed statement with the register's.
func (a *auditor) countsReceived(it *item, b *entry.CountsReceived) {
	a.count(ckCountersigned)
	s := &a.counts
	switch {
	case s.sent == nil:
		a.fail(ckCounts, text("記録 %d は、送られた記録のない件数の確認書に副署しています。", "Entry %d counter-signs a statement of counts that was never logged as sent.", it.index), it.index)
		return
	case s.sent.body.Counts != b.Counts || s.sent.body.Signature != b.Sender:
		a.fail(ckCounts, text("件数の確認書が、登録側(記録 %d)と認証局側(記録 %d)で違います。", "The statement of counts differs between the register's end (entry %d) and the CA's end (entry %d).", s.sent.index, it.index), s.sent.index, it.index)
	}
	a.signed(ckCountersigned, it.index, b.Counts, b.Signature, true)
	a.figures.Counts = append(a.figures.Counts, CountsFigure{Sent: s.sent.index, Received: it.index, Counts: b.Counts})
	s.sent, s.day = nil, b.Day
	for len(s.active) > 0 && s.active[0].AddDate(0, 0, -1).Format(time.DateOnly) <= b.Day {
		s.active = s.active[1:]
	}
}

// figuresOf counts in the log what a statement is about: its Notices and Lists
// say how far, the rest is computed.
func (a *auditor) figuresOf(c entry.Counts) entry.Counts {
	c.Received, c.Refused, c.New, c.Gone = 0, 0, 0, 0
	for n := range min(c.Notices, uint64(len(a.notices))) {
		switch s := &a.notices[n]; {
		case s.received:
			c.Received++
		case s.answer != 0:
			c.Refused++
		}
	}
	for n := range min(c.Lists, uint64(a.holderRx)) {
		c.New += a.holders[n].list.New
		c.Gone += a.holders[n].list.Gone
	}
	if c.Lists > uint64(a.holderRx) {
		c.Lists = uint64(a.holderRx)
	}
	return c
}

// signed checks a signature over a statement, if the key is known.
func (a *auditor) signed(ck checkID, index uint64, c entry.Counts, sig string, byCA bool) {
	if a.src.Links == nil {
		return
	}
	key := a.src.Links.Register
	if byCA {
		key = a.src.Links.CA
	}
	raw, err := base64.StdEncoding.DecodeString(sig)
	sum := sha256.Sum256(countsText(c))
	if err != nil || key == nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) != nil {
		a.fail(ck, text("記録 %d の件数の確認書の署名が正しくありません。", "The signature of the statement of counts at entry %d doesn't hold.", index), index)
	}
}

// countsText is what both ends sign (docs/formats.md), written a second time.
func countsText(c entry.Counts) []byte {
	return fmt.Appendf(nil, "sukashi/counts/v1\n{\"day\":\"%s\",\"gone\":%d,\"lists\":%d,\"new\":%d,\"notices\":%d,\"number\":%d,\"received\":%d,\"refused\":%d}",
		c.Day, c.Gone, c.Lists, c.New, c.Notices, c.Number, c.Received, c.Refused)
}

// finishCounts looks for days without a statement and statements without a
// counter-signature.
func (a *auditor) finishCounts() {
	s := &a.counts
	limit := int64(a.o.Counts.Seconds())
	if s.sent != nil {
		if wait := seconds(s.sent.at, a.newest); wait > limit {
			a.fail(ckCountersigned, text("記録 %d の件数の確認書に、%d 秒たっても認証局側の副署がありません。", "The statement of counts at entry %d has no counter-signature after %d seconds.", s.sent.index, wait), s.sent.index)
		}
	}
	for _, end := range s.active {
		a.count(ckCountersigned)
		if a.newest.Std().Sub(end) > a.o.Counts {
			day := end.AddDate(0, 0, -1).Format(time.DateOnly)
			a.warn(ckCountersigned, text("%s に通信がありましたが、両側が署名した件数の確認書がありません。", "Something crossed the link on %s, but both ends signed no statement of counts for that day.", day))
		}
	}
	if a.figures.Counts != nil && a.src.Links == nil {
		a.skip(ckCountersigned, "件数の確認書の署名を確かめる鍵が渡されていません。", "The keys that sign the statements of counts were not handed over.")
	}
}
