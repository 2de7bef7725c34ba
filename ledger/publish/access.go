package publish

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Restriction keeps the entries themselves from the public. Checkpoints, hash
// tiles, inclusion proofs and status receipts stay open to everyone: whoever
// holds an entry can still prove it, and anyone can still check that the log
// only grows.
//
// A bundle can't be thinned out: tlog-tiles wants every entry of a bundle to
// hash to its place in the level-0 tile. So the public gets no bundles at all,
// and entries of the Public kinds one by one under /ledger/entry/.
type Restriction struct {
	// Public are the kinds that anyone may read.
	Public []entry.Kind
	// All reports whether the request comes from someone who may read every
	// entry: the council, the auditor. nil: nobody.
	All func(*http.Request) bool
}

// errRestricted refuses entries that the configuration keeps from the caller.
var errRestricted = say.New("ledger.restricted", "この記録の内容は公開されていません。", "The content of this entry is not public.").
	Hint("ハッシュ、チェックポイント、証明は誰でも取得できます。内容は、許可された接続から取得してください。",
		"Hashes, checkpoints and proofs are open to everyone; ask for the content over a connection that may read it.")

// readsAll reports whether the caller may read every entry.
func (s *server) readsAll(r *http.Request) bool {
	x := s.cfg.Restrict
	return x == nil || x.All != nil && x.All(r)
}

// readsOf reports whether the caller may ask about a writer's numbers and
// entries: who reads all, and the writer itself.
func (s *server) readsOf(r *http.Request, by string) bool {
	return s.readsAll(r) || s.cfg.Authorize != nil && slices.Contains(s.cfg.Authorize(r), by)
}

// reads reports whether the caller may read this entry.
func (s *server) reads(r *http.Request, b []byte) bool {
	if s.readsAll(r) {
		return true
	}
	e, err := entry.Parse(b)
	return err == nil && slices.Contains(s.cfg.Restrict.Public, e.Body.Kind())
}

// forever is the caching of bytes that never change. What only some may read
// must not stay in a shared cache.
func (s *server) forever() string {
	if s.cfg.Restrict != nil {
		return "private, max-age=31536000, immutable"
	}
	return immutable
}

// limiter bounds what each client may append. Clients are known by the role
// identifiers that their certificates allow, so there are few of them.
type limiter struct {
	perSecond float64
	burst     int
	mu        sync.Mutex
	clients   map[string]*rate.Limiter
}

// take asks for n entries of a client. When they don't fit, it says how long to
// wait.
func (l *limiter) take(allowed []string, n int, now time.Time) (wait time.Duration, ok bool) {
	if l.perSecond <= 0 {
		return 0, true
	}
	key := strings.Join(allowed, " ")
	l.mu.Lock()
	c := l.clients[key]
	if c == nil {
		c = rate.NewLimiter(rate.Limit(l.perSecond), l.burst)
		l.clients[key] = c
	}
	l.mu.Unlock()
	r := c.ReserveN(now, n)
	if wait = r.DelayFrom(now); wait == 0 {
		return 0, true
	}
	r.CancelAt(now)
	return wait, false
}

// busy tells a client to come back.
func (s *server) busy(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	seconds := max(1, int64(math.Ceil(wait.Seconds())))
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	s.fail(w, r, ledger.ErrBusy)
}
