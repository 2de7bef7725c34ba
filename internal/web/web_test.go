package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/web"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/review/agency"
)

// site is the pages over a real log with one certificate.
func site(t *testing.T) http.Handler {
	t.Helper()
	ctx := context.Background()
	skey, vkey, err := note.GenerateKey(nil, "log.example/web")
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := note.NewSigner(skey)
	e, err := trillianlog.Open(ctx, trillianlog.Config{Dir: filepath.Join(t.TempDir(), "log"), HeadDir: filepath.Join(t.TempDir(), "head"),
		Origin: "log.example/web", Signer: signer, VKey: vkey, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	w, err := ledger.NewWriter(ctx, e, entry.ByCA, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	d := entry.Sum([]byte("x"))
	ok := entry.Decision{Allow: true, Bundle: d, Codes: []string{}, Engine: "opa", Facts: "ff", Ruleset: "issue"}
	for _, b := range []entry.Body{
		&entry.CertIntent{Decision: ok, Issuer: d, Municipality: "202011", Profile: d, Serial: "0123456789abcdef", Subject: d, TBS: d},
		&entry.CertIssued{Certificate: d},
	} {
		if _, err := w.Append(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := proof.LogOnly(vkey)
	if err != nil {
		t.Fatal(err)
	}
	h, err := web.Handler(web.Config{Portal: &web.Portal{Reader: e, Policy: p},
		Check: func(_ context.Context, raw []byte) (*agency.Result, error) {
			return agency.Verify(raw, agency.Trust{Policy: p}, time.Now()), nil
		},
		Report: func() ([]byte, error) { return nil, errors.New("none") }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
	b, _ := io.ReadAll(rec.Result().Body)
	if rec.Code != 200 {
		t.Fatalf("%s: %d %s", path, rec.Code, b)
	}
	if csp := rec.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("%s: policy %q", path, csp)
	}
	return string(b)
}

func TestPages(t *testing.T) {
	h := site(t)
	for path, want := range map[string]string{
		"/":                     "log.example/web",
		"/?lang=en":             "Certificates issued",
		"/portal":               "発行順の番号",
		"/portal?n=0":           "〇 有効です",
		"/portal?n=0&lang=en":   "In force",
		"/portal?n=7":           "発行されていません",
		"/portal?n=abc&lang=en": "as a number",
		"/agency":               "申請ファイル",
		"/council":              "報告書はまだありません",
	} {
		if got := get(t, h, path); !strings.Contains(got, want) {
			t.Errorf("%s doesn't say %q:\n%s", path, want, got)
		}
	}
	if got := get(t, h, "/portal?n=%3Cscript%3E"); strings.Contains(got, "<script>") {
		t.Error("input is not escaped")
	}
}

func TestUpload(t *testing.T) {
	h := site(t)
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	f, _ := m.CreateFormFile("application", "a.p7m")
	f.Write([]byte("not an application"))
	m.Close()
	post := func(header string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/agency", bytes.NewReader(body.Bytes()))
		r.Header.Set("Content-Type", m.FormDataContentType())
		r.Header.Set("Sec-Fetch-Site", header)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	if rec := post("same-origin"); rec.Code != 200 || !strings.Contains(rec.Body.String(), "受け付けられません") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := post("cross-site"); rec.Code != http.StatusForbidden {
		t.Errorf("another site's form was taken: %d", rec.Code)
	}
	r := httptest.NewRequest("POST", "/agency", strings.NewReader("x"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=y")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if !strings.Contains(rec.Body.String(), "ファイルを選んでください") {
		t.Errorf("%s", rec.Body)
	}
}

func TestConfig(t *testing.T) {
	if _, err := web.Handler(web.Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}
