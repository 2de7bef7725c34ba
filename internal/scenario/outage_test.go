package scenario

import (
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/review/audit"
)

// outages are what is down for a whole week. In all of them, before and after
// too, messages are lost, doubled, delayed and replayed, answers get lost, and
// each of the three is restarted now and then.
var outages = map[string]func(s *sides, down bool){
	"ledger":        func(s *sides, down bool) { s.log.down = down },
	"notices' line": func(s *sides, down bool) { s.m3.down = down },
	"lists' line":   func(s *sides, down bool) { s.m1.down = down },
	"both lines":    func(s *sides, down bool) { s.m1.down, s.m3.down = down, down },
	// The register takes changes in; nothing is matched, sent or received.
	"register's link server": func(s *sides, down bool) { s.stopped, s.m1.down = down, down },
	"nothing":                func(*sides, bool) {},
}

// TestWeekOfOutage: whatever is down for a week, in the end every change has
// led to exactly one revocation or has a recorded reason why not, nothing is
// lost, and both ends state the same counts, which are the log's.
func TestWeekOfOutage(t *testing.T) {
	seeds := uint64(2)
	if testing.Short() {
		t.Skip("skipped: twelve simulated weeks take some 20 s")
	}
	for name, set := range outages {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				s := newSides(t, seed, 60)
				for d := range 3 {
					s.day(d)
				}
				set(s, true)
				for d := range 7 {
					s.day(3 + d)
				}
				set(s, false)
				for d := range 2 {
					s.day(10 + d)
				}
				s.end()
			})
		}
	}
}

// day is one day with its troubles.
func (s *sides) day(n int) {
	s.t.Helper()
	s.log.lose, s.m1.lose, s.m3.lose = 0.05, 0.2, 0.2
	for hour := range 6 {
		s.pass(2 * time.Hour)
		s.apply()
		s.apply()
		s.happen()
		if s.c.of(0.3) {
			s.request()
		}
		s.send()
		if s.c.of(0.5) {
			s.m3.stray()
		}
		if s.c.of(0.3) {
			s.m1.stray()
		}
		if hour == n%6 {
			s.restart(s.c.n(3))
		}
	}
	s.pass(11 * time.Hour)
	_, _ = s.auth.DailyHolders(ctx, ca.Today(s.now()))
	_ = s.out.Flush(ctx)
	s.send()
	if !s.stopped {
		_, _ = s.link.CloseDay(ctx, ca.Today(s.now()))
	}
	s.pass(time.Hour)
}

func (s *sides) send() {
	if !s.stopped {
		_, _ = s.link.Flush(ctx) // an error means: later
	}
}

// happen lets something happen to a resident, mostly one who has applied.
func (s *sides) happen() {
	s.t.Helper()
	i := s.c.n(min(len(s.residents), s.applied+3))
	rec, err := s.juki.Register.Record(s.residents[i].Code)
	must(s.t, err)
	cur := rec.Current()
	if cur.Deleted || len(rec.Versions) > 3 {
		return
	}
	e := register.Event{Code: rec.Code, Municipality: cur.Municipality, Attr: cur.Attr}
	var more []register.Event
	switch s.c.n(6) {
	case 0:
		e.Kind, e.Attr = register.Death, register.Event{}.Attr
	case 1:
		e.Kind = register.NameChange
		e.Attr.Name = "自治　" + string(rune('あ'+s.c.n(60))) + string(rune('あ'+s.c.n(60)))
		f := e // marriage and move on one day
		f.Kind = register.MoveWithin
		f.Attr.Address += "１号"
		more = append(more, f)
	case 2:
		e.Kind = register.MoveAbroad
		e.Attr = register.Event{}.Attr
	case 3:
		e.Kind, e.Attr.Address = register.Merger, cur.Attr.Address+"（新町名）"
	default:
		e.Kind, e.Attr.Address = register.MoveWithin, cur.Attr.Address+"２号"
	}
	_, err = s.juki.Register.Apply(append([]register.Event{e}, more...)...)
	must(s.t, err)
}

// request: a holder asks for revocation at the counter.
func (s *sides) request() {
	n, err := s.auth.Size()
	if err != nil || n == 0 {
		return
	}
	_, _ = s.auth.RevokeOnRequest(ctx, ca.RevocationRequest{Ordinal: uint64(s.c.n(int(n))), Ground: entry.GroundRequest, Role: ca.RoleCounter, Operators: [2]string{"op-1", "op-2"}})
}

// end lets the troubles stop and everything that is due arrive, then looks.
func (s *sides) end() {
	s.t.Helper()
	s.log.lose, s.m1.lose, s.m3.lose, s.m1.c, s.m3.c, s.log.c = 0, 0, 0, never, never, never
	for range 3 { // the newest list may bring new hits, whose notices strike holders off the next one
		s.pass(24 * time.Hour)
		_, err := s.auth.DailyHolders(ctx, ca.Today(s.now()))
		must(s.t, err)
		must(s.t, s.out.Flush(ctx))
		for tries := 0; ; tries++ {
			_, err := s.link.Flush(ctx)
			if err == nil {
				break
			}
			if tries == 20 {
				s.t.Fatalf("the link does not settle: %v", err)
			}
		}
		s.decideAll()
		_, err = s.link.Flush(ctx)
		must(s.t, err)
		if _, err := s.link.CloseDay(ctx, ca.Today(s.now())); err != nil {
			s.t.Errorf("closing the day: %v (%s)", err, say.Code(err))
		}
	}
	_, err := s.auth.PublishCRLs(ctx)
	must(s.t, err)
	_, err = s.log.engine.Publish(ctx)
	must(s.t, err)
	s.look()
}

