package audit

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/internal/testca"
	"github.com/sukashi-project/sukashi/review/pki"
)

// delta makes and announces a delta on the partition's newest complete list;
// change may spoil it before it is signed and announced.
func (w *world) delta(partition string, change func(*testca.List)) {
	base := w.based[partition]
	l := w.listContent(partition)
	l.Entries = slices.DeleteFunc(l.Entries, func(e x509.RevocationListEntry) bool {
		return slices.ContainsFunc(base.Entries, func(b x509.RevocationListEntry) bool { return b.SerialNumber.Cmp(e.SerialNumber) == 0 })
	})
	l.Change = builds(base.Number, l.Change)
	if change != nil {
		change(&l)
	}
	der := w.ca.CRL(w.t, l)
	w.announceList(partition, der, uint64(len(l.Entries)), uint64(len(w.entries)))
	w.crls = append(w.crls, File{fmt.Sprintf("crl/%s-%d-delta.crl", partition, l.Number), der})
}

// builds adds deltaCRLIndicator.
func builds(base int64, change func(*x509.RevocationList)) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		if change != nil {
			change(l)
		}
		v, _ := asn1.Marshal(big.NewInt(base))
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: v})
	}
}

// afterChange is a story in which one certificate was revoked since the complete
// lists.
func afterChange(f func(w *world)) func(*world) {
	return after(func(w *world) { w.change(4); f(w) })
}

var deltaSabotages = []sabotage{
	{name: "a delta on a list that was never announced", want: "CRL-6", do: afterChange(func(w *world) {
		w.delta(nagano, func(l *testca.List) { w.crlNo[nagano] = 9; l.Number = 9; l.Change = builds(7, nil) })
	})},
	{name: "a delta on a delta", want: "CRL-6", do: afterChange(func(w *world) {
		w.delta(nagano, nil)
		w.delta(nagano, func(l *testca.List) { l.Change = builds(l.Number-1, nil) })
	})},
	{name: "a delta on another partition's list", want: "CRL-6", do: afterChange(func(w *world) {
		w.list(matsumoto, nil)
		w.list(matsumoto, nil)
		w.delta(nagano, func(l *testca.List) { w.crlNo[nagano] = 9; l.Number = 9; l.Change = builds(w.crlNo[matsumoto], nil) })
	})},
	{name: "a delta announced as a complete list", want: "CRL-6", do: after(func(w *world) {
		l := w.listContent(nagano)
		l.Change = builds(w.based[nagano].Number, nil)
		der := w.ca.CRL(w.t, l)
		c, err := pki.ParseList(der)
		must(w.t, err)
		w.add(entry.ByCA, &entry.CRLPublished{Covers: uint64(len(w.entries)), Entries: uint64(len(l.Entries)), Issuer: entry.Sum(w.ca.SPKI()), Number: c.Number, Partition: nagano, TBS: c.TBS})
		w.crls = append(w.crls, File{"crl/nagano.crl", der})
	})},
	{name: "a delta with another scope than its base", want: "CRL-6", do: afterChange(func(w *world) {
		w.delta(nagano, func(l *testca.List) {
			change := l.Change
			l.Change = func(l *x509.RevocationList) {
				change(l)
				l.ExtraExtensions[0].Value = append([]byte{0x30, l.ExtraExtensions[0].Value[1] + 3}, append(slices.Clone(l.ExtraExtensions[0].Value[2:]), 0x81, 1, 0xff)...)
			}
		})
	})},
	{name: "a delta whose number doesn't grow", want: "CRL-1", do: afterChange(func(w *world) {
		w.delta(nagano, nil)
		w.crlNo[nagano]--
		w.delta(nagano, nil)
	})},
	{name: "a revocation dropped from a delta", want: "CRL-2", do: afterChange(func(w *world) {
		w.delta(nagano, func(l *testca.List) { l.Entries = nil })
	})},
	{name: "a delta that repeats its base", want: "CRL-2", do: afterChange(func(w *world) {
		w.delta(nagano, func(l *testca.List) { l.Entries = append(l.Entries, w.based[nagano].Entries...) })
	})},
	{name: "a revocation swapped in a delta", want: "CRL-3", do: afterChange(func(w *world) {
		w.delta(nagano, func(l *testca.List) { l.Entries[0].SerialNumber = big.NewInt(77) })
	})},
	{name: "a delta that takes a revocation back", want: "CRL-3", do: afterChange(func(w *world) {
		w.delta(nagano, nil)
		l := w.listContent(nagano)
		l.Entries = []x509.RevocationListEntry{w.based[nagano].Entries[0]}
		l.Entries[0].ReasonCode = 8
		l.Change = builds(w.based[nagano].Number, nil)
		w.crls = append(w.crls, File{"crl/back-delta.crl", w.ca.CRL(w.t, l)})
	})},
	{name: "a delta behind the ledger's back", want: "CRL-4", do: afterChange(func(w *world) {
		l := w.listContent(nagano)
		l.Change = builds(w.based[nagano].Number, nil)
		w.crls = append(w.crls, File{"crl/x-delta.crl", w.ca.CRL(w.t, l)})
	})},
	{name: "a revocation in a delta alone for a day", want: "CRL-5", do: afterChange(func(w *world) {
		w.delta(nagano, nil)
		w.now = w.now.Add(24*time.Hour + 30*time.Minute)
	}), src: func(w *world, s *Source) { s.CRLs = nil }},
}
