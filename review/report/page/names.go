package page

import (
	"html/template"

	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/review/report"
)

// kindNames are the entry kinds in words.
var kindNames = map[string]report.Text{
	"log.genesis":          {JA: "ログの開始", EN: "start of the log"},
	"key.created":          {JA: "鍵の登録", EN: "key registered"},
	"key.retired":          {JA: "鍵の廃止", EN: "key retired"},
	"key.succeeded":        {JA: "発行者の鍵の世代交代", EN: "issuer key succeeded"},
	"key.leaked":           {JA: "発行者署名符号の漏えい等", EN: "issuer key leaked"},
	"cross.intent":         {JA: "認証局の間の証明書の発行予告", EN: "certificate between CAs announced"},
	"cross.revoked":        {JA: "認証局の間の証明書の失効", EN: "certificate between CAs revoked"},
	"policy.approved":      {JA: "判定規則の承認", EN: "rules approved"},
	"cert.intent":          {JA: "発行予告", EN: "issue announced"},
	"cert.issued":          {JA: "発行", EN: "issued"},
	"cert.aborted":         {JA: "発行の中止", EN: "issue aborted"},
	"holders.sent":         {JA: "利用者一覧の送信", EN: "list of holders sent"},
	"holders.received":     {JA: "利用者一覧の受信", EN: "list of holders received"},
	"notice.sent":          {JA: "異動通知の送信", EN: "change notice sent"},
	"notice.received":      {JA: "異動通知の受領", EN: "change notice received"},
	"notice.refused":       {JA: "異動通知の拒否", EN: "change notice refused"},
	"revocation.requested": {JA: "失効の申請等", EN: "revocation requested"},
	"revocation":           {JA: "失効の記録", EN: "revocation"},
	"status.root":          {JA: "証明書の状態のまとめ", EN: "summary of certificate states"},
	"crl.published":        {JA: "失効リストの作成", EN: "revocation list"},
	"disclosure":           {JA: "開示", EN: "disclosure"},
	"erasure":              {JA: "消去", EN: "erasure"},
	"review.draw":          {JA: "抜取検査の抽選", EN: "sample drawn"},
	"review.report":        {JA: "報告書の登録", EN: "report registered"},
	"security.event":       {JA: "保安事象", EN: "security event"},
	"test.announced":       {JA: "試験の予告", EN: "test announced"},
	"operator.act":         {JA: "認証局の担当者の操作", EN: "act of a CA officer"},
	"counts.sent":          {JA: "件数の確認書", EN: "statement of counts"},
	"counts.received":      {JA: "件数の確認書への副署", EN: "statement of counts counter-signed"},
}

func kindName(k string) template.HTML { return named(kindNames, k) }

var modeNames = map[string]report.Text{
	"reference": {JA: "参照方式(通知には番号だけが載り、基本4情報は載らない)", EN: "reference (a notice carries numbers only, no attribute)"},
	"echo":      {JA: "返送方式(通知には、証明書に記載済みの基本4情報が載る)", EN: "echo (a notice carries the four attributes as certified)"},
}

func modeName(m string) template.HTML { return named(modeNames, m) }

var groundNames = map[string]report.Text{
	"art9":        {JA: "本人の申請(第9条)", EN: "holder's request (Article 9)"},
	"art10":       {JA: "秘密鍵の漏えい等の届出(第10条)", EN: "key leaked, lost or damaged (Article 10)"},
	"art12":       {JA: "異動等(第12条)", EN: "change of the resident record (Article 12)"},
	"art13":       {JA: "記録誤り等(第13条)", EN: "error in the certificate (Article 13)"},
	"art14":       {JA: "発行者の鍵の漏えい等(第14条)", EN: "issuer key leaked (Article 14)"},
	"renewed":     {JA: "更新による置換え", EN: "replaced by renewal"},
	"undelivered": {JA: "交付前の廃棄", EN: "destroyed before delivery"},
}

func groundName(g string) template.HTML { return named(groundNames, g) }

var roleNames = map[string]report.Text{
	"log":                     {JA: "ログ", EN: "log"},
	"operator":                {JA: "運用者", EN: "operator"},
	"council":                 {JA: "審議会", EN: "council"},
	"ca-server":               {JA: "認証局サーバ", EN: "CA server"},
	"juki-link-server":        {JA: "住基連携サーバ(認証局側)", EN: "CA's link server"},
	"ca-link-server":          {JA: "認証局連携サーバ(住基側)", EN: "register's link server"},
	"ca-link-server/counts":   {JA: "認証局連携サーバ(住基側、件数)", EN: "register's link server (counts)"},
	"juki-link-server/counts": {JA: "住基連携サーバ(認証局側、件数)", EN: "CA's link server (counts)"},
	"ca-link-server/notice":   {JA: "認証局連携サーバ(住基側、通知)", EN: "register's link server (notices)"},
}

func roleName(r string) template.HTML { return named(roleNames, r) }

func named(m map[string]report.Text, k string) template.HTML {
	if t, ok := m[k]; ok {
		return both(t)
	}
	return template.HTML(template.HTMLEscapeString(k))
}

func partition(p string) template.HTML {
	if p == "full" {
		return both(report.Text{JA: "全体", EN: "complete"})
	}
	if m, ok := municipality.Lookup(p); ok {
		return both(report.Text{JA: m.Kanji() + " (" + p + ")", EN: m.Roman + " (" + p + ")"})
	}
	return both(report.Text{JA: "市町村 " + p, EN: "municipality " + p})
}
