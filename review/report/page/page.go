// Package page draws the council report for people: one HTML file, Japanese
// first, English by a switch, readable on A4 paper and by a screen reader.
//
// The file is self-contained: no script, no font, no picture from elsewhere,
// so that it says the same in ten years and tells nobody that it was opened.
// It is made from the report alone and adds no fact to it.
//
//	html, err := page.Render(rep, page.Options{})
package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strconv"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/report"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// Options of the page.
type Options struct {
	// Lang is the language shown first; empty: Japanese.
	Lang say.Lang
	// EntryLink makes the address of an entry; "" for one that is not to be
	// had. nil: entries/N.json, beside the page, for every entry.
	EntryLink func(index uint64) string
}

// Render draws the report. Equal reports and options give equal bytes.
func Render(r *report.Report, o Options) ([]byte, error) {
	if o.EntryLink == nil {
		o.EntryLink = func(i uint64) string { return "entries/" + strconv.FormatUint(i, 10) + ".json" }
	}
	raw, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	t, err := template.New("page").Funcs(functions(o)).Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the page's template: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		R       *report.Report
		Digest  string
		Style   template.CSS
		English bool
		Flow    template.HTML
		Bar     template.HTML
	}{r, entry.Sum(raw).String(), template.CSS(pageStyle), o.Lang == say.English, flow(r), bar(r.Verdicts)})
	if err != nil {
		return nil, fmt.Errorf("couldn't draw the page: %w", err)
	}
	return b.Bytes(), nil
}

func functions(o Options) template.FuncMap {
	return template.FuncMap{
		"t":     both,
		"bi":    func(ja, en string) template.HTML { return both(report.Text{JA: ja, EN: en}) },
		"when":  when,
		"day":   day,
		"num":   num,
		"dur":   dur,
		"class": classMark,
		"entry": func(i uint64) template.HTML {
			n := strconv.FormatUint(i, 10)
			link := o.EntryLink(i)
			if link == "" {
				return template.HTML(n)
			}
			return template.HTML(`<a href="` + template.HTMLEscapeString(link) + `">` + n + `</a>`)
		},
		"pointRows": pointRows,
		"className": className,
		"kindName":  kindName,
		"modeName":  modeName,
		"ground":    groundName,
		"partition": partition,
		"first":     first,
		"short":     short,
		"inc":       func(i int) int { return i + 1 },
		"notA":      notA,
		"open":      openItem,
		"role":      roleName,
		"len64":     func(n int) uint64 { return uint64(n) },
	}
}

// both writes a sentence in both languages; the style shows one.
func both(t report.Text) template.HTML {
	ja, en := template.HTMLEscapeString(t.JA), template.HTMLEscapeString(t.EN)
	return template.HTML(`<span class="ja" lang="ja">` + ja + `</span><span class="en" lang="en">` + en + `</span>`)
}

// tokyo is Japan's time, which has no daylight saving (DOMAIN 10.4).
var tokyo = time.FixedZone("JST", 9*3600)

// when writes a moment: in the Japanese calendar with the time in Japan, and
// in English in UTC.
func when(t entry.Time) template.HTML {
	if t == (entry.Time{}) {
		return both(report.Text{JA: "なし", EN: "none"})
	}
	j := t.Std().In(tokyo)
	return both(report.Text{JA: wareki(j) + j.Format(" 15時04分05秒"), EN: t.Std().Format("2 January 2006, 15:04:05 UTC")})
}

// day writes the day of a moment in Japan.
func day(t entry.Time) template.HTML {
	j := t.Std().In(tokyo)
	return both(report.Text{JA: wareki(j), EN: j.Format("2 January 2006")})
}

// wareki writes a day in the Japanese calendar. Reports are of our time: the
// era is Reiwa, from 1 May 2019 on; an earlier day is written with its year.
func wareki(t time.Time) string {
	if t.Before(time.Date(2019, 5, 1, 0, 0, 0, 0, tokyo)) {
		return t.Format("2006年1月2日")
	}
	y := strconv.Itoa(t.Year() - 2018)
	if y == "1" {
		y = "元"
	}
	return "令和" + y + "年" + t.Format("1月2日")
}

// num writes a number with thousands separated.
func num(n uint64) string { return report.Number(n) }

// dur writes seconds for people.
func dur(s int64) template.HTML {
	switch {
	case s < 120:
		return both(report.Text{JA: fmt.Sprintf("%d 秒", s), EN: fmt.Sprintf("%d s", s)})
	case s < 7200:
		return both(report.Text{JA: fmt.Sprintf("%d 分", s/60), EN: fmt.Sprintf("%d min", s/60)})
	case s < 172800:
		return both(report.Text{JA: fmt.Sprintf("%d 時間", s/3600), EN: fmt.Sprintf("%d h", s/3600)})
	}
	return both(report.Text{JA: fmt.Sprintf("%d 日", s/86400), EN: fmt.Sprintf("%d days", s/86400)})
}

var classNames = map[string]report.Text{
	"A": {JA: "安全であることが確認されたもの", EN: "confirmed safe"},
	"B": {JA: "運用状況により確認が必要なもの", EN: "to be confirmed from how it is operated"},
	"C": {JA: "独自の対策・支援により安全が保たれるもの", EN: "safe given own measures or support"},
	"D": {JA: "安全性が確認できていないもの", EN: "safety not confirmed"},
}

func className(c string) template.HTML { return both(classNames[c]) }

// classMark is the letter in its frame; the letter, not the colour, tells.
func classMark(c string) template.HTML {
	t, ok := classNames[c]
	if !ok {
		c = "D"
		t = classNames[c]
	}
	return template.HTML(`<span class="class class-` + c + `"><span class="letter">` + c + `</span><span class="hidden">: ` + string(both(t)) + `</span></span>`)
}

// pointRows returns the checks of a review item.
func pointRows(r *report.Report, code string) []report.Item {
	var out []report.Item
	for _, it := range r.Items {
		if it.Point == code {
			out = append(out, it)
		}
	}
	return out
}

// notA returns the items with findings.
func notA(r *report.Report) []report.Item {
	var out []report.Item
	for _, it := range r.Items {
		if len(it.Findings) > 0 {
			out = append(out, it)
		}
	}
	return out
}

// openItem returns the open item of a check, or nil.
func openItem(r *report.Report, check string) *report.Open {
	for i := range r.Open {
		if r.Open[i].Check == check {
			return &r.Open[i]
		}
	}
	return nil
}

func first(n int, s []uint64) []uint64 { return s[:min(n, len(s))] }

func short(s string) string {
	if len(s) > 16 {
		return s[:16] + "…"
	}
	return s
}
