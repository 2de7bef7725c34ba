package ca

import (
	"errors"
	"testing"
	"time"

	"crypto/rand"
	"crypto/x509"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/policy/transfer"
)

// Scenario 2 from the counter to the certificate: substitutes and their maps.
func TestSubstitutesInTheCertificate(t *testing.T) {
	w := newWorld(t, worldOptions{})
	skey, vkey, err := note.GenerateKey(rand.Reader, "juki-terminal-202011")
	must(t, err)
	s, err := note.NewSigner(skey)
	must(t, err)
	v, err := note.NewVerifier(vkey)
	must(t, err)
	term, err := counter.New(counter.Config{Municipality: town, Counter: "202011A01", Officer: "op-7", Transfer: v,
		Scan: policy.ScanResidentCode, Now: w.clock.now})
	must(t, err)
	record := attr.Attributes{Name: "髙橋　𠮷男", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀"}
	file, err := transfer.Seal(transfer.File{Municipality: town, Operator: "op-3", At: entry.At(w.clock.now()), Attr: record}, s)
	must(t, err)
	c, err := card.Generate(card.Config{Algorithm: card.P256, PIN: "SAMPLE01", Iterations: 1})
	must(t, err)
	must(t, c.Verify("SAMPLE01"))
	req, err := c.Request()
	must(t, err)
	app, err := term.Apply(file, counter.Form{AppliedOn: "令和8年11月23日", NameKana: "たかはし　よしお", Name: record.Name,
		BirthDate: "昭和37年6月17日", Sex: "男", Address: record.Address, HasSubstitutes: true, SubstituteName: "高橋　吉男"}, counter.Passport, req)
	must(t, err)
	cert, err := w.ca.Issue(ctx, app, "counter-terminal")
	must(t, err)
	must(t, c.Install(cert.DER))
	rec, err := w.reg.Get(cert.Ordinal)
	must(t, err)
	if rec.Certified.Name != "高橋　吉男" || rec.Certified.NameMap != "10010" || rec.Certified.AddressMap != "0000000000" {
		t.Errorf("certified with map %s", rec.Certified.NameMap)
	}
	if !jtext.MatchesCertified(rec.Certified.Name, rec.Certified.NameMap, record.Name) {
		t.Error("the certificate must still match the record")
	}
	w.check()
}

// Scenarios 22 and 23: unknown birth dates, 29 February.
func TestValidityEnds(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, c := range []struct{ born, end string }{
		{"319620617", "2031-06-17T14:59:59Z"}, // fifth birthday after 2026-11-23
		{"319620000", "2031-11-22T14:59:59Z"}, // day unknown: never a day later than any birthday gives
		{"000000000", "2031-11-22T14:59:59Z"},
		{"420080229", "2031-02-28T14:59:59Z"}, // 2031 is a common year
	} {
		cert := certifiedOf("総務　" + string('あ'+rune(w.serial)))
		cert.BirthDate = c.born
		out, err := w.ca.Issue(ctx, w.application(cert), "counter-terminal")
		must(t, err)
		x, err := x509.ParseCertificate(out.DER)
		must(t, err)
		if got := x.NotAfter.UTC().Format(time.RFC3339); got != c.end {
			t.Errorf("born %s: ends %s, want %s", c.born, got, c.end)
		}
	}
	w.check()
}

func TestRevocationRequests(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	two := [2]string{"op-1", "op-2"}
	for name, c := range map[string]struct {
		r    RevocationRequest
		code string
	}{
		"one officer":         {RevocationRequest{Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-1"}}, "R201 R304"},
		"no officer":          {RevocationRequest{Ground: entry.GroundRequest, Role: RoleCounter}, "R201 R304"},
		"change":              {RevocationRequest{Ground: entry.GroundChange, Role: RoleOperator, Operators: two}, "R101 R105 R202 R301"},
		"unknown ground":      {RevocationRequest{Ground: "bored", Role: RoleOperator, Operators: two}, "R101 R105 R202"},
		"hold":                {RevocationRequest{Ground: "hold", Role: RoleOperator, Operators: two}, "R101 R105 R202"},
		"a name for an id":    {RevocationRequest{Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "総務"}}, "R201 R304"},
		"role":                {RevocationRequest{Ground: entry.GroundIssuerKey, Role: RoleCounter, Operators: two}, "R202"},
		"unknown certificate": {RevocationRequest{Ordinal: 7, Ground: entry.GroundRequest, Role: RoleCounter, Operators: two}, "R204 R205"},
	} {
		if _, err := w.ca.RevokeOnRequest(ctx, c.r); codes(err) != c.code {
			t.Errorf("%s: want %s, got %v", name, c.code, err)
		}
	}
	rev, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ground: entry.GroundNotDelivered, Role: RoleCounter, Operators: two})
	must(t, err)
	if rev.Ordinal != 0 || rev.Cause >= rev.Index {
		t.Errorf("%+v", rev)
	}
	if _, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ground: entry.GroundRequest, Role: RoleCounter, Operators: two}); codes(err) != "R205" {
		t.Errorf("revoked twice: %v", err)
	}
	w.check()
}

