package canon_test

import (
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/sukashi-project/sukashi/policy/internal/canon"
)

func TestUint(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "7": 7, "10": 10, "407": 407, "408": -1, "999": -1, "00": -1, "07": -1, "": -1, "-1": -1, "+1": -1, "1.0": -1,
		"1e2": -1, " 1": -1, "1 ": -1, "０": -1, "18446744073709551616": -1, "99999999999999999999999": -1,
	} {
		r := canon.NewReader([]byte(in))
		n := r.Uint(407)
		if ok := r.Done(); ok != (want >= 0) || ok && n != uint64(want) {
			t.Errorf("%q: %d %v", in, n, ok)
		}
	}
	r := canon.NewReader([]byte("3"))
	if r.Uint(2); r.OK() {
		t.Error("a digit above the limit is read")
	}
	big := strconv.FormatUint(1<<64-1, 10)
	r = canon.NewReader([]byte(big))
	if r.Uint(1<<64-1) != 1<<64-1 || !r.Done() {
		t.Error("the largest number is not read")
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"a"`: "a", `""`: "", `"総務　太郎"`: "総務　太郎", `"\""`: `"`, `"\\"`: `\`, `"𠮷"`: "𠮷",
	} {
		r := canon.NewReader([]byte(in))
		if got := r.Text(5); !r.Done() || got != want {
			t.Errorf("%s: %q", in, got)
		}
		if string(canon.AppendString(nil, want)) != in {
			t.Errorf("%q is not written as %s", want, in)
		}
	}
	for _, in := range []string{``, `"`, `a`, `"abcdef"`, "\"\x01\"", "\"\x7f\"", "\"\xff\"", `"\n"`, `"\u0041"`, `"\/"`, `"\`, "\"\xed\xa0\x80\""} {
		r := canon.NewReader([]byte(in))
		if r.Text(5); r.Done() {
			t.Errorf("%q is read", in)
		}
	}
}

func TestWordRawAndLiterals(t *testing.T) {
	r := canon.NewReader([]byte(`["op-7",abc]x`))
	r.Lit("[")
	w := r.Word(4, "-")
	if r.Next(";") || !r.Next(",") {
		t.Error("Next")
	}
	if raw := r.Raw(3); w != "op-7" || raw != "abc" || !r.OK() {
		t.Errorf("%q %q", w, raw)
	}
	if r.Lit("]"); r.Done() {
		t.Error("a byte is left")
	}
	for _, in := range []string{``, `"`, `""`, `"op-77"`, `"OP"`, `"o p"`, `op`} {
		r := canon.NewReader([]byte(in))
		if r.Word(4, "-"); r.Done() {
			t.Errorf("%q is a word", in)
		}
	}
	r = canon.NewReader([]byte("ab"))
	if r.Raw(3); r.OK() {
		t.Error("more bytes than there are")
	}
	r.Lit("a")
	if r.Uint(9) != 0 || r.Text(1) != "" || r.Next("a") || r.Done() {
		t.Error("a failed reader goes on")
	}
	r = canon.NewReader(nil)
	if r.Fail(); r.Done() {
		t.Error("Fail does not stick")
	}
}

// FuzzText: what is read as text is written as the same bytes again.
func FuzzText(f *testing.F) {
	for _, s := range []string{`"a"`, `"\\\""`, `"総"`, `"`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := canon.NewReader(b)
		s := r.Text(100)
		if r.Done() && (!utf8.ValidString(s) || string(canon.AppendString(nil, s)) != string(b)) {
			t.Fatalf("%q is read as %q", b, s)
		}
	})
}
