// Package desk is the register's officer at work: the pages on which unclear
// matches (突合) wait for a person, who decides about them (DOMAIN 10.7: two
// residents with equal attributes are never decided silently).
//
//	GET  /queue        what waits, and what was decided
//	GET  /queue/{id}   one case: the change, the records, the certificates
//	POST /queue/{id}   the decision: a ground of a closed list, and the
//	                   certificates that a notice is due for
//
// The pages show full identity information with resident codes, so they are
// served inside zone juki only, to officers with a client certificate of that
// zone. Who decides is who the certificate says; no form field names anybody.
// A decision is final and is kept with its officer, its time and its ground.
// The pages work without scripts.
package desk

import (
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/frame"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
)

//go:embed pages/*.html
var files embed.FS

// Queue is the person's queue; *match.Engine is one.
type Queue interface {
	Cases(openOnly bool) ([]match.Case, error)
	Detail(id uint64) (match.Detail, error)
	Decide(id uint64, d match.Decision) error
}

// Config of the pages.
type Config struct {
	Queue Queue
	// Officer says who sent a request, from the verified TLS chain: an operator
	// id (register.CheckOperator). ok is false for anyone else.
	Officer func(*http.Request) (operator string, ok bool)
	// Decided is called after a decision, so that what is due goes out; may be nil.
	Decided func()
}

type pages struct {
	Config
	tmpl *template.Template
}

var errOfficer = say.New("desk.officer", "この画面を使えるのは、登録された担当者だけです。", "Only a registered officer may use this page.").
	Hint("担当者の証明書でつないでください。", "Connect with an officer's certificate.")

// Handler serves the pages at /queue.
func Handler(c Config) (http.Handler, error) {
	if c.Queue == nil || c.Officer == nil {
		return nil, errors.New("the desk needs a queue and a way to know its officers")
	}
	t, err := frame.Templates(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{c, t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /queue", p.officer(p.list))
	mux.HandleFunc("GET /queue/{id}", p.officer(p.show))
	mux.HandleFunc("POST /queue/{id}", p.officer(p.decide))
	return frame.Secured(mux), nil
}

// officer lets only officers through, and tells the page who it is.
func (p *pages) officer(h func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok := p.Officer(r)
		if !ok || register.CheckOperator(id) != nil {
			problem.Write(w, r, http.StatusForbidden, errOfficer)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		h(w, r, id)
	}
}

// maxForm bounds a decision's form.
const maxForm = 64 << 10

func (p *pages) render(w http.ResponseWriter, r *http.Request, name string, title say.Text, data any, err error) {
	l := frame.Lang(r)
	frame.Render(w, p.tmpl, name, frame.View{Lang: l, Path: r.URL.Path, Title: title.In(l), Data: data,
		Nav:  []frame.Link{{Path: "/queue", Text: say.Text{JA: "確認待ちの案件", EN: "Cases that wait"}}},
		Foot: say.Text{JA: "住基側の担当者だけの画面です。住民票コードと基本4情報を含みます。画面を離れるときは閉じてください。", EN: "For the register's officers only. It shows resident codes and the four attributes: close it when you leave."},
	}, err)
}

// row is a case in the list.
type row struct {
	match.Case
	WhyText   say.Text
	BasisText say.Text
}

type list struct {
	Officer       string
	Open, Decided []row
}

func (p *pages) list(w http.ResponseWriter, r *http.Request, officer string) {
	d := list{Officer: officer}
	cs, err := p.Queue.Cases(false)
	for _, c := range cs {
		x := row{Case: c, WhyText: WhyText(c.Why)}
		if c.Decision == nil {
			d.Open = append(d.Open, x)
		} else {
			x.BasisText = BasisText(c.Decision.Basis)
			d.Decided = append([]row{x}, d.Decided...)
		}
	}
	p.render(w, r, "list.html", say.Text{JA: "確認待ちの案件", EN: "Cases that wait for a person"}, d, err)
}

// detail is one case as the page shows it.
type detail struct {
	Officer string
	match.Detail
	WhyText, BasisText, KindText say.Text
	Bases                        []BasisChoice
}

// Person writes birth date and sex as people read them.
func (detail) Person(l say.Lang, a attr.Attributes) string {
	born := a.BirthDate
	if d, err := jtext.ParseBirthDate(a.BirthDate); err == nil && l == say.Japanese {
		born = d.Japanese()
	}
	return born + " " + map[string]say.Text{attr.Male: {JA: "男", EN: "male"}, attr.Female: {JA: "女", EN: "female"}}[a.Sex].In(l)
}

func (p *pages) show(w http.ResponseWriter, r *http.Request, officer string) {
	d, err := p.detail(r, officer)
	p.render(w, r, "case.html", caseTitle(r), d, err)
}

func caseTitle(r *http.Request) say.Text {
	if _, err := strconv.ParseUint(r.PathValue("id"), 10, 53); err != nil {
		return say.Text{JA: "案件", EN: "Case"}
	}
	return say.Text{JA: "案件 " + r.PathValue("id"), EN: "Case " + r.PathValue("id")}
}

func (p *pages) detail(r *http.Request, officer string) (*detail, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 53)
	if err != nil {
		return nil, errNumber
	}
	m, err := p.Queue.Detail(id)
	if err != nil {
		return nil, err
	}
	d := &detail{Officer: officer, Detail: m, WhyText: WhyText(m.Case.Why), Bases: Bases}
	if m.Change != nil {
		d.KindText = KindText(m.Change.Kind)
	}
	if m.Case.Decision != nil {
		d.BasisText = BasisText(m.Case.Decision.Basis)
	}
	return d, nil
}

var errNumber = say.New("desk.number", "案件の番号を数字で入れてください。", "Give the case's number in digits.")

// decide takes the form. On success the reader is sent to the case, so that
// loading the page again decides nothing.
func (p *pages) decide(w http.ResponseWriter, r *http.Request, officer string) {
	err := p.decision(r, officer)
	if err == nil {
		http.Redirect(w, r, r.URL.Path+"?lang="+string(frame.Lang(r)), http.StatusSeeOther)
		return
	}
	d, derr := p.detail(r, officer)
	if derr != nil {
		err = derr
	}
	w.WriteHeader(http.StatusUnprocessableEntity)
	p.render(w, r, "case.html", caseTitle(r), d, err)
}

func (p *pages) decision(r *http.Request, officer string) error {
	if err := r.ParseForm(); err != nil {
		return say.New("desk.form", "入力を読み取れません。", "The form can't be read.").Because(err)
	}
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 53)
	if err != nil {
		return errNumber
	}
	d := match.Decision{Operator: officer, Basis: match.Basis(r.PostForm.Get("basis"))}
	for _, s := range r.PostForm["notify"] {
		n, err := strconv.ParseUint(s, 10, 53)
		if err != nil {
			return errNumber
		}
		d.Notify = append(d.Notify, n)
	}
	if err := p.Queue.Decide(id, d); err != nil {
		return err
	}
	if p.Decided != nil {
		p.Decided()
	}
	return nil
}
