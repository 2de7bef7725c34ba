package link_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

func TestLinkDown(t *testing.T) {
	w := newWorld(t, "")
	w.residents(3)
	w.ca.down = true
	w.die(0)
	for i := range 4 {
		if _, err := w.flush(); say.Code(err) != link.CodeDown {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	w.want(w.srv.Wait(), 8*time.Second)
	w.want(len(w.log.of(entry.KindNoticeSent)), 1) // found in time, and that can be seen
	for range 20 {
		w.flush()
	}
	w.want(w.srv.Wait(), 5*time.Minute)
	w.restart()
	w.die(1)
	w.ca.down = false
	w.want(w.mustFlush(), link.Sent{Logged: 1, Delivered: 2})
	w.want(w.srv.Wait(), time.Duration(0))
	w.want(w.ca.ordinals(), "[0 1]")
	w.settled()
}

func TestLedgerDown(t *testing.T) {
	w := newWorld(t, "")
	w.residents(3)
	w.die(0)
	w.ca.down = true
	w.flush() // notice 0 is logged, not sent
	w.ca.down, w.log.down = false, true
	w.die(1)
	n, err := w.flush()
	if say.Code(err) != link.CodeLedger {
		t.Fatal(err)
	}
	w.want(n, link.Sent{})
	w.want(w.ca.ordinals(), "[]") // the other end looks into the ledger too, and would refuse
	w.log.down = false
	w.want(w.mustFlush(), link.Sent{Logged: 1, Delivered: 2})
	w.want(w.ca.ordinals(), "[0 1]")
	w.settled()
}

// The answer of the ledger gets lost after it took the entries.
func TestLedgerAnswerLost(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "")
		w.residents(3)
		w.log.after = func() error { return errOutage }
		w.die(0)
		w.die(1)
		if _, err := w.flush(); say.Code(err) != link.CodeLedger {
			t.Fatal(err)
		}
		w.log.after = nil
		if restart {
			w.restart()
		}
		w.die(2)
		w.mustFlush()
		w.want(w.ca.ordinals(), "[0 1 2]")
		w.want(len(w.log.of(entry.KindNoticeSent)), 3)
		w.settled()
	}
}

// An append in doubt is tried again with the same bytes, whatever happened
// since: here the holder was struck off.
func TestDoubtfulAppendGoesAgain(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.die(0)
	w.log.before = func() error { return errOutage }
	w.flush()
	w.log.before = nil
	w.gone = []uint64{0}
	w.mustReceive(w.daily())
	w.at = w.at.Add(time.Hour)
	w.want(w.mustFlush(), link.Sent{Logged: 1, Delivered: 1})
	w.settled()
}

func TestDeliveryAnswerLost(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	lost := 2
	w.ca.lose = func() bool { lost--; return lost >= 0 }
	w.die(0)
	w.die(1)
	for range 2 {
		if _, err := w.flush(); say.Code(err) != link.CodeDown {
			t.Fatal(err)
		}
	}
	w.mustFlush()
	w.want(w.ca.ordinals(), "[0 1]")
	w.want(w.ca.copies, 2)
	w.settled()
}

func TestListWhileLedgerDown(t *testing.T) {
	w := newWorld(t, "")
	w.residents(1)
	w.issue(person(1))
	l := w.daily()
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.log.down = true
	if status, _ := w.post(b); status != 503 {
		t.Errorf("status %d", status)
	}
	w.log.down = false
	// Logged, but the answer was lost and the process died: the next start finishes.
	w.log.after = func() error { return errOutage }
	if status, code := w.post(b); status != 503 || code != "link.later" {
		t.Errorf("status %d %s", status, code)
	}
	w.log.after = nil
	w.restart()
	w.mustReceive(l)
	w.want(len(w.log.of(entry.KindHoldersReceived)), 2)
	if c, err := w.eng.Counts(); err != nil || c.Holders != 2 {
		t.Errorf("counts %+v %v", c, err)
	}
}

// Another entry of the link server takes the number of a staged list.
func TestStagedListLosesItsNumber(t *testing.T) {
	w := newWorld(t, "")
	w.residents(1)
	w.issue(person(1))
	l := w.daily()
	w.log.before = func() error { return errOutage }
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.post(b)
	w.log.before = nil
	at := entry.At(w.at)
	w.appendAs(entry.ByRegisterLink, &entry.SecurityEvent{Code: "test", Count: 1, From: at, To: at})
	w.mustReceive(l)
	w.want(len(w.log.of(entry.KindHoldersReceived)), 2)
}

func TestLedgerOlderThanOutbox(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.die(0)
	w.mustFlush()
	// The ledger comes back without its last entry.
	w.log.entries = w.log.entries[:len(w.log.entries)-1]
	w.log.at[entry.ByNoticeSender] = nil
	w.restart()
	w.die(1)
	if _, err := w.flush(); say.Code(err) != link.CodeLedgerOld {
		t.Errorf("error %v", err)
	}
	w.want(w.ca.ordinals(), "[0]")
}

