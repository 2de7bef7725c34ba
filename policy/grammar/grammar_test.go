package grammar_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/policy/grammar"
	"github.com/sukashi-project/sukashi/policy/notice"
)

func uintOnly(t *testing.T, max uint64) *grammar.Automaton {
	t.Helper()
	a, err := grammar.Grammar{Parts: []grammar.Part{{Slot: "n", Type: grammar.TypeUint, Max: max}}}.Automaton()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNumbersAreExact(t *testing.T) {
	for _, max := range []uint64{1, 5, 9, 10, 11, 19, 20, 99, 100, 101, 407, 999, 1000, 1203} {
		a := uintOnly(t, max)
		n, err := a.Count()
		if err != nil || n.Uint64() != max+1 {
			t.Errorf("max %d: %v numbers, %v", max, n, err)
		}
		for i := range uint64(1500) {
			if a.Accepts([]byte(fmt.Sprint(i))) != (i <= max) {
				t.Errorf("max %d: wrong about %d", max, i)
			}
			if a.Accepts([]byte("0" + fmt.Sprint(i))) {
				t.Errorf("max %d: leading zero before %d", max, i)
			}
		}
	}
}

func TestShippedCapacity(t *testing.T) {
	f := grammar.Notice()
	start := time.Now()
	ref, err := f.Modes[notice.Reference].Capacity()
	if err != nil {
		t.Fatal(err)
	}
	if want := new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil); ref.Expressible.Cmp(want) != 0 {
		t.Errorf("reference: %v notices, want 10^18", ref.Expressible)
	}
	if ref.FreeBits != 0 || ref.Free.Int64() != 1 || ref.DigitRun != 9 || ref.OutsideRun >= grammar.RunLimit {
		t.Errorf("reference: %+v", ref)
	}
	echo, err := f.Modes[notice.Echo].Capacity()
	if err != nil {
		t.Fatal(err)
	}
	if echo.Free.Int64() != 1 || echo.FreeBits != 0 || echo.OutsideRun >= grammar.RunLimit || echo.DigitRun != grammar.RunLimit {
		t.Errorf("echo: %+v", echo)
	}
	t.Logf("reference %d states, %.2f bits; echo %d states, %.0f bits; %v", ref.States, ref.Bits, echo.States, echo.Bits, time.Since(start))
	for mode := range f.Modes {
		if ok, err := f.WithinBudget(mode); !ok || err != nil {
			t.Errorf("%s is not within budget: %v", mode, err)
		}
	}
}

func TestRoomForMoreIsSeen(t *testing.T) {
	f := grammar.Notice()
	parts := f.Modes[notice.Reference].Parts
	add := func(p grammar.Part) grammar.File {
		g := grammar.Grammar{Parts: append(append([]grammar.Part{}, parts[:len(parts)-1]...), grammar.Part{Lit: `,"x":`}, p, grammar.Part{Lit: `}`})}
		return grammar.File{Version: 1, Modes: map[string]grammar.Grammar{"reference": g}}
	}
	for name, p := range map[string]grammar.Part{
		"uuid":      {Slot: "id", Type: grammar.TypeText, Max: 36},
		"note":      {Slot: "note", Type: grammar.TypeText, Max: 20},
		"flag":      {Slot: "flag", Type: grammar.TypeUint, Max: 1},
		"timestamp": {Slot: "at", Type: grammar.TypeUint, Max: 99_999_999_999},
	} {
		if ok, err := add(p).WithinBudget("reference"); ok || err != nil {
			t.Errorf("a grammar with a free %s is within budget (%v)", name, err)
		}
	}
	wide := add(grammar.Part{Slot: "at", Type: grammar.TypeUint, Max: 99_999_999_999})
	if c, err := wide.Modes["reference"].Capacity(); err != nil || c.OutsideRun != grammar.RunLimit {
		t.Errorf("an 11-digit run is not seen: %+v %v", c, err)
	}
}

