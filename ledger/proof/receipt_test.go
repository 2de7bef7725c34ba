package proof

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"testing"

	fnote "github.com/transparency-dev/formats/note"
	mproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
)

func TestReceiptHolds(t *testing.T) {
	w := filled(t, 3, 11)
	p := w.policy(t, "2")
	for i := range w.entries {
		r, err := ParseReceipt(w.receipt(t, i, 11, 0, 2).Marshal())
		if err != nil {
			t.Fatal(err)
		}
		cp, err := p.VerifyReceipt(r, w.entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if cp.Size != 11 || cp.Origin != w.origin || len(cp.Cosigned) != 2 || !cp.Witnessed.Equal(w.witnessed) {
			t.Fatalf("checkpoint %+v", cp)
		}
		if _, err := p.VerifyReceipt(r, w.entries[(i+1)%11]); !errors.Is(err, ErrFalse) {
			t.Fatalf("another entry: %v", err)
		}
	}
}

// otherBytes are values that a byte is changed to: its neighbours, one flipped
// bit at both ends, case, and characters that have a meaning in the formats.
func otherBytes(b byte) []byte {
	all := []byte{b ^ 1, b ^ 0x20, b ^ 0x80, b + 1, b - 1, 0, '\n', '\r', ' ', '=', '+', 'A', '0'}
	out := all[:0]
	for _, c := range all {
		if c != b {
			out = append(out, c)
		}
	}
	return out
}

// everyChange calls f with every changed, dropped, doubled or inserted byte.
func everyChange(b []byte, f func(pos int, changed []byte)) {
	for i := range b {
		for _, c := range otherBytes(b[i]) {
			d := bytes.Clone(b)
			d[i] = c
			f(i, d)
		}
		f(i, append(bytes.Clone(b[:i]), b[i+1:]...))
		f(i, append(append(bytes.Clone(b[:i+1]), b[i]), b[i+1:]...))
	}
	for _, c := range []byte("\n \x00=A") {
		f(len(b), append(bytes.Clone(b), c))
		f(0, append([]byte{c}, b...))
	}
}

func TestEveryChangedByteFails(t *testing.T) {
	w := filled(t, 3, 13)
	p := w.policy(t, "2")
	good := w.receipt(t, 6, 13, 0, 1, 2).Marshal()
	var unreadable, checkedFalse int
	everyChange(good, func(pos int, b []byte) {
		r, err := ParseReceipt(b)
		if err == nil {
			_, err = p.VerifyReceipt(r, w.entries[6])
		}
		switch {
		case err == nil:
			t.Errorf("byte %d changed and the proof still holds", pos)
		case errors.Is(err, ErrFalse):
			checkedFalse++
		default:
			unreadable++
		}
	})
	t.Logf("%d bytes: %d changes checked and false, %d unreadable", len(good), checkedFalse, unreadable)
	if checkedFalse == 0 || unreadable == 0 {
		t.Error("expected both kinds of failure")
	}
}

func TestIndexBeyondTree(t *testing.T) {
	w := filled(t, 0, 300)
	good := w.receipt(t, 255, 300).Marshal()
	changed := bytes.Replace(good, []byte("index 255\n"), []byte("index 2555\n"), 1)
	r, err := ParseReceipt(changed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.policy(t, "all").VerifyReceipt(r, w.entries[255]); say.Code(err) != "receipt.beyond" {
		t.Fatal(err)
	}
}

// TestIndependentReading reads a proof with nothing but the note and merkle
// packages: what a stranger would write in an hour.
func TestIndependentReading(t *testing.T) {
	w := filled(t, 2, 21)
	file := string(w.receipt(t, 9, 21, 0, 1).Marshal())

	head, signed, _ := strings.Cut(file, "\n\n")
	lines := strings.Split(head, "\n")
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil || lines[0] != "c2sp.org/tlog-proof@v1" {
		t.Fatal(err, lines[0])
	}
	var path [][]byte
	for _, l := range lines[2:] {
		h, err := base64.StdEncoding.DecodeString(l)
		if err != nil {
			t.Fatal(err)
		}
		path = append(path, h)
	}
	logV, err := note.NewVerifier(w.logVKey)
	if err != nil {
		t.Fatal(err)
	}
	verifiers := []note.Verifier{logV}
	for _, v := range w.witVKeys {
		c, err := fnote.NewVerifierForCosignatureV1(v)
		if err != nil {
			t.Fatal(err)
		}
		verifiers = append(verifiers, c)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	if err != nil || len(n.Sigs) != 3 || len(n.UnverifiedSigs) != 0 {
		t.Fatal(err, n)
	}
	text := strings.Split(n.Text, "\n")
	size, _ := strconv.ParseUint(text[1], 10, 64)
	root, _ := base64.StdEncoding.DecodeString(text[2])
	leaf := rfc6962.DefaultHasher.HashLeaf(w.entries[9])
	if err := mproof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf, path, root); err != nil {
		t.Fatal(err)
	}
}

func TestParseReceiptRefuses(t *testing.T) {
	w := filled(t, 0, 5)
	good := string(w.receipt(t, 3, 5).Marshal())
	long := strings.Repeat(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", MaxHashes+1)
	for name, b := range map[string]string{
		"empty":            "",
		"header only":      "c2sp.org/tlog-proof@v1\n",
		"other version":    strings.Replace(good, "@v1", "@v2", 1),
		"extra line":       strings.Replace(good, "index", "extra AAAA\nindex", 1),
		"plus sign":        strings.Replace(good, "index 3", "index +3", 1),
		"leading zero":     strings.Replace(good, "index 3", "index 03", 1),
		"huge index":       strings.Replace(good, "index 3", "index 9007199254740992", 1),
		"negative index":   strings.Replace(good, "index 3", "index -3", 1),
		"too many hashes":  strings.Replace(good, "index 3\n", "index 3\n"+long, 1),
		"no checkpoint":    good[:strings.Index(good, "\n\n")+2],
		"not UTF-8":        strings.Replace(good, "log.example", "log.\xffexample", 1),
		"carriage returns": strings.ReplaceAll(good, "\n", "\r\n"),
		"too large":        good + strings.Repeat("x", MaxFile),
	} {
		if _, err := ParseReceipt([]byte(b)); err == nil || errors.Is(err, ErrFalse) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Non-canonical base64: the spare bits of the last character set.
	i := strings.Index(good, "=\n") - 1
	spare := good[:i] + string(good[i]+1) + good[i+1:]
	if _, err := ParseReceipt([]byte(spare)); err == nil {
		t.Error("base64 with spare bits accepted")
	}
}

func TestVerifyReceiptPath(t *testing.T) {
	w := filled(t, 0, 6)
	p, err := LogOnly(w.logVKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Receipt){
		"shorter":     func(r *Receipt) { r.Hashes = r.Hashes[1:] },
		"longer":      func(r *Receipt) { r.Hashes = append(r.Hashes, tlog.Hash{}) },
		"endless":     func(r *Receipt) { r.Hashes = make([]tlog.Hash, 1000) },
		"other index": func(r *Receipt) { r.Index = 3 },
		"beyond":      func(r *Receipt) { r.Index = 6 },
	} {
		r := w.receipt(t, 2, 6)
		if _, err := p.VerifyReceipt(r, w.entries[2]); err != nil {
			t.Fatal(err)
		}
		change(r)
		_, err := p.VerifyReceipt(r, w.entries[2])
		if !errors.Is(err, ErrFalse) {
			t.Errorf("%s: %v", name, err)
		}
		checkSentence(t, err)
	}
}

// checkSentence checks that an error has both languages and no byte dump.
func checkSentence(t *testing.T, err error) {
	t.Helper()
	ja, _ := say.For(err, say.Japanese)
	en, _ := say.For(err, say.English)
	if !strings.HasSuffix(ja, "。") || !strings.HasSuffix(en, ".") || say.Code(err) == "internal" {
		t.Errorf("not a sentence for people: %q / %q", ja, en)
	}
	if strings.Contains(err.Error(), "[") {
		t.Errorf("bytes in an error: %v", err)
	}
}

func FuzzParseReceipt(f *testing.F) {
	w := filled(f, 2, 9)
	p := w.policy(f, "1")
	good := w.receipt(f, 4, 9, 0, 1).Marshal()
	f.Add(good)
	f.Add(w.receipt(f, 0, 1).Marshal())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceipt(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Marshal(), b) {
			t.Fatal("not canonical")
		}
		if _, err := p.VerifyReceipt(r, w.entries[4]); err == nil {
			if n, err := ParseReceipt(good); err != nil || string(n.Checkpoint[:60]) != string(r.Checkpoint[:60]) {
				t.Fatal("a forged proof holds")
			}
		}
	})
}
