package publish

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/sukashi-project/sukashi/ledger"
)

// maxFrames bounds the answer to /ledger/entries, in entries and bytes.
const (
	maxFrames     = 4096
	maxFrameBytes = 8 << 20
)

// tile serves hash tiles and entry bundles of the published tree, full or cut
// to the width that is asked for.
func (s *server) tile(w http.ResponseWriter, r *http.Request, path string) {
	t, err := parseTilePath(path)
	if err != nil {
		s.fail(w, r, errRequest.Because(err))
		return
	}
	level := t.level
	if t.entries {
		level = 0
	}
	have := s.cfg.Source.PublishedSize() >> (8 * level) // 0 from level 8 on
	end := t.index*tileWidth + t.width
	if end > have {
		s.fail(w, r, ledger.ErrNotFound)
		return
	}
	if t.entries && !s.readsAll(r) {
		s.fail(w, r, errRestricted)
		return
	}
	if t.entries {
		s.bundle(w, r, t.index*tileWidth, end)
		return
	}
	b, err := s.cfg.Source.Tile(r.Context(), t.level, t.index)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if uint64(len(b)) < t.width*32 {
		s.fail(w, r, errShort)
		return
	}
	write(w, framesType, immutable, b[:t.width*32])
}

// errShort: a published tile is never short, so the store is damaged.
var errShort = errors.New("stored tile is shorter than the published tree")

func (s *server) bundle(w http.ResponseWriter, r *http.Request, from, to uint64) {
	var b []byte
	err := s.cfg.Source.Entries(r.Context(), from, to, func(_ uint64, e []byte) error {
		b = appendFrame(b, e)
		return nil
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if takesGzip(r) {
		var z bytes.Buffer
		gz := gzip.NewWriter(&z)
		_, _ = gz.Write(b) // writes to memory
		_ = gz.Close()
		w.Header().Set("Content-Encoding", "gzip")
		b = z.Bytes()
	}
	write(w, framesType, s.forever(), b)
}

// takesGzip reads Accept-Encoding (RFC 9110 12.5.3) as far as gzip goes.
func takesGzip(r *http.Request) bool {
	for _, field := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(part, ";")
			if name = strings.TrimSpace(name); strings.EqualFold(name, "gzip") || name == "*" {
				q, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
				weight, err := strconv.ParseFloat(q, 64)
				return !given || err == nil && weight > 0
			}
		}
	}
	return false
}

// entries serves committed entries, as many as fit into one answer.
func (s *server) entries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, err1 := decimal(q.Get("from"))
	to, err2 := decimal(q.Get("to"))
	if err1 != nil || err2 != nil || from >= to {
		s.fail(w, r, errRequest)
		return
	}
	if !s.readsAll(r) {
		s.fail(w, r, errRestricted)
		return
	}
	var b []byte
	err := s.cfg.Source.Entries(r.Context(), from, min(to, from+maxFrames), func(_ uint64, e []byte) error {
		if len(b) > 0 && len(b)+len(e)+2 > maxFrameBytes {
			return errFull
		}
		b = appendFrame(b, e)
		return nil
	})
	if err != nil && err != errFull {
		s.fail(w, r, err)
		return
	}
	write(w, framesType, "no-store", b)
}
