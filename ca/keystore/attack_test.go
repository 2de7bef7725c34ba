package keystore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// attack is one way to ask for a signature that must not be made.
type attack struct {
	name string
	make func(r *rand.Rand) (tbs, entryBytes []byte, receipt *proof.Receipt)
}

func attacks(t *testing.T, l *keystoretest.Log, g *gated) []attack {
	t.Helper()
	other := keystoretest.NewLog("log.example/other")
	fork := newLog(t) // same key, another history
	var spent []*keystoretest.Logged
	var bytesOf [][]byte
	for n := range uint64(8) {
		tbs, logged := intent(t, l, g.id, n)
		if _, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil {
			t.Fatal(err)
		}
		spent, bytesOf = append(spent, logged), append(bytesOf, tbs)
	}
	fresh, good := intent(t, l, g.id, 100)
	// The gate knows the good checkpoint already, as it does when it has many
	// receipts of one group commit: that must not help a forgery of it.
	if _, err := g.permit(t.Context(), bytes.NewReader(fresh), good.Bytes, good.Receipt); err != nil {
		t.Fatal(err)
	}
	foreign, foreignLogged := intent(t, other, g.id, 101)
	forked, forkedLogged := intent(t, fork, g.id, 102)
	wrongIssuer, wrongLogged := intent(t, l, entry.Sum([]byte("another key")), 103)
	aborted, err := l.Append(entry.ByCA, &entry.CertAborted{Ordinal: 100, Reason: entry.AbortSign})
	if err != nil {
		t.Fatal(err)
	}
	disguised := tbsCertificate(7, cardSPKI())
	asList, err := l.Append(entry.ByCA, &entry.CRLPublished{Issuer: g.id, Number: 9, Partition: "full", TBS: entry.Sum(disguised)})
	if err != nil {
		t.Fatal(err)
	}
	list := func(announced entry.CRLPublished, tbs []byte) func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
		announced.Issuer, announced.Partition, announced.TBS = g.id, "full", entry.Sum(tbs)
		logged, err := l.Append(entry.ByCA, &announced)
		if err != nil {
			t.Fatal(err)
		}
		return func(*rand.Rand) ([]byte, []byte, *proof.Receipt) { return tbs, logged.Bytes, logged.Receipt }
	}
	two, three := uint64(2), uint64(3)
	body := intentBody(g.id, 104, fresh)
	otherSerial, err := l.Append(entry.ByCA, body)
	if err != nil {
		t.Fatal(err)
	}
	rooted := tbsCertificate(8, cardSPKI())
	d := entry.Sum(rooted)
	otherRoot, err := l.Append(entry.ByOperator, &entry.KeyCreated{Alg: P256, Record: d, Role: RoleIssuer, SPKI: entry.Sum(cardSPKI()), TBS: &d})
	if err != nil {
		t.Fatal(err)
	}
	noCert, err := l.Append(entry.ByOperator, &entry.KeyCreated{Alg: P256, Record: d, Role: RoleOCSP, SPKI: entry.Sum(cardSPKI())})
	if err != nil {
		t.Fatal(err)
	}
	notCanonical, err := l.AppendBytes(append(bytes.Clone(good.Bytes), '\n'))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := l.Append(entry.ByCALink, intentBody(g.id, 100, fresh))
	if err != nil {
		t.Fatal(err)
	}
	pick := func(r *rand.Rand) int { return r.IntN(len(spent)) }
	clone := func(p *proof.Receipt) *proof.Receipt {
		c := *p
		c.Hashes, c.Checkpoint = append(c.Hashes[:0:0], p.Hashes...), bytes.Clone(p.Checkpoint)
		return &c
	}
	return []attack{
		{"no receipt", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) { return fresh, good.Bytes, nil }},
		{"empty receipt", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) { return fresh, good.Bytes, &proof.Receipt{} }},
		{"nothing to sign", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) { return nil, good.Bytes, good.Receipt }},
		{"other TBS", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			b := bytes.Clone(fresh)
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			return b, good.Bytes, good.Receipt
		}},
		{"another entry's receipt", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return fresh, good.Bytes, spent[pick(r)].Receipt
		}},
		{"another entry", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return fresh, spent[pick(r)].Bytes, good.Receipt
		}},
		{"changed entry", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			b := bytes.Clone(good.Bytes)
			b[r.IntN(len(b))] ^= 1 << r.IntN(7)
			return fresh, b, good.Receipt
		}},
		{"replayed", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			i := pick(r)
			return bytesOf[i], spent[i].Bytes, spent[i].Receipt
		}},
		{"replayed with a newer receipt", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			i := pick(r)
			rec, err := l.Receipt(spent[i].Index)
			if err != nil {
				t.Fatal(err)
			}
			return bytesOf[i], spent[i].Bytes, rec
		}},
		{"other log", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return foreign, foreignLogged.Bytes, foreignLogged.Receipt
		}},
		{"other log, our origin line", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			c := clone(foreignLogged.Receipt)
			c.Checkpoint = bytes.ReplaceAll(c.Checkpoint, []byte("log.example/other"), []byte("log.example/keystore"))
			return foreign, foreignLogged.Bytes, c
		}},
		{"fork's path under our checkpoint", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			c := clone(forkedLogged.Receipt)
			c.Checkpoint = good.Receipt.Checkpoint
			return forked, forkedLogged.Bytes, c
		}},
		{"forged signature", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			c := clone(good.Receipt)
			c.Checkpoint[len(c.Checkpoint)-2-r.IntN(60)] ^= 1
			return fresh, good.Bytes, c
		}},
		{"forged path", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			c := clone(good.Receipt)
			c.Hashes[r.IntN(len(c.Hashes))][r.IntN(32)] ^= 1
			return fresh, good.Bytes, c
		}},
		{"other index", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			c := clone(good.Receipt)
			c.Index ^= 1 << r.IntN(63)
			return fresh, good.Bytes, c
		}},
		{"rolled back checkpoint", func(r *rand.Rand) ([]byte, []byte, *proof.Receipt) {
			c := clone(good.Receipt)
			c.Checkpoint = spent[pick(r)].Receipt.Checkpoint
			return fresh, good.Bytes, c
		}},
		{"another issuer", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return wrongIssuer, wrongLogged.Bytes, wrongLogged.Receipt
		}},
		{"another issuer's root", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return rooted, otherRoot.Bytes, otherRoot.Receipt
		}},
		{"key without certificate", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) { return rooted, noCert.Bytes, noCert.Receipt }},
		{"kind that announces nothing", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) { return fresh, aborted.Bytes, aborted.Receipt }},
		{"certificate announced as a list", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return disguised, asList.Bytes, asList.Receipt
		}},
		{"list announced under another number", list(entry.CRLPublished{Number: 9}, tbsList(8, 0, 100))},
		{"delta announced as a complete list", list(entry.CRLPublished{Number: 9}, tbsList(9, 2, 0))},
		{"complete list announced as a delta", list(entry.CRLPublished{Number: 9, Base: &two}, tbsList(9, 0, 100<<10))},
		{"delta on another base", list(entry.CRLPublished{Number: 9, Base: &three}, tbsList(9, 2, 3<<10))},
		{"list with something behind it", list(entry.CRLPublished{Number: 9}, append(tbsList(9, 0, 0), 0))},
		{"announced under another serial", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return fresh, otherSerial.Bytes, otherSerial.Receipt
		}},
		{"a writer that may not announce", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return fresh, stranger.Bytes, stranger.Receipt
		}},
		{"not canonical", func(*rand.Rand) ([]byte, []byte, *proof.Receipt) {
			return fresh, notCanonical.Bytes, notCanonical.Receipt
		}},
	}
}
