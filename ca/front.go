package ca

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
)

// FrontConfig is the CA front's HTTP side (CAFrontServer, CA受付サーバー).
type FrontConfig struct {
	Authority *Authority
	// Identify says who sent a request, from the verified TLS chain; ok is
	// false for anyone without a name in this zone.
	Identify func(*http.Request) (name string, ok bool)
	// Counters and Operators are the TLS names that may act as counter
	// terminals and as the CA's officers.
	Counters  []string
	Operators []string
	// Speaks says whether a counter terminal may hand in this application: its
	// own municipality's and from its own counter. nil: any listed one may.
	Speaks func(name string, app *counter.Application) bool
}

// Paths of the CA front.
const (
	PathApplications = "/ca/v1/applications"
	PathCertificates = "/ca/v1/certificates/" // followed by the ordinal
)

var (
	errForbidden = say.New("front.forbidden", "この操作を行う権限がありません。", "You may not do this.")
	errBody      = say.New("front.body", "要求の形式が正しくありません。", "The request is not of the right form.")
)

type front struct {
	cfg FrontConfig
}

// Front returns the handler of the CA front:
//
//	POST /ca/v1/applications            counter.Application → 201 counter.Delivery
//	GET  /ca/v1/certificates/{ordinal}  application/pkix-cert
//
// Revocations at the counter need two officers: package ca/office. Errors are
// problem+json with rule codes. It answers nobody without a name.
func Front(cfg FrontConfig) (http.Handler, error) {
	if cfg.Authority == nil || cfg.Identify == nil {
		return nil, errors.New("the CA front needs an authority and a way to identify callers")
	}
	f := &front{cfg}
	r := mux.NewRouter()
	r.HandleFunc(PathApplications, f.apply).Methods(http.MethodPost)
	r.HandleFunc(PathCertificates+"{ordinal:[0-9]{1,15}}", f.certificate).Methods(http.MethodGet)
	return r, nil
}

// caller returns the name of a caller on one of the lists.
func (f *front) caller(r *http.Request, lists ...[]string) (string, bool) {
	name, ok := f.cfg.Identify(r)
	if !ok {
		return "", false
	}
	for _, l := range lists {
		if slices.Contains(l, name) {
			return name, true
		}
	}
	return "", false
}

func (f *front) apply(w http.ResponseWriter, r *http.Request) {
	name, ok := f.caller(r, f.cfg.Counters)
	if !ok {
		problem.Write(w, r, http.StatusForbidden, errForbidden)
		return
	}
	body, err := readBody(w, r, counter.MaxApplication)
	if err != nil {
		problem.Write(w, r, http.StatusRequestEntityTooLarge, errBody)
		return
	}
	app, err := counter.Parse(body)
	if err != nil {
		problem.Write(w, r, http.StatusUnprocessableEntity, f.cfg.Authority.refuseNow(codeForm, err))
		return
	}
	if f.cfg.Speaks != nil && !f.cfg.Speaks(name, app) {
		problem.Write(w, r, http.StatusForbidden, errForbidden)
		return
	}
	cert, err := f.cfg.Authority.Issue(r.Context(), app, name)
	if err != nil {
		problem.Write(w, r, StatusOf(err), err)
		return
	}
	writeJSON(w, http.StatusCreated, counter.Delivery{Certificate: cert.DER, Ordinal: cert.Ordinal, Serial: cert.Serial})
}

func (f *front) certificate(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.caller(r, f.cfg.Counters, f.cfg.Operators); !ok {
		problem.Write(w, r, http.StatusForbidden, errForbidden)
		return
	}
	ordinal, err := strconv.ParseUint(mux.Vars(r)["ordinal"], 10, 53)
	if err != nil {
		problem.Write(w, r, http.StatusNotFound, ErrNotFound)
		return
	}
	cert, err := f.cfg.Authority.Certificate(ordinal)
	if err == nil && cert.DER == nil {
		err = ErrNotFound
	}
	if err != nil {
		problem.Write(w, r, StatusOf(err), err)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-cert")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(cert.DER) // a client that went away needs no answer
}

// StatusOf chooses the HTTP status of an error of this package.
func StatusOf(err error) int {
	var r *Refused
	switch {
	case errors.As(err, &r):
		if slices.Contains(r.Codes, codeForm) {
			return http.StatusUnprocessableEntity
		}
		return http.StatusConflict
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrConflict):
		return http.StatusConflict
	case errors.Is(err, ErrBusy), errors.Is(err, ErrKeyAway), errors.Is(err, ErrUncertain), errors.Is(err, ErrClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func readBody(w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the request: %w", err)
	}
	return b, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}

// Public returns the handler of what every client may fetch: /issuer.cer,
// /crl/{partition}.crl, /crl/{partition}-delta.crl and, if ocsp is not nil, /ocsp and
// /ocsp/…. Each generation
// is served under the path of its base address; earlier are the responders of the
// earlier ones, in the order of Config.Earlier.
func Public(a *Authority, ocsp http.Handler, earlier ...http.Handler) http.Handler {
	r := mux.NewRouter().UseEncodedPath()
	responders := append([]http.Handler{ocsp}, earlier...)
	for i, g := range a.generations {
		at := g.path()
		r.HandleFunc(at+"/issuer.cer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/pkix-cert")
			_, _ = w.Write(g.der)
		}).Methods(http.MethodGet, http.MethodHead)
		r.HandleFunc(at+"/crl/{partition:full|ca|[0-9]{6}}.crl", func(w http.ResponseWriter, r *http.Request) {
			c, err := a.CRLOf(g.issuer.Key, mux.Vars(r)["partition"])
			a.serveCRL(w, r, c, err)
		}).Methods(http.MethodGet, http.MethodHead)
		r.HandleFunc(at+"/crl/{partition:full|[0-9]{6}}-delta.crl", func(w http.ResponseWriter, r *http.Request) {
			c, err := a.deltaOf(g, mux.Vars(r)["partition"])
			a.serveCRL(w, r, c, err)
		}).Methods(http.MethodGet, http.MethodHead)
		if i < len(responders) && responders[i] != nil {
			r.PathPrefix(at + "/ocsp").Handler(responders[i])
		}
	}
	return r
}

// maxListAge bounds what HTTP caches may keep of a list, so that a new one
// reaches clients behind a cache within a minute.
const maxListAge = time.Minute

func (a *Authority) serveCRL(w http.ResponseWriter, r *http.Request, c registry.CRL, err error) {
	if err != nil || len(c.DER) == 0 {
		problem.Write(w, r, http.StatusNotFound, say.New("crl.notfound", "その失効リストはありません。", "There is no such revocation list."))
		return
	}
	h := w.Header()
	age := min(max(c.NextTime.Sub(a.cfg.Now()), 0), maxListAge)
	h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", age/time.Second))
	h.Set("Content-Type", "application/pkix-crl")
	h.Set("ETag", fmt.Sprintf(`"%s-%d"`, c.Partition, c.Number))
	http.ServeContent(w, r, "", c.ThisTime, bytes.NewReader(c.DER))
}
