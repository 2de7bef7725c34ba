package page

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/xml"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/internal/testlog"
	"github.com/sukashi-project/sukashi/review/report"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func sample(t testing.TB) *report.Report {
	t.Helper()
	l := testlog.Story(t, start)
	o := audit.Options{Now: l.Now}
	r, err := audit.Audit(context.Background(), audit.Source{Log: l, Checkpoint: l.Checkpoint(true), Policy: l.Policy(), Council: []ed25519.PublicKey{testlog.Council()}}, o)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := report.Build(r, report.Meta{Generated: start.Add(5 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func render(t testing.TB, o Options) []byte {
	t.Helper()
	b, err := Render(sample(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv("SUKASHI_PAGE_OUT"); path != "" {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestSections(t *testing.T) {
	b := string(render(t, Options{}))
	last := -1
	for _, s := range []string{"審議事項", "対象期間", "ログの状態", "判定一覧", "指摘の内容", "異動等失効情報の検査結果", "失効の適時性", "件数の突合", "抜取検査", "前回からの変更", "未解決事項", "この報告書で証明できないこと", "検証手順", "用語"} {
		i := strings.LastIndex(b, `<span class="ja" lang="ja">`+s+`</span>`)
		if i <= last {
			t.Errorf("section %s is missing or out of order", s)
		}
		last = i
	}
	for _, s := range []string{"令和8年11月23日", "責任者", "期限", "経過日数", "NTC-5", "entries/"} {
		if !strings.Contains(b, s) {
			t.Errorf("the page does not say %s", s)
		}
	}
}

// TestSelfContained: the page loads nothing and runs nothing.
func TestSelfContained(t *testing.T) {
	b := string(render(t, Options{}))
	for _, bad := range []string{"<script", "http://", "https://", "@import", "url(", "<link", "<iframe", "<img", "ZgotmplZ", "<no value>", "onclick"} {
		if strings.Contains(b, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if !strings.Contains(b, "default-src 'none'") {
		t.Error("the page has no content security policy")
	}
}

// TestWellFormed: every tag is closed and every id is there once.
func TestWellFormed(t *testing.T) {
	b := render(t, Options{})
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.AutoClose = []string{"meta", "input"}
	d.Entity = xml.HTMLEntity
	depth := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are not closed", depth)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
		if ids[m[1]] {
			t.Errorf("id %s occurs twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:href="#|aria-labelledby="|for=")([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
		if !ids[m[1]] {
			t.Errorf("reference to %s goes nowhere", m[1])
		}
	}
}

func TestLanguages(t *testing.T) {
	ja, en := render(t, Options{}), render(t, Options{Lang: say.English})
	if !bytes.Contains(ja, []byte(`<html lang="ja">`)) || !bytes.Contains(en, []byte(`<html lang="en">`)) {
		t.Error("language of the page")
	}
	n, m := bytes.Count(ja, []byte(`class="ja"`)), bytes.Count(ja, []byte(`class="en"`))
	if n != m || n < 100 {
		t.Errorf("%d sentences in Japanese, %d in English", n, m)
	}
}

func TestEscapes(t *testing.T) {
	r := sample(t)
	r.Items[0].Findings = []report.Finding{{Class: "D", Text: report.Text{JA: "<b>", EN: "<i>"}, File: `"><script>`, Entries: []uint64{1}}}
	b, err := Render(r, Options{EntryLink: func(uint64) string { return `x" onclick="y` }})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("<b>")) || bytes.Contains(b, []byte("<script>")) || bytes.Contains(b, []byte(`" onclick="`)) {
		t.Error("text from the report became markup")
	}
}

// TestNoLink: an entry that is not to be had is a number, not a dead link.
func TestNoLink(t *testing.T) {
	b, err := Render(sample(t), Options{EntryLink: func(i uint64) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(`href=""`)) || bytes.Contains(b, []byte(`href="entries/`)) {
		t.Error("dead links")
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := num(in); got != want {
			t.Errorf("num(%d) = %s", in, got)
		}
	}
	if !strings.Contains(string(partition("202011")), "長野市 (202011)") || !strings.Contains(string(partition("999999")), "999999") {
		t.Error("names of partitions")
	}
	for _, c := range []struct {
		s      int64
		ja, en string
	}{{5, "5秒", "5 s"}, {3600, "60分", "60 min"}, {7200, "2時間", "2 h"}, {864000, "10日", "10 days"}} {
		if plain(c.s, true) != c.ja || plain(c.s, false) != c.en {
			t.Errorf("%d seconds: %s, %s", c.s, plain(c.s, true), plain(c.s, false))
		}
		if !strings.Contains(string(dur(c.s)), strings.TrimSuffix(c.en, " days")[:1]) {
			t.Errorf("dur(%d)", c.s)
		}
	}
	if got := wareki(time.Date(2019, 5, 1, 0, 0, 0, 0, tokyo)); got != "令和元年5月1日" {
		t.Error(got)
	}
	if got := wareki(time.Date(2019, 4, 30, 23, 0, 0, 0, tokyo)); got != "2019年4月30日" {
		t.Error(got)
	}
	if !strings.Contains(string(when(entry.Time{})), "なし") || !strings.Contains(string(kindName("x<y")), "x&lt;y") || !strings.Contains(string(classMark("?")), "class-D") {
		t.Error("words for what is not there")
	}
}
