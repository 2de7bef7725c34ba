package desk_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/desk"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/policy/holders"
)

type site struct {
	t       *testing.T
	office  *juki.Office
	h       http.Handler
	officer string
	decided int
	twins   [2]people.Resident
}

// newSite has a real register and queue with one case: twins with a
// certificate each, one of whom has moved.
func newSite(t *testing.T) *site {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	o, err := juki.Open(juki.Config{Dir: "/juki", Now: func() time.Time { return now }, KV: kv.Options{FS: kv.NewMemFS(), CacheBytes: 1 << 20, MemTable: 1 << 20}})
	must(err)
	t.Cleanup(func() { o.Close() })
	rs, err := people.Generate(5, 3)
	must(err)
	rs[1].Attr, rs[1].Municipality = rs[0].Attr, rs[0].Municipality
	var list holders.List
	list.Day = "2026-11-23"
	for i, r := range rs[:2] {
		_, err := o.Register.Import([]register.Resident{{Code: r.Code, Municipality: r.Municipality, Attr: r.Attr}})
		must(err)
		zeros := func(v string) string { return strings.Repeat("0", len([]rune(v))) }
		list.New = append(list.New, holders.Holder{Ordinal: uint64(i), Key: commitment.Key{1, byte(i)}, Certified: attr.Certified{Name: r.Attr.Name, NameMap: zeros(r.Attr.Name),
			BirthDate: r.Attr.BirthDate, Sex: r.Attr.Sex, Address: r.Attr.Address, AddressMap: zeros(r.Attr.Address)}})
	}
	list.Total = 2
	must(o.Matching.ApplyList(context.Background(), list, 1))
	e := register.Event{Kind: register.MoveWithin, Code: rs[0].Code, Municipality: rs[0].Municipality, Attr: rs[0].Attr}
	e.Attr.Address += "１号"
	_, err = o.Change(context.Background(), e)
	must(err)
	s := &site{t: t, office: o, officer: "matching-01", twins: [2]people.Resident{rs[0], rs[1]}}
	s.h, err = desk.Handler(desk.Config{Queue: o.Matching, Officer: func(*http.Request) (string, bool) { return s.officer, s.officer != "" }, Decided: func() { s.decided++ }})
	must(err)
	return s
}

func (s *site) do(method, path string, form url.Values, head ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func (s *site) page(path string, status int, wants ...string) string {
	s.t.Helper()
	w := s.do("GET", path, nil)
	body := w.Body.String()
	if w.Code != status {
		s.t.Errorf("%s: status %d", path, w.Code)
	}
	for _, want := range wants {
		if !strings.Contains(body, want) {
			s.t.Errorf("%s lacks %q", path, want)
		}
	}
	if strings.Contains(body, "<script") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") || w.Header().Get("Cache-Control") != "no-store" {
		s.t.Errorf("%s runs something or may be kept", path)
	}
	return body
}

// A person decides: nothing goes out before, one notice after, and the
// decision stands with its officer.
func TestDecide(t *testing.T) {
	s := newSite(t)
	s.page("/queue", 200, "確認待ちの案件", "案件 0", "二つ以上あります", "matching-01")
	s.page("/queue?lang=en", 200, "Cases that wait", "More than one certificate")
	s.page("/queue/0", 200, s.twins[0].Code, s.twins[0].Attr.Address+"１号", "転居", `name="notify" value="1"`, "判断を記録する")
	if c, err := s.office.Matching.Counts(); err != nil || len(c.Notices) != 0 {
		t.Fatalf("something went out before anybody looked: %v %v", c.Notices, err)
	}
	w := s.do("POST", "/queue/0", url.Values{"basis": {"identified"}, "notify": {"1"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/queue/0?lang=ja" || s.decided != 1 {
		t.Fatalf("status %d to %q, %d decided", w.Code, w.Header().Get("Location"), s.decided)
	}
	c, err := s.office.Matching.Case(0)
	if err != nil || c.Decision == nil || c.Decision.Operator != "matching-01" || c.Decision.Basis != match.Identified || len(c.Decision.Notify) != 1 {
		t.Errorf("%+v %v", c.Decision, err)
	}
	if n, err := s.office.Matching.Counts(); err != nil || n.Notices[match.Pending] != 1 || n.CasesOpen != 0 {
		t.Errorf("%+v %v", n, err)
	}
	body := s.page("/queue/0", 200, "どの方の電子証明書か確かめた", "matching-01")
	if strings.Contains(body, "<form") {
		t.Error("a decided case can be decided again")
	}
	s.page("/queue", 200, "確認待ちの案件はありません。", "判断の済んだ案件")
	if w := s.do("POST", "/queue/0", url.Values{"basis": {"no-change"}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("decided a second time: status %d", w.Code)
	}
}

func TestRefused(t *testing.T) {
	s := newSite(t)
	for name, form := range map[string]url.Values{
		"no ground":                  {"notify": {"0"}},
		"a ground of one's own":      {"basis": {"because"}},
		"identified without whom":    {"basis": {"identified"}},
		"a notice without a ground":  {"basis": {"no-change"}, "notify": {"0"}},
		"a certificate of elsewhere": {"basis": {"identified"}, "notify": {"7"}},
		"not a number":               {"basis": {"identified"}, "notify": {"x"}},
		"another officer's name":     {"basis": {"identified"}, "operator": {"somebody"}},
		"too long":                   {"basis": {strings.Repeat("x", 1<<17)}},
	} {
		if w := s.do("POST", "/queue/0", form); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	// Another site's page can't decide for an officer who is logged in.
	for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if w := s.do("POST", "/queue/0", url.Values{"basis": {"no-change"}}, h...); w.Code != http.StatusForbidden {
			t.Errorf("%v: status %d", h, w.Code)
		}
	}
	s.page("/queue/9", 200, "この番号の未決の案件はありません。")
	s.page("/queue/x", 200, "番号を数字で")
	for _, who := range []string{"", "山田", "99999000017"} {
		s.officer = who
		for _, m := range []string{"GET", "POST"} {
			w := s.do(m, "/queue/0", url.Values{"basis": {"no-change"}})
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), s.twins[0].Code) {
				t.Errorf("%s as %q: status %d", m, who, w.Code)
			}
		}
	}
	if c, err := s.office.Matching.Case(0); err != nil || c.Decision != nil || s.decided != 0 {
		t.Errorf("decided after all: %+v %v", c.Decision, err)
	}
}

// What residents are called can't become markup.
func TestEscaped(t *testing.T) {
	s := newSite(t)
	e := register.Event{Kind: register.NameChange, Code: s.twins[1].Code, Municipality: s.twins[1].Municipality, Attr: s.twins[1].Attr}
	e.Attr.Name = "<b>総務</b>　太郎"
	if _, err := s.office.Change(context.Background(), e); err != nil {
		t.Skip("skipped: the register refuses such a name: " + err.Error())
	}
	if body := s.page("/queue/1", 200); strings.Contains(body, "<b>総務") {
		t.Error("a name became markup")
	}
}
