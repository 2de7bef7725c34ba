package revocation

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// In a responder's last minutes nothing it says, and nothing that a cache keeps of
// it, outlives its certificate; with that, answers that are signed and cached end
// too.
func TestLastMinutesOfAResponder(t *testing.T) {
	end := start.AddDate(0, 6, 0)
	now := end.Add(-20 * time.Minute)
	r, _ := answering(t, func() time.Time { return now })
	req := ocspRequestFor(bareIssuer().issuer, crypto.SHA256, []byte{1})
	path := "/ocsp/" + url.PathEscape(base64.StdEncoding.EncodeToString(req))
	ask := func() (*http.Response, []byte) {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Result(), w.Body.Bytes()
	}
	signed := map[string]bool{}
	for ; now.Before(end); now = now.Add(7 * time.Second) {
		resp, b := ask()
		got, err := ocsp.ParseResponse(b, bareIssuer().root)
		if err != nil {
			t.Fatalf("%v before the end: %v", end.Sub(now), err)
		}
		if !got.NextUpdate.After(now) || got.NextUpdate.After(end) || got.Status != ocsp.Good {
			t.Errorf("%v before the end: good until %v", end.Sub(now), got.NextUpdate)
		}
		age, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Cache-Control"), "max-age="), ",")
		if n, err := strconv.Atoi(age); err != nil || now.Add(time.Duration(n)*time.Second).After(got.NextUpdate) {
			t.Errorf("%v before the end: %s", end.Sub(now), resp.Header.Get("Cache-Control"))
		}
		signed[string(b)] = true
	}
	if len(signed) < 2 || len(signed) > 8 {
		t.Errorf("%d answers were signed in 20 minutes", len(signed))
	}
	for now = end; now.Before(end.Add(time.Minute)); now = now.Add(7 * time.Second) {
		if resp, b := ask(); !bytes.Equal(b, errorResponse(statusInternal)) || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v after the end: %x, %s", now.Sub(end), b, resp.Header.Get("Cache-Control"))
		}
	}
}
