package audit

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

var linkKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var ks [2]*rsa.PrivateKey
	for i := range ks {
		var err error
		if ks[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return ks
})

func (w *world) sign(k int, c entry.Counts) string {
	sum := sha256.Sum256(countsText(c))
	sig, err := rsa.SignPKCS1v15(nil, linkKeys()[k], crypto.SHA256, sum[:])
	must(w.t, err)
	return base64.StdEncoding.EncodeToString(sig)
}

// close is the end of a day: both ends sign what the story's log says.
func (w *world) close(day string, change func(*entry.CountsSent, *entry.CountsReceived)) {
	c := entry.Counts{Day: day, Number: w.seqs[entry.ByRegisterCounts]}
	for _, e := range w.entries {
		switch b := e.Body.(type) {
		case *entry.HoldersReceived:
			c.Lists, c.New, c.Gone = c.Lists+1, c.New+b.New, c.Gone+b.Gone
		case *entry.NoticeReceived:
			c.Notices, c.Received = c.Notices+1, c.Received+1
		}
	}
	s := &entry.CountsSent{Counts: c, Signature: w.sign(0, c)}
	r := &entry.CountsReceived{Counts: c, Sender: s.Signature, Signature: w.sign(1, c)}
	if change != nil {
		change(s, r)
	}
	w.add(entry.ByRegisterCounts, s)
	if r.Sender != "" {
		w.add(entry.ByCACounts, r)
	}
}

// audited returns one check after the story and what follows it.
func auditedCheck(t *testing.T, code string, keys bool, do func(w *world)) Check {
	t.Helper()
	w := newWorld(t)
	story(w)
	do(w)
	w.publish()
	src := w.source()
	if !keys {
		src.Links = nil
	}
	r, err := Audit(context.Background(), src, Options{Now: w.now})
	must(t, err)
	c, ok := r.Check(code)
	if !ok {
		t.Fatalf("no check %s", code)
	}
	return c
}

func TestDailyCounts(t *testing.T) {
	later := func(w *world) { w.now = w.now.Add(72 * time.Hour) }
	for name, c := range map[string]struct {
		code  string
		class Class
		do    func(w *world)
	}{
		"honest: numbers":    {"CNT-1", ClassA, func(w *world) { w.close("2026-11-24", nil) }},
		"honest: signatures": {"CNT-2", ClassA, func(w *world) { w.close("2026-11-24", nil); later(w) }},
		"not yet due":        {"CNT-2", ClassA, func(w *world) {}},
		"no statement":       {"CNT-2", ClassB, later},
		"not counter-signed": {"CNT-2", ClassD, func(w *world) {
			w.close("2026-11-24", func(_ *entry.CountsSent, r *entry.CountsReceived) { r.Sender = "" })
			later(w)
		}},
		"next one without a counter-signature": {"CNT-2", ClassD, func(w *world) {
			w.close("2026-11-24", func(_ *entry.CountsSent, r *entry.CountsReceived) { r.Sender = "" })
			w.close("2026-11-25", nil)
		}},
		"fewer than were sent": {"CNT-1", ClassA, func(w *world) { // the last notice is not settled yet: allowed
			w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) {
				s.Notices, s.Received = 1, 1
				r.Counts = s.Counts
			})
		}},
		"a notice counted as refused": {"CNT-1", ClassD, func(w *world) {
			w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) {
				s.Received, s.Refused = 1, 1
				r.Counts = s.Counts
			})
		}},
		"more notices than there are": {"CNT-1", ClassD, func(w *world) {
			w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) {
				s.Notices, s.Received = 3, 3
				r.Counts = s.Counts
			})
		}},
		"another number of holders": {"CNT-1", ClassD, func(w *world) {
			w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) {
				s.New = 5
				r.Counts = s.Counts
			})
		}},
		"the two ends differ": {"CNT-1", ClassD, func(w *world) {
			w.close("2026-11-24", func(_ *entry.CountsSent, r *entry.CountsReceived) { r.Gone = 3 })
		}},
		"counter-signed twice": {"CNT-1", ClassD, func(w *world) {
			w.close("2026-11-24", nil)
			c := w.entries[len(w.entries)-1].Body.(*entry.CountsReceived)
			w.add(entry.ByCACounts, c)
		}},
		"signed by the wrong end": {"CNT-2", ClassD, func(w *world) {
			w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) { r.Signature = s.Signature })
		}},
		"signature over other numbers": {"CNT-2", ClassD, func(w *world) {
			w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) { s.Day = "2026-11-25"; r.Day = s.Day })
		}},
		"a day twice": {"CNT-1", ClassD, func(w *world) { w.close("2026-11-24", nil); w.close("2026-11-24", nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			got := auditedCheck(t, c.code, true, c.do)
			if got.Class != c.class {
				t.Errorf("class %s, want %s: %v", got.Class, c.class, got.Findings)
			}
		})
	}
	if got := auditedCheck(t, "CNT-2", false, func(w *world) { w.close("2026-11-24", nil) }); got.Verdict != NotChecked {
		t.Errorf("without the keys the signatures are %s", got.Verdict)
	}
}

