package witness

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// ServeHTTP answers the two calls of tlog-witness, with one prefix for both:
//
//	POST …/add-checkpoint                     cosign
//	GET  …/<hex SHA-256 of origin>/checkpoint newest cosigned checkpoint
//
// Everything before them in the path is ignored, so that the server can be
// mounted anywhere.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/add-checkpoint"):
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		s.addCheckpoint(w, r)
	case strings.HasSuffix(r.URL.Path, "/checkpoint"):
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		s.monitor(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) addCheckpoint(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		status := http.StatusBadRequest
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "couldn't read the request", status)
		return
	}
	oldSize, hashes, checkpoint, err := parseRequest(body)
	if err == nil {
		var line []byte
		if line, err = s.AddCheckpoint(r.Context(), oldSize, hashes, checkpoint); err == nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write(line) // the client is gone or not, the checkpoint is stored
			return
		}
	}
	refuse(w, err)
}

// refuse writes the protocol's status for an error. The text never says more
// than the error class.
func refuse(w http.ResponseWriter, err error) {
	var conflict ConflictError
	if errors.As(err, &conflict) {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, strconv.FormatUint(conflict.Size, 10)+"\n")
		return
	}
	for class, status := range map[error]int{
		ErrMalformed: http.StatusBadRequest, ErrUnknownLog: http.StatusNotFound,
		ErrSignature: http.StatusForbidden, ErrInconsistent: http.StatusUnprocessableEntity,
		ErrClosed: http.StatusServiceUnavailable,
	} {
		if errors.Is(err, class) {
			http.Error(w, class.Error(), status)
			return
		}
	}
	http.Error(w, "couldn't store the checkpoint", http.StatusInternalServerError)
}

func (s *Server) monitor(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	want := parts[len(parts)-2] // the path has at least "/checkpoint", so two parts
	for origin, l := range s.logs {
		if l.file != want {
			continue
		}
		if b := s.Newest(origin); b != nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = w.Write(b)
			return
		}
	}
	http.NotFound(w, r)
}