// Scenario 21: at the end of retention the link is erased; the log, the lists
// and everything else still hold.
func TestErasure(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	w.issue("総務　花子")
	raw, from := w.sendNotice(0)
	w.receive(raw, from)
	if err := w.ca.Erase(ctx, entry.BasisRetentionEnd, 0); !errors.Is(err, ErrRetention) {
		t.Errorf("too early: %v", err)
	}
	if err := w.ca.Erase(ctx, entry.BasisLawfulRequest, 1); !errors.Is(err, ErrRetention) {
		t.Errorf("a certificate in force: %v", err)
	}
	if err := w.ca.Erase(ctx, entry.BasisCouncilSample, 0); err == nil {
		t.Error("basis of a disclosure")
	}
	opened, err := w.ca.Disclose(ctx, entry.BasisCouncilSample, []string{attr.FieldName}, 0)
	must(t, err)
	subject := w.intent(0).Subject
	if len(opened) != 1 || opened[0].Slots[0].Value != "総務　太郎" || commitment.Verify(subject, opened[0].Slots) != nil {
		t.Errorf("disclosure: %+v", opened)
	}
	for _, s := range opened[0].Slots[1:] {
		if s.Salt != nil || s.Value != "" {
			t.Errorf("slot %s was not asked for: %+v", s.Field, s)
		}
	}
	if _, err := w.ca.Disclose(ctx, entry.BasisCouncilSample, nil, 0); err == nil {
		t.Error("a disclosure of no field in particular")
	}
	about, err := w.ca.DiscloseNotices(ctx, entry.BasisCouncilSample, 0)
	if err != nil || len(about) != 1 || commitment.OpenHolder(about[0].Salt, 0) != w.sent(0).Holder {
		t.Errorf("disclosure of a notice: %+v %v", about, err)
	}
	must(t, w.ca.Erase(ctx, entry.BasisLawfulRequest, 0))
	if _, err := w.ca.Disclose(ctx, entry.BasisCouncilSample, []string{attr.FieldName}, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an erased record was disclosed: %v", err)
	}
	w.clock.set(w.clock.now().AddDate(16, 0, 0))
	must(t, w.ca.Erase(ctx, entry.BasisRetentionEnd, 1))
	c, err := w.ca.Certificate(1)
	if err != nil || c.DER != nil {
		t.Errorf("erased certificate: %v", err)
	}
	// The notice for the erased one, should it still come, can't be opened by
	// anyone; it is refused for good and holds nothing up.
	w.restart()
	w.check()
	if _, err := w.ca.PublishCRLs(ctx); err != nil {
		t.Error(err)
	}
}

func TestDailyHolders(t *testing.T) {
	w := newWorld(t, worldOptions{})
	if _, _, ok, err := w.ca.Outbox(ctx); ok || err != nil {
		t.Errorf("empty outbox: %v %v", ok, err)
	}
	w.issue("総務　太郎")
	first, err := w.ca.DailyHolders(ctx, "2026-11-23")
	must(t, err)
	w.issue("総務　花子")
	again, err := w.ca.DailyHolders(ctx, "2026-11-23")
	must(t, err)
	if *again != *first {
		t.Errorf("second list of a day: %+v, then %+v", first, again)
	}
	if _, err := w.ca.DailyHolders(ctx, "2026-11-22"); !errors.Is(err, ErrDay) {
		t.Errorf("list of a day gone by: %v", err)
	}
	second, err := w.ca.DailyHolders(ctx, "2026-11-24")
	must(t, err)
	if second.Seq != 1 || second.New != 1 || second.Total != 2 {
		t.Errorf("%+v", second)
	}
	w.restart()
	for want := range uint64(2) {
		seq, message, ok, err := w.ca.Outbox(ctx)
		if err != nil || !ok || seq != want || len(message) == 0 {
			t.Fatalf("outbox: %d %v %v", seq, ok, err)
		}
		if err := w.ca.Acknowledged(ctx, seq); err != nil {
			t.Error(err)
		}
		if err := w.ca.Acknowledged(ctx, seq); err == nil {
			t.Error("acknowledged twice")
		}
	}
	if l, _ := w.reg.GetList(0); l.Bytes != nil || l.State != registry.ListDelivered {
		t.Error("the delivered message is still here")
	}
	w.clock.set(w.clock.now().AddDate(5, 0, 1)) // both expire
	third, err := w.ca.DailyHolders(ctx, Today(w.clock.now()))
	must(t, err)
	if third.Gone != 2 || third.Total != 0 {
		t.Errorf("%+v", third)
	}
	if _, err := w.ca.DailyHolders(ctx, "not a day"); err == nil {
		t.Error("made a list for no day")
	}
	w.check()
}

func TestCRLNumbersGrow(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	last := uint64(0)
	for range 3 {
		lists, err := w.ca.PublishCRLs(ctx)
		must(t, err)
		for _, l := range lists {
			if l.Partition == revocation.Full {
				if l.Number <= last {
					t.Errorf("number %d after %d", l.Number, last)
				}
				last = l.Number
			}
		}
		w.restart()
	}
	c, err := w.ca.CRL(revocation.Full)
	if err != nil || c.Number != last {
		t.Errorf("%v", err)
	}
	if _, err := w.ca.CRL("209999"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown partition: %v", err)
	}
	w.check()
}
