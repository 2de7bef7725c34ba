package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sukashi-project/sukashi/review/audit"
)

// points are the review items as put to the council (DOMAIN 5.3), and the log
// itself, on which every other verdict rests.
var points = []Point{
	{Code: "A-1", Text: Text{
		JA: "住民票の修正に係る本人確認情報と、電子証明書の利用者の情報(基本4情報)との突合",
		EN: "Matching identity information from register corrections with the holders' four attributes"}},
	{Code: "A-2", Text: Text{
		JA: "突合の結果の、指定認証機関(認証局)側への通知",
		EN: "Notifying the certification body of the result"}},
	{Code: "A-3", Text: Text{
		JA: "前2項の受渡しの安全性(通知に住民票コードや新しい住所・氏名が含まれないこと)",
		EN: "Safety of that hand-over: no resident code, no new address or name in a notice"}},
	{Code: "B-1", Text: Text{
		JA: "認証局が持つ基本4情報は、本人の申請に基づくものであること",
		EN: "The four attributes at the CA come from the applicant's own application"}},
	{Code: "B-2", Text: Text{
		JA: "発行と失効の情報が、権限のある者により正しく取り扱われること",
		EN: "Issue and revocation information is handled rightly, by those entitled to it"}},
	{Code: "B-3", Text: Text{
		JA: "認証局のシステム内における基本4情報の保護の安全性",
		EN: "Safety of the four attributes inside the CA's system"}},
	{Code: "L", Text: Text{
		JA: "上記の判定の土台となるログ(改ざんを検知できる記録簿)の健全性",
		EN: "Soundness of the log on which all these verdicts rest"}},
}

func pointRank(code string) int {
	return slices.IndexFunc(points, func(p Point) bool { return p.Code == code })
}

// owners answer for the checks of a prefix unless Meta says otherwise.
var owners = map[string]Text{
	"LOG": {JA: "ログ運用責任者", EN: "Log operator"},
	"KEY": {JA: "認証局 鍵管理責任者", EN: "CA key manager"},
	"HLD": {JA: "認証局・指定情報処理機関 連携担当", EN: "Link officers of CA and information body"},
	"NTC": {JA: "指定情報処理機関 連携サーバ担当", EN: "Link officer of the information body"},
	"POL": {JA: "審議会事務局", EN: "Council secretariat"},
	"APP": {JA: "市町村 受付窓口・認証局 発行責任者", EN: "Municipal counters, CA issuing manager"},
	"CRT": {JA: "認証局 発行責任者", EN: "CA issuing manager"},
	"REV": {JA: "認証局 失効責任者", EN: "CA revocation manager"},
	"STA": {JA: "ログ運用責任者", EN: "Log operator"},
	"CRL": {JA: "認証局 失効責任者", EN: "CA revocation manager"},
	"SMP": {JA: "認証局 情報保護責任者", EN: "CA data protection manager"},
	"OCS": {JA: "認証局 失効責任者", EN: "CA revocation manager"},
	"ERA": {JA: "認証局 情報保護責任者", EN: "CA data protection manager"},
	"RPT": {JA: "審議会事務局", EN: "Council secretariat"},
	"SEC": {JA: "各機関 情報セキュリティ責任者", EN: "Security officers of the bodies"},
}

// limits say what no proof in this report can show (DESIGN section 1).
var limits = []Text{
	{JA: "仕組みの外での送信は、検知できません。通知が記録を経ずに別の手段で送られた場合、この報告書には現れません。",
		EN: "What is sent outside the system can't be seen. A message that goes another way than through the log is not in this report."},
	{JA: "窓口での本人確認そのものの正しさは、証明できません。誤った本人確認に基づく発行も、記録の上では正しく見えます。",
		EN: "Whether the identity check at the counter was right can't be proved. An issue after a wrong check looks right in the log."},
	{JA: "署名装置(HSM)に隠れた機能がある場合、この方法では分かりません。署名日誌との照合は、日誌が正しく書かれることを前提とします。",
		EN: "A hidden function of the signing device (HSM) stays hidden. The comparison with its journal assumes that the journal is truthful."},
	{JA: "通知を誰について、いつ送るかは、送る側が決められます。理由のない通知は、理由のない失効として公に現れます。",
		EN: "Whom to send a notice about, and when, is up to the sender. A notice without reason shows as a revocation without reason, in plain sight."},
	{JA: "ログの運用者と、信頼方針に挙げた証人の全員が共謀すれば、別々の相手に別々のログを見せられます。証人は運用者から独立している必要があります。",
		EN: "If the log's operator and all witnesses of the trust policy collude, they can show different logs to different people. Witnesses must be independent."},
	{JA: "端末、操作者、庁内LANの安全は、この報告書の対象外です。現地の調査と運用の記録により確かめる必要があります。",
		EN: "The safety of terminals, operators and office networks is outside this report; it needs inspection on site."},
}

