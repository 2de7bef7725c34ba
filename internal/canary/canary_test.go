package canary_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/sukashi-project/sukashi/internal/canary"
	"github.com/sukashi-project/sukashi/internal/kv"
)

const (
	code    = "99999123452"
	address = "長野県松本市大手三丁目８番１３号"
)

// Every form of a planted value is found, wherever it starts.
func TestEveryPlantedFormIsFound(t *testing.T) {
	net := canary.NewNet([]string{code, address})
	noise := make([]byte, 257)
	rand.Read(noise)
	for _, value := range []string{code, address} {
		for _, f := range canary.Forms(value) {
			if len(f.Bytes) < canary.MinBytes {
				continue
			}
			b := append(append(bytes.Clone(noise), f.Bytes...), noise...)
			if hits := net.Scan("x", b); len(hits) == 0 {
				t.Errorf("%s is not found: %v", f.Name, hits)
			}
		}
	}
}

// The forms themselves are right: made here by other encoders.
func TestFormsAgainstOtherEncoders(t *testing.T) {
	net := canary.NewNet([]string{address})
	sjis, _ := japanese.ShiftJIS.NewEncoder().String("住所:" + address + "。")
	euc, _ := japanese.EUCJP.NewEncoder().String("住所:" + address + "。")
	u16, _ := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String("住所:" + address)
	js, _ := json.Marshal(map[string]string{"a": address})
	for name, b := range map[string]string{"sjis": sjis, "euc": euc, "utf-16": u16, "json": string(js)} {
		if len(net.Scan("x", []byte(b))) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	for _, before := range []string{"", "a", "ab", "abc", "abcd"} {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			if len(net.Scan("x", []byte(enc.EncodeToString([]byte(before+address+"tail"))))) == 0 {
				t.Errorf("base64 after %q is not found", before)
			}
		}
	}
}

// Neither line breaks nor a neighbour that shares all but the last bytes
// mislead the search in base64.
func TestBase64Exactly(t *testing.T) {
	net := canary.NewNet([]string{"吉岡　環", address})
	pem := "-----BEGIN X-----\n"
	text := base64.StdEncoding.EncodeToString([]byte("head of some length, " + address + " and a tail"))
	for i := 0; i < len(text); i += 16 {
		pem += text[i:min(i+16, len(text))] + "\r\n"
	}
	if len(net.Scan("x", []byte(pem))) == 0 {
		t.Error("a value across line breaks is not found")
	}
	for _, before := range []string{"", "a", "ab"} {
		other := base64.StdEncoding.EncodeToString([]byte(before + "吉岡　瞭 and more"))
		if hits := net.Scan("x", []byte(other)); len(hits) > 0 {
			t.Errorf("another name is taken for it: %v", hits)
		}
	}
}

func TestNoFalseHits(t *testing.T) {
	b := make([]byte, 4<<20)
	rand.Read(b)
	if hits := canary.NewNet([]string{"", code, address}).Scan("noise", b); len(hits) > 0 {
		t.Errorf("hits in noise: %v", hits)
	}
}

// A tree is read file by file, gzip unpacked, stores through their engine, and
// what is excluded is not read.
func TestTree(t *testing.T) {
	root := t.TempDir()
	write := func(name string, b []byte) {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(strings.Repeat("x", 1000) + code))
	w.Close()
	write("juki/all.txt", []byte(code))
	write("ca/plain.log", []byte("a "+code+" b"))
	write("ca/packed.gz", z.Bytes())
	write("ca/name-"+code+".txt", []byte("harmless"))
	s, err := kv.Open(filepath.Join(root, "ca", "store"), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch := s.NewBatch()
	batch.Set([]byte("key"), []byte(strings.Repeat(code+" ", 500)))
	if err := batch.Commit(true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := canary.Tree(root, []string{"juki"}, canary.NewNet([]string{code}))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, h := range res.Hits {
		found[strings.SplitN(h.Place, " ", 2)[0]] = true
		if strings.Contains(h.String(), code) && !strings.Contains(h.Place, "name-") {
			t.Errorf("a hit shows the value: %s", h)
		}
	}
	for _, want := range []string{"ca/plain.log", "ca/packed.gz", "ca/store", "ca/name-" + code + ".txt"} {
		if !found[want] {
			t.Errorf("%s: no hit in %v", want, found)
		}
	}
	if found["juki/all.txt"] {
		t.Error("an excluded directory was read")
	}
	if res.Stores != 1 || res.Files < 3 {
		t.Errorf("read %d files, %d stores", res.Files, res.Stores)
	}
}
