package entry_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	. "github.com/sukashi-project/sukashi/ledger/entry"
)

// TestCanonical: for every kind the bytes are what an independent JCS
// implementation makes of them, and Parse gives the entry back.
func TestCanonical(t *testing.T) {
	for _, k := range allKinds {
		t.Run(string(k), rapid.MakeCheck(func(t *rapid.T) {
			e := entryOf(t, k)
			b, err := e.Marshal()
			if err != nil {
				t.Fatalf("%v: %+v", err, e.Body)
			}
			c, err := jcs.Transform(b)
			if err != nil || !bytes.Equal(b, c) {
				t.Fatalf("not canonical (%v)\n%s\n%s", err, b, c)
			}
			back, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(e, back) {
				t.Fatalf("changed by Marshal and Parse\n%+v\n%+v", e, back)
			}
			if back.Body.Kind() != k {
				t.Fatal("kind changed")
			}
		}))
	}
}

var good = `{"at":"2026-11-23T01:02:03Z","body":{"certificate":"` + strings.Repeat("ab", 32) + `","ordinal":7},"by":"ca-server","kind":"cert.issued","seq":3,"v":1}`

func TestParseRefuses(t *testing.T) {
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	r := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, s := range map[string]string{
		"empty":                     "",
		"null":                      "null",
		"a list":                    "[]",
		"trailing newline":          good + "\n",
		"trailing space":            good + " ",
		"leading space":             " " + good,
		"second object":             good + good,
		"trailing brace":            good + "}",
		"trailing bracket":          good + "]",
		"space inside":              r(`"seq":3`, `"seq": 3`),
		"unknown member":            r(`"seq"`, `"note":"x","seq"`),
		"unknown body member":       r(`"ordinal"`, `"name":"x","ordinal"`),
		"member twice":              r(`"seq":3`, `"seq":3,"seq":3`),
		"body member twice":         r(`"ordinal":7`, `"ordinal":7,"ordinal":7`),
		"other order":               strings.Replace(r(`"seq":3,`, ``), `{"at"`, `{"seq":3,"at"`, 1),
		"member in capitals":        r(`"seq"`, `"SEQ"`),
		"body member in capitals":   r(`"ordinal"`, `"Ordinal"`),
		"missing member":            r(`"seq":3,`, ``),
		"missing body member":       r(`,"ordinal":7`, ``),
		"null member":               r(`"ordinal":7`, `"ordinal":null`),
		"null body":                 `{"at":"2026-11-23T01:02:03Z","body":null,"by":"ca-server","kind":"cert.issued","seq":3,"v":1}`,
		"float":                     r(`"seq":3`, `"seq":3.0`),
		"exponent":                  r(`"seq":3`, `"seq":3e0`),
		"leading zero":              r(`"seq":3`, `"seq":03`),
		"negative":                  r(`"ordinal":7`, `"ordinal":-7`),
		"minus zero":                r(`"ordinal":7`, `"ordinal":-0`),
		"above 2^53-1":              r(`"ordinal":7`, `"ordinal":9007199254740992`),
		"seq above 2^53-1":          r(`"seq":3`, `"seq":9007199254740992`),
		"above 2^64":                r(`"ordinal":7`, `"ordinal":18446744073709551616`),
		"number as string":          r(`"seq":3`, `"seq":"3"`),
		"escaped letter":            r(`cert.issued`, `\u0063ert.issued`),
		"escaped slash":             r(`ca-server`, `ca-link-server\/notice`),
		"unknown kind":              r(`cert.issued`, `cert.issues`),
		"other kind":                r(`cert.issued`, `cert.aborted`),
		"unknown writer":            r(`ca-server`, `ca-servers`),
		"version 2":                 r(`"v":1`, `"v":2`),
		"fraction of a second":      r(`:03Z`, `:03.5Z`),
		"zero fraction":             r(`:03Z`, `:03.0Z`),
		"offset":                    r(`:03Z`, `:03+00:00`),
		"leap second":               r(`:03Z`, `:60Z`),
		"30 February":               r(`11-23`, `02-30`),
		"year 0":                    r(`2026`, `0000`),
		"first day of year 0":       r(`2026-11-23T01:02:03Z`, `0000-01-01T00:00:00Z`),
		"small t":                   r(`T01`, `t01`),
		"digest in capitals":        r(`abab`, `ABAB`),
		"digest too short":          r(`abab`, `ab`),
		"digest of zeros":           r(strings.Repeat("ab", 32), strings.Repeat("00", 32)),
		"digest with other letters": r(`abab`, `abag`),
		"byte order mark":           "\ufeff" + good,
		"bad UTF-8":                 r(`ca-server`, "ca-\xff"),
		"deep nesting":              strings.Repeat("[", 60000),
		"too large":                 good + strings.Repeat(" ", MaxSize),
	} {
		if e, err := Parse([]byte(s)); err == nil {
			t.Errorf("%s: accepted as %+v", name, e)
		} else if strings.Contains(err.Error(), "abab") {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
	if _, err := Parse([]byte(r(`"seq":3`, `"seq": 3`))); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("space: %v", err)
	}
}

// bodyCases are bodies that are outside their domain by one member.
func TestMarshalRefuses(t *testing.T) {
	d := Sum([]byte("x"))
	allow := Decision{Allow: true, Bundle: d, Codes: []string{}, Engine: "e", Facts: "00", Ruleset: "issue"}
	refuse := Decision{Bundle: d, Codes: []string{"N101"}, Engine: "e", Facts: "00", Ruleset: "issue"}
	with := func(f func(*Decision)) Decision { c := allow; f(&c); return c }
	holders := Holders{Day: "2026-11-23", Set: d}
	many := make([]uint64, 4097)
	for i := range many {
		many[i] = uint64(i)
	}
	zero, one := Digest{}, uint64(1)
	key := strings.Repeat("A", 43) + "="
	sig := strings.Repeat("A", 86) + "=="
	approved := func(a ...Approval) *PolicyApproved {
		return &PolicyApproved{Approvals: a, Bundle: d, Capabilities: d, Grammar: d, Proof: d, Scanner: d}
	}
	for name, b := range map[string]Body{
		"no body":                    nil,
		"genesis without key":        &Genesis{Origin: "o", Rules: "r"},
		"genesis with a space":       &Genesis{Key: "a b", Origin: "o", Rules: "r"},
		"key with zero tbs":          &KeyCreated{Alg: "a", Record: d, Role: "r", SPKI: d, TBS: &zero},
		"key without spki":           &KeyCreated{Alg: "a", Record: d, Role: "r"},
		"retired with long role":     &KeyRetired{Role: strings.Repeat("r", 33), SPKI: d},
		"no approvals":               approved(),
		"33 approvals":               approved(make([]Approval, 33)...),
		"approval key too short":     approved(Approval{"AAAA", sig}),
		"approval key spare bits":    approved(Approval{strings.Repeat("A", 42) + "B=", sig}),
		"approval key with newline":  approved(Approval{"\n" + key, sig}),
		"approval without signature": approved(Approval{key, ""}),
		"intent refused":             &CertIntent{Decision: refuse, Issuer: d, Municipality: "202011", Profile: d, Serial: "00", Subject: d, TBS: d},
		"intent without subject":     &CertIntent{Decision: allow, Issuer: d, Municipality: "202011", Profile: d, Serial: "00", TBS: d},
		"intent with 5 digits":       &CertIntent{Decision: allow, Issuer: d, Municipality: "20201", Profile: d, Serial: "00", Subject: d, TBS: d},
		"intent with letters":        &CertIntent{Decision: allow, Issuer: d, Municipality: "20201x", Profile: d, Serial: "00", Subject: d, TBS: d},
		"serial odd":                 &CertIntent{Decision: allow, Issuer: d, Municipality: "202011", Profile: d, Serial: "000", Subject: d, TBS: d},
		"serial of 21 bytes":         &CertIntent{Decision: allow, Issuer: d, Municipality: "202011", Profile: d, Serial: strings.Repeat("00", 21), Subject: d, TBS: d},
		"aborted for a reason":       &CertAborted{Reason: "other"},
		"day of 9 characters":        &HoldersSent{Holders{Day: "2026-11-2", Set: d}},
		"day that isn't":             &HoldersReceived{Holders{Day: "2026-02-30", Set: d}},
		"holders without set":        &HoldersReceived{Holders{Day: "2026-11-23"}},
		"holders too many":           &HoldersSent{Holders{Day: holders.Day, Set: d, Total: 1 << 53}},
		"notice sent but refused":    &NoticeSent{Decision: refuse, Digest: d, Holder: d, Mode: ModeEcho},
		"notice of another mode":     &NoticeSent{Decision: allow, Digest: d, Holder: d, Mode: "full"},
		"notice received, refused":   &NoticeReceived{Decision: refuse, Digest: d},
		"notice refused, allowed":    &NoticeRefused{Decision: allow},
		"request for article 12":     &RevocationRequested{Decision: allow, Ground: GroundChange},
		"request without ground":     &RevocationRequested{Decision: allow},
		"revocation without serial":  &Revocation{Ground: GroundRequest},
		"root with more issued":      &StatusRoot{Issued: 2, Size: 1, Root: d},
		"root with more revoked":     &StatusRoot{Revoked: 2, Issued: 1, Size: 2, Root: d},
		"root without root":          &StatusRoot{},
		"crl of no partition":        &CRLPublished{Partition: "part", Issuer: d, TBS: d},
		"crl without issuer":         &CRLPublished{Partition: "full", TBS: d},
		"delta on no list":           &CRLPublished{Base: new(uint64), Number: 1, Partition: "full", Issuer: d, TBS: d},
		"delta on itself":            &CRLPublished{Base: &one, Number: 1, Partition: "full", Issuer: d, TBS: d},
		"disclosure of nobody":       &Disclosure{Basis: BasisOwnRequest},
		"disclosure twice":           &Disclosure{Basis: BasisOwnRequest, Ordinals: []uint64{3, 3}},
		"disclosure without basis":   &Disclosure{Ordinals: []uint64{3}},
		"erasure of too many":        &Erasure{Basis: BasisRetentionEnd, Ordinals: many},
		"erasure, huge ordinal":      &Erasure{Basis: BasisRetentionEnd, Ordinals: []uint64{1 << 53}},
		"draw without seed":          &ReviewDraw{},
		"report without digest":      &ReviewReport{},
		"report with many items":     &ReviewReport{Digest: d, Items: Items{D: 1<<20 + 1}},
		"event that ends early":      &SecurityEvent{Code: "c", From: At(time.Unix(9, 0)), To: At(time.Unix(8, 0))},
		"event without code":         &SecurityEvent{},
		"codes missing":              &NoticeReceived{Decision: with(func(d *Decision) { d.Codes = nil }), Digest: d},
		"allowed with codes":         &NoticeReceived{Decision: with(func(d *Decision) { d.Codes = []string{"N101"} }), Digest: d},
		"refused without codes":      &NoticeRefused{Decision: with(func(d *Decision) { d.Allow = false })},
		"codes not ascending":        &NoticeRefused{Decision: with(func(d *Decision) { d.Allow, d.Codes = false, []string{"N2", "N1"} })},
		"code too long":              &NoticeRefused{Decision: with(func(d *Decision) { d.Allow, d.Codes = false, []string{"N12345678"} })},
		"too many codes":             &NoticeRefused{Decision: with(func(d *Decision) { d.Allow, d.Codes = false, make([]string, 65) })},
		"facts missing":              &NoticeReceived{Decision: with(func(d *Decision) { d.Facts = "" }), Digest: d},
		"facts of 17 bytes":          &NoticeReceived{Decision: with(func(d *Decision) { d.Facts = strings.Repeat("00", 17) }), Digest: d},
		"facts in capitals":          &NoticeReceived{Decision: with(func(d *Decision) { d.Facts = "FF" }), Digest: d},
		"bundle missing":             &NoticeReceived{Decision: with(func(d *Decision) { d.Bundle = zero }), Digest: d},
		"policy index too large":     &NoticeReceived{Decision: with(func(d *Decision) { d.Policy = 1 << 53 }), Digest: d},
	} {
		if b, err := (Entry{At: At(time.Unix(0, 0)), By: ByCA, Body: b}).Marshal(); err == nil {
			t.Errorf("%s: accepted as %s", name, b)
		}
	}
	ok := &ReviewDraw{Seed: d}
	for name, e := range map[string]Entry{
		"unknown writer": {By: "nobody", Body: ok},
		"seq too large":  {By: ByCouncil, Seq: 1 << 53, Body: ok},
		"year 10000":     {By: ByCouncil, At: At(time.Unix(253402300800, 0)), Body: ok},
		"65,536 bytes":   {By: ByCA, Body: &Erasure{Basis: BasisRetentionEnd, Ordinals: wide()}},
	} {
		if _, err := e.Marshal(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// wide is a list of ordinals that are valid one by one but too long to log.
func wide() []uint64 {
	o := make([]uint64, 4096)
	for i := range o {
		o[i] = MaxSafeInteger - 4096 + uint64(i)
	}
	return o
}

func TestWriters(t *testing.T) {
	written := map[Kind]bool{}
	for by, kinds := range Writers {
		for _, k := range kinds {
			written[k] = true
			if !MayWrite(by, k) {
				t.Errorf("%s may not write %s", by, k)
			}
		}
	}
	for _, k := range allKinds {
		if !written[k] {
			t.Errorf("nobody may write %s", k)
		}
		if NewBody(k) == nil || NewBody(k).Kind() != k {
			t.Errorf("%s has no body type of its own", k)
		}
	}
	if len(written) != len(allKinds) {
		t.Error("a writer may write a kind that doesn't exist")
	}
	if MayWrite(ByRegisterLink, KindRevocation) || MayWrite("nobody", KindGenesis) || MayWrite(ByCA, KindNoticeSent) {
		t.Error("a role may write what it must not")
	}
}

func TestTimeAndDigest(t *testing.T) {
	tm := At(time.Date(2026, 11, 23, 10, 2, 3, 999, time.FixedZone("JST", 9*3600)))
	if tm.String() != "2026-11-23T01:02:03Z" || tm.Std().Location() != time.UTC {
		t.Error(tm)
	}
	var back Time
	if back.UnmarshalText([]byte(tm.String())) != nil || back != tm {
		t.Error("time changed")
	}
	if back.UnmarshalText([]byte("2026-11-23T01:02:03.25Z")) == nil {
		t.Error("fraction accepted")
	}
	d := Sum([]byte("abc"))
	if d.String() != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(d)
	}
	if p, err := ParseDigest(d.String()); err != nil || p != d || p.IsZero() || !(Digest{}).IsZero() {
		t.Error("digest changed", err)
	}
	if _, err := ParseDigest(strings.ToUpper(d.String())); err == nil {
		t.Error("capitals accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	n := 0
	rapid.Check(f, func(t *rapid.T) { // a corpus of every kind, once
		if n < len(allKinds) {
			if b, err := entryOf(t, allKinds[n]).Marshal(); err == nil {
				f.Add(b)
			}
			n++
		}
	})
	f.Add([]byte(`{"at":"","body":{},"by":"","kind":"","seq":0,"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		again, err := e.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("not canonical: %v", err)
		}
		c, err := jcs.Transform(b)
		if err != nil || !bytes.Equal(c, b) {
			t.Fatalf("another reader sees other bytes: %v", err)
		}
	})
}

func ExampleEntry_Marshal() {
	e := Entry{
		At: At(time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)), By: ByCA, Seq: 7,
		Body: &CertAborted{Ordinal: 12, Reason: AbortCrash},
	}
	b, err := e.Marshal()
	fmt.Println(string(b), err)
	// Output: {"at":"2026-11-23T01:02:03Z","body":{"ordinal":12,"reason":"crash"},"by":"ca-server","kind":"cert.aborted","seq":7,"v":1} <nil>
}
