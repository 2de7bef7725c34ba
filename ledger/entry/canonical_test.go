package entry_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	. "github.com/sukashi-project/sukashi/ledger/entry"
)

// bothSay holds the reader against the one by encoding/json.
func bothSay(t interface{ Fatalf(string, ...any) }, b []byte) {
	short, ok := ParseCanonical(b)
	whole, err := ParseWhole(b)
	if ok != (err == nil) {
		t.Fatalf("canonical %t, whole %v: %q", ok, err, b)
	}
	if ok && !reflect.DeepEqual(short, whole) {
		t.Fatalf("two entries: %q", b)
	}
}

func FuzzParseCanonical(f *testing.F) {
	i := 0
	rapid.Check(f, func(t *rapid.T) { // a corpus of every kind, once
		if b, err := entryOf(t, allKinds[i%len(allKinds)]).Marshal(); err == nil && i < 3*len(allKinds) {
			f.Add(b)
		}
		i++
	})
	f.Fuzz(func(t *testing.T, b []byte) { bothSay(t, b) })
}

// TestTwoWriters: the codec writes what encoding/json writes.
func TestTwoWriters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, k := range allKinds {
			e := entryOf(t, k)
			b, err := e.Marshal()
			again, err2 := MarshalJSON(e)
			if !bytes.Equal(b, again) || (err == nil) != (err2 == nil) {
				t.Fatalf("%s: %v, %v\n%s\n%s", k, err, err2, b, again)
			}
		}
	})
}

// TestTwoReaders changes valid entries a little, mostly at bytes that mean
// something to JSON: the two readers agree on every one.
func TestTwoReaders(t *testing.T) {
	const pieces = "\"\\{}[],:0019-+.eE \n\x00\x1f\x7f\x80\xffaAnulltruefalse"
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(allKinds).Draw(t, "kind")
		b, err := entryOf(t, k).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		bothSay(t, b)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for range 40 {
			m := bytes.Clone(b)
			at, p := r.IntN(len(m)), pieces[r.IntN(len(pieces))]
			switch r.IntN(4) {
			case 0:
				m[at] = p
			case 1:
				m = append(m[:at], append([]byte{p}, m[at:]...)...)
			case 2:
				m = append(m[:at], m[at+1:]...)
			case 3: // a piece of it again, or gone
				to := at + r.IntN(len(m)-at)
				if r.IntN(2) == 0 {
					m = append(m[:to:to], b[at:]...)
				} else {
					m = append(m[:at:at], b[to:]...)
				}
			}
			bothSay(t, m)
		}
	})
}

var bench = []byte(`{"at":"2026-11-23T00:00:00Z","body":{"approvals":[{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","sig":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","sig":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}],"bundle":"0000000000000000000000000000000000000000000000000000000000000001","capabilities":"0000000000000000000000000000000000000000000000000000000000000001","grammar":"0000000000000000000000000000000000000000000000000000000000000001","proof":"0000000000000000000000000000000000000000000000000000000000000001","scanner":"0000000000000000000000000000000000000000000000000000000000000001"},"by":"council","kind":"policy.approved","seq":7,"v":1}`)

func BenchmarkParse(b *testing.B) {
	for name, f := range map[string]func([]byte) (Entry, error){"canonical": Parse, "whole": ParseWhole} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := f(bench); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
