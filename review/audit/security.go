package audit

import (
	"strings"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// testState is one announced test.
type testState struct {
	index  uint64
	body   entry.TestAnnounced
	before bool   // announced before it began
	events uint64 // security events that it explains
}

// alarms is the prefix of the codes of events that an intrusion detection
// system raised. The other codes count what a policy refused, which is a
// system doing its work; an alarm must be explained by somebody.
const alarms = "ids."

// testAnnounced takes an announcement. One that comes after the test began
// explains nothing: it might have been written because of the alarm.
func (a *auditor) testAnnounced(it *item, b *entry.TestAnnounced) {
	a.count(ckSecurity)
	t := testState{index: it.index, body: *b, before: !it.e.At.Std().After(b.From.Std())}
	if !t.before {
		a.warn(ckSecurity, text("記録 %d の試験予告(%s)は、試験の開始より後に書かれています。予告とは認められません。",
			"Entry %d announces a test (%s) after it began, which is no announcement.", it.index, b.Code), it.index)
	}
	a.tests = append(a.tests, t)
}

// securityEvent tells an announced alarm from an unannounced one.
func (a *auditor) securityEvent(it *item, b *entry.SecurityEvent) {
	a.count(ckSecurity)
	f := SecurityFigure{Index: it.index, By: it.e.By, Code: b.Code, Count: b.Count, From: b.From, To: b.To}
	t := a.announced(b)
	if t != nil {
		t.events++
		f.Announced, f.Test = true, t.index
	}
	a.figures.Security = append(a.figures.Security, f)
	switch {
	case t != nil:
		a.note(ckSecurity, ClassA, text("記録 %d に、%s が報告した保安事象 %s が %d 件あります。記録 %d で予告された試験の時間内です。",
			"Entry %d reports security event %[3]s, %[4]d times, from %[2]s, within the test announced at entry %[5]d.", it.index, it.e.By, b.Code, b.Count, t.index), t.index, it.index)
	case strings.HasPrefix(b.Code, alarms):
		a.warn(ckSecurity, text("記録 %d に、予告のない警報 %[3]s が %[4]d 件あります(報告者 %[2]s)。何が起きたか、説明が必要です。",
			"Entry %d reports alarm %[3]s, %[4]d times, from %[2]s, and no test was announced for that time. What happened must be explained.", it.index, it.e.By, b.Code, b.Count), it.index)
	case b.Code == entry.EventListOver:
		a.warn(ckSecurity, text("記録 %d に、後継のないまま次回更新時刻を過ぎた失効リストが %[3]d 件あると、%[2]s が記録しています。その間、失効リストだけを見る検証者は電子証明書を確かめられませんでした。",
			"Entry %d reports %[3]d revocation lists whose nextUpdate passed without a successor (by %[2]s). Until there was one, whoever checks by lists alone could check no certificate.", it.index, it.e.By, b.Count), it.index)
	case b.Code == entry.EventListEnding:
		a.note(ckSecurity, ClassC, text("記録 %d に、次回更新時刻が近いのに後継のない失効リストが %[3]d 件あると、%[2]s が記録しています。",
			"Entry %d reports %[3]d revocation lists that were near their nextUpdate without a successor (by %[2]s).", it.index, it.e.By, b.Count), it.index)
	case b.Code == entry.EventResponderOver:
		a.warn(ckSecurity, text("記録 %d に、有効期間が終わったOCSPレスポンダが %[3]d 台あると、%[2]s が記録しています。その間、OCSPの回答はありませんでした。",
			"Entry %d reports %[3]d OCSP responders whose certificates were over (by %[2]s). Until there were new ones, no OCSP request was answered.", it.index, it.e.By, b.Count), it.index)
	case b.Code == entry.EventResponderEnding:
		a.note(ckSecurity, ClassC, text("記録 %d に、有効期間の終わりが近いのに後継のないOCSPレスポンダが %[3]d 台あると、%[2]s が記録しています。",
			"Entry %d reports %[3]d OCSP responders whose certificates were near their end without a successor (by %[2]s).", it.index, it.e.By, b.Count), it.index)
	default:
		a.note(ckSecurity, ClassC, text("記録 %d に、%s が報告した保安事象 %s が %d 件あります。", "Entry %d reports security event %[3]s, %[4]d times, from %[2]s.", it.index, it.e.By, b.Code, b.Count), it.index)
	}
}

// announced returns the test that was announced in time and whose window holds
// the whole of the event's, or nil.
func (a *auditor) announced(b *entry.SecurityEvent) *testState {
	for i := len(a.tests) - 1; i >= 0; i-- {
		t := &a.tests[i]
		if t.before && t.body.Code == b.Code && !b.From.Std().Before(t.body.From.Std()) && !b.To.Std().After(t.body.To.Std()) {
			return t
		}
	}
	return nil
}

// finishTests tells of tests that nobody noticed: a test that raises no alarm
// may have found that the alarm does not work.
func (a *auditor) finishTests() {
	for _, t := range a.tests {
		if t.before && t.events == 0 && a.newest.Std().After(t.body.To.Std()) {
			a.note(ckSecurity, ClassC, text("記録 %d で予告された試験(%s)の時間内に、警報の記録が一つもありません。検知できていたか、確かめてください。",
				"No event is on record within the test (%[2]s) announced at entry %[1]d. Whether it was detected at all should be looked into.", t.index, t.body.Code), t.index)
		}
	}
}