// TestDecoderIsTheAutomaton holds the hand-written decoder against the
// automaton that is built from the grammar file: on honest notices, on every
// single-byte change of them, and on random splices.
func TestDecoderIsTheAutomaton(t *testing.T) {
	f := grammar.Notice()
	var as []*grammar.Automaton
	for _, g := range f.Modes {
		a, err := g.Automaton()
		if err != nil {
			t.Fatal(err)
		}
		as = append(as, a)
	}
	check := func(b []byte) {
		t.Helper()
		accepted := false
		for _, a := range as {
			accepted = accepted || a.Accepts(b)
		}
		if _, err := notice.Parse(b); (err == nil) != accepted {
			t.Fatalf("decoder says %v, automaton says %v, on %q", err, accepted, b)
		}
	}
	rng := rand.New(rand.NewPCG(5, 8))
	for _, n := range samples() {
		b, err := n.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		check(b)
		for i := range b {
			for range 24 {
				m := append([]byte{}, b...)
				m[i] = byte(rng.UintN(256))
				check(m)
			}
			check(append(append([]byte{}, b[:i]...), b[i+1:]...))
			check(append(append(append([]byte{}, b[:i]...), b[i]), b[i:]...))
			check(b[:i])
		}
	}
	tokens := strings.Split(`{"basis":"juki-30-8-3" ,"mode":"reference" ,"mode":"echo" ,"ordinal": ,"seq": ,"v":1} 0 1 00 999999999 1000000000 -1 1e3 1.0 "1" "\u0031" "\"" "\\" "319620617" ,"name": ,"sex": {"address": ,"basis":"juki-30-8-3","birthDate": null`, " ")
	for range 20000 {
		var b []byte
		for range rng.IntN(14) {
			b = append(b, tokens[rng.IntN(len(tokens))]...)
		}
		check(b)
	}
}

func samples() []notice.Notice {
	return []notice.Notice{
		{Mode: notice.Reference}, {Mode: notice.Reference, Seq: notice.MaxNumber, Ordinal: notice.MaxNumber},
		{Mode: notice.Reference, Seq: 10, Ordinal: 4711},
		{Mode: notice.Echo, Seq: 7, Echo: &notice.Four{Name: "総務　太郎", BirthDate: "319620617", Sex: "1", Address: "長野県長野市大字霞が関２丁目１番地２号"}},
		{Mode: notice.Echo, Seq: 0, Echo: &notice.Four{Name: `"\𠮷`, BirthDate: "000000000", Sex: "3", Address: "é"}},
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := grammar.Notice().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grammar.Parse(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		``, `{}`, `{"version":2,"modes":{}}`, `{"version":1,"modes":{"x":{"parts":[]}}}`,
		`{"version":1,"modes":{"x":{"parts":[{}]}}}`, `{"version":1,"modes":{"x":{"parts":[{"lit":"a","slot":"b"}]}}}`,
		`{"version":1,"modes":{"x":{"parts":[{"lit":"a","max":3}]}}}`,
		`{"version":1,"modes":{"x":{"parts":[{"slot":"a","type":"uint"}]}}}`,
		`{"version":1,"modes":{"x":{"parts":[{"slot":"a","type":"text","max":9999}]}}}`,
		`{"version":1,"modes":{"x":{"parts":[{"slot":"a","type":"uuid"}]}}}`,
		`{"version":1,"modes":{"x":{"parts":[{"slot":"a","type":"sex","bound":"luck"}]}}}`,
		`{"version":1,"extra":1,"modes":{"x":{"parts":[{"lit":"a"}]}}}`,
	} {
		if _, err := grammar.Parse([]byte(bad)); err == nil {
			t.Errorf("%s parses", bad)
		}
	}
	if ok, _ := (grammar.Notice()).WithinBudget("free-text"); ok {
		t.Error("a mode that does not exist is within budget")
	}
}
