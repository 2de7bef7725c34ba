package publish

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"
	"golang.org/x/time/rate"

	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/ledger"
)

// errFull ends an answer that has reached its size.
var errFull = errors.New("answer is full")

// Handler returns the ledger's routes. It is the only place that knows the
// router.
func Handler(cfg Config) http.Handler {
	if cfg.MaxAppends <= 0 {
		cfg.MaxAppends = 256
	}
	s := &server{cfg: cfg, appends: make(chan struct{}, cfg.MaxAppends),
		limit: limiter{perSecond: cfg.EntriesPerSecond, burst: ledger.MaxAppendEntries, clients: map[string]*rate.Limiter{}}}
	r := mux.NewRouter().UseEncodedPath()
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	get("/ledger/checkpoint", s.checkpoint)
	get("/ledger/size", s.size)
	get("/ledger/next", s.next)
	get("/ledger/lookup", s.lookup)
	get("/ledger/entries", s.entries)
	get("/ledger/proof/{n}", s.numbered(s.proof))
	get("/ledger/entry/{n}", s.numbered(s.entry))
	get("/status/ordinal/{n}", s.numbered(s.status))
	get("/ledger/tile/{path:.+}", func(w http.ResponseWriter, r *http.Request) { s.tile(w, r, mux.Vars(r)["path"]) })
	r.HandleFunc("/ledger/append", s.append).Methods(http.MethodPost)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, ledger.ErrNotFound) })
	r.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, http.StatusMethodNotAllowed, errRequest)
	})
	return r
}

// numbered reads the number of a path.
func (s *server) numbered(h func(http.ResponseWriter, *http.Request, uint64)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := decimal(mux.Vars(r)["n"])
		if err != nil {
			s.fail(w, r, errRequest.Because(err))
			return
		}
		h(w, r, n)
	}
}

// route names the kind of a request for the operator's log. The path itself
// would put ordinals beside times: who asked about whose certificate, and when.
func route(r *http.Request) string {
	if m := mux.CurrentRoute(r); m != nil {
		if t, err := m.GetPathTemplate(); err == nil {
			return t
		}
	}
	return ""
}
