package audit

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/internal/testca"
)

// revocationSabotages are about revocations, status, revocation lists, OCSP
// answers and the council's own work.
var revocationSabotages = []sabotage{
	// Revocations.
	{name: "a revocation without a cause", want: "REV-1", do: after(func(w *world) { w.revoke(4, entry.GroundChange, 3) })},
	{name: "a revocation with a later cause", want: "REV-1", do: after(func(w *world) { w.revoke(4, entry.GroundChange, uint64(len(w.entries))+5) })},
	{name: "one cause for two revocations", want: "REV-1", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeReference)
		c := w.receive(n, d)
		w.revoke(4, entry.GroundChange, c)
		w.revoke(5, entry.GroundChange, c)
	})},
	{name: "a revocation of another kind than its cause", want: "REV-1", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeReference)
		w.revoke(4, entry.GroundRequest, w.receive(n, d))
	})},
	{name: "a request used for another certificate", want: "REV-1", do: after(func(w *world) {
		c := w.add(entry.ByCA, &entry.RevocationRequested{Decision: w.decide("revoke"), Ground: entry.GroundRequest, Ordinal: 4})
		w.revoke(5, entry.GroundRequest, c)
	})},
	{name: "a revocation from a refused request", want: "REV-1", do: after(func(w *world) {
		c := w.add(entry.ByCA, &entry.RevocationRequested{Decision: w.decide("revoke", "R201"), Ground: entry.GroundRequest, Ordinal: 4})
		w.revoke(4, entry.GroundRequest, c)
	})},
	{name: "a certificate revoked twice", want: "REV-2", do: after(func(w *world) { w.change(0) })},
	{name: "a certificate revoked that was never issued", want: "REV-2", do: after(func(w *world) {
		w.holders = append(w.holders, holder{serial: "77"})
		w.request(6, entry.GroundRequest)
	})},
	{name: "a revocation under another serial", want: "REV-2", do: after(func(w *world) { w.holders[4].serial = "0102"; w.change(4) })},
	{name: "a received notice that leads to nothing", want: "REV-3", do: after(func(w *world) {
		w.receive(w.send(4, entry.ModeReference))
		w.now = w.now.Add(2 * time.Hour)
	})},
	{name: "a received notice that leads to nothing and stays unexplained", want: "REV-3", do: after(func(w *world) {
		w.receive(w.send(4, entry.ModeReference))
		w.now = w.now.Add(8 * 24 * time.Hour)
	})},
	{name: "a request that leads to nothing", want: "REV-4", do: after(func(w *world) {
		w.add(entry.ByCA, &entry.RevocationRequested{Decision: w.decide("revoke"), Ground: entry.GroundRequest, Ordinal: 4})
		w.now = w.now.Add(2 * time.Hour)
	})},
	{name: "a late revocation", want: "REV-5", do: after(func(w *world) {
		n, d := w.send(4, entry.ModeReference)
		c := w.receive(n, d)
		w.now = w.now.Add(2 * time.Hour)
		w.revoke(4, entry.GroundChange, c)
	})},
	{name: "a late summary", want: "REV-5", do: after(func(w *world) { w.change(4); w.now = w.now.Add(time.Hour) })},
	{name: "a revocation in no summary", want: "REV-5", do: func(w *world) {
		story(w)
		w.change(4)
		w.now = w.now.Add(time.Hour)
		w.send(5, entry.ModeReference)
	}},
	{name: "a false time of recording", want: "REV-6", do: after(func(w *world) {
		w.change(4)
		w.entries[len(w.entries)-1].Body.(*entry.Revocation).Recorded = entry.At(w.now.Add(-24 * time.Hour))
	})},

	// Status, revocation lists.
	{name: "a revocation left out of the summary", want: "STA-1", do: func(w *world) {
		story(w)
		old := w.statusRoot()
		w.change(4)
		old.Covers = uint64(len(w.entries))
		w.add(entry.ByLog, old)
	}},
	{name: "a summary with another hash", want: "STA-1", do: func(w *world) {
		story(w)
		s := w.statusRoot()
		s.Root = other
		w.add(entry.ByLog, s)
	}},
	{name: "a summary of an older state", want: "STA-1", do: func(w *world) {
		story(w)
		s := w.statusRoot()
		s.Covers -= 3
		w.add(entry.ByLog, s)
	}},
	{name: "a list number that doesn't grow", want: "CRL-1", do: after(func(w *world) { w.crlNo[nagano]--; w.list(nagano, nil) })},
	{name: "a list older than the one before", want: "CRL-1", do: after(func(w *world) {
		l := w.listContent(matsumoto)
		w.announceList(matsumoto, w.ca.CRL(w.t, l), 2, 5)
	})},
	{name: "a list announced for two partitions", want: "CRL-1", do: after(func(w *world) {
		der := w.list(nagano, nil)
		w.crlNo[fullPartition]++
		w.announceList(fullPartition, der, 4, uint64(len(w.entries)))
	})},
	{name: "a revocation dropped from a list", want: "CRL-2", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Entries = l.Entries[1:] })
	})},
	{name: "a list of a state that does not exist yet", want: "CRL-2", do: after(func(w *world) {
		l := w.listContent(fullPartition)
		w.announceList(fullPartition, w.ca.CRL(w.t, l), 4, uint64(len(w.entries))+9)
	})},
	{name: "another count announced than the list has", want: "CRL-3", do: after(func(w *world) {
		l := w.listContent(nagano)
		der := w.ca.CRL(w.t, l)
		w.announceList(nagano, der, 1, uint64(len(w.entries)))
		w.crls = append(w.crls, File{"crl/x.crl", der})
	})},
	{name: "a list made after its announcement", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.ThisUpdate = w.now.Add(time.Hour) })
	})},
	{name: "not a list", want: "CRL-3", do: after(func(w *world) { w.crls = append(w.crls, File{"crl/x.crl", []byte("x")}) })},
	{name: "a revocation missing from a list file", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Entries = l.Entries[1:] })
	})},
	{name: "a revocation too many in a list file", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) {
			l.Entries = append(l.Entries, x509.RevocationListEntry{SerialNumber: big.NewInt(77), RevocationTime: w.now})
		})
	})},
	{name: "a revocation swapped in a list", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Entries[0].SerialNumber = big.NewInt(77) })
	})},
	{name: "a false date in a list", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Entries[0].RevocationTime = w.now.AddDate(0, 0, -9) })
	})},
	{name: "a reason that tells more than it may", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Entries[0].ReasonCode = 5 })
	})},
	{name: "a list with another town's partition", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Partition = matsumoto })
	})},
	{name: "a partition's list without a partition", want: "CRL-3", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.Partition = "" })
	})},
	{name: "a complete list with a partition", want: "CRL-3", do: after(func(w *world) {
		w.list(fullPartition, func(l *testca.List) { l.Partition = nagano })
	})},
	{name: "a list signed by a stranger", want: "CRL-3", do: after(func(w *world) {
		honest := *w.ca
		l := w.listContent(nagano)
		w.ca = testca.New(w.t, w.now)
		der := w.ca.CRL(w.t, l)
		w.ca = &honest
		w.announceList(nagano, der, 2, uint64(len(w.entries)))
		w.crls = append(w.crls, File{"crl/x.crl", der})
	})},
	{name: "a list with a date changed after signing", want: "CRL-3", do: after(func(w *world) {
		day := w.now.Format("060102")
		der := bytes.Clone(w.list(nagano, nil))
		der[bytes.Index(der, []byte(day))+len("060102150405")-1] ^= 1 // another second
		w.crls[len(w.crls)-1].Bytes = der
	})},
	{name: "a revocation dropped from a list file", want: "CRL-4", do: after(func(w *world) {
		l := w.listContent(fullPartition)
		l.Entries = l.Entries[1:]
		w.crls = append(w.crls, File{"crl/full.crl", w.ca.CRL(w.t, l)})
	})},
	{name: "a revocation in no list for a day", want: "CRL-5", do: after(func(w *world) {
		w.change(4)
		w.now = w.now.Add(24*time.Hour + 30*time.Minute) // the lists themselves are not overdue yet
	}), src: func(w *world, s *Source) { s.CRLs = nil }},
	{name: "a revocation late in the list", want: "CRL-5", do: after(func(w *world) {
		w.change(4)
		w.now = w.now.Add(25 * time.Hour)
		for _, p := range []string{nagano, matsumoto, fullPartition} {
			w.list(p, nil)
		}
	})},
	{name: "no new list", want: "CRL-5", do: after(func(w *world) { w.now = w.now.Add(48 * time.Hour) }),
		src: func(w *world, s *Source) { s.CRLs = nil }},
	{name: "a list past its next update", want: "CRL-5", do: after(func(w *world) {
		w.list(nagano, func(l *testca.List) { l.NextUpdate = l.ThisUpdate.Add(time.Minute) })
		w.now = w.now.Add(time.Hour)
	})},

	{name: "good for a revoked certificate", want: "OCS-1", do: after(func(w *world) {
		w.now = w.now.Add(time.Hour)
		w.ask(0, func(a *ocsp.Response) { a.Status = ocsp.Good })
	})},
	{name: "good for what was never issued", want: "OCS-1", do: after(func(w *world) { w.ask(99, func(a *ocsp.Response) { a.Status = ocsp.Good }) })},
	{name: "good before it was issued", want: "OCS-1", do: after(func(w *world) { w.ask(4, func(a *ocsp.Response) { a.ThisUpdate = w.now.Add(-time.Hour) }) })},
	{name: "revoked for a live certificate", want: "OCS-1", do: after(func(w *world) { w.ask(4, func(a *ocsp.Response) { a.Status, a.RevokedAt = ocsp.Revoked, w.now }) })},
	{name: "another date of revocation in an answer", want: "OCS-1", do: after(func(w *world) { w.ask(0, func(a *ocsp.Response) { a.RevokedAt = w.now.Add(time.Minute) }) })},
	{name: "a reason in an answer that tells more than it may", want: "OCS-1", do: after(func(w *world) { w.ask(0, func(a *ocsp.Response) { a.RevocationReason = ocsp.CessationOfOperation }) })},
	{name: "unknown for an issued certificate", want: "OCS-1", do: after(func(w *world) {
		w.now = w.now.Add(time.Hour)
		w.ask(4, func(a *ocsp.Response) { a.Status = ocsp.Unknown })
	})},
	{name: "an answer from the future", want: "OCS-1", do: after(func(w *world) { w.ask(4, func(a *ocsp.Response) { a.ThisUpdate = w.now.Add(time.Hour) }) })},
	{name: "an answer by a key nobody registered", want: "OCS-1", do: after(func(w *world) { w.resp = w.ca.Responder(w.t, w.now, nil); w.ask(4, nil) })},
	{name: "an answer by a certificate for something else", want: "OCS-1", do: after(func(w *world) {
		w.resp = w.ca.Responder(w.t, w.now, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		w.add(entry.ByCA, &entry.KeyCreated{Alg: "p256", Record: other, Role: "ocsp", SPKI: entry.Sum(w.resp.Cert.RawSubjectPublicKeyInfo)})
		w.ask(4, nil)
	})},
	{name: "an answer of another issuer", want: "OCS-1", do: after(func(w *world) {
		honest := *w.ca
		w.ca = testca.New(w.t, w.now)
		w.resp = w.ca.Responder(w.t, w.now, nil)
		w.ask(4, nil)
		w.ca = &honest
	})},
	{name: "answers without an issuer to check them", want: "OCS-1", do: story, src: func(w *world, s *Source) { s.Issuers = nil }},

	// The rest.
	{name: "a disclosure of nobody", want: "ERA-1", do: after(func(w *world) {
		w.add(entry.ByCA, &entry.Disclosure{Basis: entry.BasisCouncilSample, Ordinals: []uint64{99}})
	})},
	{name: "a disclosure of a notice that is not there", want: "ERA-1", do: story, src: func(w *world, s *Source) {
		s.Openings = []Opening{w.opening(99, 0)}
	}},
	{name: "a false disclosure", want: "ERA-1", do: after(func(w *world) {
		w.openings = []Opening{w.opening(0, 5)}
	})},
	{name: "a drawn notice that stays closed", want: "SMP-1", do: after(func(w *world) {
		w.add(entry.ByCouncil, &entry.ReviewDraw{Covers: uint64(len(w.entries)), Seed: other})
	})},
	{name: "a draw from what does not exist yet", want: "SMP-1", do: after(func(w *world) {
		w.add(entry.ByCouncil, &entry.ReviewDraw{Covers: uint64(len(w.entries)) + 1, Seed: other})
	})},
	{name: "a forged report", want: "RPT-1", do: after(func(w *world) {
		w.add(entry.ByCouncil, &entry.ReviewReport{Covers: 5, Digest: other})
	}), src: func(w *world, s *Source) { s.Reports = []File{{"report.json", []byte("{}")}} }},
	{name: "an alarm", want: "SEC-1", do: after(func(w *world) {
		w.add(entry.ByCA, &entry.SecurityEvent{Code: "ids.alarm", Count: 3, From: entry.At(w.now), To: entry.At(w.now)})
	})},
}
