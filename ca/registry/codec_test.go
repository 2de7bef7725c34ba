package registry

import (
	"bytes"
	"crypto/rand"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

func drawDigest(t *rapid.T, what string) (d entry.Digest) {
	copy(d[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, what))
	return d
}

func drawBytes(t *rapid.T, what string) []byte {
	if b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, what); len(b) > 0 {
		return b
	}
	return nil
}

func drawPublic(t *rapid.T) *public {
	number, text, flag := rapid.Uint64(), rapid.String(), rapid.Bool()
	moment := func(what string) time.Time {
		return time.Unix(rapid.Int64().Draw(t, what), rapid.Int64Range(0, 999_999_999).Draw(t, what+" ns")).UTC()
	}
	rec := &Record{Ordinal: number.Draw(t, "ordinal"), State: State(rapid.IntRange(int(Prepared), int(Aborted)).Draw(t, "state")),
		Application: text.Draw(t, "application"), Serial: text.Draw(t, "serial"), Municipality: text.Draw(t, "municipality"),
		NotBefore: moment("not before"), NotAfter: moment("not after"), Digest: drawDigest(t, "TBS"), SPKI: drawDigest(t, "key"),
		Subject: drawDigest(t, "subject"), IntentSeq: number.Draw(t, "sequence"), IntentIndex: number.Draw(t, "intent"),
		IssuedIndex: number.Draw(t, "issued"), Twin: flag.Draw(t, "twin"), Ground: text.Draw(t, "ground"),
		Recorded: rapid.SampledFrom([]time.Time{{}, moment("recorded")}).Draw(t, "when"), Cause: number.Draw(t, "cause"),
		RevocationIndex: number.Draw(t, "revocation"), Told: flag.Draw(t, "told"), Gone: flag.Draw(t, "gone"), Erased: flag.Draw(t, "erased")}
	return &public{Record: rec, Person: drawBytes(t, "person"), Doomed: flag.Draw(t, "doomed"), Outcome: drawBytes(t, "outcome")}
}

// Every record comes back as it was written, and whatever is cut off or put
// behind it is refused.
func TestCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPublic(t)
		b := appendPublic(nil, p)
		got, err := parsePublic(b, p.Ordinal)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("public: %+v, want %+v (%v)", got, p, err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := parsePublic(b[:cut], 0); err == nil {
			t.Errorf("read %d bytes of %d", cut, len(b))
		}
		if _, err := parsePublic(append(b, 0), 0); err == nil {
			t.Error("a byte too many was read")
		}
		text := rapid.String()
		in := &private{Certified: attr.Certified{Name: text.Draw(t, "name"), NameMap: text.Draw(t, "map"), BirthDate: text.Draw(t, "birth"),
			Sex: text.Draw(t, "sex"), Address: text.Draw(t, "address"), AddressMap: text.Draw(t, "its map")}, TBS: drawBytes(t, "tbs")}
		in.Key = commitment.Key(drawDigest(t, "record key"))
		gotIn, err := parsePrivate(appendPrivate(nil, in))
		if in.Key.IsZero() != (err != nil) || err == nil && !reflect.DeepEqual(gotIn, in) {
			t.Fatalf("private: %v", err)
		}
		der := bytes.Join([][]byte{drawBytes(t, "before"), rapid.SampledFrom([][]byte{in.TBS, drawBytes(t, "other")}).Draw(t, "middle"),
			drawBytes(t, "after")}, nil)
		outcome := appendOutcome(nil, der, in.TBS)
		if len(der) == 0 {
			return // a record without a certificate has no outcome
		}
		if got, err := parseOutcome(outcome, in.TBS); err != nil || !bytes.Equal(got, der) {
			t.Fatalf("certificate: %x, want %x (%v)", got, der, err)
		}
		if len(in.TBS) > 0 && bytes.Contains(der, in.TBS) && len(outcome) > len(der)-len(in.TBS)+4 {
			t.Errorf("the outcome of a TBS of %d bytes in a certificate of %d has %d", len(in.TBS), len(der), len(outcome))
		}
	})
}