func TestAnnouncedTests(t *testing.T) {
	for name, c := range map[string]struct {
		class Class
		do    func(w *world, at func(minutes int) entry.Time)
	}{
		"an alarm nobody announced": {ClassB, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByCALink, &entry.SecurityEvent{Code: entry.EventAlarm, Count: 3, From: at(0), To: at(1)})
		}},
		"within an announced test": {ClassA, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByOperator, &entry.TestAnnounced{Code: entry.EventAlarm, From: at(10), To: at(60)})
			w.add(entry.ByCALink, &entry.SecurityEvent{Code: entry.EventAlarm, Count: 3, From: at(20), To: at(30)})
		}},
		"outside its window": {ClassB, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByOperator, &entry.TestAnnounced{Code: entry.EventAlarm, From: at(10), To: at(60)})
			w.add(entry.ByCALink, &entry.SecurityEvent{Code: entry.EventAlarm, Count: 3, From: at(50), To: at(61)})
		}},
		"of another code": {ClassB, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByOperator, &entry.TestAnnounced{Code: "ids.other", From: at(10), To: at(60)})
			w.add(entry.ByCALink, &entry.SecurityEvent{Code: entry.EventAlarm, Count: 3, From: at(20), To: at(30)})
		}},
		"announced afterwards": {ClassB, func(w *world, at func(int) entry.Time) {
			w.now = at(40).Std()
			w.add(entry.ByOperator, &entry.TestAnnounced{Code: entry.EventAlarm, From: at(10), To: at(60)})
			w.add(entry.ByCALink, &entry.SecurityEvent{Code: entry.EventAlarm, Count: 3, From: at(20), To: at(30)})
		}},
		"lists that were over": {ClassB, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByCA, &entry.SecurityEvent{Code: entry.EventListOver, Count: 2, From: at(0), To: at(1)})
		}},
		"lists that were nearly over": {ClassC, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByCA, &entry.SecurityEvent{Code: entry.EventListEnding, Count: 2, From: at(0), To: at(1)})
		}},
		"a test that nobody noticed": {ClassC, func(w *world, at func(int) entry.Time) {
			w.add(entry.ByCouncil, &entry.TestAnnounced{Code: entry.EventAlarm, From: at(10), To: at(20)})
			w.now = at(30).Std()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := auditedCheck(t, "SEC-1", true, func(w *world) {
				begin := w.now
				c.do(w, func(m int) entry.Time { return entry.At(begin.Add(time.Duration(m) * time.Minute)) })
			})
			if got.Class != c.class || got.Total == 0 {
				t.Errorf("class %s, want %s: %v", got.Class, c.class, got.Findings)
			}
		})
	}
}

// countSabotages are about the daily counts and their signatures.
var countSabotages = []sabotage{
	{name: "counts of which the two ends say different things", want: "CNT-1", do: after(func(w *world) {
		w.close("2026-11-24", func(_ *entry.CountsSent, r *entry.CountsReceived) { r.Gone = 3 })
	})},
	{name: "counts that hide a notice", want: "CNT-1", do: after(func(w *world) {
		w.close("2026-11-24", func(s *entry.CountsSent, r *entry.CountsReceived) { s.Received, s.Refused = 1, 1; r.Counts = s.Counts })
	})},
	{name: "counts without a counter-signature", want: "CNT-2", do: after(func(w *world) {
		w.close("2026-11-24", func(_ *entry.CountsSent, r *entry.CountsReceived) { r.Sender = "" })
		w.now = w.now.Add(72 * time.Hour)
	})},
	{name: "a day without counts", want: "CNT-2", do: after(func(w *world) { w.now = w.now.Add(72 * time.Hour) })},
}
