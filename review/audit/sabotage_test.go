package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/review/internal/testca"
)

// sabotage is one way to break a promise, and the check that must see it.
type sabotage struct {
	name string
	want string // code of the check that must turn red
	do   func(w *world)
	src  func(w *world, s *Source) // spoils what the auditor is given
	// early is how long before the log's end the audit is made.
	early time.Duration
}

// after runs the honest story first, then does something wrong.
func after(f func(w *world)) func(*world) {
	return func(w *world) {
		story(w)
		f(w)
		w.publish()
	}
}

// rewrite changes the stored bytes of the first entry of a kind after the
// checkpoint was signed, keeping it a well-formed entry.
func rewrite(kind entry.Kind, change func(entry.Body)) func(*world) {
	return func(w *world) {
		story(w)
		for i, e := range w.entries {
			if e.Body.Kind() == kind {
				b, err := e.Marshal()
				must(w.t, err)
				e, err = entry.Parse(b) // a copy
				must(w.t, err)
				change(e.Body)
				w.raw[i], err = e.Marshal()
				must(w.t, err)
				return
			}
		}
		w.t.Fatal("no such entry")
	}
}

var other = entry.Sum([]byte("something else"))

// issueSabotages are about the log, keys, certificates, holders, notices and
// rules.
var issueSabotages = []sabotage{
	// The log.
	{name: "an entry rewritten in the store", want: "LOG-4", do: rewrite(entry.KindCertIssued, func(b entry.Body) { b.(*entry.CertIssued).Certificate = other })},
	{name: "a revocation rewritten to another certificate", want: "LOG-4", do: rewrite(entry.KindRevocation, func(b entry.Body) { b.(*entry.Revocation).Ordinal = 5 })},
	{name: "an entry that is not JSON", want: "LOG-1", do: after(func(w *world) { w.raw[5] = []byte("not an entry") })},
	{name: "an entry with a space", want: "LOG-1", do: after(func(w *world) { w.raw[5] = append([]byte(" "), w.leaf(5)...) })},
	{name: "entries withheld at the end", want: "LOG-4", do: story, src: func(w *world, s *Source) { s.Log = shorter{w, 5} }},
	{name: "an entry by the wrong role", want: "LOG-2", do: after(func(w *world) { w.add(entry.ByCALink, &entry.CertAborted{Ordinal: 9, Reason: entry.AbortCrash}) })},
	{name: "a number left out", want: "LOG-3", do: after(func(w *world) { w.seqs[entry.ByCA]++; w.issue(nagano) })},
	{name: "a number used twice", want: "LOG-3", do: after(func(w *world) { w.seqs[entry.ByCA]--; w.issue(nagano) })},
	{name: "a second beginning", want: "LOG-6", do: after(func(w *world) {
		w.add(entry.ByLog, &entry.Genesis{Key: w.vkey, Origin: "log.example/audit", Rules: "sukashi-1"})
	})},
	{name: "another beginning", want: "LOG-6", do: func(w *world) {
		w.add(entry.ByLog, &entry.Genesis{Key: w.vkey, Origin: "log.example/other", Rules: "sukashi-1"})
		w.publish()
	}},
	{name: "no beginning", want: "LOG-6", do: func(w *world) { w.approve(w.bundle, w.council...); w.publish() }},
	{name: "no summary at the end", want: "LOG-7", do: func(w *world) { story(w); w.issue(nagano) }},
	{name: "a clock that goes back", want: "LOG-8", do: after(func(w *world) {
		w.now = w.now.Add(-time.Hour)
		w.send(4, entry.ModeReference)
		w.now = w.now.Add(time.Hour)
	})},
	{name: "a CA's clock that goes back", want: "LOG-8", do: after(func(w *world) {
		w.now = w.now.Add(-time.Hour)
		w.issue(nagano)
		w.now = w.now.Add(time.Hour)
	})},
	{name: "a clock in the future", want: "LOG-8", early: time.Hour, do: story},
	{name: "a fork: another log at an earlier size", want: "LOG-9", do: func(w *world) {
		fork := newWorld(w.t)
		fork.begin()
		fork.issue(matsumoto)
		fork.publish()
		story(w)
		w.earlier = append(w.earlier, fork.checkpoint())
	}},
	{name: "a roll-back: the log is shorter than it was", want: "LOG-9", do: func(w *world) {
		longer := newWorld(w.t)
		story(longer)
		longer.issue(nagano)
		longer.publish()
		story(w)
		w.earlier = append(w.earlier, longer.checkpoint())
	}},
	{name: "a checkpoint without the log's signature", want: "LOG-5", do: story, src: func(w *world, s *Source) {
		p, err := proof.LogOnly("log.example/audit+a51ba5a5+AWsNHVDJW4Wx1kYnOnHLzsG1XPYtRN1G8SXBVOfKJgLo")
		if err != nil {
			other := newWorld(w.t)
			seed := sha256.Sum256([]byte("other log"))
			key := ed25519.NewKeyFromSeed(seed[:])
			p, err = proof.LogOnly(vkeyOf(other.t, key))
			must(w.t, err)
		}
		s.Policy = p
	}},

	{name: "an earlier checkpoint that nobody signed", want: "LOG-9", do: story, src: func(w *world, s *Source) {
		s.Earlier = append(s.Earlier, []byte("log.example/audit\n1\n"))
	}},

	// Keys and certificates.
	{name: "a key under a second role", want: "KEY-1", do: after(func(w *world) {
		w.add(entry.ByOperator, &entry.KeyCreated{Alg: "p256", Record: other, Role: "ocsp", SPKI: entry.Sum(w.ca.SPKI())})
	})},
	{name: "approved by the officer who proposed it", want: "OFF-1", do: after(func(w *world) {
		w.act(entry.PhaseProposed, 1)
		w.act(entry.PhaseApproved, 1)
	})},
	{name: "approved without a proposal", want: "OFF-1", do: after(func(w *world) { w.act(entry.PhaseApproved, 2) })},
	{name: "approved twice", want: "OFF-1", do: after(func(w *world) {
		w.act(entry.PhaseProposed, 1)
		w.act(entry.PhaseApproved, 2)
		w.act(entry.PhaseApproved, 2)
	})},
	{name: "approved when it was too late", want: "OFF-1", do: after(func(w *world) {
		w.act(entry.PhaseProposed, 1)
		w.now = w.now.Add(25 * time.Hour)
		w.act(entry.PhaseApproved, 2)
	})},
	{name: "withdrawn by another officer", want: "OFF-1", do: after(func(w *world) {
		w.act(entry.PhaseProposed, 1)
		w.act(entry.PhaseWithdrawn, 2)
	})},
	{name: "revoked by one officer alone", want: "OFF-1", do: after(func(w *world) { w.act(entry.PhaseSingle, 1) })},
	{name: "a key retired that was never there", want: "KEY-1", do: after(func(w *world) {
		w.add(entry.ByOperator, &entry.KeyRetired{Role: "issuer", SPKI: other})
	})},
	{name: "issued by a key that was succeeded", want: "KEY-1", do: after(func(w *world) { w.succeed(); w.issue(nagano) })},
	{name: "a succession between keys that nobody registered", want: "KEY-1", do: after(func(w *world) {
		w.add(entry.ByOperator, &entry.KeySucceeded{Record: other, SPKI: entry.Sum(w.ca.SPKI()), Successor: other})
	})},
	{name: "issued by a key that leaked", want: "KEY-1", do: after(func(w *world) { w.leak(); w.issue(nagano) })},
	{name: "a leak of a key that nobody registered", want: "KEY-1", do: after(func(w *world) {
		w.add(entry.ByOperator, &entry.KeyLeaked{Record: other, SPKI: other})
	})},
	{name: "a link certificate by a key that leaked", want: "KEY-1", do: after(func(w *world) { w.leak(); w.link("0a01") })},
	{name: "a link certificate for a key that nobody registered", want: "KEY-1", do: after(func(w *world) {
		w.add(entry.ByOperator, &entry.CrossIntent{Issuer: entry.Sum(w.ca.SPKI()), Purpose: entry.PurposeLink, Record: other, Serial: "0a01", SPKI: other, TBS: other})
	})},
	{name: "two link certificates under one serial", want: "CRT-2", do: after(func(w *world) { w.link("0a01"); w.link("0a01") })},
	{name: "a link certificate under a resident's serial", want: "CRT-2", do: after(func(w *world) { w.link(w.holders[0].serial) })},
	{name: "a certificate between CAs revoked that nobody announced", want: "REV-2", do: after(func(w *world) { w.unlink("0a01") })},
	{name: "a revoked link certificate that no list shows", want: "CRL-2", do: after(func(w *world) {
		w.link("0a01")
		w.unlink("0a01")
		w.list(caPartition, func(l *testca.List) { l.Entries = nil })
	})},
	{name: "a list of CA certificates with the wrong date", want: "CRL-3", do: after(func(w *world) {
		w.link("0a01")
		w.unlink("0a01")
		w.list(caPartition, func(l *testca.List) { l.Entries[0].RevocationTime = w.now.Add(-time.Hour) })
	})},
	{name: "a list of CA certificates that doesn't say so", want: "CRL-3", do: after(func(w *world) {
		w.list(caPartition, func(l *testca.List) { l.Change = nil })
	})},
	{name: "a certificate of a leaked key left in force", want: "REV-4", do: after(func(w *world) { w.leak(); w.now = w.now.Add(48 * time.Hour) })},
	{name: "another certificate for the issuer's key", want: "KEY-2", do: story, src: func(w *world, s *Source) {
		s.Issuers = []File{{"issuer.pem", w.ca.Again(w.t, w.now.AddDate(-1, 0, 0))}}
	}},
	{name: "an issuer key nobody registered", want: "KEY-1", do: after(func(w *world) { w.ca = testca.New(w.t, w.now.AddDate(-1, 0, 0)); w.issue(nagano) })},
	{name: "an issuer key after its retirement", want: "KEY-1", do: after(func(w *world) {
		w.add(entry.ByOperator, &entry.KeyRetired{Role: "issuer", SPKI: entry.Sum(w.ca.SPKI())})
		w.issue(nagano)
	})},
	{name: "an issuer certificate that is not the log's", want: "KEY-2", do: story, src: func(w *world, s *Source) {
		s.Issuers = append(s.Issuers, File{"other.pem", testca.New(w.t, w.now).DER})
	}},
	{name: "announced without a decision on the application", want: "APP-1", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		b := w.intent(der, &h)
		b.Decision.Ruleset = "revoke"
		w.add(entry.ByCA, b)
	})},
	{name: "an ordinal left out", want: "CRT-1", do: after(func(w *world) { w.holders = append(w.holders, holder{}); w.issue(nagano) })},
	{name: "an ordinal used twice", want: "CRT-1", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		b := w.intent(der, &h)
		b.Ordinal = 1
		w.add(entry.ByCA, b)
	})},
	{name: "a serial used twice", want: "CRT-2", do: after(func(w *world) {
		der, h := w.certificate(nagano, func(l *testca.Leaf) { l.Serial = new(big.Int).SetUint64(0x8000000000000000) })
		w.issueThis(der, h)
	})},
	{name: "issued without intent", want: "CRT-3", do: after(func(w *world) { w.add(entry.ByCA, &entry.CertIssued{Certificate: other, Ordinal: 6}) })},
	{name: "issued twice", want: "CRT-3", do: after(func(w *world) { w.add(entry.ByCA, &entry.CertIssued{Certificate: other, Ordinal: 5}) })},
	{name: "an intent that never ends", want: "CRT-4", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		w.add(entry.ByCA, w.intent(der, &h))
		w.now = w.now.Add(2 * time.Hour)
	})},
	{name: "another certificate than announced", want: "CRT-5", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		b := w.intent(der, &h)
		b.TBS = other
		h.intent = w.add(entry.ByCA, b)
		w.journal.Lines = append(w.journal.Lines, JournalLine{Index: h.intent, TBS: other})
		w.add(entry.ByCA, &entry.CertIssued{Certificate: entry.Sum(der), Ordinal: 6})
		w.certs = append(w.certs, File{"certs/6.pem", der})
	})},
	{name: "a certificate under another serial than announced", want: "CRT-5", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		h.serial = "0a0b0c0d"
		w.issueThis(der, h)
	})},
	{name: "a certificate signed by a stranger in an issuer's place", want: "CRT-5", do: after(func(w *world) {
		honest := *w.ca
		w.ca = testca.New(w.t, w.now.AddDate(-1, 0, 0))
		der, h := w.certificate(nagano, nil)
		w.ca = &honest
		w.issueThis(der, h)
	})},
	{name: "a certificate signed behind the ledger's back", want: "CRT-6", do: after(func(w *world) {
		der, _ := w.certificate(nagano, nil)
		w.certs = append(w.certs, File{"found.pem", der})
	})},
	{name: "a second signature on one announcement", want: "CRT-6", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		w.issueThis(der, h)
		w.certs = append(w.certs, File{"again.pem", w.resign(der)})
	})},
	{name: "a certificate of another issuer", want: "CRT-6", do: after(func(w *world) {
		honest := *w.ca
		w.ca = testca.New(w.t, w.now.AddDate(-1, 0, 0))
		der, _ := w.certificate(nagano, nil)
		w.ca = &honest
		w.certs = append(w.certs, File{"found.pem", der})
	})},
	{name: "back-dating", want: "CRT-7", do: after(func(w *world) {
		der, h := w.certificate(nagano, func(l *testca.Leaf) { l.NotBefore = w.now.Add(-time.Hour) })
		w.issueThis(der, h)
	})},
	{name: "the production policy", want: "CRT-8", do: after(func(w *world) {
		der, h := w.certificate(nagano, func(l *testca.Leaf) { l.Policy = "1.2.392.200149.8.5.1.1.20" })
		w.issueThis(der, h)
	})},
	{name: "no attributes", want: "CRT-8", do: after(func(w *world) {
		der, h := w.certificate(nagano, func(l *testca.Leaf) {
			l.Change = func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[1:] }
		})
		w.issueThis(der, h)
	})},
	{name: "another municipality's distribution point", want: "CRT-8", do: after(func(w *world) {
		der, h := w.certificate(matsumoto, nil)
		h.municipality = nagano
		w.issueThis(der, h)
	})},
	{name: "not a certificate", want: "CRT-8", do: after(func(w *world) { w.certs = append(w.certs, File{"x.pem", []byte("x")}) })},
	{name: "a certificate signed and not yet recorded", want: "CRT-6", do: after(func(w *world) {
		der, h := w.certificate(nagano, nil)
		w.add(entry.ByCA, w.intent(der, &h))
		w.certs = append(w.certs, File{"certs/6.pem", der})
	})},
	{name: "a signature after the end of the log", want: "CRT-9", do: after(func(w *world) {
		w.journal.Lines = append(w.journal.Lines, JournalLine{Index: 9999, TBS: other})
	})},
	{name: "a signature that was not announced", want: "CRT-9", do: after(func(w *world) { w.journal.Lines = append(w.journal.Lines, JournalLine{Index: 4, TBS: other}) })},
	{name: "a signature announced at no such entry", want: "CRT-9", do: after(func(w *world) { w.journal.Lines = append(w.journal.Lines, JournalLine{Index: 0, TBS: other}) })},
	{name: "an announcement signed twice", want: "CRT-9", do: after(func(w *world) { w.journal.Lines = append(w.journal.Lines, w.journal.Lines[3]) })},
	{name: "a certificate that the journal doesn't know", want: "CRT-9", do: after(func(w *world) { w.journal.Lines = w.journal.Lines[:3] })},

	// Holders.
	{name: "a list of holders received otherwise", want: "HLD-1", do: after(func(w *world) {
		h := w.listOfHolders("2026-11-25")
		w.add(entry.ByCALink, &entry.HoldersSent{Holders: h})
		h.Set = other
		w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: h})
	})},
	{name: "a list of holders nobody sent", want: "HLD-1", do: after(func(w *world) {
		w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: w.listOfHolders("2026-11-25")})
	})},
	{name: "a list of holders lost", want: "HLD-1", do: after(func(w *world) {
		w.add(entry.ByCALink, &entry.HoldersSent{Holders: w.listOfHolders("2026-11-25")})
		w.now = w.now.Add(26 * time.Hour)
	})},
	{name: "a total that doesn't add up", want: "HLD-2", do: after(func(w *world) {
		h := w.listOfHolders("2026-11-25")
		h.Total++
		w.add(entry.ByCALink, &entry.HoldersSent{Holders: h})
		w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: h})
	})},
	{name: "more holders than certificates", want: "HLD-2", do: after(func(w *world) {
		h := w.listOfHolders("2026-11-25")
		h.New, h.Total = 50, h.Total+50
		w.add(entry.ByCALink, &entry.HoldersSent{Holders: h})
		w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: h})
	})},
	{name: "two lists on a day", want: "HLD-3", do: after(func(w *world) { w.daily("2026-11-24") })},

	{name: "a holder kept off the list", want: "HLD-4", do: after(func(w *world) {
		w.issue(nagano)
		w.issue(nagano)
		w.listed[6], w.gone[6] = true, true // told to nobody
		w.daily("2026-11-25")
	})},
	{name: "a holder on the list who has no certificate", want: "HLD-4", do: after(func(w *world) {
		w.issue(nagano)
		w.holders[6].subject = other
		w.daily("2026-11-25")
	})},
	{name: "a holder struck off who is live", want: "HLD-4", do: after(func(w *world) {
		h := w.listOfHolders("2026-11-25")
		h.Gone, h.Total = 1, h.Total-1
		h.Set = holders.SetDigest(h.Day, 2, nil, []uint64{4}, h.Total)
		w.add(entry.ByCALink, &entry.HoldersSent{Holders: h})
		w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: h})
	})},

	{name: "a list of holders that the log alone can't explain", want: "HLD-4", do: after(func(w *world) {
		w.issue(nagano)
		w.holders[6].subject = other
		w.daily("2026-11-25")
	}), src: func(w *world, s *Source) { s.Certificates = nil }},

	// Notices.
	{name: "a notice number left out", want: "NTC-1", do: after(func(w *world) { w.seqs[entry.ByNoticeSender]++; w.change(4) })},
	{name: "a notice under another number", want: "NTC-1", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeReference)
		w.entries[len(w.entries)-1].Body.(*entry.NoticeSent).Notice = 1
		_, _ = n, d
	})},
	{name: "a notice dropped", want: "NTC-2", do: after(func(w *world) {
		w.send(4, entry.ModeReference)
		w.now = w.now.Add(2 * time.Hour)
	})},
	{name: "a notice dropped while later ones arrive", want: "NTC-2", do: after(func(w *world) { w.send(4, entry.ModeReference); w.change(5) })},
	{name: "a notice received that nobody sent", want: "NTC-2", do: after(func(w *world) { w.revoke(4, entry.GroundChange, w.receive(2, other)) })},
	{name: "a notice received twice", want: "NTC-2", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeReference)
		w.revoke(4, entry.GroundChange, w.receive(n, d))
		w.revoke(5, entry.GroundChange, w.receive(n, d))
	})},
	{name: "notices received out of order", want: "NTC-2", do: after(func(w *world) {
		a, da := w.send(4, entry.ModeReference)
		b, db := w.send(5, entry.ModeReference)
		w.revoke(5, entry.GroundChange, w.receive(b, db))
		w.revoke(4, entry.GroundChange, w.receive(a, da))
	})},
	{name: "a notice changed on its way", want: "NTC-3", do: after(func(w *world) {
		n, _ := w.send(4, entry.ModeReference)
		w.revoke(4, entry.GroundChange, w.receive(n, other))
	})},
	{name: "a mode that was not agreed", want: "NTC-4", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeEcho)
		w.revoke(4, entry.GroundChange, w.receive(n, d))
	})},
	{name: "a refused notice", want: "NTC-5", do: after(func(w *world) { n, _ := w.send(4, entry.ModeReference); w.refuse(n, "N101") })},
	{name: "a message that nobody logged, refused", want: "NTC-5", do: after(func(w *world) { w.refuse(2, "N103", "N206") })},

	// Policies.
	{name: "rules that were never approved", want: "POL-1", do: after(func(w *world) { w.policy = 1; w.change(4) })},
	{name: "rules approved only later", want: "POL-1", do: after(func(w *world) {
		w.policy = uint64(len(w.entries)) + 3
		n, d := w.send(4, entry.ModeReference)
		w.revoke(4, entry.GroundChange, w.receive(n, d))
		w.approve(w.bundle, w.council...)
	})},
	{name: "other rules than approved", want: "POL-1", do: after(func(w *world) { w.bundle = other; w.change(4) })},
	{name: "rules with one signature", want: "POL-2", do: after(func(w *world) { w.approve(other, w.council[0]) })},
	{name: "rules signed by a stranger", want: "POL-2", do: after(func(w *world) {
		seed := sha256.Sum256([]byte("stranger"))
		w.approve(other, w.council[0], w.council[1], ed25519.NewKeyFromSeed(seed[:]))
	})},
	{name: "council keys known from the log only", want: "POL-2", do: func(w *world) {
		for _, k := range w.council {
			der, err := x509.MarshalPKIXPublicKey(k.Public())
			must(w.t, err)
			w.add(entry.ByOperator, &entry.KeyCreated{Alg: "ed25519", Record: other, Role: "council", SPKI: entry.Sum(der)})
		}
		w.approve(w.bundle, w.council...)
		w.publish()
	}, src: func(w *world, s *Source) { s.Council = nil }},
	{name: "one member signing twice", want: "POL-2", do: after(func(w *world) { w.approve(other, w.council[0], w.council[0]) })},
	{name: "a decision that the rules don't give", want: "POL-3", do: func(w *world) {
		w.replay = func(_ context.Context, d entry.Decision) error {
			if d.Facts == "0000" {
				return errReplay
			}
			return nil
		}
		story(w)
		n, d := w.send(4, entry.ModeReference)
		w.entries[len(w.entries)-1].Body.(*entry.NoticeSent).Decision.Facts = "0000"
		w.revoke(4, entry.GroundChange, w.receive(n, d))
		w.publish()
	}},
	{name: "a decision by rules that are not at hand", want: "POL-3", do: func(w *world) {
		w.replay = func(context.Context, entry.Decision) error { return fmt.Errorf("replay: %w", cantTell{}) }
		story(w)
	}},
	{name: "the wrong rule set", want: "POL-4", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeReference)
		w.entries[len(w.entries)-1].Body.(*entry.NoticeSent).Decision.Ruleset = "issue"
		w.revoke(4, entry.GroundChange, w.receive(n, d))
	})},
	{name: "a proof that is not at hand", want: "POL-6", do: after(func(w *world) { w.approve(other, w.council...) }),
		src: func(_ *world, s *Source) { s.Proofs = s.Proofs[:1] }},
	{name: "another bundle's proof", want: "POL-6", do: after(func(w *world) { w.approveProved(other, proofFile(w.bundle), w.council...) })},
	{name: "a proof that failed", want: "POL-6", do: after(func(w *world) {
		w.approveProved(other, spoilt(proofFile(other), `"holds":true`, `"holds":false`), w.council...)
	})},
	{name: "a proof with a way left to allow", want: "POL-6", do: after(func(w *world) {
		w.approveProved(other, spoilt(proofFile(other), `[0,0]`, `[0,1]`), w.council...)
	})},
	{name: "a proof with two cases allowed", want: "POL-6", do: after(func(w *world) {
		w.approveProved(other, spoilt(proofFile(other), `"allowed":1`, `"allowed":2`), w.council...)
	})},
	{name: "a proof that can't be read", want: "POL-6", do: after(func(w *world) { w.approveProved(other, File{"x", []byte("{}")}, w.council...) })},
	{name: "old rules after newer ones", want: "POL-5", do: after(func(w *world) {
		old, bundle := w.policy, w.bundle
		w.approve(other, w.council...)
		w.policy, w.bundle = old, bundle
		w.now = w.now.Add(time.Hour)
		w.change(4)
	})},
}
