package revocation

import (
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	typeRequest  = "application/ocsp-request"
	typeResponse = "application/ocsp-response"
)

// maxAge bounds what HTTP caches may keep, so that a revocation reaches clients
// behind one within a minute.
const maxAge = 60 * time.Second

// ServeHTTP answers GET {Path}/{base64 of the request} and POST {Path} (RFC 6960
// appendix A). The base64 of a request may hold "//": mount the handler where
// the router does not clean paths (gorilla/mux: SkipClean, UseEncodedPath).
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var der []byte
	switch req.Method {
	case http.MethodPost:
		if t, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(t), typeRequest) {
			http.Error(w, "Content-Type must be "+typeRequest, http.StatusUnsupportedMediaType)
			return
		}
		var err error
		if der, err = io.ReadAll(io.LimitReader(req.Body, MaxRequest+1)); err != nil {
			http.Error(w, "couldn't read the request", http.StatusBadRequest)
			return
		}
	case http.MethodGet, http.MethodHead:
		der = fromPath(strings.TrimPrefix(req.URL.Path, r.c.Path))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	a := r.respond(req.Context(), der)
	h := w.Header()
	h.Set("Content-Type", typeResponse)
	h.Set("X-Content-Type-Options", "nosniff")
	if req.Method == http.MethodPost || a.etag == "" {
		h.Set("Cache-Control", "no-store")
	} else if cacheHeaders(h, a, r.c.Now(), req.Header.Get("If-None-Match")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(a.der)))
	if req.Method != http.MethodHead {
		w.Write(a.der)
	}
}

// fromPath decodes the base64 of a GET request; what can't be decoded is an
// empty request, which is malformed. Clients differ in padding.
func fromPath(s string) []byte {
	s = strings.TrimRight(strings.TrimPrefix(s, "/"), "=")
	if len(s) > MaxRequest*2 {
		return nil
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// cacheHeaders sets the headers of RFC 5019 section 6.2 and reports whether the
// client has the response already.
func cacheHeaders(h http.Header, a answer, now time.Time, match string) bool {
	age := min(max(a.next.Sub(now), 0), maxAge)
	h.Set("Cache-Control", "max-age="+strconv.Itoa(int(age/time.Second))+", public, no-transform, must-revalidate")
	h.Set("ETag", a.etag)
	h.Set("Last-Modified", a.this.Format(http.TimeFormat))
	h.Set("Expires", now.Add(age).UTC().Format(http.TimeFormat))
	return match != "" && match == a.etag
}
