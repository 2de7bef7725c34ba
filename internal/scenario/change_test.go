package scenario

import (
	"strings"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/pki"
)

// 1: the certificate is in the log before it is handed over, ordinary means
// find it good, and an agency accepts what its holder signs.
func normalIssuance(v *town) {
	mark := v.mark()
	h := v.issue(v.pick(plain))
	var got []string
	for _, e := range v.since(mark) {
		got = append(got, string(e.Body.Kind()))
		if i, ok := e.Body.(*entry.CertIntent); ok {
			equal(v.t, "announced serial", i.Serial, h.Serial)
			equal(v.t, "announced ordinal", i.Ordinal, h.Ordinal)
		}
		if i, ok := e.Body.(*entry.CertIssued); ok {
			equal(v.t, "logged certificate", i.Certificate, entry.Sum(h.Certificate))
		}
	}
	equal(v.t, "entries", strings.Join(got, " "), "cert.intent cert.issued")
	v.valid(h)
	v.accepted(h)
	v.tomorrow()
}

// 2: substitutes stand for characters outside the repertoire, and the map says
// which; the agency and a later notice still find the person.
func substitutes(v *town) {
	h := v.issue(v.pick(func(r people.Resident) bool { return r.SubstituteName != "" && r.SubstituteAddress == "" }))
	c, err := pki.ParseCertificate(h.Certificate)
	must(v.t, err)
	a, ok := c.Attributes()
	if !ok {
		v.t.Fatal("the certificate lacks attributes")
	}
	equal(v.t, "certified name", a.Name, h.SubstituteName)
	ones := strings.Count(a.NameMap, "1")
	if ones == 0 || ones == len(a.NameMap) || a.Name == h.Attr.Name {
		v.t.Errorf("map of substitutes %q", a.NameMap)
	}
	r := v.agency(h, nil)
	equal(v.t, "accepted", r.Accepted, true)
	equal(v.t, "substituted", r.Substituted, ones)
	v.tomorrow()
	equal(v.t, "outcome", v.change(register.MoveWithin, v.moved(h.Resident)).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.changed(h)
}

// 3
func moveInside(v *town) {
	h := v.issued()
	mark := v.mark()
	equal(v.t, "outcome", v.change(register.MoveWithin, v.moved(h.Resident)).Reason, match.Notice)
	v.valid(h) // nothing follows from what has not been sent
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, wholeWay)
	v.changed(h)
	v.refused(h, agency.StepStatus)
}

// 4: the old town deletes, days later the new one records: one revocation.
func moveOutAndIn(v *town) {
	h := v.issued()
	mark := v.mark()
	equal(v.t, "moved out", v.change(register.MoveOut, h.Resident).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.tomorrow()
	v.tomorrow()
	equal(v.t, "moved in", v.change(register.MoveIn, v.away(h.Resident)).Reason, match.NewRecord)
	equal(v.t, "more notices", v.notify(), 0)
	v.logged(mark, wholeWay)
	v.changed(h)
}

// 5: two corrections on one day, one revocation.
func marriageWithMove(v *town) {
	h := v.issued()
	mark := v.mark()
	wed := v.married(h.Resident)
	equal(v.t, "marriage", v.change(register.NameChange, wed).Reason, match.Notice)
	equal(v.t, "move", v.change(register.MoveWithin, v.moved(wed)).Reason, match.NoCertificate)
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, wholeWay)
	v.changed(h)
	again := v.issue(v.moved(wed)) // with the new name and address, under the old certificate's eyes
	v.valid(again)
	v.tomorrow()
}

// 6: nobody can read from the list who died: the public reason is that of a move.
func death(v *town) {
	dead, mover := v.issue(v.pick(plain)), v.issue(v.pick(plain))
	v.tomorrow()
	mark := v.mark()
	v.change(register.Death, dead.Resident)
	v.change(register.MoveWithin, v.moved(mover.Resident))
	equal(v.t, "notices", v.notify(), 2)
	v.changed(dead)
	v.changed(mover)
	grounds := map[string]int{}
	for _, e := range v.since(mark, entry.KindRevocation) {
		grounds[e.Body.(*entry.Revocation).Ground]++
	}
	equal(v.t, "revocations under Article 12", grounds[entry.GroundChange], 2)
}

// 7: the register side does not know the holder yet; the list brings the hit.
func changeBeforeList(v *town) {
	h := v.issue(v.pick(plain))
	mark := v.mark()
	equal(v.t, "outcome", v.change(register.MoveWithin, v.moved(h.Resident)).Reason, match.NoCertificate)
	equal(v.t, "notices before the list", v.notify(), 0)
	v.valid(h)
	v.clock.jump(day) // today's list has gone already
	v.tomorrow()
	a, err := v.w.Juki.Office.Matching.Arrival(h.Ordinal)
	must(v.t, err)
	equal(v.t, "on arrival", a.Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, wholeWay)
	v.changed(h)
}

// 8: an officer answers for two persons; a change of one waits for a person;
// the other's certificate stays.
func twins(v *town) {
	a, b := v.twins()
	first := v.issue(a)
	_, err := v.apply(b, nil)
	equal(v.t, "second application", say.Code(err), "A206")
	second, err := v.apply(b, func(f *counter.Form) { f.Twin = true })
	must(v.t, err)
	v.tomorrow()
	mark := v.mark()
	equal(v.t, "outcome", v.change(register.MoveWithin, v.moved(a)).Reason, match.Person)
	equal(v.t, "notices without a decision", v.notify(), 0)
	cases := v.queue()
	if len(cases) != 1 || cases[0].Why != match.SeveralCertificates || len(cases[0].Ordinals) != 2 {
		v.t.Fatalf("the queue holds %d cases", len(cases))
	}
	must(v.t, v.w.Juki.Office.Matching.Decide(cases[0].ID, match.Decision{Operator: "officer-1", Basis: match.Identified, Notify: []uint64{first.Ordinal}}))
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, wholeWay)
	v.changed(first)
	v.valid(second)
	equal(v.t, "open cases", len(v.queue()), 0)
}

