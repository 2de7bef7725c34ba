package sequence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Log is a log over a Store. It implements ledger.Log and ledger.Reader and is
// safe for concurrent use.
type Log struct {
	cfg    Config
	store  Store
	head   *head.Store // newest commit checkpoint
	front  *head.Store // newest published checkpoint
	clock  *Clock
	policy *proof.Policy // the log's own signature, no witnesses

	room    *semaphore.Weighted
	wake    chan struct{} // one token: the queue is not empty, or closing
	commits chan *commit  // from the loop to the finisher
	ended   sync.WaitGroup
	stop    context.CancelFunc // ends background publishing

	mu     sync.Mutex // guards queue and closed
	queue  []*Request
	closed bool

	writer        // owned by the loop
	tail   []byte // owned by the finisher: the newest head's tail

	committed atomic.Pointer[tip]       // newest durable checkpoint
	published atomic.Pointer[published] // newest published checkpoint; nil before the first
	broken    atomic.Pointer[failure]   // why the log stopped

	pubMu      sync.Mutex // one Publish at a time; guards uncosigned and snapshot
	uncosigned *published // committed with status.root, not cosigned yet
	snapshot   uint64     // log size of the newest status snapshot
}

var (
	_ ledger.Log    = (*Log)(nil)
	_ ledger.Reader = (*Log)(nil)
)

// writer is the state that grows with each batch.
type writer struct {
	edge    Frontier
	next    map[string]uint64 // next sequence number of each writer
	status  *status.Tree
	pending map[uint64]struct{} // ordinals with an intent and no end
}

// tip is a durable, signed state of the log.
type tip struct {
	size       uint64
	checkpoint []byte // signed note
}

// published is what readers are served.
type published struct {
	size       uint64
	checkpoint []byte    // signed note with cosignatures
	at         time.Time // when it was published; zero: before this start
	mu         sync.Mutex
	status     *status.Tree // as it was when status.root was logged
}

type failure struct{ err error }

// New opens the head of a log. Start must follow, or Close.
func New(cfg Config) (*Log, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, clock: &Clock{real: cfg.Now}, room: semaphore.NewWeighted(cfg.QueueBytes),
		wake: make(chan struct{}, 1), commits: make(chan *commit)}
	if err := l.openHead(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *Log) openHead() (err error) {
	if l.policy, err = l.cfg.policy(); err != nil {
		return err
	}
	if l.head, err = head.Open(l.cfg.HeadDir, l.cfg.FS); err != nil {
		return err
	}
	if l.front, err = head.Open(PublishedDir(l.cfg.FS, l.cfg.HeadDir), l.cfg.FS); err != nil {
		return err
	}
	if l.head.Torn() || l.front.Torn() {
		l.cfg.Logger.Warn("one of the two head slots was damaged; the other one is used")
	}
	return nil
}

// PublishedDir is where the newest published checkpoint is kept: beside the
// head, so that a store that lost its newest entries can't hide that either.
func PublishedDir(fs kv.FS, headDir string) string {
	if fs == nil {
		fs = kv.Disk()
	}
	return fs.PathJoin(headDir, "published")
}

// Signed tells whether a checkpoint was ever signed for this head.
func (l *Log) Signed() bool { return l.head.Get() != nil }

// Clock returns the log's clock, for the Store.
func (l *Log) Clock() *Clock { return l.clock }

// fail stops the log for good.
func (l *Log) fail(err error) error {
	f := &failure{ledger.ErrBroken.Because(err)}
	if l.broken.CompareAndSwap(nil, f) {
		l.cfg.Logger.Error("the log stopped", "cause", err)
	}
	return l.broken.Load().err
}

func (l *Log) failed() error {
	if f := l.broken.Load(); f != nil {
		return f.err
	}
	return nil
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close commits what was taken, refuses what waits, and releases the head and
// the store. Closing twice is allowed.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.ended.Wait()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	if l.stop != nil {
		l.stop()
	}
	l.signal()
	if s, ok := l.store.(interface{ Interrupt() }); ok {
		s.Interrupt()
	}
	l.ended.Wait()
	return l.release()
}

func (l *Log) release() error {
	var errs []error
	for _, h := range []*head.Store{l.head, l.front} {
		if h != nil {
			errs = append(errs, h.Close())
		}
	}
	if l.store != nil {
		errs = append(errs, l.store.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("couldn't close the log: %w", err)
	}
	return nil
}

// VKey returns the log's verifier key.
func (l *Log) VKey() string { return l.cfg.VKey }

// Origin returns the log's checkpoint origin.
func (l *Log) Origin() string { return l.cfg.Origin }

// Policy believes the log's own signature alone: for append receipts.
func (l *Log) Policy() *proof.Policy { return l.policy }
