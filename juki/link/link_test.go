package link_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

func TestReferenceNotices(t *testing.T) {
	w := newWorld(t, "")
	w.residents(3)
	w.die(2)
	w.die(0)
	w.want(w.mustFlush(), link.Sent{Logged: 2, Delivered: 2})
	w.want(w.ca.ordinals(), "[2 0]")
	w.want(string(w.ca.taken[0]), `{"basis":"juki-30-8-3","mode":"reference","ordinal":2,"seq":0,"v":1}`)
	w.want(w.mustFlush(), link.Sent{})
	w.settled()
	for seq, e := range w.log.of(entry.KindNoticeSent) {
		sent := e.Body.(*entry.NoticeSent)
		w.want(e.By, entry.ByNoticeSender)
		w.want(e.Seq, uint64(seq))
		w.want(sent.Notice, uint64(seq))
		w.want(sent.Mode, notice.Reference)
		w.want(sent.Decision.Ruleset, string(policy.NoticeSend))
	}
	// What is settled keeps no key, no bytes and no code.
	i, err := w.eng.Intent(0)
	if err != nil || i.Holder != nil || i.Bytes != nil || i.Cause.Records != nil || i.SettledAt == nil {
		t.Errorf("settled notice keeps too much: %v", err)
	}
}

func TestEchoNotices(t *testing.T) {
	w := newWorld(t, notice.Echo)
	w.residents(1)
	w.die(0)
	w.mustFlush()
	n, err := notice.Parse(w.ca.taken[0])
	if err != nil || *n.Echo != person(0) || n.Ordinal != 0 {
		t.Errorf("echo is not what was certified: %v", err)
	}
	w.settled()
}

func TestHoldersAreLoggedAndApplied(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	got := w.log.of(entry.KindHoldersReceived)
	sent := w.log.of(entry.KindHoldersSent)
	if len(got) != 1 || got[0].Body.(*entry.HoldersReceived).Holders != sent[0].Body.(*entry.HoldersSent).Holders {
		t.Fatalf("both ends must log the same: %v", got)
	}
	ls, err := w.eng.Lists()
	if err != nil || len(ls) != 1 || ls[0].Index != 1 {
		t.Errorf("lists %+v, %v", ls, err)
	}
	// The same list again: nothing happens, it is fine.
	w.gone = []uint64{1}
	l := w.daily()
	w.mustReceive(l)
	w.mustReceive(l)
	w.want(len(w.log.of(entry.KindHoldersReceived)), 2)
	c, err := w.eng.Counts()
	if err != nil || c.Holders != 1 || c.Lists != 2 {
		t.Errorf("counts %+v, %v", c, err)
	}
	if gone, err := w.eng.Gone(1); err != nil || !gone {
		t.Error("a struck-off holder is still held")
	}
}

func TestHoldersRefused(t *testing.T) {
	marshal := func(l holders.List) []byte {
		b, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		make func(w *world) []byte
		code string
	}{
		"no list": {func(w *world) []byte { return []byte("{}") }, "H"},
		"gap":     {func(w *world) []byte { w.list++; return marshal(w.daily()) }, "H203"},
		"not logged": {func(w *world) []byte {
			l := w.daily()
			w.log.down = false
			l.Total = 1
			l.Gone = []uint64{0}
			return marshal(l)
		}, "H206"},
		"same day": {func(w *world) []byte { w.at = w.at.Add(-24 * time.Hour); return marshal(w.daily()) }, "H204"},
		"wrong total": {func(w *world) []byte {
			w.live++
			return marshal(w.daily())
		}, "H205"},
		"strikes off a stranger": {func(w *world) []byte { w.gone = []uint64{77}; return marshal(w.daily()) }, "H205"},
		"other list, same number": {func(w *world) []byte {
			l := w.daily()
			w.mustReceive(l)
			l.Day = "2027-01-01"
			return marshal(l)
		}, link.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			w.residents(2)
			b := c.make(w)
			w.post(b)
			status, code := w.post(b) // recorded once
			if status != http.StatusConflict || !strings.HasPrefix(code, c.code) {
				t.Errorf("status %d, code %s, want %s", status, code, c.code)
			}
			evs := w.log.of(entry.KindSecurityEvent)
			if len(evs) != 1 || evs[0].Body.(*entry.SecurityEvent).Code != "holders.refused."+code {
				t.Errorf("the refusal is not in the ledger: %v", evs)
			}
			if n, err := w.eng.Counts(); err != nil || n.Holders != 2 {
				t.Errorf("a refused list was applied: %+v", n)
			}
		})
	}
}