// 12: a merger is a minor correction: no notice, and the certificate with the
// old name of the town stays good until something else changes.
func merger(v *town) {
	h := v.issued()
	mark := v.mark()
	after := v.away(h.Resident) // the town's new name and code
	equal(v.t, "outcome", v.change(register.Merger, after).Reason, match.Minor)
	equal(v.t, "notices", v.notify(), 0)
	v.logged(mark, "")
	v.valid(h)
	v.accepted(h)
	equal(v.t, "later death", v.change(register.Death, after).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.changed(h)
}

// 13: the very bytes again are acknowledged and lead to nothing; the old
// number with another certificate is refused, on record.
func replayed(v *town) {
	h, other := v.issue(v.pick(plain)), v.issue(v.pick(plain))
	v.tomorrow()
	o := v.change(register.Death, h.Resident)
	equal(v.t, "notices", v.notify(), 1)
	sent := v.sequence(o)
	mark := v.mark()
	b, err := notice.Notice{Mode: notice.Reference, Seq: sent, Ordinal: h.Ordinal}.Marshal()
	must(v.t, err)
	for range 3 {
		must(v.t, v.w.RawNotice(ctx, b))
	}
	v.logged(mark, "")
	b, err = notice.Notice{Mode: notice.Reference, Seq: sent, Ordinal: other.Ordinal}.Marshal()
	must(v.t, err)
	if err := v.w.RawNotice(ctx, b); err == nil {
		v.t.Error("another notice with an old number was received")
	}
	if got := v.codesOf(mark); !strings.Contains(got, "N203") {
		v.t.Errorf("refused by %s", got)
	}
	v.valid(other)
	equal(v.t, "the next honest notice", v.change(register.Death, other.Resident).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.changed(other)
}

func (v *town) revokeOnRequest(h *holder) {
	v.t.Helper()
	_, err := v.w.CA.Authority.RevokeOnRequest(ctx, ca.RevocationRequest{Ordinal: h.Ordinal, Ground: entry.GroundRequest, Role: ca.RoleCounter,
		Operators: [2]string{"officer-1", "officer-2"}})
	must(v.t, err)
}

// sequence is the notice sequence that a change led to.
func (v *town) sequence(o match.Outcome) uint64 {
	v.t.Helper()
	i, err := v.w.Juki.Office.Matching.Intent(*o.Intent)
	must(v.t, err)
	return *i.Seq
}

// 15: the notice is received, and there is nothing left to revoke.
func revokedBefore(v *town) {
	h := v.issued()
	mark := v.mark()
	v.revokeOnRequest(h)
	v.change(register.MoveWithin, v.moved(h.Resident))
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, "revocation.requested revocation notice.sent notice.received")
	v.is(h, status.Revoked, pki.ReasonCessation)
	v.tomorrow()
	equal(v.t, "struck off", v.held(h), false)
}

// held reports whether the register side still lists the certificate.
func (v *town) held(h *holder) bool {
	v.t.Helper()
	gone, err := v.w.Juki.Office.Matching.Gone(h.Ordinal)
	must(v.t, err)
	return !gone
}

// 16: the change is found and its notice waits; meanwhile the holder asks.
func requestWhilePending(v *town) {
	h := v.issued()
	mark := v.mark()
	o := v.change(register.MoveWithin, v.moved(h.Resident))
	equal(v.t, "outcome", o.Reason, match.Notice)
	v.revokeOnRequest(h) // before the notice is logged or sent
	v.is(h, status.Revoked, pki.ReasonCessation)
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, "revocation.requested revocation notice.sent notice.received")
	v.is(h, status.Revoked, pki.ReasonCessation) // irreversible, and the first ground stands

	// The list that strikes the holder off comes first: the notice is withdrawn.
	h = v.issued()
	mark = v.mark()
	o = v.change(register.Death, h.Resident)
	v.revokeOnRequest(h)
	v.tomorrow()
	equal(v.t, "notices", v.notify(), 0)
	i, err := v.w.Juki.Office.Matching.Intent(*o.Intent)
	must(v.t, err)
	equal(v.t, "notice", i.State, match.Withdrawn)
	v.logged(mark, "revocation.requested revocation")
}

// 17: the slip is taken back; the revocation stands, and a new certificate
// with the old values is issued and lives.
func reverted(v *town) {
	h := v.issued()
	mark := v.mark()
	equal(v.t, "slip", v.change(register.Correction, v.married(h.Resident)).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	equal(v.t, "taken back", v.change(register.Reversal, h.Resident).Reason, match.NoCertificate)
	equal(v.t, "more notices", v.notify(), 0)
	v.logged(mark, wholeWay)
	v.changed(h)
	again := v.issue(h.Resident)
	v.tomorrow()
	a, err := v.w.Juki.Office.Matching.Arrival(again.Ordinal)
	must(v.t, err)
	equal(v.t, "the new one arrives", a.Reason, match.InForce)
	v.valid(again)
	v.accepted(again)
	v.changed(h)
}
