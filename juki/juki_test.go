package juki_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

const nagano, matsumoto = "202011", "202029"

var base = attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀１６１３番地"}

func now() time.Time { return time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) }

func code(n uint64) string {
	c, err := jtext.MakeResidentCode(n)
	if err != nil {
		panic(err)
	}
	return c
}

func office(t testing.TB, rs ...register.Resident) *juki.Office {
	t.Helper()
	o, err := juki.Open(juki.Config{Dir: t.TempDir(), Now: now, KV: kv.Options{CacheBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	if _, err := o.Register.Import(rs); err != nil {
		t.Fatal(err)
	}
	return o
}

func terminal(t testing.TB, o *juki.Office, town string) (*juki.Terminal, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "juki-terminal-"+town)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	d, err := policy.NewDecider(context.Background(), policy.Shipped(), 1)
	if err != nil {
		t.Fatal(err)
	}
	term, err := o.Terminal(juki.TerminalConfig{Municipality: town, Signer: s, Verifier: v, Decider: d})
	if err != nil {
		t.Fatal(err)
	}
	return term, v
}

func TestExport(t *testing.T) {
	ctx := context.Background()
	o := office(t, register.Resident{Code: code(1), Municipality: nagano, Attr: base})
	term, v := terminal(t, o, nagano)
	b, err := term.Export(ctx, code(1), "op-7")
	if err != nil {
		t.Fatal(err)
	}
	f, err := transfer.Open(b, v)
	if err != nil || f.Attr != base || f.Municipality != nagano || f.Operator != "op-7" {
		t.Fatalf("file %v, %v", f.Municipality, err)
	}
	if bytes.Contains(b, []byte(code(1))) {
		t.Error("the file holds the resident code")
	}
	for want, c := range map[string]string{register.CodeUnknown: code(2), register.CodeResidentCode: "12345678901"} {
		if _, err := term.Export(ctx, c, "op-7"); say.Code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	other, _ := terminal(t, o, matsumoto)
	if _, err := other.Export(ctx, code(1), "op-7"); say.Code(err) != register.CodeMunicipality {
		t.Errorf("another town's resident: %v", err)
	}
	if _, err := o.Change(ctx, register.Event{Kind: register.Death, Code: code(1), Municipality: nagano}); err != nil {
		t.Fatal(err)
	}
	_, err = term.Export(ctx, code(1), "op-7")
	if say.Code(err) != register.CodeDeleted {
		t.Fatalf("a deleted resident: %v", err)
	}
	ja, hint := say.For(err, say.Japanese)
	if ja == "" || strings.Contains(ja+hint, "総務") {
		t.Errorf("sentence %q %q", ja, hint)
	}
}

// A record whose address hides a resident code does not leave the terminal.
func TestExportRefusedByPolicy(t *testing.T) {
	a := base
	a.Address = "長野県長野市" + code(3)
	o := office(t, register.Resident{Code: code(1), Municipality: nagano, Attr: a})
	term, _ := terminal(t, o, nagano)
	b, err := term.Export(context.Background(), code(1), "op-7")
	if say.Code(err) != juki.CodeTerminal || b != nil {
		t.Fatalf("%v", err)
	}
	if s, err := o.Stats(); err != nil || s.Register.Exports != 0 {
		t.Errorf("a refused export is on record: %+v %v", s.Register, err)
	}
	if _, hint := say.For(err, say.English); !strings.HasPrefix(hint, "T40") || strings.Contains(hint, code(3)) {
		t.Errorf("hint %q", hint)
	}
}

func TestTerminalConfig(t *testing.T) {
	o := office(t)
	if _, err := o.Terminal(juki.TerminalConfig{Municipality: "1"}); err == nil {
		t.Error("a terminal without anything was set up")
	}
	if _, err := juki.Open(juki.Config{}); err == nil {
		t.Error("an office without a directory was opened")
	}
}

func holder(ordinal uint64, a attr.Attributes) holders.Holder {
	zeros := func(s string) string { return strings.Repeat("0", len([]rune(s))) }
	return holders.Holder{Ordinal: ordinal, Key: commitment.Key{1, byte(ordinal)}, Certified: attr.Certified{Name: a.Name,
		NameMap: zeros(a.Name), BirthDate: a.BirthDate, Sex: a.Sex, Address: a.Address, AddressMap: zeros(a.Address)}}
}

func TestWriteCanaries(t *testing.T) {
	ctx := context.Background()
	second := base
	second.Name, second.Address = "自治　花子", "長野県長野市南千歳１番地"
	o := office(t, register.Resident{Code: code(1), Municipality: nagano, Attr: base},
		register.Resident{Code: code(2), Municipality: nagano, Attr: second})
	term, _ := terminal(t, o, nagano)
	if _, err := term.Export(ctx, code(1), "op-7"); err != nil {
		t.Fatal(err)
	}
	l := holders.List{Day: "2026-11-23", New: []holders.Holder{holder(0, base), holder(1, second)}, Total: 2}
	if err := o.Matching.ApplyList(ctx, l, 1); err != nil {
		t.Fatal(err)
	}
	move := func(n uint64, address string) {
		t.Helper()
		r, err := o.Register.Record(code(n))
		if err != nil {
			t.Fatal(err)
		}
		a := r.Current().Attr
		a.Address = address
		if _, err := o.Change(ctx, register.Event{Kind: register.MoveWithin, Code: code(n), Municipality: nagano, Attr: a}); err != nil {
			t.Fatal(err)
		}
	}
	move(1, "長野県長野市南千歳２番地") // a canary
	move(1, second.Address) // where the other holder lives: it crossed
	move(2, "長野県長野市大字鶴賀")   // part of what crossed
	// Struck off: what crossed once stays out of the list.
	if err := o.Matching.ApplyList(ctx, holders.List{Day: "2026-11-24", Seq: 1, Gone: []uint64{0, 1}}, 2); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := o.WriteCanaries(&buf); err != nil {
		t.Fatal(err)
	}
	want := code(1) + "\n" + code(2) + "\n長野県長野市南千歳２番地\n"
	if buf.String() != want {
		t.Errorf("canaries:\n%swant:\n%s", buf.String(), want)
	}
	if err := o.WriteCanaries(failing{}); err == nil {
		t.Error("a full disk went unnoticed")
	}
	s, err := o.Stats()
	if err != nil || s.Register.Changes != 3 || s.Matching.Outcomes[match.Notice] != 2 || s.Daily["2026-11-23"].New != 2 {
		t.Errorf("stats %+v, %v", s, err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }
