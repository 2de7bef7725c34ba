package ca

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// alarms watches one kind of thing that has to be replaced in time. It remembers
// what was reported, so that an alarm is raised when it begins, when it gets worse
// and once a day.
type alarms struct {
	endingCode, overCode string // of the security.event
	endingText, overText string // for the operator
	what                 string // name of the count beside it

	mu           sync.Mutex
	ending, over alarm
}

type alarm struct {
	count uint64
	at    time.Time
}

// again is how long an alarm that goes on is not repeated.
const again = 24 * time.Hour

// due takes down how many things are concerned and says whether to report it.
func (m *alarm) due(n uint64, now time.Time) bool {
	if n == 0 || n <= m.count && now.Sub(m.at) < again {
		m.count = min(m.count, n)
		return false
	}
	m.count, m.at = n, now
	return true
}

// concerned is how many things end soon and how many are over, and since when.
type concerned struct {
	ending, over uint64
	from, now    time.Time
}

// raise reports what has to be reported: to the operator and in the log. What the
// log did not take is told again.
func (m *alarms) raise(ctx context.Context, a *Authority, c concerned) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ending, over := m.ending, m.over
	var bodies []entry.Body
	event := func(code string, n uint64) {
		bodies = append(bodies, &entry.SecurityEvent{Code: code, Count: n, From: entry.At(c.from), To: entry.At(c.now)})
	}
	if m.ending.due(c.ending, c.now) {
		event(m.endingCode, c.ending)
		a.log.Warn(m.endingText, m.what, c.ending)
	}
	if m.over.due(c.over, c.now) {
		event(m.overCode, c.over)
		a.log.Error(m.overText, m.what, c.over)
	}
	if len(bodies) == 0 {
		return nil
	}
	if _, err := a.own.AppendAll(ctx, bodies...); err != nil {
		m.ending, m.over = ending, over
		return fmt.Errorf("couldn't log an alarm about %s: %w", m.what, err)
	}
	a.news()
	return nil
}

func newListAlarms() *alarms {
	return &alarms{endingCode: entry.EventListEnding, overCode: entry.EventListOver, what: "lists",
		endingText: "失効リストの次回更新時刻が近づいていますが、後継がありません。sukashi ca crl で作るか、作成を止めている原因を調べてください。/ Revocation lists are near their nextUpdate and have no successor. Make them with sukashi ca crl, or find out what keeps them from being made.",
		overText:   "失効リストの次回更新時刻を過ぎました。検証者は電子証明書を確かめられません。すぐに sukashi ca crl で作ってください。/ Revocation lists are past their nextUpdate: relying parties can't check certificates. Make them at once with sukashi ca crl."}
}

func newResponderAlarms() *alarms {
	return &alarms{endingCode: entry.EventResponderEnding, overCode: entry.EventResponderOver, what: "responders",
		endingText: "OCSPレスポンダの証明書の有効期間が終わりに近づいています。複数の者の承認で次のものを作り(sukashi ca responder)、認証局を起動し直してください。/ OCSP responders' certificates are near their end. Make the next ones, approved by several officers (sukashi ca responder), and start the CA again.",
		overText:   "OCSPレスポンダの証明書の有効期間が終わりました。OCSPの回答は止まっています。すぐに sukashi ca responder で次のものを作り、認証局を起動し直してください。/ OCSP responders' certificates are over: no OCSP request is answered. Make the next ones with sukashi ca responder and start the CA again."}
}

// ResponderState is how long a generation's OCSP responder can sign.
type ResponderState struct {
	Issuer   entry.Digest // the generation's key
	NotAfter time.Time    // of the responder's certificate
}

// WatchResponders says which responders answer from now on, so that their ends
// are looked at (CheckResponders).
func (a *Authority) WatchResponders(list ...ResponderState) { a.responders.Store(&list) }

// Responders returns the responders whose end matters: those of generations whose
// key is neither leaked nor retired. A leaked key can't certify another one, and
// what counts for its certificates is the log.
func (a *Authority) Responders() []ResponderState {
	var out []ResponderState
	list := a.responders.Load()
	if list == nil {
		return nil
	}
	for _, r := range *list {
		if k := a.state.Key(r.Issuer); !k.Leaked && !k.Retired {
			out = append(out, r)
		}
	}
	return out
}

// RenewResponder is how long before its end a responder has to be renewed: a
// ceremony needs several people in one room.
const RenewResponder = 30 * 24 * time.Hour

// CheckResponders raises an alarm, as CheckLists does, about responders whose
// certificates end within RenewResponder or have ended.
func (a *Authority) CheckResponders(ctx context.Context) error {
	c := concerned{now: a.cfg.Now()}
	c.from = c.now
	for _, r := range a.Responders() {
		begin := r.NotAfter.Add(-RenewResponder)
		if c.now.Before(begin) {
			continue
		}
		if begin.Before(c.from) {
			c.from = begin
		}
		if c.now.Before(r.NotAfter) {
			c.ending++
		} else {
			c.over++
		}
	}
	return a.responderAlarms.raise(ctx, a, c)
}
