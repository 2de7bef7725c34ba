package ca

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
)

// caller names the caller by a header: who is who on TLS is package zone's part.
func byHeader(r *http.Request) (string, bool) {
	name := r.Header.Get("X-Test-Name")
	return name, name != ""
}

type client struct {
	t   testing.TB
	url string
}

func (c client) do(method, path, name string, body []byte) (int, string, []byte) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	must(c.t, err)
	if name != "" {
		req.Header.Set("X-Test-Name", name)
	}
	resp, err := http.DefaultClient.Do(req)
	must(c.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(c.t, err)
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp.StatusCode, say.Code(problem.Read(resp)), b
}

func TestFront(t *testing.T) {
	w := newWorld(t, worldOptions{})
	h, err := Front(FrontConfig{Authority: w.ca, Identify: byHeader, Counters: []string{"counter-1", "counter-2"}, Operators: []string{"officer"},
		Speaks: func(name string, app *counter.Application) bool {
			return name == "counter-1" && app.Municipality == town
		}})
	must(t, err)
	srv := httptest.NewServer(h)
	defer srv.Close()
	c := client{t, srv.URL}
	app, err := w.application(certifiedOf("総務　太郎")).Marshal()
	must(t, err)
	for _, name := range []string{"", "officer", "stranger", "counter-2"} {
		if status, code, _ := c.do(http.MethodPost, PathApplications, name, app); status != http.StatusForbidden || code != "front.forbidden" {
			t.Errorf("%q applied: %d %s", name, status, code)
		}
	}
	status, _, body := c.do(http.MethodPost, PathApplications, "counter-1", app)
	var d counter.Delivery
	if err := json.Unmarshal(body, &d); err != nil || status != http.StatusCreated || d.Ordinal != 0 || len(d.Certificate) == 0 {
		t.Fatalf("%d %v", status, err)
	}
	if status, _, again := c.do(http.MethodPost, PathApplications, "counter-1", app); status != http.StatusCreated || !bytes.Equal(again, body) {
		t.Errorf("again: %d", status)
	}
	for want, b := range map[string][]byte{
		"A101":       append(bytes.Clone(app), ' '),
		"front.body": bytes.Repeat([]byte{' '}, counter.MaxApplication+1),
	} {
		if _, code, _ := c.do(http.MethodPost, PathApplications, "counter-1", b); code != want {
			t.Errorf("want %s, got %s", want, code)
		}
	}
	second, err := w.application(certifiedOf("総務　太郎")).Marshal()
	must(t, err)
	if status, code, _ := c.do(http.MethodPost, PathApplications, "counter-1", second); status != http.StatusConflict || code != "A206" {
		t.Errorf("second certificate: %d %s", status, code)
	}
	if status, _, der := c.do(http.MethodGet, PathCertificates+"0", "officer", nil); status != http.StatusOK || !bytes.Equal(der, d.Certificate) {
		t.Errorf("certificate: %d", status)
	}
	if status, _, _ := c.do(http.MethodGet, PathCertificates+"7", "officer", nil); status != http.StatusNotFound {
		t.Errorf("unknown certificate: %d", status)
	}
	if status, _, _ := c.do(http.MethodGet, PathCertificates+"0", "", nil); status != http.StatusForbidden {
		t.Errorf("nameless caller read a certificate: %d", status)
	}
	w.check()
}

func TestPublicFiles(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	ocsp := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	srv := httptest.NewServer(Public(w.ca, ocsp))
	defer srv.Close()
	c := client{t, srv.URL}
	if status, _, _ := c.do(http.MethodGet, "/crl/full.crl", "", nil); status != http.StatusNotFound {
		t.Errorf("list before the first one: %d", status)
	}
	lists, err := w.ca.PublishCRLs(ctx)
	must(t, err)
	for _, l := range lists {
		if status, _, b := c.do(http.MethodGet, "/crl/"+l.Partition+".crl", "", nil); status != http.StatusOK || !bytes.Equal(b, l.DER) {
			t.Errorf("list %s: %d", l.Partition, status)
		}
	}
	if status, _, b := c.do(http.MethodGet, "/issuer.cer", "", nil); status != http.StatusOK || !bytes.Equal(b, w.issuer) {
		t.Errorf("issuer: %d", status)
	}
	for path, want := range map[string]int{"/crl/x.crl": 404, "/crl/202011.der": 404, "/ocsp": 418, "/ocsp/MEIw%2F": 418, "/": 404} {
		if status, _, _ := c.do(http.MethodGet, path, "", nil); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if _, err := Front(FrontConfig{}); err == nil {
		t.Error("a front without an authority")
	}
}