func TestHoldersHTTP(t *testing.T) {
	w := newWorld(t, "")
	var err error
	w.srv, err = link.New(link.Config{Engine: w.eng, Register: w.reg, Log: w.log, Decider: w.dec, Client: w.http, URL: caURL,
		Now: w.now, MaxList: 100, Peer: func(r *http.Request) (string, bool) { return r.Host, true }})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, host, body string
		status             int
	}{
		"stranger": {http.MethodPost, "counter-terminal", "{}", http.StatusForbidden},
		"get":      {http.MethodGet, entry.ByCALink, "", http.StatusNotFound},
		"large":    {http.MethodPost, entry.ByCALink, strings.Repeat(" ", 4097), http.StatusRequestEntityTooLarge},
		"header":   {http.MethodPost, entry.ByCALink, "{}", http.StatusConflict},
	} {
		r := httptest.NewRequest(c.method, policy.PathHolders, bytes.NewReader([]byte(c.body)))
		r.Host = c.host
		rec := httptest.NewRecorder()
		w.srv.Handler().ServeHTTP(rec, r)
		if a, err := policy.ReadAnswer(rec.Result()); err != nil || a.Status != c.status {
			t.Errorf("%s: %+v (%v), want %d", name, a, err, c.status)
		}
	}
}

func TestRefusalGoesToAPerson(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.ca.answer = func(seq uint64) error {
		if seq == 0 {
			return say.New("N204", "ない", "none")
		}
		return nil
	}
	w.die(0)
	w.die(1)
	w.want(w.mustFlush(), link.Sent{Logged: 2, Delivered: 1, Rejected: 1})
	w.settled()
	cs, err := w.eng.Cases(true)
	if err != nil || len(cs) != 1 || cs[0].Why != match.Refused || cs[0].Codes[0] != "N204" {
		t.Fatalf("cases %+v, %v", cs, err)
	}
	if i, err := w.eng.Intent(0); err != nil || i.Holder != nil || i.Bytes != nil {
		t.Errorf("a refusal that stands keeps too much: %v", err)
	}
	// The person may have it sent again, under a new number.
	if err := w.eng.Decide(cs[0].ID, match.Decision{Operator: "op-1", Basis: match.Identified, Notify: []uint64{0}}); err != nil {
		t.Fatal(err)
	}
	w.want(w.mustFlush(), link.Sent{Logged: 1, Delivered: 1})
	w.want(w.ca.ordinals(), "[1 0]")
}

// A refusal that the CA side does not count: the notice goes again, in order.
func TestRefusalThatDoesNotCount(t *testing.T) {
	w := newWorld(t, "")
	w.residents(3)
	left := 3
	w.ca.passing = func() error {
		if left--; left >= 0 {
			return say.New("N206", "見えない", "not seen")
		}
		return nil
	}
	w.die(0)
	w.die(1)
	for range 3 {
		if _, err := w.flush(); say.Code(err) != link.CodeDown {
			t.Fatal(err)
		}
	}
	w.restart()
	w.mustFlush()
	w.want(w.ca.ordinals(), "[0 1]")
	w.settled()
	cs, err := w.eng.Cases(false)
	if err != nil || len(cs) != 1 || cs[0].Why != match.Refused || cs[0].Decision == nil || cs[0].Decision.Basis != match.SentAgain {
		t.Errorf("cases %+v, %v", cs, err)
	}
}

// The newest notice is refused and the refusal does not count: a person has it
// sent again, and it is the same notice.
func TestPersonSendsAgain(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	refuse := true
	w.ca.passing = func() error {
		if refuse {
			return say.New("N206", "見えない", "not seen")
		}
		return nil
	}
	w.die(0)
	w.want(w.mustFlush(), link.Sent{Logged: 1, Rejected: 1})
	refuse = false
	w.decide(0)
	w.want(w.mustFlush(), link.Sent{Delivered: 1})
	w.want(w.ca.ordinals(), "[0]")
	w.settled()
}

// The newest notice is refused for good: sent again it is refused again, and
// then a new one goes.
func TestPersonSendsAgainInVain(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.ca.answer = func(seq uint64) error {
		if seq == 0 {
			return say.New("N902", "規則", "rules")
		}
		return nil
	}
	w.die(0)
	w.want(w.mustFlush(), link.Sent{Logged: 1, Rejected: 1})
	w.decide(0)
	w.want(w.mustFlush(), link.Sent{Rejected: 1})
	w.decide(1)
	w.want(w.mustFlush(), link.Sent{Logged: 1, Delivered: 1})
	w.want(w.ca.ordinals(), "[0]")
	w.settled()
}

