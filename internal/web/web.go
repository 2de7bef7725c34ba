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

	"github.com/sukashi-project/sukashi/internal/frame"
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

// Config is what the pages show. A server shows the pages that it is given the
// material for, and no others.
type Config struct {
	Portal *Portal // the log and certificates' statuses, / and /portal; nil: not here
	// Check decides about a signed application as the agency would, /agency;
	// nil: not here.
	Check  func(ctx context.Context, raw []byte) (*agency.Result, error)
	Report func() ([]byte, error) // report.html, /council; nil: not here; an error: no report yet
	Demo   bool                   // says below each page that nothing here is real
}

// Portal is where its pages read, and whom they believe.
type Portal struct {
	Reader ledger.Reader
	Policy *proof.Policy // log key, witnesses, quorum
	Log    string        // address of the log's public side, for links; "": on this server
}

type pages struct {
	Config
	tmpl *template.Template
	nav  []frame.Link
}

// Handler serves the pages at /, /portal, /agency and /council, as far as c
// gives what they need.
func Handler(c Config) (http.Handler, error) {
	if c.Portal == nil && c.Check == nil && c.Report == nil {
		return nil, errors.New("there is nothing to show")
	}
	if c.Portal != nil && (c.Portal.Reader == nil || c.Portal.Policy == nil) {
		return nil, errors.New("the portal needs a reader and a policy")
	}
	t, err := frame.Templates(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{Config: c, tmpl: t}
	mux := http.NewServeMux()
	if c.Portal != nil {
		p.nav = append(p.nav, nav[:2]...)
		mux.HandleFunc("GET /{$}", p.home)
		mux.HandleFunc("GET /portal", p.portal)
	}
	if c.Check != nil {
		p.nav = append(p.nav, nav[2])
		mux.HandleFunc("GET /agency", p.agencyForm)
		mux.HandleFunc("POST /agency", p.agencyCheck)
	}
	if c.Report != nil {
		p.nav = append(p.nav, nav[3])
		mux.HandleFunc("GET /council", p.council)
	}
	return frame.Secured(mux), nil
}

var nav = []frame.Link{
	{Path: "/", Text: say.Text{JA: "ログのいま", EN: "The log now"}},
	{Path: "/portal", Text: say.Text{JA: "証明書の状態", EN: "Status of a certificate"}},
	{Path: "/agency", Text: say.Text{JA: "申請の検証", EN: "Check an application"}},
	{Path: "/council", Text: say.Text{JA: "審議会の報告書", EN: "Council report"}},
}

var (
	foot = say.Text{JA: "この画面は、公開されたログと証明だけから作られています。入力した内容は保存しません。",
		EN: "This page is made of the public log and its proofs alone. Nothing that you enter is kept."}
	footDemo = say.Text{JA: "試験用の鍵で動くデモです。本番の証明書ではありません。登場する住民はすべて架空です。",
		EN: "A demo with test keys. No certificate here is real, and all residents are invented."}
)

func (p *pages) render(w http.ResponseWriter, r *http.Request, name string, title say.Text, data any, err error) {
	l, below := frame.Lang(r), foot
	if p.Demo {
		below = footDemo
	}
	frame.Render(w, p.tmpl, name, frame.View{Lang: l, Path: r.URL.Path, Title: title.In(l), Data: data, Nav: p.nav, Foot: below}, err)
}

type home struct {
	Log       string // prefix of links
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
	x := p.Portal
	raw, err := x.Reader.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := x.Policy.VerifyCheckpoint(raw)
	if err != nil {
		return nil, err
	}
	d := &home{Log: x.Log, Origin: cp.Origin, Size: cp.Size, Root: entry.Digest(cp.Root).String(), Witnesses: cp.Cosigned}
	from := uint64(0)
	if cp.Size > latestRows {
		from = cp.Size - latestRows
	}
	err = x.Reader.Entries(ctx, from, cp.Size, d.add)
	if say.Code(err) != "ledger.restricted" {
		return d, err
	}
	// The log keeps most entries from the public. The last one under a
	// checkpoint is always a status root, which everyone may read.
	d.Latest = nil
	b, err := x.Reader.Entry(ctx, cp.Size-1)
	if err != nil {
		return d, err
	}
	return d, d.add(cp.Size-1, b)
}

// add puts an entry on top.
func (d *home) add(i uint64, b []byte) error {
	e, err := entry.Parse(b)
	if err != nil {
		return err
	}
	if s, ok := e.Body.(*entry.StatusRoot); ok {
		d.Status = *s
	}
	d.Latest = append([]row{{i, e.Body.Kind(), e.At, e.By}}, d.Latest...)
	return nil
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
	s, err := p.Portal.Reader.Status(ctx, n)
	if errors.Is(err, ledger.ErrNotFound) {
		return say.New("portal.none", "その番号の証明書は、発行されていません。", "No certificate with this ordinal has been issued.").
			Hint("発行されたばかりなら、少し待ってください。", "If it was issued just now, wait a moment.")
	}
	if err != nil {
		return err
	}
	res, err := p.Portal.Policy.VerifyStatus(s, nil)
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
