// Package web draws the pages that people open: the state of the log for
// anyone, a certificate's status for its holder, the check of a signed
// application for an agency, the report for the council.
//
// Every page is made on the server from what is public anyway: published
// checkpoints, proofs and receipts, each verified by the page itself with the
// same code that an outsider runs. No page stores anything, loads anything from
// elsewhere or runs a script. Japanese first; ?lang=en for English.
package web

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/review/agency"
)

//go:embed pages/*.html
var files embed.FS

// maxUpload bounds a signed application that a page takes.
const maxUpload = 256 << 10

// Config is what the pages show.
type Config struct {
	Reader ledger.Reader
	Policy *proof.Policy // whom the pages believe: log key, witnesses, quorum
	// Check decides about a signed application as the agency would.
	Check  func(ctx context.Context, raw []byte) (*agency.Result, error)
	Report func() ([]byte, error) // report.html; an error: no report yet
	Now    func() time.Time
}

type pages struct {
	Config
	tmpl *template.Template
}

// Handler serves the pages at /, /portal, /agency and /council.
func Handler(c Config) (http.Handler, error) {
	if c.Reader == nil || c.Policy == nil || c.Check == nil || c.Report == nil || c.Now == nil {
		return nil, errors.New("the pages need a reader, a policy, a check, a report and a clock")
	}
	t, err := template.New("").ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{c, t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET /portal", p.portal)
	mux.HandleFunc("GET /agency", p.agencyForm)
	mux.HandleFunc("POST /agency", p.agencyCheck)
	mux.HandleFunc("GET /council", p.council)
	return http.NewCrossOriginProtection().Handler(secured(mux)), nil
}

// secured sets the headers of a page that loads nothing and runs nothing.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// view is what every template gets.
type view struct {
	Lang  say.Lang
	Path  string
	Title string
	Data  any
	Error string
	Hint  string
}

// Time writes a moment as the reader's clock shows it: Japanese time.
func (v view) Time(t time.Time) string {
	t = t.In(jtext.JST())
	if v.Lang == say.English {
		return t.Format("2006-01-02 15:04:05") + " JST"
	}
	return t.Format("2006年1月2日 15時04分05秒") + "(日本時間)"
}

// T chooses the sentence of the page's language.
func (v view) T(ja, en string) string { return say.Text{JA: ja, EN: en}.In(v.Lang) }

func lang(r *http.Request) say.Lang {
	if l, ok := say.ParseLang(r.FormValue("lang")); ok {
		return l
	}
	return say.Japanese
}

func (p *pages) render(w http.ResponseWriter, r *http.Request, name string, title say.Text, data any, err error) {
	v := view{Lang: lang(r), Path: r.URL.Path, Data: data}
	v.Title = title.In(v.Lang)
	if err != nil {
		var known *say.Error
		if !errors.As(err, &known) {
			known = say.New("internal", "いまは表示できません。", "This can't be shown now.").
				Hint("少し待ってから、もう一度開いてください。", "Wait a moment and open it again.")
		}
		v.Error, v.Hint = known.Text.In(v.Lang), known.Hints.In(v.Lang)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := p.tmpl.ExecuteTemplate(w, name, v); err != nil {
		http.Error(w, "couldn't draw the page", http.StatusInternalServerError)
	}
}

type home struct {
	Origin    string
	Size      uint64
	Root      string
	Witnesses []proof.Cosignature
	Status    entry.StatusRoot
	Latest    []row
}

type row struct {
	Index uint64
	Kind  entry.Kind
	At    entry.Time
	By    string
}

// latestRows is how many entries the first page lists.
const latestRows = 12

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	d, err := p.overview(r.Context())
	p.render(w, r, "home.html", say.Text{JA: "ログのいま", EN: "The log now"}, d, err)
}

func (p *pages) overview(ctx context.Context) (*home, error) {
	raw, err := p.Reader.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := p.Policy.VerifyCheckpoint(raw)
	if err != nil {
		return nil, err
	}
	d := &home{Origin: cp.Origin, Size: cp.Size, Root: entry.Digest(cp.Root).String(), Witnesses: cp.Cosigned}
	from := uint64(0)
	if cp.Size > latestRows {
		from = cp.Size - latestRows
	}
	err = p.Reader.Entries(ctx, from, cp.Size, func(i uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err != nil {
			return err
		}
		if s, ok := e.Body.(*entry.StatusRoot); ok {
			d.Status = *s
		}
		d.Latest = append([]row{{i, e.Body.Kind(), e.At, e.By}}, d.Latest...)
		return nil
	})
	return d, err
}

type portal struct {
	Asked   string
	Ordinal uint64
	Found   bool
	State   status.State
	Issued  time.Time
	AsOf    time.Time
	Size    uint64
	Receipt string
}

func (p *pages) portal(w http.ResponseWriter, r *http.Request) {
	d := &portal{Asked: r.FormValue("n")}
	var err error
	if d.Asked != "" {
		err = p.lookup(r.Context(), d)
	}
	p.render(w, r, "portal.html", say.Text{JA: "証明書の状態", EN: "Status of a certificate"}, d, err)
}

func (p *pages) lookup(ctx context.Context, d *portal) error {
	n, err := strconv.ParseUint(d.Asked, 10, 53)
	if err != nil {
		return say.New("portal.number", "発行順の番号を数字で入れてください。", "Give the certificate's ordinal as a number.").
			Hint("カードと一緒に受け取った控えに書いてあります。", "It is on the slip that came with your card.")
	}
	s, err := p.Reader.Status(ctx, n)
	if errors.Is(err, ledger.ErrNotFound) {
		return say.New("portal.none", "その番号の証明書は、発行されていません。", "No certificate with this ordinal has been issued.").
			Hint("発行されたばかりなら、少し待ってください。", "If it was issued just now, wait a moment.")
	}
	if err != nil {
		return err
	}
	res, err := p.Policy.VerifyStatus(s, nil)
	if err != nil {
		return err
	}
	*d = portal{Asked: d.Asked, Ordinal: n, Found: true, State: res.State, Issued: res.IssuedAt, AsOf: res.AsOf,
		Size: res.Checkpoint.Size, Receipt: string(s.Marshal())}
	return nil
}

func (p *pages) agencyForm(w http.ResponseWriter, r *http.Request) {
	p.render(w, r, "agency.html", say.Text{JA: "申請の検証", EN: "Check an application"}, nil, nil)
}

func (p *pages) agencyCheck(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	res, err := p.checkUpload(r)
	p.render(w, r, "agency.html", say.Text{JA: "申請の検証", EN: "Check an application"}, res, err)
}

func (p *pages) checkUpload(r *http.Request) (*agency.Result, error) {
	f, _, err := r.FormFile("application")
	if err != nil {
		return nil, say.New("agency.file", "署名された申請のファイルを選んでください(256 kB まで)。", "Choose the file of a signed application (256 kB at most).").
			Hint("デモでは out/applications/ にあります。", "The demo's are in out/applications/.")
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return p.Check(r.Context(), raw)
}

func (p *pages) council(w http.ResponseWriter, r *http.Request) {
	b, err := p.Report()
	if err != nil {
		p.render(w, r, "council.html", say.Text{JA: "審議会", EN: "Council"}, nil,
			say.New("council.none", "報告書はまだありません。", "There is no report yet."))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b) // a reader that went away needs no answer
}