// decide has the notice of case id sent.
func (w *world) decide(id uint64) {
	w.t.Helper()
	c, err := w.eng.Case(id)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.eng.Decide(id, match.Decision{Operator: "op-1", Basis: match.Identified, Notify: c.Ordinals}); err != nil {
		w.t.Fatal(err)
	}
}

// denies refuses every notice by one code.
type denies struct{ link.Decider }

func (d denies) Decide(ctx context.Context, f *policy.Facts) entry.Decision {
	if f.Ruleset() == policy.NoticeSend {
		f.Set("no_free_text", false)
	}
	return d.Decider.Decide(ctx, f)
}

func TestSenderPolicyRefuses(t *testing.T) {
	w := newWorld(t, "")
	w.dec = denies{w.dec}
	w.server()
	w.residents(1)
	w.die(0)
	w.want(w.mustFlush(), link.Sent{Stopped: 1})
	w.want(len(w.log.of(entry.KindNoticeSent)), 0)
	w.want(len(w.ca.headers), 0)
	cs, err := w.eng.Cases(true)
	if err != nil || len(cs) != 1 || cs[0].Why != match.Denied || cs[0].Codes[0] != "N304" {
		t.Fatalf("cases %+v, %v", cs, err)
	}
}

func TestUnapprovedBundleSendsNothing(t *testing.T) {
	w := newWorld(t, "")
	w.residents(1)
	d, err := policy.NewDecider(context.Background(), policy.Shipped(), policy.NotApproved)
	if err != nil {
		t.Fatal(err)
	}
	w.dec = d
	w.server()
	w.die(0)
	w.want(w.mustFlush(), link.Sent{Stopped: 1})
	w.want(len(w.log.of(entry.KindNoticeSent)), 0)
}

func TestIssuedIsAsked(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	asked := errors.New("asked")
	var answer error = asked
	srv, err := link.New(link.Config{Engine: w.eng, Register: w.reg, Log: w.log, Decider: w.dec, Client: w.http, URL: caURL,
		Now: w.now, Peer: func(r *http.Request) (string, bool) { return "", false },
		Issued: func(_ context.Context, ordinal uint64) (bool, error) { return ordinal == 1, answer }})
	if err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	w.die(0)
	w.die(1)
	if _, err := w.flush(); say.Code(err) != link.CodeLedger || !errors.Is(err, asked) {
		t.Errorf("error %v", err)
	}
	answer = nil
	w.want(w.mustFlush(), link.Sent{Stopped: 1, Logged: 1, Delivered: 1})
	w.want(w.ca.ordinals(), "[1]")
}

func TestStruckOffBeforeLogged(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.die(0)
	w.gone = []uint64{0} // revoked on request meanwhile
	w.mustReceive(w.daily())
	w.die(1)
	w.want(w.mustFlush(), link.Sent{Withdrawn: 1, Logged: 1, Delivered: 1})
	w.want(w.ca.ordinals(), "[1]")
	w.settled()
}

func TestStruckOffBetweenLogAndDelivery(t *testing.T) {
	w := newWorld(t, "")
	w.residents(1)
	w.die(0)
	w.ca.down = true
	if _, err := w.flush(); say.Code(err) != link.CodeDown {
		t.Fatal(err)
	}
	w.gone = []uint64{0}
	w.mustReceive(w.daily())
	w.ca.down = false
	w.want(w.mustFlush(), link.Sent{Delivered: 1}) // logged means sent
	w.settled()
}

func TestOutOfStepKeepsTheNotice(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.die(0)
	w.mustFlush()
	w.ca.taken = nil // restored from an old backup
	w.die(1)
	if _, err := w.flush(); say.Code(err) != link.CodeStep {
		t.Errorf("error %v", err)
	}
	if c, err := w.eng.Counts(); err != nil || c.Notices[match.Logged] != 1 || c.CasesOpen != 0 {
		t.Errorf("counts %+v, %v", c, err)
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t, "")
	good := link.Config{Engine: w.eng, Register: w.reg, Log: w.log, Decider: w.dec, Client: w.http, URL: caURL,
		Now: w.now, Peer: func(*http.Request) (string, bool) { return "", false }}
	for name, f := range map[string]func(*link.Config){
		"no ledger": func(c *link.Config) { c.Log = nil },
		"mode":      func(c *link.Config) { c.Mode = "loud" },
		"http":      func(c *link.Config) { c.URL = "http://127.0.0.1:1" },
	} {
		c := good
		f(&c)
		if _, err := link.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var _ ledger.Log = w.log
}
