package audit

import "github.com/sukashi-project/sukashi/internal/say"

// checkID numbers the checks; the order is the order of the report.
type checkID int

const (
	ckCanonical checkID = iota
	ckWriter
	ckSequence
	ckRoot
	ckCheckpoint
	ckGenesis
	ckStatusLast
	ckClock
	ckEarlier
	ckKeys
	ckIssuerFiles
	ckHoldersEqual
	ckHoldersTotal
	ckHoldersDaily
	ckHoldersSet
	ckCounts
	ckCountersigned
	ckNoticeSequence
	ckNoticeAnswer
	ckNoticeDigest
	ckNoticeMode
	ckNoticeRefused
	ckPolicyBefore
	ckPolicyApproval
	ckReplay
	ckRuleset
	ckPolicyNewest
	ckPolicyProof
	ckApplication
	ckOrdinals
	ckSerials
	ckIssuedAfterIntent
	ckIntentEnds
	ckCertFiles
	ckBehindBack
	ckBackdating
	ckProfile
	ckJournal
	ckCause
	ckOnce
	ckNoticeRevokes
	ckRequestRevokes
	ckRevokeTime
	ckRecordedTime
	ckStatusRoot
	ckCRLNumber
	ckCRLCount
	ckCRLContent
	ckCRLBehindBack
	ckCRLTime
	ckCRLDelta
	ckOCSP
	ckErasure
	ckSample
	ckReports
	ckSecurity
	ckOffice
	checkCount
)

// rule is the fixed part of a check.
type rule struct {
	code, promise, item string
	title               say.Text
}

