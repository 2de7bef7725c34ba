package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unihan is a small Unihan_NumericValues.txt.bz2: 一 1, 二 2, 十 10, 壱 1.
const unihan = "425a6839314159265359aa2c53780000075f80003048087e402b0142002aab96202000484a2991a064d34d01a0092a341a0d003406d49839cb05f16f6dd6cc195e72cb108c62163399385e3e46a40289408c63423d925ce80f54b03399d61384932b8607debf177245385090aa2c5378"

func directory(t *testing.T, unicodeData string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := hex.DecodeString(unihan)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"UnicodeData.txt": []byte(unicodeData), "Unihan_NumericValues.txt.bz2": b} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSource(t *testing.T) {
	dir := directory(t, strings.Join([]string{
		"0030;DIGIT ZERO;Nd;0;EN;;0;0;0;N;;;;;", "0031;DIGIT ONE;Nd;0;EN;;1;1;1;N;;;;;", "00BD;HALF;No;0;ON;;;;1/2;N;;;;;",
		"2469;CIRCLED NUMBER TEN;No;0;ON;<circle> 0031 0030;;;10;N;;;;;", "216D;ROMAN HUNDRED;Nl;0;L;<compat> 0043;;;100;N;;;;;", "0041;A;Lu;0;L;;;;;N;;;;0061;",
	}, "\n")+"\n")
	values, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	src := string(source(values))
	for _, want := range []string{"{0x30, 2, 0}", "{0x2469, 1, 10}", "{0x4e00, 1, 1}", "{0x4e8c, 1, 2}", "{0x58f1, 1, 1}", "digitCharacters = 6"} {
		if !strings.Contains(src, want) {
			t.Errorf("%s is missing in\n%s", want, src)
		}
	}
}

func TestBadInput(t *testing.T) {
	for _, data := range []string{"too;few\n", "zz;X;Nd;0;EN;;1;1;1;N;;;;;\n"} {
		if _, err := read(directory(t, data)); err == nil {
			t.Errorf("%q accepted", data)
		}
	}
	if _, err := read(t.TempDir()); err == nil {
		t.Error("a directory without the files accepted")
	}
}

// Where Debian's unicode-data is installed, the committed table is what the
// generator makes of it.
func TestCommittedTable(t *testing.T) {
	values, err := read("/usr/share/unicode")
	if err != nil {
		t.Skip("unicode-data is not installed")
	}
	committed, err := os.ReadFile(filepath.Join("..", "digits_table.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, source(values)) {
		t.Error("digits_table.go is not what gendigits writes from the installed unicode-data")
	}
}
