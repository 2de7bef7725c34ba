package audit

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// roleLog is the role of the log's own key. Only the log writes about it.
const roleLog = "log"

// rotation is a key.created and key.retired of the log about its own key.
type rotation struct {
	size      uint64 // tree size after the status.root that follows
	old, next entry.Digest
}

// logKeyID is how entries name a log key: by the SHA-256 of its
// SubjectPublicKeyInfo. It is zero for what is no Ed25519 vkey.
func logKeyID(vkey string) entry.Digest {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return entry.Digest{}
	}
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(raw[1:]))
	if err != nil {
		return entry.Digest{}
	}
	return entry.Sum(der)
}

// logKeyCreated notes the first half of a rotation.
func (a *auditor) logKeyCreated(it *item, b *entry.KeyCreated) {
	if it.e.By != entry.ByLog {
		a.fail(ckKeys, text("記録 %d は、ログ以外がログの鍵について書いたものです。", "Entry %d is about the log's key and not by the log.", it.index), it.index)
	}
	a.nextLogKey, a.nextLogKeyAt = b.SPKI, it.index
}

// logKeyRetired notes the second half.
func (a *auditor) logKeyRetired(it *item, b *entry.KeyRetired) {
	if it.e.By != entry.ByLog || a.nextLogKeyAt == 0 || it.index != a.nextLogKeyAt+1 {
		a.fail(ckKeys, text("記録 %d は、次の鍵がすぐ前に登録されていないのに、ログの鍵を廃止しています。", "Entry %d retires the log's key without the next one right before it.", it.index), it.index)
	}
	a.rotations = append(a.rotations, rotation{it.index + 2, b.SPKI, a.nextLogKey})
}

// checkLogKeys holds the log's keys, as its entries tell them, against those
// that the trust policy lists with their sizes.
func (a *auditor) checkLogKeys(g *entry.Genesis, size uint64) {
	var keys []proof.Log
	for _, l := range a.src.Policy.Logs() {
		if l.Origin == g.Origin {
			keys = append(keys, l)
		}
	}
	if len(keys) == 0 || keys[0].VKey != g.Key {
		a.fail(ckGenesis, say.Text{JA: "開始記録にあるログの名前か鍵が、信頼方針のものと違います。", EN: "The log's name or key in its first entry is not the one in the trust policy."}, 0)
		return
	}
	told := a.rotations
	for i, k := range keys[:len(keys)-1] {
		if k.Until > size {
			break // the policy knows more of the log than what is audited here
		}
		want := rotation{k.Until, logKeyID(k.VKey), logKeyID(keys[i+1].VKey)}
		if len(told) == 0 || told[0] != want {
			a.fail(ckGenesis, text("信頼方針によれば %d 件目でログの鍵が交替していますが、記録と一致しません。", "By the trust policy the log's key was rotated at size %d; the entries say otherwise.", k.Until), k.Until-1)
			return
		}
		told = told[1:]
	}
	if len(told) > 0 {
		a.fail(ckGenesis, text("%d 件目でログの鍵が交替していますが、信頼方針にその鍵がありません。", "The log's key was rotated at size %d, and the trust policy doesn't list that.", told[0].size), told[0].size-2)
	}
}
