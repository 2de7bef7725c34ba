package notice_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy/notice"
)

const (
	goodRef  = `{"basis":"juki-30-8-3","mode":"reference","ordinal":5,"seq":3,"v":1}`
	goodEcho = `{"address":"霞が関２丁目１番地２号","basis":"juki-30-8-3","birthDate":"319620617","mode":"echo","name":"総務　太郎","seq":3,"sex":"1","v":1}`
)

// TestNoFieldCouldHoldMore is the reflection test: what the type can hold is
// what the wire form can say.
func TestNoFieldCouldHoldMore(t *testing.T) {
	want := map[string]string{"Mode": "string", "Seq": "uint64", "Ordinal": "uint64", "Echo": "*attr.Attributes"}
	check(t, reflect.TypeFor[notice.Notice](), want)
	check(t, reflect.TypeFor[notice.Four](), map[string]string{"Name": "string", "BirthDate": "string", "Sex": "string", "Address": "string"})
}

func check(t *testing.T, typ reflect.Type, want map[string]string) {
	t.Helper()
	if typ.NumField() != len(want) {
		t.Errorf("%v has %d fields, the wire form %d", typ, typ.NumField(), len(want))
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if want[f.Name] != f.Type.String() {
			t.Errorf("%v has a field %s %v", typ, f.Name, f.Type)
		}
	}
}

func TestWireForm(t *testing.T) {
	four := &notice.Four{Name: "総務　太郎", BirthDate: "319620617", Sex: "1", Address: "霞が関２丁目１番地２号"}
	for want, n := range map[string]notice.Notice{
		goodRef:  {Mode: notice.Reference, Seq: 3, Ordinal: 5},
		goodEcho: {Mode: notice.Echo, Seq: 3, Echo: four},
	} {
		b, err := n.Marshal()
		if err != nil || string(b) != want {
			t.Errorf("%s %v", b, err)
		}
		canonical, err := jcs.Transform(b)
		if err != nil || !bytes.Equal(canonical, b) {
			t.Errorf("an independent JCS gives %s", canonical)
		}
		back, err := notice.Parse(b)
		if err != nil || !reflect.DeepEqual(back, n) {
			t.Errorf("%+v %v", back, err)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	ok := notice.Four{Name: "a", BirthDate: "000000000", Sex: "3", Address: "b"}
	bad := ok
	bad.Name = "a\nb"
	for code, ns := range map[string][]notice.Notice{
		"N101": {{Mode: notice.Reference, Seq: notice.MaxNumber + 1}, {Mode: notice.Reference, Ordinal: notice.MaxNumber + 1}, {Mode: notice.Echo, Echo: &bad}},
		"N103": {{Mode: notice.Reference, Echo: &ok}, {Mode: notice.Echo}, {Mode: notice.Echo, Echo: &ok, Ordinal: 1}},
		"N104": {{}, {Mode: "Reference"}},
	} {
		for _, n := range ns {
			if _, err := n.Marshal(); say.Code(err) != code {
				t.Errorf("%+v: %v, want %s", n, err, code)
			}
		}
	}
}

func TestRefusalsByCode(t *testing.T) {
	sub := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("no %s in %s", old, s)
		}
		return strings.Replace(s, old, new, 1)
	}
	for name, c := range map[string]struct{ in, code string }{
		"empty":                {"", "N101"},
		"not json":             {"hello", "N101"},
		"list":                 {"[" + goodRef + "]", "N101"},
		"cut":                  {goodRef[:40], "N101"},
		"not UTF-8":            {sub(goodEcho, "総", "\xff"), "N101"},
		"too long":             {sub(goodEcho, "総", strings.Repeat("総", 1000)), "N101"},
		"name too long":        {sub(goodEcho, "総務", strings.Repeat("総", 101)), "N101"},
		"number negative":      {sub(goodRef, ":5", ":-5"), "N101"},
		"number leading zero":  {sub(goodRef, ":5", ":05"), "N101"},
		"number exponent":      {sub(goodRef, ":5", ":5e0"), "N101"},
		"number fraction":      {sub(goodRef, ":5", ":5.0"), "N101"},
		"number as string":     {sub(goodRef, ":5", `:"5"`), "N101"},
		"number ten digits":    {sub(goodRef, ":5", ":1000000000"), "N101"},
		"number eleven digits": {sub(goodRef, ":5", ":99999000017"), "N101"},
		"null":                 {sub(goodRef, ":5", ":null"), "N101"},
		"other version":        {sub(goodRef, `"v":1`, `"v":2`), "N101"},
		"sex domain":           {sub(goodEcho, `"sex":"1"`, `"sex":"9"`), "N101"},
		"birth date domain":    {sub(goodEcho, "319620617", "319621317"), "N101"},
		"control character":    {sub(goodEcho, "総務", `総\u0001務`), "N101"},
		"space before":         {" " + goodRef, "N102"},
		"space inside":         {sub(goodRef, ":5", ": 5"), "N102"},
		"newline after":        {goodRef + "\n", "N102"},
		"second object":        {goodRef + goodRef, "N102"},
		"other order":          {sub(goodRef, `"seq":3,"v":1`, `"v":1,"seq":3`), "N102"},
		"other escape":         {sub(goodEcho, "総", `\u7dcf`), "N102"},
		"escaped solidus":      {sub(goodRef, `"basis"`, `"b\u0061sis"`), "N102"},
		"extra member":         {sub(goodRef, `,"v"`, `,"note":"x","v"`), "N103"},
		"resident code":        {sub(goodRef, `,"v"`, `,"residentCode":"99999000017","v"`), "N103"},
		"missing member":       {sub(goodRef, `"ordinal":5,`, ``), "N103"},
		"duplicate member":     {sub(goodRef, `"ordinal":5,`, `"ordinal":5,"ordinal":5,`), "N103"},
		"folded member":        {sub(goodRef, `"ordinal"`, `"Ordinal"`), "N103"},
		"echo with ordinal":    {sub(goodEcho, `,"seq"`, `,"ordinal":5,"seq"`), "N103"},
		"reference with name":  {sub(goodRef, `,"ordinal"`, `,"name":"x","ordinal"`), "N103"},
		"nested":               {sub(goodRef, `,"v"`, `,"x":{"y":[1,{"z":"99999000017"}]},"v"`), "N103"},
		"other mode":           {sub(goodRef, `"reference"`, `"full"`), "N104"},
		"mode as number":       {sub(goodRef, `"reference"`, `1`), "N104"},
		"no mode":              {sub(goodRef, `"mode":"reference",`, ``), "N104"},
		"other basis":          {sub(goodRef, `juki-30-8-3`, `jpki-12`), "N105"},
		"basis of other type":  {sub(goodRef, `"juki-30-8-3"`, `["juki-30-8-3"]`), "N105"},
	} {
		n, err := notice.Parse([]byte(c.in))
		if say.Code(err) != c.code || n != (notice.Notice{}) {
			t.Errorf("%s: %v %+v, want %s", name, err, n, c.code)
		}
	}
}

