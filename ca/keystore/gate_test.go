package keystore

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

func TestSignEveryAnnouncedKind(t *testing.T) {
	for _, alg := range []string{RSA2048, P256} {
		t.Run(alg, func(t *testing.T) {
			l := newLog(t)
			k := create(t, config(t, l, alg))
			tbs, logged := intent(t, l, k.KeyID(), 0)
			sig, err := k.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
			if err != nil {
				t.Fatal(err)
			}
			checkSignature(t, k, tbs, sig)

			list := tbsList(1, 0, 0)
			logged, err = l.Append(entry.ByCA, &entry.CRLPublished{Covers: 1, Issuer: k.KeyID(), Number: 1, Partition: "full", TBS: entry.Sum(list)})
			if err != nil {
				t.Fatal(err)
			}
			if sig, err = k.Sign(t.Context(), list, logged.Bytes, logged.Receipt); err != nil {
				t.Fatal(err)
			}
			checkSignature(t, k, list, sig)

			cert := tbsCertificate(5, cardSPKI())
			d := entry.Sum(cert)
			logged, err = l.Append(entry.ByOperator, &entry.KeyCreated{Alg: alg, Record: d, Role: RoleOCSP, SPKI: entry.Sum(cardSPKI()), TBS: &d})
			if err != nil {
				t.Fatal(err)
			}
			if sig, err = k.Sign(t.Context(), cert, logged.Bytes, logged.Receipt); err != nil {
				t.Fatal(err)
			}
			checkSignature(t, k, cert, sig)
			var n int
			if err := k.Journal(func(r Record) error { n++; return nil }); err != nil || n != 3 {
				t.Errorf("%d records, %v", n, err)
			}
			if !k.Demo() {
				t.Error("a software key must say that it is one")
			}
		})
	}
}

// 10,000 attempts without a valid receipt: no signature, and no use of the key
// that was not given out either.
func TestTenThousandAttemptsGiveNoSignature(t *testing.T) {
	l := newLog(t)
	g, c := countingKey(t, l, t.TempDir())
	as := attacks(t, l, g)
	before := c.uses()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10000 {
		a := as[i%len(as)]
		tbs, b, receipt := a.make(r)
		sig, err := g.Sign(t.Context(), tbs, b, receipt)
		if err == nil || sig != nil {
			t.Fatalf("%s: got a signature", a.name)
		}
		if !errors.Is(err, ErrRefused) {
			t.Fatalf("%s: %v is not a refusal", a.name, err)
		}
	}
	if n := c.uses() - before; n != 0 {
		t.Errorf("the key was used %d times", n)
	}
	t.Logf("10000 attempts of %d kinds, 0 signatures", len(as))
}