func TestForeignNoticeStopsTheLink(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	w.die(0)
	w.mustFlush()
	body := *w.log.of(entry.KindNoticeSent)[0].Body.(*entry.NoticeSent)
	body.Notice = 1
	w.appendAs(entry.ByNoticeSender, &body) // somebody else wrote as this server
	w.die(1)
	for _, restart := range []bool{false, true} {
		if restart {
			w.restart()
		}
		if _, err := w.flush(); err == nil {
			t.Error("went on after a foreign notice")
		} else if restart && say.Code(err) != link.CodeUnexplained {
			t.Errorf("error %v", err)
		}
	}
	w.want(w.ca.ordinals(), "[0]")
}

// A week in which each of the three parts is down on some days, deliveries are
// duplicated and answers get lost at random: every change still leads to one
// notice, and the daily counts of both ends agree.
func TestWeekOfOutages(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 5))
		w := newWorld(t, "")
		const people = 60
		w.residents(people)
		chance := func(p float64) func() error {
			return func() error {
				if r.Float64() < p {
					return errOutage
				}
				return nil
			}
		}
		died := 0
		var held []holders.List // lists that the CA side sends again until they are taken in
		for day := range 7 {
			w.log.before, w.log.after, w.log.down = nil, nil, false
			l := w.daily()
			held = append(held, l)
			w.log.down = day == 2 || day == 3
			w.ca.down = day == 4
			w.log.before, w.log.after = chance(0.2), chance(0.2)
			w.ca.lose = func() bool { return r.Float64() < 0.3 }
			for range 6 {
				w.at = w.at.Add(time.Hour)
				if died < people {
					w.die(uint64(died))
					died++
				}
				w.flush()
				if r.IntN(8) == 0 {
					w.restart()
				}
			}
			if !w.log.down {
				w.log.before, w.log.after = nil, nil
				held = w.deliverShuffled(r, held)
			}
		}
		w.log.before, w.log.after, w.log.down, w.ca.down, w.ca.lose = nil, nil, false, false, nil
		w.mustFlush()
		w.settled()
		w.want(len(w.ca.taken), died)
		w.want(len(w.log.of(entry.KindNoticeSent)), died)
		days, err := w.eng.Daily()
		if err != nil {
			t.Fatal(err)
		}
		var logged, delivered uint64
		for _, d := range days {
			logged += d.Logged
			delivered += d.Delivered
		}
		w.want(logged, uint64(died))
		w.want(delivered, uint64(len(w.ca.taken)))
		w.want(days["2026-11-24"].New, uint64(people))
	}
}

// deliverShuffled brings lists in any order, some twice, until all are in
// force: a gap is refused, and the list comes again.
func (w *world) deliverShuffled(r *rand.Rand, ls []holders.List) []holders.List {
	w.t.Helper()
	for tries := 0; len(ls) > 0; tries++ {
		k := r.IntN(len(ls))
		b, err := ls[k].Marshal()
		if err != nil {
			w.t.Fatal(err)
		}
		status, code := w.post(b)
		switch {
		case status == 204 && r.IntN(3) > 0:
			ls = append(ls[:k:k], ls[k+1:]...)
		case status == 409 && code != "H203" && code != "H204", status > 409, tries > 1000:
			w.t.Fatalf("list %d: status %d, code %s", ls[k].Seq, status, code)
		}
	}
	return nil
}

// A change that nobody has matched yet (the process died in between) is
// matched by the next Flush.
func TestFlushMatches(t *testing.T) {
	w := newWorld(t, "")
	w.residents(1)
	if _, err := w.reg.Apply(register.Event{Kind: register.Death, Code: code(0), Municipality: nagano}); err != nil {
		t.Fatal(err)
	}
	w.want(w.mustFlush(), link.Sent{Logged: 1, Delivered: 1})
	w.settled()
}

// BenchmarkFlush carries 1,000 notices from the queue to the CA side; the
// ledger and the CA side are in memory, the register side's stores on disk.
func BenchmarkFlush(b *testing.B) {
	const n = 1000
	for range b.N {
		b.StopTimer()
		w := newWorldOn(b, "", b.TempDir(), nil)
		w.residents(n)
		for i := range uint64(n) {
			if _, err := w.reg.Apply(register.Event{Kind: register.Death, Code: code(i), Municipality: nagano}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.eng.Match(context.Background()); err != nil {
			b.Fatal(err)
		}
		w.ca.unchecked = true
		b.StartTimer()
		w.mustFlush()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "notices/s")
}

func TestRun(t *testing.T) {
	w := newWorld(t, "")
	w.residents(2)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.srv.Run(ctx) }()
	w.die(1)
	w.srv.Wake()
	deadline := time.Now().Add(10 * time.Second)
	for w.ca.ordinals() != "[1]" && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Error(err)
	}
	w.want(w.ca.ordinals(), "[1]")
	if c, err := w.eng.Counts(); err != nil || c.Outcomes[match.Notice] != 1 {
		t.Errorf("counts %+v, %v", c, err)
	}
}
