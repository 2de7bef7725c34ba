package link

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// Decider decides over facts (*policy.Decider).
type Decider interface {
	Decide(ctx context.Context, f *policy.Facts) entry.Decision
}

// Register is what the sender reads to find out what a notice must not hold
// (*register.Register).
type Register interface {
	Record(code string) (register.Record, error)
}

// Config of a Server. Everything is required unless it says otherwise.
type Config struct {
	Engine   *match.Engine
	Register Register
	Log      ledger.Log
	Decider  Decider
	Mode     string // notice.Reference (also "") or notice.Echo

	Client *http.Client // to the CA side's link server: mTLS, no redirects, a timeout
	URL    string       // its base address, such as https://127.0.0.1:7443

	// Peer says who sent a request, by TLS identity: entry.ByCALink for the CA
	// side's link server.
	Peer func(*http.Request) (role string, ok bool)
	// Issued says whether a certificate is issued according to the ledger.
	// nil: yes for every holder of a list whose holders.sent is in the ledger,
	// which each list is checked for.
	Issued func(ctx context.Context, ordinal uint64) (bool, error)

	// Keys sign the daily counts; nil: none are exchanged.
	Keys *Keys

	MaxList int64         // largest M1 in bytes; 0: holders.MaxSize
	MinWait time.Duration // wait after the first failure; 0: 1 s
	MaxWait time.Duration // longest wait; 0: 5 min
	Now     func() time.Time
	Logger  *slog.Logger // optional; never gets a value of a message
}

// Codes of the sentences that this package says.
const (
	CodeDown        = "link.down"        // the other end cannot be reached
	CodeLedger      = "link.ledger"      // the ledger cannot be reached
	CodeLedgerOld   = "link.ledger-old"  // the ledger lacks what this side has logged
	CodeUnexplained = "link.unexplained" // the ledger has a notice that no certificate explains
	CodeStep        = "link.step"        // the CA side expects another sequence
	CodeConflict    = "link.conflict"    // another list with this sequence was taken in
	CodeDiffer      = "link.differ"      // the CA side counts differently, or did not sign
	CodeOff         = "link.off"         // no daily counts are exchanged
)

// Server is the CALinkServer. Safe for concurrent use.
type Server struct {
	c    Config
	base string // address of the CA side's link server

	receive sync.Mutex   // one M1 at a time
	refused entry.Digest // guarded by receive: the newest refused list and why

	send sync.Mutex // one Flush at a time

	logging sync.Mutex // held while notices are logged, never while the CA side is waited for
	synced  bool       // guarded by logging: outbox and ledger were compared since the last doubt

	state    sync.Mutex
	failures int           // in a row
	wake     chan struct{} // one token: there may be something to send
}

// New checks the configuration. It needs neither the ledger nor the CA side to
// be up.
func New(c Config) (*Server, error) {
	if c.Engine == nil || c.Register == nil || c.Log == nil || c.Decider == nil || c.Client == nil || c.Peer == nil || c.Now == nil {
		return nil, errors.New("the link server's configuration is not complete")
	}
	if c.Mode == "" {
		c.Mode = notice.Reference
	}
	if c.Mode != notice.Reference && c.Mode != notice.Echo {
		return nil, errors.New("the link's mode must be reference or echo")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("the CA side's link server needs an https address")
	}
	if err := c.Keys.check(); err != nil {
		return nil, err
	}
	if c.MaxList == 0 {
		c.MaxList = holders.MaxSize
	}
	if c.MinWait == 0 {
		c.MinWait = time.Second
	}
	if c.MaxWait == 0 {
		c.MaxWait = 5 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Server{c: c, base: "https://" + u.Host, wake: make(chan struct{}, 1)}, nil
}

// Wake makes Run look at the outbox at once. It never blocks.
func (s *Server) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wait is how long to wait before the next Flush: nothing after a success,
// and after failures a time that doubles up to MaxWait.
func (s *Server) Wait() time.Duration {
	s.state.Lock()
	defer s.state.Unlock()
	if s.failures == 0 {
		return 0
	}
	wait := s.c.MinWait
	for i := 1; i < s.failures && wait < s.c.MaxWait; i++ {
		wait *= 2
	}
	return min(wait, s.c.MaxWait)
}

func (s *Server) result(err error) {
	s.state.Lock()
	defer s.state.Unlock()
	if err == nil {
		s.failures = 0
	} else {
		s.failures++
	}
}

// Run calls Flush whenever Wake asks for it and after failures, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	for {
		if _, err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.c.Logger.Warn("the link waits", "code", say.Code(err))
		}
		var again <-chan time.Time
		var timer *time.Timer
		if wait := s.Wait(); wait > 0 {
			timer = time.NewTimer(wait)
			again = timer.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-again:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

func errLedger(err error) error {
	return say.New(CodeLedger, "ログに記録できないため、通知を送らずに待っています。",
		"The ledger can't be written to, so nothing is sent; it waits.").Because(err)
}

func errDown(err error) error {
	return say.New(CodeDown, "認証局側に届きません。通知は保存してあり、後で送り直します。",
		"The CA side can't be reached. The notices are kept and sent again later.").Because(err)
}
