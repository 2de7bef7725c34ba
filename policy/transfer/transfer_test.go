package transfer_test

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"
	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

type zeros struct{ n byte }

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = z.n
	}
	return len(p), nil
}

func keys(t testing.TB, name string, seed byte) (note.Signer, note.Verifier) {
	t.Helper()
	sk, vk, err := note.GenerateKey(zeros{seed}, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(sk)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vk)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func file() transfer.File {
	return transfer.File{
		Municipality: "202011", Operator: "op-7", At: entry.At(time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)),
		Attr: attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: "1", Address: "霞が関２丁目１番地２号"},
	}
}

func TestRoundTrip(t *testing.T) {
	s, v := keys(t, "juki-terminal-202011", 1)
	b, err := transfer.Seal(file(), s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := transfer.Open(b, v)
	if err != nil || got != file() {
		t.Fatalf("%+v %v", got, err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	canonical, err := jcs.Transform(line)
	if err != nil || !bytes.Equal(canonical, line) {
		t.Errorf("an independent JCS gives %s", canonical)
	}
}

func TestEveryByteCounts(t *testing.T) {
	s, v := keys(t, "juki-terminal-202011", 1)
	b, _ := transfer.Seal(file(), s)
	for i := range b {
		for _, x := range []byte{1, 0x20, 0x80} {
			m := bytes.Clone(b)
			m[i] ^= x
			if _, err := transfer.Open(m, v); err == nil {
				t.Fatalf("byte %d changed by %x still opens", i, x)
			}
		}
		if _, err := transfer.Open(b[:i], v); err == nil {
			t.Fatalf("cut at %d still opens", i)
		}
	}
}

func TestRefusals(t *testing.T) {
	s, v := keys(t, "juki-terminal-202011", 1)
	other, otherV := keys(t, "juki-terminal-202029", 2)
	good, _ := transfer.Seal(file(), s)
	sign := func(text string, signers ...note.Signer) []byte {
		b, err := note.Sign(&note.Note{Text: text + "\n"}, signers...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	line := string(good[:bytes.IndexByte(good, '\n')])
	sub := func(old, new string) []byte { return sign(strings.Replace(line, old, new, 1), s) }
	_, sigLine, _ := bytes.Cut(good, []byte("\n\n"))
	for name, c := range map[string]struct {
		in   []byte
		code string
	}{
		"empty":          {nil, "T101"},
		"too long":       {bytes.Repeat([]byte("x"), transfer.MaxSize+1), "T101"},
		"no signature":   {[]byte(line + "\n\n"), "T106"},
		"other signer":   {sign(line, other), "T106"},
		"two signers":    {sign(line, s, other), "T106"},
		"repeated line":  {append(bytes.Clone(good), sigLine...), "T106"},
		"resident code":  {sub(`,"operator"`, `,"residentCode":"99999000017","operator"`), "T103"},
		"missing":        {sub(`"operator":"op-7",`, ``), "T103"},
		"basis":          {sub(`jpki-3`, `jpki-4`), "T105"},
		"spaces":         {sub(`,"at"`, `, "at"`), "T102"},
		"second line":    {sign(line+"\nnote", s), "T103"},
		"time form":      {sub(`03Z`, `03.5Z`), "T101"},
		"code as op":     {sub(`op-7`, `99999000017`), "T101"},
		"municipality":   {sub(`202011`, `20201`), "T101"},
		"sex":            {sub(`"sex":"1"`, `"sex":"男"`), "T101"},
		"duplicate":      {sub(`"sex":"1"`, `"sex":"1","sex":"1"`), "T102"},
		"operator upper": {sub(`op-7`, `OP-7`), "T101"},
	} {
		got, err := transfer.Open(c.in, v)
		if say.Code(err) != c.code || got != (transfer.File{}) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if _, err := transfer.Open(good, otherV); say.Code(err) != "T106" {
		t.Errorf("another terminal's key: %v", err)
	}
	bad := file()
	bad.Operator = "99999000017"
	if _, err := transfer.Seal(bad, s); say.Code(err) != "T101" {
		t.Errorf("an operator identifier with a resident code: %v", err)
	}
	if _, err := transfer.Seal(file(), failing{}); say.Code(err) != "transfer.sign" {
		t.Errorf("a signer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Name() string                { return "x" }
func (failing) KeyHash() uint32             { return 1 }
func (failing) Sign([]byte) ([]byte, error) { return nil, bytes.ErrTooLarge }

func FuzzOpen(f *testing.F) {
	s, v := keys(f, "juki-terminal-202011", 1)
	b, _ := transfer.Seal(file(), s)
	f.Add(b)
	f.Add(b[:len(b)-20])
	f.Add([]byte("{}\n\n— x AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := transfer.Open(b, v)
		if err != nil {
			return
		}
		again, err := transfer.Seal(got, s)
		if err != nil || sha256.Sum256(again) != sha256.Sum256(b) {
			t.Fatalf("accepted bytes that Seal would not write")
		}
	})
}