// TestErrorsHoldNoValue: an error's text in both languages never repeats what
// was refused (PR-09).
func TestErrorsHoldNoValue(t *testing.T) {
	_, err := notice.Parse([]byte(strings.Replace(goodRef, `,"v"`, `,"residentCode":"99999000017","v"`, 1)))
	var e *say.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	for _, s := range []string{e.Text.JA, e.Text.EN, e.Error(), e.Hints.JA, e.Hints.EN} {
		if strings.Contains(s, "99999000017") || strings.Contains(s, "residentCode") {
			t.Errorf("the error says %q", s)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[\x{20}-\x{7e}ぁ-んァ-ヶ一-龠　－０-９\x{20BB7}"\\]{1,60}`)
	rapid.Check(t, func(t *rapid.T) {
		n := notice.Notice{Mode: notice.Reference, Seq: rapid.Uint64Range(0, notice.MaxNumber).Draw(t, "seq")}
		if rapid.Bool().Draw(t, "echo") {
			n.Mode = notice.Echo
			n.Echo = &notice.Four{Name: text.Draw(t, "name"), Address: text.Draw(t, "address"), BirthDate: "319620617", Sex: "2"}
		} else {
			n.Ordinal = rapid.Uint64Range(0, notice.MaxNumber).Draw(t, "ordinal")
		}
		b, err := n.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := notice.Parse(b)
		if err != nil || !reflect.DeepEqual(back, n) {
			t.Fatalf("%s: %+v %v", b, back, err)
		}
		i := rapid.IntRange(0, len(b)).Draw(t, "at")
		more := append(append(append([]byte{}, b[:i]...), ' '), b[i:]...)
		if again, err := notice.Parse(more); err == nil && (n.Mode == notice.Reference || reflect.DeepEqual(again, n)) {
			t.Fatalf("a byte more still means a notice: %q", more)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{goodRef, goodEcho, "", "{}", goodRef + " ", strings.ToUpper(goodRef),
		strings.Replace(goodRef, ":5", ":05", 1), strings.Replace(goodEcho, "総", `\u7dcf`, 1), `{"mode":{"a":[1,"x\n"]},"basis":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, form := notice.Examine(b)
		code := form.Code()
		if (code == "") != (form == notice.Form{Grammar: true, Canonical: true, Fields: true, Mode: true, Basis: true}) {
			t.Fatalf("code %q for form %+v", code, form)
		}
		if code != "" {
			if n != (notice.Notice{}) {
				t.Fatal("a refused notice has content")
			}
			return
		}
		again, err := n.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %q, writes %q (%v)", b, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := []byte(goodRef)
	for b.Loop() {
		if _, err := notice.Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}