// A receipt stays used when the process ends, and while many ask at once.
func TestReceiptWorksOnce(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	g, c := countingKey(t, l, dir)
	tbs, logged := intent(t, l, g.id, 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ok := 0
	for range 32 {
		wg.Go(func() {
			if _, err := g.Sign(context.Background(), tbs, logged.Bytes, logged.Receipt); err == nil {
				mu.Lock()
				ok++
				mu.Unlock()
			} else if !errors.Is(err, ErrUsed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ok != 1 || c.uses() != 1 {
		t.Fatalf("%d signatures, %d uses", ok, c.uses())
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g, c = countingKey(t, l, dir)
	if _, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); !errors.Is(err, ErrUsed) || c.uses() != 0 {
		t.Errorf("after a restart: %v, %d uses", err, c.uses())
	}
	if !g.Used(logged.Index) || g.Used(logged.Index+1) {
		t.Error("Used does not know the receipt")
	}
}

func TestManyAtOnce(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	g, c := countingKey(t, l, dir)
	var wg sync.WaitGroup
	const n = 200
	for i := range uint64(n) {
		tbs, logged := intent(t, l, g.id, i)
		wg.Go(func() {
			sig, err := g.Sign(context.Background(), tbs, logged.Bytes, logged.Receipt)
			if err != nil {
				t.Error(err)
				return
			}
			checkSignature(t, g, tbs, sig)
		})
	}
	wg.Wait()
	seen := map[uint64]bool{}
	if err := g.Journal(func(r Record) error {
		if r.Use != UseSign || !r.At.Equal(noon) {
			t.Errorf("record %+v", r)
		}
		seen[r.Index] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != n || c.uses() != n {
		t.Errorf("%d records, %d uses", len(seen), c.uses())
	}
}

func TestResume(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	g, _ := countingKey(t, l, dir)
	tbs, logged := intent(t, l, g.id, 0)
	if _, err := g.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt); !errors.Is(err, ErrRefused) {
		t.Fatalf("nothing to resume: %v", err)
	}
	sig, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	g, c := countingKey(t, l, dir) // the certificate was lost in a crash
	again, err := g.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt)
	if err != nil || !bytes.Equal(sig, again) {
		t.Fatalf("resumed signature differs: %v", err)
	}
	other := bytes.Clone(tbs)
	other[len(other)-1] ^= 1
	if _, err := g.Resume(t.Context(), other, logged.Bytes, logged.Receipt); !errors.Is(err, ErrRefused) {
		t.Errorf("other bytes: %v", err)
	}
	c.random = true
	if _, err := g.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt); !errors.Is(err, ErrNotDeterministic) || !errors.Is(err, ErrRefused) {
		t.Errorf("randomised key: %v", err)
	}
	var uses []Use
	if err := g.Journal(func(r Record) error { uses = append(uses, r.Use); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(uses) != 2 || uses[1] != UseResume {
		t.Errorf("journal %v", uses)
	}
}

// A log that shows two histories has another entry at the same index, under a
// valid signature. One index is one signature all the same.
func TestForkedLogGetsNoSecondSignature(t *testing.T) {
	l, fork := newLog(t), newLog(t)
	g, c := countingKey(t, l, t.TempDir())
	tbs, logged := intent(t, l, g.id, 0)
	other, forked := intent(t, fork, g.id, 1)
	if logged.Index != forked.Index {
		t.Fatal("the entries are not at one index")
	}
	if _, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Sign(t.Context(), other, forked.Bytes, forked.Receipt); !errors.Is(err, ErrUsed) {
		t.Errorf("sign: %v", err)
	}
	if _, err := g.Resume(t.Context(), other, forked.Bytes, forked.Receipt); !errors.Is(err, ErrRefused) {
		t.Errorf("resume: %v", err)
	}
	if c.uses() != 1 {
		t.Errorf("%d uses", c.uses())
	}
}

// ECDSA in software is RFC 6979: Resume works there too.
func TestResumeECDSA(t *testing.T) {
	l := newLog(t)
	c := config(t, l, P384)
	k := create(t, c)
	tbs, logged := intent(t, l, k.KeyID(), 0)
	sig, err := k.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	k, err = OpenSoftware(c)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	again, err := k.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt)
	if err != nil || !bytes.Equal(sig, again) {
		t.Fatalf("resumed signature differs: %v", err)
	}
}

func TestBadSignatureIsNotGivenOut(t *testing.T) {
	l := newLog(t)
	g, c := countingKey(t, l, t.TempDir())
	c.bad = true
	tbs, logged := intent(t, l, g.id, 0)
	if sig, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); err == nil || sig != nil {
		t.Error("a signature that does not verify was given out")
	}
}

// A note is verified again unless it is, byte for byte, one of the newest good
// ones; a bad one is never remembered.
func TestCheckpointsRememberGoodOnes(t *testing.T) {
	l := newLog(t)
	g, _ := countingKey(t, l, t.TempDir())
	_, logged := intent(t, l, g.id, 0)
	note := logged.Receipt.Checkpoint
	first, err := g.seen.verify(note)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := g.seen.verify(bytes.Clone(note)); err != nil || again != first {
		t.Errorf("the same note was not recognised: %v", err)
	}
	for i := range note {
		bad := bytes.Clone(note)
		bad[i] ^= 1
		for range 2 {
			if _, err := g.seen.verify(bad); err == nil {
				t.Fatalf("a note with a changed byte %d was taken", i)
			}
		}
	}
	for n := range uint64(2 * keptCheckpoints) {
		_, later := intent(t, l, g.id, n+1)
		if cp, err := g.seen.verify(later.Receipt.Checkpoint); err != nil || !bytes.Equal(cp.Raw, later.Receipt.Checkpoint) {
			t.Fatalf("note %d: %v", n, err)
		}
	}
	if again, err := g.seen.verify(note); err != nil || again == first {
		t.Errorf("an old note was kept, or is not taken any more: %v", err)
	}
}

func TestCancelledContextUsesNothing(t *testing.T) {
	l := newLog(t)
	g, c := countingKey(t, l, t.TempDir())
	tbs, logged := intent(t, l, g.id, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Sign(ctx, tbs, logged.Bytes, logged.Receipt); !errors.Is(err, context.Canceled) || c.uses() != 0 || g.Used(logged.Index) {
		t.Errorf("%v, %d uses", err, c.uses())
	}
}

func TestGateConfig(t *testing.T) {
	l := newLog(t)
	for name, c := range map[string]GateConfig{
		"no log":     {Journal: t.TempDir(), Now: clock},
		"no journal": {Log: l.Policy(), Now: clock},
		"no clock":   {Log: l.Policy(), Journal: t.TempDir()},
	} {
		if _, err := newGated(c, &software{rsaKey()}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	two, err := proof.ParsePolicy([]byte("log " + l.VKey() + " https://a.example/\nlog " + keystoretest.NewLog("b.example/b").VKey() + " https://b.example/\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newGated(GateConfig{Log: two, Journal: t.TempDir(), Now: clock}, &software{rsaKey()}); err == nil {
		t.Error("a gate with two logs")
	}
}

// A journal that was cut back by a whole record (a restored backup) would let a
// receipt be used again, but for the same bytes only.
func TestRolledBackJournalSignsTheSameBytesOnly(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	g, _ := countingKey(t, l, dir)
	tbs, logged := intent(t, l, g.id, 0)
	first, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	if err := os.Truncate(filepath.Join(dir, JournalName), headerSize); err != nil {
		t.Fatal(err)
	}
	g, _ = countingKey(t, l, dir)
	if err := g.Covers(slices.Values([]uint64{logged.Index})); !errors.Is(err, ErrBehind) {
		t.Errorf("the log knows a signature that the journal does not: %v", err)
	}
	if _, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); !errors.Is(err, ErrBehind) {
		t.Errorf("signs with a journal that is known to be old: %v", err)
	}
	g.Close()
	g, _ = countingKey(t, l, dir) // nobody compared it with the log
	if again, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil || !bytes.Equal(first, again) {
		t.Errorf("another signature for one intent: %v", err)
	}
	if err := g.Covers(slices.Values([]uint64{logged.Index})); err != nil {
		t.Error(err)
	}
}
