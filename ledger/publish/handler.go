package publish

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
)

// Source is what the read side serves: a ledger.Reader that also has tiles.
type Source interface {
	ledger.Reader
	// PublishedSize is the size of the newest published checkpoint.
	PublishedSize() uint64
	// Tile returns the stored bytes of a hash tile; there may be more of them
	// than are published.
	Tile(ctx context.Context, level uint, index uint64) ([]byte, error)
	// NextSeq and Lookup are those of ledger.Log.
	NextSeq(ctx context.Context, by string) (uint64, error)
	Lookup(ctx context.Context, by string, seq uint64) (uint64, []byte, error)
}

// Config of a handler. Source is needed.
type Config struct {
	Source Source
	// Log takes appends; nil: read-only.
	Log ledger.Log
	// Authorize returns the role identifiers that the request's TLS client
	// certificate may write under; none: the request is refused. nil: nobody
	// may write.
	Authorize func(*http.Request) (allowedBy []string)
	// MaxAppends is how many append requests may be in work at a time; more
	// are told to wait with 429. 0: 256.
	MaxAppends int
	// EntriesPerSecond is how many entries a client may append per second in
	// the long run; what it didn't use adds up to one request's maximum. More is
	// told to wait with 429. 0: no limit.
	EntriesPerSecond float64
	// Restrict keeps entries from the public; nil: everyone reads everything.
	Restrict *Restriction
	Logger   *slog.Logger // nil: silent
}

type server struct {
	cfg     Config
	appends chan struct{} // one token for each append in work
	limit   limiter
}

// statuses of the ledger's errors; everything else is 500.
var statuses = []struct {
	err    *say.Error
	status int
}{
	{ledger.ErrNotFound, http.StatusNotFound},
	{ledger.ErrConflict, http.StatusConflict},
	{ledger.ErrGap, http.StatusConflict},
	{ledger.ErrInvalid, http.StatusUnprocessableEntity},
	{ledger.ErrImpossible, http.StatusUnprocessableEntity},
	{ledger.ErrWriter, http.StatusForbidden},
	{errRestricted, http.StatusForbidden},
	{ledger.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{ledger.ErrBusy, http.StatusTooManyRequests},
	{ledger.ErrClosed, http.StatusServiceUnavailable},
	{ledger.ErrBroken, http.StatusServiceUnavailable},
	{errRequest, http.StatusBadRequest},
	{errMedia, http.StatusUnsupportedMediaType},
}

var (
	errRequest = say.New("ledger.request", "要求の書き方が正しくありません。", "The request is malformed.")
	errMedia   = say.New("ledger.media", "本文の種類が違います。", "The body is of another media type.").
			Hint("Content-Type: application/octet-stream で送ってください。", "Send it as Content-Type: application/octet-stream.")
)

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, r.Context().Err()) {
		return // nobody is there to read an answer
	}
	for _, c := range statuses {
		if errors.Is(err, c.err) {
			problem.Write(w, r, c.status, err)
			return
		}
	}
	if s.cfg.Logger != nil {
		s.cfg.Logger.Error("request failed", "route", route(r), "cause", err)
	}
	problem.Write(w, r, http.StatusInternalServerError, err)
}

func write(w http.ResponseWriter, contentType, cache string, b []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", cache)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b) // a client that went away needs no answer
}

const (
	textType  = "text/plain; charset=utf-8"
	fresh     = "no-cache"
	immutable = "public, max-age=31536000, immutable"
)

func (s *server) checkpoint(w http.ResponseWriter, r *http.Request) {
	b, err := s.cfg.Source.Checkpoint(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	write(w, textType, fresh, b)
}

func (s *server) size(w http.ResponseWriter, r *http.Request) {
	n, err := s.cfg.Source.Size(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	write(w, textType, fresh, strconv.AppendUint(nil, n, 10))
}

func (s *server) proof(w http.ResponseWriter, r *http.Request, index uint64) {
	p, err := s.cfg.Source.Proof(r.Context(), index)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	write(w, textType, fresh, p.Marshal())
}

func (s *server) entry(w http.ResponseWriter, r *http.Request, index uint64) {
	b, err := s.cfg.Source.Entry(r.Context(), index)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !s.reads(r, b) {
		s.fail(w, r, errRestricted)
		return
	}
	write(w, "application/json", s.forever(), b)
}

func (s *server) status(w http.ResponseWriter, r *http.Request, ordinal uint64) {
	p, err := s.cfg.Source.Status(r.Context(), ordinal)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	write(w, textType, fresh, p.Marshal())
}

func (s *server) next(w http.ResponseWriter, r *http.Request) {
	by := r.URL.Query().Get("by")
	if !s.readsOf(r, by) {
		s.fail(w, r, errRestricted)
		return
	}
	n, err := s.cfg.Source.NextSeq(r.Context(), by)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	write(w, textType, fresh, strconv.AppendUint(nil, n, 10))
}

func (s *server) lookup(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	seq, err := decimal(q.Get("seq"))
	if err != nil {
		s.fail(w, r, errRequest.Because(err))
		return
	}
	if !s.readsOf(r, q.Get("by")) {
		s.fail(w, r, errRestricted)
		return
	}
	index, b, err := s.cfg.Source.Lookup(r.Context(), q.Get("by"), seq)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set(indexHeader, strconv.FormatUint(index, 10))
	write(w, "application/json", fresh, b)
}

// append takes framed entries of the writer that the certificate allows.
func (s *server) append(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Log == nil || s.cfg.Authorize == nil {
		s.fail(w, r, ledger.ErrWriter)
		return
	}
	allowed := s.cfg.Authorize(r)
	if len(allowed) == 0 {
		s.fail(w, r, ledger.ErrWriter)
		return
	}
	if r.Header.Get("Content-Type") != framesType {
		s.fail(w, r, errMedia)
		return
	}
	select {
	case s.appends <- struct{}{}:
		defer func() { <-s.appends }()
	default:
		s.busy(w, r, 0)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ledger.MaxAppendBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			err = ledger.ErrTooLarge
		}
		s.fail(w, r, err)
		return
	}
	entries, err := parseFrames(body)
	if err != nil || len(entries) == 0 {
		if !errors.Is(err, ledger.ErrTooLarge) {
			err = errRequest.Because(errFrames)
		}
		s.fail(w, r, err)
		return
	}
	if wait, ok := s.limit.take(allowed, len(entries), time.Now()); !ok {
		s.busy(w, r, wait)
		return
	}
	for _, b := range entries {
		if by, ok := writerOf(b); ok && !slices.Contains(allowed, by) {
			s.fail(w, r, ledger.ErrWriter)
			return
		} else if !ok {
			s.fail(w, r, ledger.ErrInvalid)
			return
		}
	}
	receipts, err := s.cfg.Log.Append(r.Context(), entries...)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	write(w, receiptsType, "no-store", marshalReceipts(receipts))
}
