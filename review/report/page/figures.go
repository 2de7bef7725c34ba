package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/sukashi-project/sukashi/review/report"
)

// box is one station of the flow figure.
type box struct {
	ja, en string
	count  uint64
}

// flow draws the way of a change notice, with counts in the boxes and the
// median and longest times on the arrows.
func flow(r *report.Report) template.HTML {
	var art12 uint64
	for _, g := range r.Notices.Grounds {
		if g.Kind == "art12" {
			art12 = g.Count
		}
	}
	listed := uint64(0)
	for _, t := range r.Times {
		if t.Code == "whole" {
			listed = t.N
		}
	}
	boxes := []box{
		{"通知の送信", "notices sent", r.Notices.Sent},
		{"通知の受領", "received", r.Notices.Received},
		{"異動による失効", "revoked (Art. 12)", art12},
		{"失効の公開", "published", listed},
	}
	var b strings.Builder
	b.WriteString(`<svg viewBox="0 0 920 150" role="img" aria-labelledby="flow-t" class="figure">`)
	b.WriteString(`<title id="flow-t">異動通知の送信から失効の公開までの件数と所要時間 / Counts and times from notice to publication</title>`)
	for i, x := range boxes {
		left := i * 245
		fmt.Fprintf(&b, `<rect x="%d" y="30" width="150" height="84" rx="4" fill="#fff" stroke="#333" stroke-width="1.5"/>`, left+10)
		fmt.Fprintf(&b, `<text x="%d" y="58" text-anchor="middle" class="ja" font-size="15">%s</text><text x="%d" y="58" text-anchor="middle" class="en" font-size="15">%s</text>`, left+85, x.ja, left+85, x.en)
		fmt.Fprintf(&b, `<text x="%d" y="95" text-anchor="middle" font-size="26" font-weight="700">%s</text>`, left+85, num(x.count))
	}
	for i, code := range []string{"answer", "record", "publish"} {
		for _, t := range r.Times {
			if t.Code == code {
				arrow(&b, i*245+164, t)
			}
		}
	}
	if r.Notices.Refused > 0 {
		fmt.Fprintf(&b, `<text x="330" y="138" text-anchor="middle" class="ja" font-size="13">拒否 %s 件</text><text x="330" y="138" text-anchor="middle" class="en" font-size="13">%s refused</text>`, num(r.Notices.Refused), num(r.Notices.Refused))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

func arrow(b *strings.Builder, x int, t report.Timing) {
	fmt.Fprintf(b, `<line x1="%d" y1="72" x2="%d" y2="72" stroke="#333" stroke-width="1.5"/><path d="M%d,66 l12,6 l-12,6 z" fill="#333"/>`, x, x+80, x+78)
	if t.N == 0 {
		return
	}
	fmt.Fprintf(b, `<text x="%d" y="62" text-anchor="middle" class="ja" font-size="12">中央値 %s</text><text x="%d" y="62" text-anchor="middle" class="en" font-size="12">median %s</text>`, x+42, plain(t.Median, true), x+42, plain(t.Median, false))
	fmt.Fprintf(b, `<text x="%d" y="90" text-anchor="middle" class="ja" font-size="12">最長 %s</text><text x="%d" y="90" text-anchor="middle" class="en" font-size="12">longest %s</text>`, x+42, plain(t.Max, true), x+42, plain(t.Max, false))
}

// plain writes seconds without markup, for text inside a figure.
func plain(s int64, ja bool) string {
	unit := func(n int64, j, e string) string {
		if ja {
			return strconv.FormatInt(n, 10) + j
		}
		return strconv.FormatInt(n, 10) + " " + e
	}
	switch {
	case s < 120:
		return unit(s, "秒", "s")
	case s < 7200:
		return unit(s/60, "分", "min")
	case s < 172800:
		return unit(s/3600, "時間", "h")
	}
	return unit(s/86400, "日", "days")
}

// bar draws how many checks fell into each class; each part carries its letter
// and its number, so it reads without colour.
func bar(v report.Verdicts) template.HTML {
	parts := []struct {
		letter string
		n      uint64
		fill   string
		ink    string
	}{{"A", v.A, "#e6f0e6", "#1a1a1a"}, {"C", v.C, "#e8eef7", "#1a1a1a"}, {"B", v.B, "#fff3cc", "#1a1a1a"}, {"D", v.D, "#8b1a1a", "#fff"}}
	total := v.A + v.B + v.C + v.D
	if total == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 920 46" role="img" aria-label="A %d, B %d, C %d, D %d" class="figure">`, v.A, v.B, v.C, v.D)
	x := 1.0
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		// A part is never narrower than its label.
		w := max(56, 918*float64(p.n)/float64(total))
		if p.letter == "A" {
			w = 918
			for _, q := range parts[1:] {
				if q.n > 0 {
					w -= max(56, 918*float64(q.n)/float64(total))
				}
			}
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="1" width="%.1f" height="44" fill="%s" stroke="#333"/><text x="%.1f" y="30" text-anchor="middle" font-size="18" font-weight="700" fill="%s">%s %d</text>`,
			x, w, p.fill, x+w/2, p.ink, p.letter, p.n)
		x += w
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