// decideAll: the officer notifies whatever a case is about and has changed.
func (s *sides) decideAll() {
	s.t.Helper()
	cs, err := s.juki.Matching.Cases(true)
	must(s.t, err)
	for _, c := range cs {
		d := match.Decision{Operator: "op-9", Basis: match.AlreadyRevoked}
		for _, o := range c.Ordinals {
			rec, err := s.reg.Get(o)
			must(s.t, err)
			if s.stale(rec) {
				d.Notify, d.Basis = append(d.Notify, o), match.Identified
			}
		}
		if err := s.juki.Matching.Decide(c.ID, d); err != nil { // it has its notice already
			must(s.t, s.juki.Matching.Decide(c.ID, match.Decision{Operator: "op-9", Basis: match.AlreadyRevoked}))
		}
	}
}

// stale reports whether a certificate no longer says what the record says,
// minor corrections aside.
func (s *sides) stale(rec *registry.Record) bool {
	s.t.Helper()
	for _, r := range s.residents {
		if r.Attr.Name != rec.Certified.Name {
			continue
		}
		now, err := s.juki.Register.Record(r.Code)
		must(s.t, err)
		for _, v := range now.Live() {
			if v.Attr == rec.Certified.Attributes() {
				return false
			}
		}
		return true
	}
	s.t.Fatal("a certificate of nobody")
	return false
}

// look checks the end result: registry and register from inside, the log as
// the council sees it.
func (s *sides) look() {
	s.t.Helper()
	n, err := s.auth.Size()
	must(s.t, err)
	var issued, stale, asked, revoked int
	for o := range n {
		rec, err := s.reg.Get(o)
		must(s.t, err)
		if rec.State != registry.Issued && rec.State != registry.Revoked {
			continue
		}
		issued++
		is := s.stale(rec)
		if is {
			stale++
		}
		if rec.State == registry.Revoked {
			revoked++
			if rec.Ground == entry.GroundRequest {
				asked++
			} else if !is {
				s.t.Errorf("certificate %d is revoked, and nothing has changed", o)
			}
		} else if is {
			s.t.Errorf("certificate %d is in force, and its record has changed", o)
		}
	}
	for pos := range s.juki.Register.Size() {
		if _, err := s.juki.Matching.Outcome(pos); err != nil {
			s.t.Errorf("change %d has no outcome: %v", pos, err)
		}
	}
	c, err := s.juki.Matching.Counts()
	must(s.t, err)
	if open := c.Notices[match.Pending] + c.Notices[match.Prepared] + c.Notices[match.Logged]; open != 0 || c.CasesOpen != 0 {
		s.t.Errorf("%d notices and %d cases are not settled", open, c.CasesOpen)
	}
	r := s.audited()
	last := r.Counts[len(r.Counts)-1].Counts
	equal(s.t, "notices by the signed counts", last.Notices, r.Notices.Sent)
	equal(s.t, "received by the signed counts", last.Received, r.Notices.Received)
	equal(s.t, "lists by the signed counts", last.Lists, r.Holders.Received)
	equal(s.t, "revocations in the log", r.Certificates.Revoked, uint64(revoked))
	s.t.Logf("%d changes, %d certificates, %d stale, %d revoked (%d on request); %d notices sent, %d received, %d refused, %d withdrawn; %d lists; %d statements; "+
		"answers lost: log %d, notices %d, lists %d; doubled %d and %d; late copies %d and %d; restarts %v",
		s.juki.Register.Size(), issued, stale, revoked, asked, r.Notices.Sent, r.Notices.Received, r.Notices.Refused, c.Notices[match.Withdrawn], r.Holders.Received, len(r.Counts),
		s.log.lost, s.m3.lost, s.m1.lost, s.m3.twice, s.m1.twice, s.m3.late, s.m1.late, s.restarts)
}

func (s *sides) audited() *audit.Result {
	s.t.Helper()
	policy, err := proof.LogOnly(s.conf.VKey)
	must(s.t, err)
	cp, err := s.log.engine.Checkpoint(ctx)
	must(s.t, err)
	src := audit.Source{Log: s.log.engine, Checkpoint: cp, Policy: policy, Council: []ed25519.PublicKey{s.council}, Links: &audit.LinkKeys{Register: pub(s.keys[0]), CA: pub(s.keys[1])}}
	week := 15 * 24 * time.Hour // what a week of outage may delay
	r, err := audit.Audit(ctx, src, audit.Options{Now: s.now(), Pending: week, Revoke: week, Status: 30 * 24 * time.Hour, List: 30 * 24 * time.Hour, HoldersEvery: week, Counts: week})
	must(s.t, err)
	for _, f := range r.Findings() {
		// Which notices found nothing left to revoke, the CA would disclose;
		// here look has seen it from inside.
		if f.Class == audit.ClassD && f.Check != "REV-3" {
			s.t.Errorf("%s: %s", f.Check, f.Text.EN)
		}
	}
	for _, code := range []string{"CNT-1", "CNT-2", "NTC-1", "NTC-2", "NTC-3", "HLD-1", "HLD-2", "HLD-4", "REV-1", "REV-2"} {
		if c, ok := r.Check(code); !ok || c.Verdict != audit.Confirmed {
			s.t.Errorf("%s is %s", code, c.Verdict)
		}
	}
	return r
}

func pub(k *rsa.PrivateKey) *rsa.PublicKey { return &k.PublicKey }