// rules are all checks. What a check does is written where it is made; the
// title says what it means to a council member.
func rules() [checkCount]rule {
	return [checkCount]rule{
		ckCanonical:         {"LOG-1", "P1", "L", say.Text{JA: "すべての記録が、定められた唯一の形で書かれている", EN: "Every entry is written in its one prescribed form"}},
		ckWriter:            {"LOG-2", "P1", "L", say.Text{JA: "記録は、その種類を書く役割の者だけが書いている", EN: "Each kind of entry is written only by the role that may write it"}},
		ckSequence:          {"LOG-3", "P1", "L", say.Text{JA: "書き手ごとの通し番号に、抜けも重なりもない", EN: "Each writer's numbers have no gap and no double"}},
		ckRoot:              {"LOG-4", "P1", "L", say.Text{JA: "全記録から計算し直したハッシュ値が、公開された値と一致する", EN: "The hash recomputed over all entries equals the published one"}},
		ckCheckpoint:        {"LOG-5", "P1", "L", say.Text{JA: "公開された値に、ログと必要な数の証人の正しい署名がある", EN: "The published hash carries valid signatures of the log and of enough witnesses"}},
		ckGenesis:           {"LOG-6", "P1", "L", say.Text{JA: "ログは正しい開始記録から始まっている", EN: "The log begins with the right first entry"}},
		ckStatusLast:        {"LOG-7", "P1", "L", say.Text{JA: "公開時点の最後の記録が、証明書の状態のまとめである", EN: "The last published entry is the summary of all certificates' states"}},
		ckClock:             {"LOG-8", "P1", "L", say.Text{JA: "記録の時刻が後戻りせず、未来でもない", EN: "Times do not run backwards and are not in the future"}},
		ckEarlier:           {"LOG-9", "P1", "L", say.Text{JA: "以前に公開された値は、すべて今のログの途中の姿である", EN: "Every hash published earlier is an earlier state of this same log"}},
		ckKeys:              {"KEY-1", "P2", "B-2", say.Text{JA: "発行者の鍵は、使う前に登録され、交代・漏えい・廃止の後は発行に使われていない", EN: "Issuer keys are registered before use and issue nothing after succession, leak or retirement"}},
		ckIssuerFiles:       {"KEY-2", "P2", "B-2", say.Text{JA: "手元の発行者証明書は、ログに登録された鍵のものである", EN: "The issuer certificates at hand belong to keys in the log"}},
		ckHoldersEqual:      {"HLD-1", "P3", "A-1", say.Text{JA: "毎日の利用者一覧は、送った側と受けた側で同じである", EN: "The daily list of holders is the same at the sender and the receiver"}},
		ckHoldersTotal:      {"HLD-2", "P3", "A-1", say.Text{JA: "利用者一覧の件数が、発行と失効の記録に合う", EN: "The numbers in the lists of holders agree with what was issued and revoked"}},
		ckHoldersDaily:      {"HLD-3", "P3", "A-1", say.Text{JA: "利用者一覧は1日1回まで、日付の順に送られている", EN: "A list of holders is sent at most once a day, in order"}},
		ckHoldersSet:        {"HLD-4", "P3", "A-1", say.Text{JA: "利用者一覧の中身が、発行と失効の記録から計算し直した一覧と一致する", EN: "The content of each list of holders equals the one recomputed from issues and revocations"}},
		ckCounts:            {"CNT-1", "P3", "A-2", say.Text{JA: "一日の終わりに両側が述べた件数が、互いに同じで、ログから数えた件数とも合う", EN: "What both ends of the link state at each day's end is the same, and is what the log says"}},
		ckCountersigned:     {"CNT-2", "P3", "A-2", say.Text{JA: "通信のあった日には必ず件数の確認書があり、両側の正しい署名がある", EN: "Every day on which something crossed has a statement of counts with both ends' valid signatures"}},
		ckNoticeSequence:    {"NTC-1", "P3", "A-2", say.Text{JA: "異動通知の番号に、抜けも重なりもない", EN: "The change notices' numbers have no gap and no double"}},
		ckNoticeAnswer:      {"NTC-2", "P3", "A-2", say.Text{JA: "送られた通知には、受領か拒否の記録が必ずあり、逆もまた同じである", EN: "Every notice sent has its receipt or refusal, and the other way round"}},
		ckNoticeDigest:      {"NTC-3", "P3", "A-2", say.Text{JA: "送った通知と受けた通知の内容が同じである", EN: "What was received is what was sent"}},
		ckNoticeMode:        {"NTC-4", "P4", "A-3", say.Text{JA: "通知は、認められた方式だけで送られている", EN: "Notices are sent only in an agreed mode"}},
		ckNoticeRefused:     {"NTC-5", "P4", "A-3", say.Text{JA: "拒否された通知は、すべて規則番号とともに記録されている", EN: "Every refused notice is recorded with the rules it broke"}},
		ckPolicyBefore:      {"POL-1", "P5", "A-3", say.Text{JA: "判定に使った規則は、判定より前に承認されたものである", EN: "The rules that decided were approved before they decided"}},
		ckPolicyApproval:    {"POL-2", "P5", "A-3", say.Text{JA: "規則には、審議会の必要な数の正しい承認署名がある", EN: "The rules carry enough valid approval signatures of the council"}},
		ckReplay:            {"POL-3", "P4", "A-3", say.Text{JA: "記録された判定をもう一度行うと、同じ結果になる", EN: "Deciding every logged decision again gives the same answer"}},
		ckRuleset:           {"POL-4", "P4", "A-3", say.Text{JA: "判定には、その手続のための規則が使われている", EN: "Each decision used the rule set meant for its act"}},
		ckPolicyNewest:      {"POL-5", "P5", "A-3", say.Text{JA: "判定には、その時点で最新の規則が使われている", EN: "Each decision used the newest rules in force"}},
		ckPolicyProof:       {"POL-6", "P4", "A-3", say.Text{JA: "承認された規則には、許されてはならないものが許されないことの証明書がある", EN: "Approved rules come with the certificate which proves that nothing forbidden is allowed"}},
		ckApplication:       {"APP-1", "P2", "B-1", say.Text{JA: "すべての発行予告に、本人の申請と本人確認(実在性・本人性)の事実に基づく許可の判定がある", EN: "Every announced certificate has a decision that allows it on the facts of application and identity check"}},
		ckOrdinals:          {"CRT-1", "P2", "B-1", say.Text{JA: "発行予告の番号に、抜けも重なりもない", EN: "The numbers of announced certificates have no gap and no double"}},
		ckSerials:           {"CRT-2", "P2", "B-2", say.Text{JA: "同じ発行番号が二度使われていない", EN: "No serial number is used twice"}},
		ckIssuedAfterIntent: {"CRT-3", "P2", "B-2", say.Text{JA: "発行の記録より前に、必ず発行予告がある", EN: "Every issue was announced before"}},
		ckIntentEnds:        {"CRT-4", "P2", "B-2", say.Text{JA: "発行予告は、すべて発行か中止で終わっている", EN: "Every announcement ended as issued or aborted"}},
		ckCertFiles:         {"CRT-5", "P2", "B-2", say.Text{JA: "手元の証明書は、予告され記録されたものと1バイトも違わない", EN: "The certificates at hand are, byte for byte, the announced and recorded ones"}},
		ckBehindBack:        {"CRT-6", "P2", "B-2", say.Text{JA: "ログに隠れて署名された証明書がない", EN: "No certificate was signed behind the ledger's back"}},
		ckBackdating:        {"CRT-7", "P2", "B-2", say.Text{JA: "証明書の有効期間の始まりが、過去にさかのぼっていない", EN: "No certificate is back-dated"}},
		ckProfile:           {"CRT-8", "P2", "B-3", say.Text{JA: "証明書が、定められた様式(基本4情報など)に合っている", EN: "The certificates keep the prescribed profile (four attributes and others)"}},
		ckJournal:           {"CRT-9", "P2", "B-2", say.Text{JA: "署名装置の署名日誌にある署名は、すべてログで予告されている", EN: "Every signature in the key store's journal was announced in the log"}},
		ckCause:             {"REV-1", "P6", "B-2", say.Text{JA: "すべての失効に、正しい種類の原因の記録がある", EN: "Every revocation has a cause of the right kind"}},
		ckOnce:              {"REV-2", "P6", "B-2", say.Text{JA: "失効は、発行済みの証明書に一度だけ、正しい番号で行われている", EN: "Revocations hit issued certificates, once, under the right serial"}},
		ckNoticeRevokes:     {"REV-3", "P6", "A-2", say.Text{JA: "受領した通知は、すべて失効につながっている", EN: "Every received notice led to a revocation"}},
		ckRequestRevokes:    {"REV-4", "P6", "B-2", say.Text{JA: "認められた失効申請と、発行者の鍵の漏えいは、すべて失効につながっている", EN: "Every allowed request, and every leak of an issuer key, led to revocation"}},
		ckRevokeTime:        {"REV-5", "P6", "A-2", say.Text{JA: "受領から失効の記録、公開までが期限内である", EN: "Receipt, recording and publication keep their time limits"}},
		ckRecordedTime:      {"REV-6", "P6", "B-2", say.Text{JA: "失効を記録した時刻が、ログの時刻と合っている", EN: "The recorded time of each revocation agrees with the log"}},
		ckStatusRoot:        {"STA-1", "P6", "B-2", say.Text{JA: "証明書の状態のまとめが、ログから計算し直した値と一致する", EN: "Each status summary equals the one recomputed from the log"}},
		ckCRLNumber:         {"CRL-1", "P6", "B-2", say.Text{JA: "失効リストの番号が、区分ごとに増え続けている", EN: "Revocation list numbers only grow, per partition"}},
		ckCRLCount:          {"CRL-2", "P6", "B-2", say.Text{JA: "失効リストの件数が、ログから数えた件数と合う", EN: "The lists' numbers of entries agree with the log"}},
		ckCRLContent:        {"CRL-3", "P6", "B-2", say.Text{JA: "手元の失効リストの中身が、ログの示すとおりである", EN: "The revocation lists at hand hold exactly what the log says"}},
		ckCRLBehindBack:     {"CRL-4", "P6", "B-2", say.Text{JA: "ログに隠れて署名された失効リストがない", EN: "No revocation list was signed behind the ledger's back"}},
		ckCRLTime:           {"CRL-5", "P6", "B-2", say.Text{JA: "すべての失効が、期限内に失効リストへ載っている", EN: "Every revocation reached a revocation list in time"}},
		ckCRLDelta:          {"CRL-6", "P6", "B-2", say.Text{JA: "差分の失効リストは、ログにある完全な失効リストに基づき、合わせると過不足がない", EN: "Each delta list builds on a complete list in the log, and both together hold what they must"}},
		ckOCSP:              {"OCS-1", "P6", "B-2", say.Text{JA: "手元のOCSPの回答(即時の有効性確認)が、ログの示すとおりである", EN: "The OCSP answers at hand say what the log says"}},
		ckErasure:           {"ERA-1", "P8", "B-3", say.Text{JA: "開示と消去は、発行済みの証明書について、根拠とともに記録されている", EN: "Disclosures and erasures concern issued certificates and name their basis"}},
		ckSample:            {"SMP-1", "P4", "A-3", say.Text{JA: "抽選で選ばれた通知は、すべて開示され、ログの値と一致する", EN: "Every notice drawn by lot was disclosed and matches the log"}},
		ckReports:           {"RPT-1", "P1", "L", say.Text{JA: "手元の過去の報告書は、ログに登録されたものと同じである", EN: "Earlier reports at hand are the ones in the log"}},
		ckSecurity:          {"SEC-1", "P8", "B-3", say.Text{JA: "警報などの保安事象が記録されている場合、その説明がある", EN: "Security events in the log are explained"}},
		ckOffice:            {"OFF-1", "P6", "B-2", say.Text{JA: "二人の担当者を要する操作は、一人が提案し、別の一人が期限内に承認している", EN: "What needs two officers was proposed by one and approved in time by another"}},
	}
}