// steps are how the reader checks the report on their own machine.
var steps = []Step{
	{Text: Text{JA: "報告書と同じ場所にある次のファイルを、手元の計算機に写します: report.json、report.tlog-proof、report.entry.json、witness.policy。ネットワークにつなぐ必要はありません。",
		EN: "Copy these files from beside the report to your own machine: report.json, report.tlog-proof, report.entry.json, witness.policy. No network is needed."}},
	{Text: Text{JA: "witness.policy が、審議会の控えている信頼方針と同じであることを確かめます。ここが違えば、以下の確認に意味はありません。",
		EN: "See that witness.policy is the trust policy that the council keeps itself. If it is not, the next steps mean nothing."},
		Command: "sha256sum witness.policy"},
	{Text: Text{JA: "報告書がログに登録されたものと1バイトも違わないことを確かめます。結果は、成立なら 0、偽りなら 2、判断できなければ 1 の終了コードで返ります。",
		EN: "Check that the report is, byte for byte, the one in the log. The exit status is 0 if it holds, 2 if it is false, 1 if it can't be told."},
		Command: "sukashi verify report.json"},
	{Text: Text{JA: "個々の証跡を確かめます。N には、この報告書にある記録の番号を入れます。",
		EN: "Check single pieces of evidence. N is an entry number from this report."},
		Command: "sukashi verify entries/N.tlog-proof"},
	{Text: Text{JA: "すべてを計算し直します。全記録を読み、この報告書と同じ判定になることを確かめます。",
		EN: "Recompute everything: read all entries and see that the verdicts are those of this report."},
		Command: "sukashi review audit"},
}

// terms are the words of the report that a reader may not know.
var terms = []Term{
	{JA: "基本4情報", EN: "four attributes", Text: Text{JA: "氏名、生年月日、男女の別、住所。", EN: "Name, birth date, sex and address."}},
	{JA: "異動等失効情報(通知)", EN: "change notice", Text: Text{JA: "住民票に異動があった事実だけを認証局に伝える通知。何がどう変わったかは含まない。", EN: "A notice that tells the CA only that a resident record changed, not what changed."}},
	{JA: "ログ", EN: "log", Text: Text{JA: "書き足すことだけができ、あとからの書換えを誰でも検知できる記録簿。個人を識別する情報は載せない。", EN: "A record that can only be added to; anyone can detect a later change. It holds nothing that identifies a person."}},
	{JA: "記録", EN: "entry", Text: Text{JA: "ログの一件。先頭を 0 とする番号で呼ぶ。", EN: "One item of the log, called by its number from 0."}},
	{JA: "ハッシュ値", EN: "hash", Text: Text{JA: "内容から計算する短い値。内容が1文字でも変わると別の値になる。", EN: "A short value computed from content; it changes when one character of the content does."}},
	{JA: "証人", EN: "witness", Text: Text{JA: "ログが枝分かれしていないことを確かめて署名する、独立した機関。", EN: "An independent body that signs after seeing that the log has not been forked."}},
	{JA: "発行予告", EN: "intent", Text: Text{JA: "署名する前に、これから発行する証明書の内容のハッシュ値をログに載せること。", EN: "Logging the hash of a certificate's content before it is signed."}},
	{JA: "判定区分", EN: "class", Text: Text{JA: "A 安全であることが確認されたもの、B 運用状況により確認が必要なもの、C 独自の対策・支援により安全が保たれるもの、D 安全性が確認できていないもの。", EN: "A confirmed safe; B to be confirmed from how it is operated; C safe given own measures or support; D safety not confirmed."}},
}

// provedText says what the proof certificate of a rule bundle says.
func provedText(p *audit.ProofFigure) Text {
	switch {
	case p == nil:
		return Text{JA: "証明書が手元にないか、読み取れません。", EN: "The certificate is not at hand or can't be read."}
	case !p.Holds:
		return Text{JA: "証明書は、規則が証明できていないと述べています。", EN: "The certificate says that the rules are not proved."}
	}
	return Text{
		JA: fmt.Sprintf("%d 種の手続の %d の事実は、どれか一つでも欠ければ許可されません。%d 通りを判定し、許可は各手続につき 1 通りでした。通知が「変わった」こと以外に伝えられる量は %s ビット、定められた欄の外に続く数字は最大 %d 桁です。規則にわざと入れた誤り %d 通りのうち、%d 通りを検査が見つけました。",
			p.Rulesets, p.Facts, p.Decided, bits(p.FreeBits), p.DigitRun, p.Mutants, p.Noticed),
		EN: fmt.Sprintf("In %d procedures with %d facts, nothing is allowed when any one fact is missing. Of %d cases decided, one for each procedure is allowed. Beyond \"something changed\" a notice can carry %s bits; outside the prescribed places no more than %d digits follow each other. Of %d faults put into the rules, %d were noticed.",
			p.Rulesets, p.Facts, p.Decided, bits(p.FreeBits), p.DigitRun, p.Mutants, p.Noticed),
	}
}

func bits(b float64) string { return strconv.FormatFloat(b, 'f', -1, 64) }
