// Package frame is what all pages look like: the head with the navigation, the
// foot, the colours, and the HTTP headers of a page that loads nothing and
// runs nothing. Pages are plain HTML from the server and work without scripts.
// Japanese first; ?lang=en for English.
//
//	t, err := frame.Templates(files, "pages/*.html")   // with "head" and "foot"
//	frame.Render(w, t, "list.html", frame.View{…}, err)
package frame

import (
	_ "embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
)

//go:embed frame.html
var source string

// Link is an item of the navigation.
type Link struct {
	Path string
	Text say.Text
}

// View is what every template gets.
type View struct {
	Lang  say.Lang
	Path  string
	Title string
	Data  any
	Error string // set by Render
	Hint  string
	Nav   []Link
	Foot  say.Text
}

// Time writes a moment as the reader's clock shows it: Japanese time.
func (v View) Time(t time.Time) string {
	t = t.In(jtext.JST())
	if v.Lang == say.English {
		return t.Format("2006-01-02 15:04:05") + " JST"
	}
	return t.Format("2006年1月2日 15時04分05秒") + "(日本時間)"
}

// T chooses the sentence of the page's language.
func (v View) T(ja, en string) string { return say.Text{JA: ja, EN: en}.In(v.Lang) }

// In chooses the language of a sentence.
func (v View) In(t say.Text) string { return t.In(v.Lang) }

// Lang is the language that a request asks for.
func Lang(r *http.Request) say.Lang {
	if l, ok := say.ParseLang(r.FormValue("lang")); ok {
		return l
	}
	return say.Japanese
}

// Templates parses pages together with the frame.
func Templates(files fs.FS, pattern string) (*template.Template, error) {
	t, err := template.New("").Parse(source)
	if err != nil {
		return nil, err
	}
	return t.ParseFS(files, pattern)
}

// Render draws a page. An error is shown as its sentence; one without a
// sentence is not shown.
func Render(w http.ResponseWriter, t *template.Template, name string, v View, err error) {
	if err != nil {
		var known *say.Error
		if !errors.As(err, &known) {
			known = say.New("internal", "いまは表示できません。", "This can't be shown now.").
				Hint("少し待ってから、もう一度開いてください。", "Wait a moment and open it again.")
		}
		v.Error, v.Hint = known.Text.In(v.Lang), known.Hints.In(v.Lang)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := t.ExecuteTemplate(w, name, v); err != nil {
		http.Error(w, "couldn't draw the page", http.StatusInternalServerError)
	}
}

// Secured sets the headers of a page that loads nothing and runs nothing, and
// refuses what another site's page posts.
func Secured(h http.Handler) http.Handler {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(inner)
}
