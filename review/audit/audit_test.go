package audit

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
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
		if c.Code == "RPT-1" || c.Code == "ERA-1" || c.Code == "NTC-5" || c.Code == "SEC-1" || c.Code == "SMP-1" || c.Code == "OFF-1" {
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
	if r.Times.Record.N != 2 || r.Times.Publish.N != 4 || r.Times.List.N != 4 || len(r.Lists) != 4 {
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
	for _, code := range []string{"KEY-2", "CRT-5", "CRT-6", "CRT-7", "CRT-8", "CRT-9", "CRL-3", "CRL-4", "OCS-1", "POL-3", "POL-6"} {
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

// Two officers, one after the other, and an act that one may do.
func TestTwoOfficers(t *testing.T) {
	w := newWorld(t)
	story(w)
	w.act(entry.PhaseProposed, 1)
	w.now = w.now.Add(23 * time.Hour)
	w.act(entry.PhaseApproved, 2)
	w.add(entry.ByCA, &entry.OperatorAct{Act: entry.ActPublishLists, Phase: entry.PhaseSingle, Officer: entry.Sum([]byte{3}), Proposal: other})
	w.publish()
	if c, _ := w.audit().Check("OFF-1"); c.Verdict != Confirmed || c.Examined != 3 {
		t.Errorf("%s, %d examined, %+v", c.Verdict, c.Examined, c.Findings)
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

func TestSample(t *testing.T) {
	seed := entry.Sum([]byte("seed"))
	for _, c := range []struct{ n, k uint64 }{{0, 3}, {1, 1}, {5, 9}, {1000, 30}} {
		s := Sample(seed, c.n, c.k)
		if uint64(len(s)) != min(c.n, c.k) {
			t.Errorf("%d of %d: %d drawn", c.k, c.n, len(s))
		}
		for i, x := range s {
			if x >= c.n || i > 0 && s[i-1] >= x {
				t.Errorf("%d of %d: %v", c.k, c.n, s)
			}
		}
	}
	if slices.Equal(Sample(seed, 1000, 30), Sample(entry.Sum([]byte("other")), 1000, 30)) {
		t.Error("the seed does not matter")
	}
	var hits [10]int // every number has the same chance
	for i := range 3000 {
		for _, x := range Sample(entry.Sum([]byte{byte(i), byte(i >> 8)}), 10, 1) {
			hits[x]++
		}
	}
	for x, n := range hits {
		if n < 220 || n > 380 {
			t.Errorf("number %d was drawn %d times of 3000", x, n)
		}
	}
}

// TestOpenings: a disclosure opens drawn notices and explains one that led to
// no revocation because the certificate was revoked before (IN-02).
func TestOpenings(t *testing.T) {
	w := newWorld(t)
	story(w)
	n, d := w.send(2, entry.ModeReference) // certificate 2 was revoked on request
	w.receive(n, d)
	w.add(entry.ByCouncil, &entry.ReviewDraw{Covers: uint64(len(w.entries)), Seed: other})
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.publish()
	for i, o := range []uint64{0, 1, 2} {
		w.openings = append(w.openings, w.opening(uint64(i), o))
	}
	r := w.audit()
	for _, code := range []string{"REV-3", "SMP-1", "ERA-1"} {
		if c, _ := r.Check(code); c.Verdict != Confirmed {
			t.Errorf("%s: %s %+v", code, c.Verdict, c.Findings)
		}
	}
	if len(r.Openings) != 3 || len(r.Draws) != 1 || r.Draws[0].Opened != uint64(len(r.Draws[0].Notices)) || r.Draws[0].Among != 3 {
		t.Errorf("%+v %+v", r.Openings, r.Draws)
	}
	w.openings = nil
	r = w.audit()
	if c, _ := r.Check("REV-3"); c.Class != ClassD {
		t.Errorf("unexplained for eight days: class %s", c.Class)
	}
	// Opened, and the certificate is live: the CA sat on it.
	w = newWorld(t)
	story(w)
	n, d = w.send(4, entry.ModeReference)
	w.receive(n, d)
	w.now = w.now.Add(2 * time.Hour)
	w.publish()
	w.openings = []Opening{w.opening(n, 4)}
	if c, _ := w.audit().Check("REV-3"); c.Class != ClassD {
		t.Errorf("a live certificate that was not revoked: class %s", c.Class)
	}
}

// TestWrongEntryIsNamed: with inclusion proofs the auditor says which entry
// was rewritten.
func TestWrongEntryIsNamed(t *testing.T) {
	w := newWorld(t)
	story(w)
	s := w.source()
	bytesOf := make([][]byte, len(w.entries))
	for i := range bytesOf {
		bytesOf[i] = w.leaf(i)
	}
	s.Receipt = func(_ context.Context, i uint64) (*proof.Receipt, error) {
		var hashes []tlog.Hash
		r := tlog.HashReaderFunc(func(is []int64) ([]tlog.Hash, error) {
			out := make([]tlog.Hash, len(is))
			for k, x := range is {
				out[k] = hashes[x]
			}
			return out, nil
		})
		for k, b := range bytesOf {
			hs, err := tlog.StoredHashes(int64(k), b, r)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, hs...)
		}
		p, err := tlog.ProveRecord(int64(len(bytesOf)), int64(i), r)
		return &proof.Receipt{Index: i, Hashes: p, Checkpoint: s.Checkpoint}, err
	}
	w.entries[9].At = entry.At(w.entries[9].At.Std().Add(time.Second))
	r, err := Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	c, _ := r.Check("LOG-4")
	if c.Verdict != Found || !slices.Equal(c.Findings[0].Entries, []uint64{9}) {
		t.Errorf("%s %+v", c.Verdict, c.Findings)
	}
}

// TestHostileNumbers: forged numbers are reported and cost no memory.
func TestHostileNumbers(t *testing.T) {
	w := newWorld(t)
	w.begin()
	der, h := w.certificate(nagano, nil)
	for i := range uint64(40) {
		b := w.intent(der, &h)
		b.Ordinal = (i + 1) << 17
		w.add(entry.ByCA, b)
		w.add(entry.ByNoticeSender, &entry.NoticeSent{Decision: w.decide("notice-send"), Digest: other, Holder: other, Mode: entry.ModeReference, Notice: 1<<52 + i})
	}
	w.publish()
	s := w.source()
	s.Certificates, s.CRLs, s.Journal = nil, nil, nil
	r, err := Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	c, _ := r.Check("CRT-1")
	n, _ := r.Check("NTC-1")
	if c.Total != 40 || n.Total != 40 || r.Certificates.Intents > 3 {
		t.Errorf("%d and %d findings, %d intents taken", c.Total, n.Total, r.Certificates.Intents)
	}
}
