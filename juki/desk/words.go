package desk

import (
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
)

// whys say why a case waits.
var whys = map[match.Why]say.Text{
	match.SeveralCertificates: {JA: "異動前の内容と同じ電子証明書が、二つ以上あります。", EN: "More than one certificate says what the record said before the change."},
	match.Twins:               {JA: "電子証明書と同じ内容の住民票が、ほかにもあります。", EN: "Another resident's record says the same as the certificate."},
	match.NearMiss:            {JA: "表記の違いを除けば同じ内容の電子証明書があります。", EN: "A certificate says the same but for its notation."},
	match.NoRecord:            {JA: "電子証明書の内容に当たる住民票が見つかりません。", EN: "No resident's record matches the certificate."},
	match.SomeChanged:         {JA: "電子証明書と同じ内容だった住民票のうち、一部に異動があります。", EN: "Of the records that said what the certificate says, some have changed."},
	match.WentBack:            {JA: "住民票が変わり、元に戻っています。電子証明書がいつの内容で発行されたか、はっきりしません。", EN: "The record changed and changed back; it is unclear from which state the certificate was issued."},
	match.Refused:             {JA: "認証局側が通知を拒否しました。", EN: "The CA side refused the notice."},
	match.Denied:              {JA: "送信前の規則が通知を止めました。", EN: "The sender's own rules stopped the notice."},
}

// WhyText says in a sentence why a case waits for a person.
func WhyText(w match.Why) say.Text { return whys[w] }

// BasisChoice is one ground of a decision and what it means.
type BasisChoice struct {
	Basis match.Basis
	Text  say.Text
}

// Bases are the grounds that a person can choose, in the order in which they
// are offered.
var Bases = []BasisChoice{
	{match.Identified, say.Text{JA: "どの方の電子証明書か確かめた。選んだ電子証明書について通知する", EN: "Established whose certificate it is: notify about those chosen"}},
	{match.OtherPerson, say.Text{JA: "別の方の電子証明書である。通知しない", EN: "The certificate is another person's: no notice"}},
	{match.NoChange, say.Text{JA: "電子証明書の内容は今も正しい。通知しない", EN: "What was certified is still right: no notice"}},
	{match.AlreadyRevoked, say.Text{JA: "すでに失効しているか、通知済みである。通知しない", EN: "Already revoked or notified: no notice"}},
}

// BasisText is the sentence of a ground.
func BasisText(b match.Basis) say.Text {
	for _, c := range Bases {
		if c.Basis == b {
			return c.Text
		}
	}
	if b == match.SentAgain {
		return say.Text{JA: "同じ通知を認証局側が後で受け取った(自動)", EN: "The CA side took the same notice later (automatic)"}
	}
	return say.Text{JA: string(b), EN: string(b)}
}

var kinds = map[register.Kind]say.Text{
	register.Load: {JA: "初期データ", EN: "taken over"}, register.Entry: {JA: "記載", EN: "entry"},
	register.MoveWithin: {JA: "転居", EN: "move within the municipality"}, register.MoveOut: {JA: "転出", EN: "move out"},
	register.MoveIn: {JA: "転入", EN: "move in"}, register.NameChange: {JA: "氏名の変更", EN: "change of name"},
	register.Death: {JA: "死亡", EN: "death"}, register.MoveAbroad: {JA: "国外転出", EN: "move abroad"},
	register.ExOfficioDeletion: {JA: "職権消除", EN: "deletion ex officio"}, register.Correction: {JA: "職権修正", EN: "correction"},
	register.BirthDateCorrection: {JA: "生年月日の訂正", EN: "correction of the birth date"}, register.SexCorrection: {JA: "性別の訂正", EN: "correction of the sex"},
	register.Merger: {JA: "行政区画等の変更", EN: "renaming by the authorities"}, register.Reversal: {JA: "修正の取消し", EN: "reversal"},
}

// KindText is the name of a change.
func KindText(k register.Kind) say.Text { return kinds[k] }
