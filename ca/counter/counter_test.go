package counter

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

var now = time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)

// The sample person of the application form is fictitious (DOMAIN 5.1).
var sample = attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市霞が関２丁目１番地２号"}

func sampleForm() Form {
	return Form{AppliedOn: "令和8年11月23日", NameKana: "そうむ　たろう", Name: sample.Name, BirthDate: "昭和37年6月17日", Sex: "男", Address: sample.Address}
}

type desk struct {
	term    *Terminal
	signer  note.Signer
	request []byte
	card    *card.Card
}

func newDesk(t testing.TB, alg card.Algorithm) *desk {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "juki-terminal-202011")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.Generate(card.Config{Algorithm: alg, PIN: "SAMPLE01", Iterations: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify("SAMPLE01"); err != nil {
		t.Fatal(err)
	}
	req, err := c.Request()
	if err != nil {
		t.Fatal(err)
	}
	term, err := New(Config{Municipality: "202011", Counter: "202011A01", Officer: "op-7", Transfer: v,
		Scan: func(s string) bool { return strings.Contains(s, "99999000017") }, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{term, s, req, c}
}

func (d *desk) file(t testing.TB, f transfer.File) []byte {
	t.Helper()
	b, err := transfer.Seal(f, d.signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fileOf(a attr.Attributes) transfer.File {
	return transfer.File{Municipality: "202011", Operator: "op-3", At: entry.At(now.Add(-time.Hour)), Attr: a}
}

func TestApply(t *testing.T) {
	for _, alg := range []card.Algorithm{card.RSA2048, card.P256} {
		d := newDesk(t, alg)
		app, err := d.term.Apply(d.file(t, fileOf(sample)), sampleForm(), DrivingLicence, d.request)
		if err != nil {
			t.Fatal(err)
		}
		if app.ID != "2026112310020300000202011A01" || app.Counter() != "202011A01" {
			t.Errorf("id %s", app.ID)
		}
		if at, err := app.Requested(); err != nil || !at.Equal(now) {
			t.Errorf("requested %v %v", at, err)
		}
		if app.Certified.Attributes() != sample || strings.Contains(app.Certified.NameMap+app.Certified.AddressMap, "1") {
			t.Error("values changed without need")
		}
		b, err := app.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("たろう")) {
			t.Error("the reading of the name left the counter")
		}
		again, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := again.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if !d.card.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(pub) {
			t.Error("another public key")
		}
	}
}

// Scenario 2 of DOMAIN 11.4: characters outside the repertoire.
func TestSubstitutes(t *testing.T) {
	d := newDesk(t, card.P256)
	a := sample
	a.Name = "髙橋　𠮷男"
	form := sampleForm()
	form.Name, form.HasSubstitutes, form.SubstituteName = a.Name, true, "高橋　吉男"
	app, err := d.term.Apply(d.file(t, fileOf(a)), form, Passport, d.request)
	if err != nil {
		t.Fatal(err)
	}
	if app.Certified.Name != "高橋　吉男" || app.Certified.NameMap != "10010" {
		t.Errorf("map %s", app.Certified.NameMap)
	}
	form.HasSubstitutes = false
	if _, err := d.term.Apply(d.file(t, fileOf(a)), form, Passport, d.request); say.Code(err) != "counter.substitute-flag" {
		t.Errorf("flag ignored: %v", err)
	}
	for _, bad := range []string{"", "高橋　男", "髙橋　𠮷男"} {
		form.HasSubstitutes, form.SubstituteName = true, bad
		if _, err := d.term.Apply(d.file(t, fileOf(a)), form, Passport, d.request); say.Code(err) != "counter.substitute" {
			t.Errorf("wrong substitutes accepted: %v", err)
		}
	}
}

// Scenario 22: a birth date that is not known is never invented.
func TestUnknownBirthDate(t *testing.T) {
	d := newDesk(t, card.P256)
	a := sample
	a.BirthDate = "319620000"
	form := sampleForm()
	form.BirthDate = "昭和37年月日不詳"
	app, err := d.term.Apply(d.file(t, fileOf(a)), form, ResidentCard, d.request)
	if err != nil || app.Certified.BirthDate != "319620000" {
		t.Fatalf("%v", err)
	}
}

func TestApplyRefuses(t *testing.T) {
	d := newDesk(t, card.P256)
	other := newDesk(t, card.P256)
	cases := []struct {
		name, code string
		file       func() []byte
		form       func(*Form)
		shown      Document
		request    []byte
	}{
		{name: "broken file", code: "counter.transfer", file: func() []byte { return []byte("x") }},
		{name: "another terminal's file", code: "counter.transfer", file: func() []byte { return other.file(t, fileOf(sample)) }},
		{name: "old file", code: "counter.transfer-scope", file: func() []byte {
			f := fileOf(sample)
			f.At = entry.At(now.Add(-25 * time.Hour))
			return d.file(t, f)
		}},
		{name: "file of the future", code: "counter.transfer-scope", file: func() []byte {
			f := fileOf(sample)
			f.At = entry.At(now.Add(2 * time.Minute))
			return d.file(t, f)
		}},
		{name: "another town", code: "counter.transfer-scope", file: func() []byte {
			f := fileOf(sample)
			f.Municipality = "202029"
			return d.file(t, f)
		}},
		{name: "another person", code: "counter.existence", form: func(f *Form) { f.Name = "総務　次郎" }},
		{name: "resident code in the reading", code: "counter.resident-code", form: func(f *Form) { f.NameKana = "99999000017" }},
		{name: "resident code in the substitutes", code: "counter.resident-code", form: func(f *Form) { f.SubstituteAddress = "99999000017" }},
		{name: "no such day", code: "counter.form", form: func(f *Form) { f.BirthDate = "昭和37年2月30日" }},
		{name: "no date of application", code: "counter.form", form: func(f *Form) { f.AppliedOn = "today" }},
		{name: "sex by digit", code: "counter.form", form: func(f *Form) { f.Sex = "1" }},
		{name: "huge field", code: "counter.form", form: func(f *Form) { f.Address = strings.Repeat("長", 1000) }},
		{name: "unknown document", code: "internal", shown: "library-card"},
		{name: "request that is none", code: "counter.request", request: []byte("x")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file, form, shown, request := d.file(t, fileOf(sample)), sampleForm(), Passport, d.request
			if c.file != nil {
				file = c.file()
			}
			if c.form != nil {
				c.form(&form)
			}
			if c.shown != "" {
				shown = c.shown
			}
			if c.request != nil {
				request = c.request
			}
			_, err := d.term.Apply(file, form, shown, request)
			if err == nil || say.Code(err) != c.code {
				t.Fatalf("want %s, got %v", c.code, err)
			}
			for _, secret := range []string{sample.Name, "次郎", "99999000017", sample.Address} {
				if strings.Contains(err.Error(), secret) {
					t.Error("the error quotes the form")
				}
			}
		})
	}
}

// A transfer file serves one application; a refused attempt doesn't use it up.
func TestTransferFileServesOnce(t *testing.T) {
	d := newDesk(t, card.P256)
	decider, err := policy.NewDecider(context.Background(), policy.Shipped(), 1)
	if err != nil {
		t.Fatal(err)
	}
	d.term.cfg.Decider = decider
	file := d.file(t, fileOf(sample))
	wrong := sampleForm()
	wrong.Sex = "女"
	if _, err := d.term.Apply(file, wrong, Passport, d.request); say.Code(err) != "counter.existence" {
		t.Fatal(err)
	}
	status := http.StatusConflict
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == http.StatusConflict {
			problem.Write(w, r, status, say.New("A206", "あ", "a"))
			return
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(Delivery{Certificate: []byte{1}})
	}))
	defer srv.Close()
	d.term.cfg.Client, d.term.cfg.URL = srv.Client(), srv.URL
	for range 2 {
		app, err := d.term.Apply(file, sampleForm(), Passport, d.request)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.term.Submit(context.Background(), app)
		if refused := say.Code(err) == "A206"; refused != (status == http.StatusConflict) {
			t.Fatal(err)
		}
		status = http.StatusCreated
	}
	if _, err := d.term.Apply(file, sampleForm(), Passport, d.request); say.Code(err) != "counter.transfer-used" {
		t.Errorf("used twice: %v", err)
	}
	coded := sample
	coded.Address = "長野県長野市９９９９９－０００００－１７"
	if _, err := d.term.Apply(d.file(t, fileOf(coded)), sampleForm(), Passport, d.request); say.Code(err) != "T401" && say.Code(err) != "T403" {
		t.Errorf("a code in the transfer file: %v", err)
	}
}

func TestParseIsStrict(t *testing.T) {
	d := newDesk(t, card.P256)
	app, err := d.term.Apply(d.file(t, fileOf(sample)), sampleForm(), Passport, d.request)
	if err != nil {
		t.Fatal(err)
	}
	good, err := app.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s := string(good)
	bad := map[string]string{
		"space":          " " + s,
		"trailing":       s + "\n",
		"extra member":   strings.Replace(s, `{"address"`, `{"a":1,"address"`, 1),
		"twice":          strings.Replace(s, `"twin":false`, `"twin":false,"twin":false`, 1),
		"escaped":        strings.Replace(s, "総", `\u7dcf`, 1),
		"another basis":  strings.Replace(s, "jpki-3", "jpki-4", 1),
		"another v":      strings.Replace(s, `"v":1`, `"v":2`, 1),
		"missing member": strings.Replace(s, `"renews":"",`, ``, 1),
		"bad code":       strings.Replace(s, `"202011"`, `"202012"`, 1),
		"bad id":         strings.Replace(s, app.ID, "x"+app.ID[1:], 1),
		"too large":      s + strings.Repeat(" ", MaxApplication),
		"no officer":     strings.Replace(s, `"op-7"`, `"Op 7"`, 1),
		"bad serial":     strings.Replace(s, `"renews":""`, `"renews":"ABC"`, 1),
	}
	for name, b := range bad {
		if b == s {
			t.Fatalf("%s: case changes nothing", name)
		}
		if _, err := Parse([]byte(b)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Parse(good); err != nil {
		t.Error(err)
	}
}

func TestPossessionOfTheKey(t *testing.T) {
	d := newDesk(t, card.P256)
	app, err := d.term.Apply(d.file(t, fileOf(sample)), sampleForm(), Passport, d.request)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(app.Request)
	forged[len(forged)-1] ^= 1
	app.Request = forged
	if _, err := app.PublicKey(); err == nil {
		t.Error("a request that its key didn't sign proves nothing")
	}
}

func TestConfigAndSubmit(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("empty configuration accepted")
	}
	d := newDesk(t, card.P256)
	app, err := d.term.Apply(d.file(t, fileOf(sample)), sampleForm(), Passport, d.request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.term.Submit(context.Background(), app); err == nil {
		t.Error("submitted without a connection")
	}
	answer := Delivery{Certificate: []byte{1}, Ordinal: 7, Serial: "0a"}
	status := http.StatusCreated
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != http.StatusCreated {
			problem.Write(w, r, status, say.New("A206", "あ", "a"))
			return
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer srv.Close()
	d.term.cfg.Client, d.term.cfg.URL = srv.Client(), srv.URL
	got, err := d.term.Submit(context.Background(), app)
	if err != nil || got.Ordinal != 7 {
		t.Fatalf("%v %v", got, err)
	}
	status = http.StatusConflict
	var pe *problem.Error
	if _, err := d.term.Submit(context.Background(), app); !errors.As(err, &pe) || say.Code(err) != "A206" {
		t.Errorf("refusal became %v", err)
	}
	status, answer.Certificate = http.StatusCreated, nil
	if _, err := d.term.Submit(context.Background(), app); err == nil {
		t.Error("empty answer accepted")
	}
	srv.Close()
	if _, err := d.term.Submit(context.Background(), app); say.Code(err) != "counter.front" {
		t.Errorf("lost connection became %v", err)
	}
}

func FuzzParse(f *testing.F) {
	d := newDesk(f, card.P256)
	app, err := d.term.Apply(d.file(f, fileOf(sample)), sampleForm(), Passport, d.request)
	if err != nil {
		f.Fatal(err)
	}
	good, err := app.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range [][]byte{good, nil, []byte("{}"), append(bytes.Clone(good), '}')} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		if err != nil {
			return
		}
		again, err := a.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Error("what Parse accepts isn't what Marshal writes")
		}
		_, _ = a.PublicKey() // must not panic
	})
}
