package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

func TestParseJournal(t *testing.T) {
	d := entry.Sum([]byte("x"))
	j, err := ParseJournal(strings.NewReader(fmt.Sprintf("# comment\n\n3 %s\n40 %s\n", d, d)))
	if err != nil || len(j.Lines) != 2 || j.Lines[1] != (JournalLine{Index: 40, TBS: d}) {
		t.Fatalf("%+v, %v", j, err)
	}
	for _, bad := range []string{"3", "x " + d.String(), "03 " + d.String(), "3 abc", "3 " + strings.ToUpper(d.String())} {
		if _, err := ParseJournal(strings.NewReader(bad + "\n")); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// journalFile writes records the way the key store does.
func journalFile(key entry.Digest, records ...JournalLine) []byte {
	b := append([]byte(journalMagic), key[:]...)
	chain := chainAfter(make([]byte, 16), b)
	for _, l := range records {
		use := uint64(journalSign)
		if l.Again {
			use = journalResume
		}
		at := len(b)
		b = binary.BigEndian.AppendUint64(b, use<<56|1700000000)
		b = binary.BigEndian.AppendUint64(b, l.Index)
		b = append(b, l.TBS[:]...)
		chain = chainAfter(chain, b[at:])
		b = append(b, chain...)
	}
	return b
}

func TestParseJournalFile(t *testing.T) {
	key := entry.Sum([]byte("key"))
	lines := []JournalLine{{Index: 1, TBS: entry.Sum([]byte("a"))}, {Index: 7, TBS: entry.Sum([]byte("b"))}, {Index: 7, TBS: entry.Sum([]byte("b")), Again: true}}
	b := journalFile(key, lines...)
	for name, tail := range map[string][]byte{"whole": nil, "torn": []byte("half a record"), "zeros": make([]byte, 300)} {
		j, err := ParseJournalFile(bytes.NewReader(append(bytes.Clone(b), tail...)))
		if err != nil || len(j.Lines) != 3 || j.Keys[0] != key || j.Lines[2] != lines[2] {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
	for i := range len(b) - journalRecord { // a change of the last record is one of its chain: seen too
		bad := bytes.Clone(b)
		bad[i] ^= 1
		j, err := ParseJournalFile(bytes.NewReader(bad))
		if err == nil && i >= len(journalMagic) && i < journalHead {
			t.Errorf("key id changed: %+v", j)
		}
		if err == nil {
			t.Errorf("byte %d changed and read", i)
		}
	}
	if _, err := ParseJournalFile(strings.NewReader("no journal")); err == nil {
		t.Error("read something else")
	}
}

func TestJournalOfOneKey(t *testing.T) {
	w := newWorld(t)
	story(w)
	s := w.source()
	one := &Journal{Keys: []entry.Digest{other}}
	one.Add(&Journal{Keys: []entry.Digest{entry.Sum([]byte("y"))}})
	s.Journal = one // journals of other keys say nothing about this issuer
	r, err := Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	if c, _ := r.Check("CRT-9"); c.Verdict == Found {
		t.Errorf("%+v", c.Findings)
	}
	s.Journal = &Journal{Keys: []entry.Digest{entry.Sum(w.ca.SPKI())}}
	r, err = Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	if c, _ := r.Check("CRT-9"); c.Total != 6 {
		t.Errorf("an empty journal of the issuer: %d findings", c.Total)
	}
}

func TestFolder(t *testing.T) {
	w := newWorld(t)
	story(w)
	dir := t.TempDir()
	put := func(name string, b []byte) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	if _, err := Folder(dir); err == nil {
		t.Error("a folder without a trust policy")
	}
	put("witness.policy", []byte("log "+w.vkey+"\nquorum none\n"))
	s, err := Folder(dir)
	if err != nil || s.Certificates != nil || s.CRLs != nil || s.Issuers != nil {
		t.Fatalf("an almost empty folder: %v", err)
	}
	put("issuer.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.DER}))
	for _, f := range w.certs {
		put(f.Name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Bytes}))
	}
	for _, f := range w.crls {
		put(f.Name, f.Bytes)
	}
	put("certs/.hidden", []byte("x"))
	s, err = Folder(dir)
	must(t, err)
	full := w.source()
	full.Policy, full.Issuers, full.Certificates, full.CRLs = s.Policy, s.Issuers, s.Certificates, s.CRLs
	r, err := Audit(context.Background(), full, Options{Now: w.now})
	must(t, err)
	for _, f := range r.Findings() {
		t.Errorf("%s: %s", f.Check, f.Text.EN)
	}
	if c, _ := r.Check("CRT-5"); c.Examined != 6 {
		t.Errorf("%d certificates examined", c.Examined)
	}
	put("witness.policy", []byte("nonsense"))
	if _, err := Folder(dir); err == nil {
		t.Error("an unreadable trust policy")
	}
}

func FuzzParseJournalFile(f *testing.F) {
	f.Add(journalFile(other, JournalLine{Index: 3, TBS: other}))
	f.Add([]byte(journalMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := ParseJournalFile(bytes.NewReader(b))
		if err == nil && len(j.Lines)*journalRecord > len(b) {
			t.Error("more lines than bytes")
		}
	})
}
