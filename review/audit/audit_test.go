package audit

import (
	"context"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/internal/testca"
)

func TestHonestHistory(t *testing.T) {
	w := newWorld(t)
	story(w)
	w.source()
	r := w.audit()
	for _, f := range r.Findings() {
		t.Errorf("%s: %s", f.Check, f.Text.EN)
	}
	for _, c := range r.Checks {
		if c.Code == "RPT-1" || c.Code == "ERA-1" || c.Code == "NTC-5" || c.Code == "SEC-1" {
			continue // nothing of the kind in this story
		}
		if c.Verdict != Confirmed || c.Examined == 0 {
			t.Errorf("%s: %s, %d examined", c.Code, c.Verdict, c.Examined)
		}
	}
	if r.Class() != ClassA {
		t.Errorf("class %s", r.Class())
	}
	if r.Certificates.Issued != 6 || r.Certificates.Revoked != 4 || r.Notices.Sent != 2 || r.Notices.Received != 2 || r.Holders.Total != 2 {
		t.Errorf("figures: %+v %+v %+v", r.Certificates, r.Notices, r.Holders)
	}
	if r.Times.Record.N != 2 || r.Times.Publish.N != 4 || r.Times.List.N != 4 || len(r.Lists) != 3 {
		t.Errorf("times: %+v", r.Times)
	}
}

func TestAuditNeeds(t *testing.T) {
	w := newWorld(t)
	story(w)
	ctx := context.Background()
	if _, err := Audit(ctx, w.source(), Options{}); err == nil {
		t.Error("without the present time")
	}
	if _, err := Audit(ctx, Source{}, Options{Now: w.now}); err == nil {
		t.Error("without a log")
	}
	if _, err := Audit(ctx, w.source(), Options{Now: w.now, List: -1}); err == nil {
		t.Error("with a negative limit")
	}
	s := w.source()
	s.Checkpoint = []byte("no checkpoint")
	if _, err := Audit(ctx, s, Options{Now: w.now}); err == nil {
		t.Error("with an unreadable checkpoint")
	}
	s = w.source()
	s.Issuers = []File{{"issuer.pem", []byte("no certificate")}}
	if _, err := Audit(ctx, s, Options{Now: w.now}); err == nil {
		t.Error("with an unreadable issuer certificate")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Audit(done, w.source(), Options{Now: w.now}); err == nil {
		t.Error("after being cancelled")
	}
}

// TestLogAlone: without further material the checks that need it say so.
func TestLogAlone(t *testing.T) {
	w := newWorld(t)
	story(w)
	s := w.source()
	r, err := Audit(context.Background(), Source{Log: s.Log, Checkpoint: s.Checkpoint, Policy: s.Policy}, Options{Now: w.now})
	must(t, err)
	for _, code := range []string{"KEY-2", "CRT-5", "CRT-6", "CRT-7", "CRT-8", "CRT-9", "CRL-3", "CRL-4", "POL-3"} {
		c, ok := r.Check(code)
		if !ok || c.Verdict != NotChecked || c.Class != ClassB || c.Reason.JA == "" || c.Reason.EN == "" {
			t.Errorf("%s: %s %s", code, c.Verdict, c.Class)
		}
	}
	if _, ok := r.Check("XXX-1"); ok {
		t.Error("found a check that does not exist")
	}
}

func TestManyBatches(t *testing.T) {
	w := newWorld(t)
	w.begin()
	der, h := w.certificate(nagano, nil)
	_ = der
	for i := range 3000 {
		h.serial = string("0123456789abcdef"[i>>12&15]) + string("0123456789abcdef"[i>>8&15]) + string("0123456789abcdef"[i>>4&15]) + string("0123456789abcdef"[i&15]) + "77"
		b := &entry.CertIntent{Decision: w.decide("issue"), Issuer: entry.Sum(w.ca.SPKI()), Municipality: nagano, Ordinal: uint64(i),
			Profile: entry.Sum([]byte("profile")), Serial: h.serial, Subject: h.subject, TBS: entry.Sum([]byte(h.serial))}
		h.intent = w.add(entry.ByCA, b)
		w.holders = append(w.holders, h)
		w.add(entry.ByCA, &entry.CertIssued{Certificate: entry.Sum(b.TBS[:]), Ordinal: uint64(i)})
		if i%500 == 7 {
			w.publish()
		}
		if i%3 == 0 {
			w.change(uint64(i))
		}
	}
	w.publish()
	w.certs, w.journal = nil, Journal{}
	s := w.source()
	s.Certificates, s.Journal = nil, nil
	r, err := Audit(context.Background(), s, Options{Now: w.now, Workers: 3, Status: time.Hour, List: 100 * time.Hour})
	must(t, err)
	for _, f := range r.Findings() {
		t.Errorf("%s: %s", f.Check, f.Text.EN)
	}
	if r.Size != uint64(len(w.entries)) || r.Certificates.Revoked != 1000 {
		t.Errorf("size %d of %d, revoked %d", r.Size, len(w.entries), r.Certificates.Revoked)
	}
}

// TestHolderLists: the lists are recomputed with issues, revocations and
// expiries around them, and a list made a moment before it was logged.
func TestHolderLists(t *testing.T) {
	w := newWorld(t)
	w.begin()
	der, h := w.certificate(nagano, func(l *testca.Leaf) { l.NotAfter = w.now.Add(48 * time.Hour) })
	w.issueThis(der, h) // 0 expires by itself
	for range 3 {
		w.issue(nagano)
	}
	w.change(1) // revoked before any list: never told
	w.daily("2026-11-23")
	list := w.listOfHolders("2026-11-24")
	w.issue(matsumoto) // between making the list and logging it
	w.add(entry.ByCALink, &entry.HoldersSent{Holders: list})
	w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: list})
	w.change(2)
	w.daily("2026-11-25")
	w.publish()
	w.now = w.now.Add(72 * time.Hour)
	w.holders[0].revokedAt = 1 // the world's way to say: no longer in force
	w.daily("2026-11-28")
	w.holders[0].revokedAt = 0
	w.publish()
	r := w.audit()
	c, _ := r.Check("HLD-4")
	if c.Verdict != Confirmed || c.Examined != 4 {
		t.Errorf("%s, %d lists, %+v", c.Verdict, c.Examined, c.Findings)
	}
}

// TestSecondReview: once a report is in the log, the material of the first
// review has to be there.
func TestSecondReview(t *testing.T) {
	w := newWorld(t)
	story(w)
	w.add(entry.ByCouncil, &entry.ReviewReport{Covers: 5, Digest: entry.Sum([]byte("{}"))})
	w.publish()
	s := w.source()
	s.Earlier = nil
	r, err := Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	for _, code := range []string{"LOG-9", "RPT-1"} {
		if c, _ := r.Check(code); c.Verdict != NotChecked {
			t.Errorf("%s: %s", code, c.Verdict)
		}
	}
	s.Reports = []File{{"report.json", []byte("{}")}}
	r, err = Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	if c, _ := r.Check("RPT-1"); c.Verdict != Confirmed {
		t.Errorf("RPT-1: %s", c.Verdict)
	}
}