// What a part is read from is the only way to write what was read.
func FuzzCodec(f *testing.F) {
	rec := &Record{State: Issued, Application: "app", Serial: "0102", Municipality: "202011", NotBefore: time.Unix(1, 0), NotAfter: time.Unix(1<<40, 5),
		IntentSeq: 1 << 40, Told: true}
	f.Add(appendPublic(nil, &public{Record: rec, Person: []byte{1}, Outcome: []byte("sealed")}), []byte("tbs"))
	f.Add(appendPrivate(nil, &private{Key: commitment.Key{1}, Certified: attr.Certified{Name: "総務"}, TBS: []byte("tbs")}), []byte("tbs"))
	f.Add(appendOutcome(nil, []byte("0tbssig"), []byte("tbs")), []byte("tbs"))
	f.Add(appendOutcome(nil, []byte("der"), nil), []byte{})
	f.Fuzz(func(t *testing.T, b, tbs []byte) {
		if p, err := parsePublic(b, 7); err == nil && !bytes.Equal(appendPublic(nil, p), b) {
			t.Errorf("a public part has two forms: %x", b)
		}
		if in, err := parsePrivate(b); err == nil && !bytes.Equal(appendPrivate(nil, in), b) {
			t.Errorf("a private part has two forms: %x", b)
		}
		if der, err := parseOutcome(b, tbs); err == nil && !bytes.Equal(appendOutcome(nil, der, tbs), b) {
			t.Errorf("an outcome has two forms: %x", b)
		}
	})
}

// What is sealed under the key that outlives a record tells nothing by which
// its person could be known or guessed: not the certificate's signature either,
// under which guesses could be tried. And what is sealed under the record's own
// key stays closed once that is gone.
func TestPublicPartNamesNobody(t *testing.T) {
	store, err := OpenPebble("/store", kv.NewMemFS())
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenStore(store, "/keys", Config{Key: make([]byte, KeySize), Rand: rand.Reader, FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := attr.Certified{Name: "総務　太郎", NameMap: "00000", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市", AddressMap: "000000"}
	tbs, signature := []byte("TBS about "+c.Name), []byte("signature over it")
	rec := &Record{State: Prepared, Application: "app", Serial: "01", Certified: c, TBS: tbs, Key: commitment.Key{1, 2, 3, 4, 5, 6, 7, 8}}
	if err := r.Prepare(rec); err != nil {
		t.Fatal(err)
	}
	_, before, err := store.Get(0)
	if err != nil {
		t.Fatal(err)
	}
	der := bytes.Join([][]byte{{0x30}, tbs, signature}, nil)
	if err := r.Change(0, Synced, func(x *Record) error { x.State, x.DER = Signed, der; return nil }); err != nil {
		t.Fatal(err)
	}
	sealed, after, err := store.Get(0)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the private part was written twice (%v)", err)
	}
	key, err := r.public(0)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := open(key, partName(publicName, 0), sealed)
	if err != nil {
		t.Fatal(err)
	}
	for what, secret := range map[string][]byte{"name": []byte(c.Name), "birth date": []byte(c.BirthDate), "address": []byte(c.Address), "TBS": tbs,
		"signature": signature, "record key": rec.Key[:8]} {
		if bytes.Contains(plain, secret) {
			t.Errorf("the public part tells the %s", what)
		}
	}
	if got, err := r.Get(0); err != nil || !bytes.Equal(got.DER, der) || got.TBS != nil || got.Certified != c {
		t.Errorf("read back: %+v %v", got, err)
	}
	p, err := parsePublic(plain, 0)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{privateName: after, outcomeName: p.Outcome}
	if n := opened(t, r, parts); n != len(parts) {
		t.Fatalf("%d of %d parts open before the erasure", n, len(parts))
	}
	if err := r.Change(0, Synced, func(x *Record) error { x.Abort(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.Shred(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := opened(t, r, parts); n > 0 {
		t.Errorf("%d old parts of an erased record open under keys that are left", n)
	}
}

// opened counts the parts of record 0 that some key opens which can be made out
// of the ring as it is now.
func opened(t *testing.T, r *Registry, parts map[string][]byte) (n int) {
	t.Helper()
	s := r.ring.get()
	keys := append([][]byte{s.Seal}, s.Index...)
	for _, of := range []uint64{0, 1} {
		for _, tree := range []*tree{s.Records, s.Lists} {
			if k, err := tree.key(of); err == nil {
				keys = append(keys, k[:])
			}
		}
	}
	for _, name := range []string{publicName, privateName, outcomeName, "publics/"} {
		k, err := r.rowKey(name + "0")
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	for part, sealed := range parts {
		for _, k := range keys {
			if _, err := openWith(k, partName(part, 0), sealed); err == nil {
				n++
				break
			}
		}
	}
	return n
}
