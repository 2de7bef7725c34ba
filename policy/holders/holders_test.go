package holders_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

func holder(ordinal uint64) holders.Holder {
	h := holders.Holder{Ordinal: ordinal, Certified: attr.Certified{
		Name: "総務　太郎", NameMap: "00000", BirthDate: "319620617", Sex: "1",
		Address: "長野県長野市大字霞が関２丁目１番地２号", AddressMap: strings.Repeat("0", 19),
	}}
	for i := range h.Key {
		h.Key[i] = byte(ordinal) + byte(i) + 1
	}
	return h
}

func list(n int) holders.List {
	l := holders.List{Day: "2026-11-23", Seq: 4, Gone: []uint64{1, 3}, Total: uint64(n)}
	for i := range n {
		l.New = append(l.New, holder(uint64(i+10)))
	}
	return l
}

func TestRoundTrip(t *testing.T) {
	for _, l := range []holders.List{list(0), list(1), list(3), {Day: "2024-02-29"}} {
		b, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := jcs.Transform(b)
		if err != nil || !bytes.Equal(canonical, b) {
			t.Errorf("an independent JCS gives %s for %s", canonical, b)
		}
		back, err := holders.Parse(b)
		if err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%+v %v", back, err)
		}
	}
}

func TestDigestNeedsNoAttributes(t *testing.T) {
	l := list(3)
	var ms []holders.Member
	for _, h := range l.New {
		subject, err := h.Key.Subject(h.Certified.Slots()) // as in cert.intent
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, holders.Member{Ordinal: h.Ordinal, Subject: subject})
	}
	want := holders.SetDigest(l.Day, l.Seq, ms, l.Gone, l.Total)
	if l.Digest() != want || want.IsZero() {
		t.Error("the digest is not the one that the log alone gives")
	}
	for name, change := range map[string]func(*holders.List){
		"day": func(l *holders.List) { l.Day = "2026-11-24" }, "seq": func(l *holders.List) { l.Seq++ },
		"total": func(l *holders.List) { l.Total++ }, "gone": func(l *holders.List) { l.Gone = l.Gone[1:] },
		"new": func(l *holders.List) { l.New = l.New[1:] }, "name": func(l *holders.List) { l.New[0].Certified.Name = "総務　次郎" },
		"key": func(l *holders.List) { l.New[1].Key[0] ^= 1 },
	} {
		m := list(3)
		change(&m)
		if m.Digest() == want {
			t.Errorf("another %s gives the same digest", name)
		}
	}
	l.New[0].Key = commitment.Key{}
	if !l.Digest().IsZero() {
		t.Error("a list without a key has a digest")
	}
	e := list(2).Entry()
	if _, err := (entry.Entry{By: entry.ByCALink, Body: &entry.HoldersSent{Holders: e}}).Marshal(); err != nil || e.New != 2 || e.Gone != 2 {
		t.Errorf("%+v %v", e, err)
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, change := range map[string]func(*holders.List){
		"day":            func(l *holders.List) { l.Day = "2026-11-31" },
		"february":       func(l *holders.List) { l.Day = "2026-02-29" },
		"day form":       func(l *holders.List) { l.Day = "2026/11/23" },
		"seq":            func(l *holders.List) { l.Seq = holders.MaxNumber + 1 },
		"total":          func(l *holders.List) { l.Total = holders.MaxNumber + 1 },
		"gone order":     func(l *holders.List) { l.Gone = []uint64{3, 1} },
		"gone twice":     func(l *holders.List) { l.Gone = []uint64{3, 3} },
		"new order":      func(l *holders.List) { l.New[0], l.New[1] = l.New[1], l.New[0] },
		"key":            func(l *holders.List) { l.New[0].Key = commitment.Key{} },
		"map length":     func(l *holders.List) { l.New[0].Certified.NameMap = "0" },
		"control":        func(l *holders.List) { l.New[0].Certified.Name = "総\x00太郎" },
		"large ordinal":  func(l *holders.List) { l.New[2].Ordinal = holders.MaxNumber + 1 },
		"too many gone":  func(l *holders.List) { l.Gone = make([]uint64, holders.MaxHolders+1) },
		"birth date":     func(l *holders.List) { l.New[0].Certified.BirthDate = "1962-06-17" },
		"resident digit": func(l *holders.List) { l.New[0].Certified.Sex = "99999000017" },
	} {
		l := list(3)
		change(&l)
		if _, err := l.Marshal(); say.Code(err) != "H101" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good, _ := list(2).Marshal()
	sub := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	for name, c := range map[string]struct{ in, code string }{
		"empty":         {"", "H101"},
		"cut":           {string(good[:100]), "H101"},
		"key form":      {sub(`"key":"0`, `"key":"G`), "H102"},
		"space":         {sub(`:[1`, `: [1`), "H102"},
		"after":         {string(good) + "\n", "H102"},
		"extra":         {sub(`,"v":1`, `,"note":"x","v":1`), "H103"},
		"holder extra":  {sub(`,"sex"`, `,"residentCode":"99999000017","sex"`), "H103"},
		"holder serial": {sub(`{"address"`, `{"serial":"0a","address"`), "H103"},
		"basis":         {sub(`jpki-12`, `jpki-11`), "H105"},
	} {
		l, err := holders.Parse([]byte(c.in))
		got := say.Code(err)
		if got != c.code && !(c.code == "H102" && got == "H101") || !reflect.DeepEqual(l, holders.List{}) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestHundredThousandHolders(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	start := time.Now()
	l := list(n)
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := holders.Parse(b)
	if err != nil || len(back.New) != n {
		t.Fatal(err)
	}
	parsed := time.Since(start)
	if back.Digest() != l.Digest() {
		t.Error("digest changed on the way")
	}
	t.Logf("%d MB, write and read %v, two digests %v", len(b)>>20, parsed, time.Since(start)-parsed)
}

func FuzzParse(f *testing.F) {
	for _, n := range []int{0, 1, 2} {
		b, _ := list(n).Marshal()
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := holders.Parse(b)
		if err != nil {
			return
		}
		again, err := l.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %q, writes %q (%v)", b, again, err)
		}
	})
}
