package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/trillian"
	"golang.org/x/sync/semaphore"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Engine is an open log. It implements ledger.Log and ledger.Reader and is
// safe for concurrent use.
type Engine struct {
	cfg    Config
	kv     *kv.Store
	store  *pebblestore.Store
	tree   *trillian.Tree
	head   *head.Store // newest commit checkpoint
	front  *head.Store // newest published checkpoint
	clock  *monotonic
	policy *proof.Policy // the log's own signature, no witnesses

	room    *semaphore.Weighted
	wake    chan struct{} // one token: the queue is not empty, or closing
	commits chan *commit  // from the loop to the finisher
	ended   sync.WaitGroup
	stop    context.CancelFunc // ends background publishing

	mu     sync.Mutex // guards queue and closed
	queue  []*request
	closed bool

	writer // owned by the loop

	committed atomic.Pointer[tip]       // newest durable checkpoint
	published atomic.Pointer[published] // newest published checkpoint; nil before the first
	broken    atomic.Pointer[failure]   // why the engine stopped

	pubMu      sync.Mutex // one Publish at a time; guards uncosigned
	uncosigned *published // committed with status.root, not cosigned yet
}

var (
	_ ledger.Log    = (*Engine)(nil)
	_ ledger.Reader = (*Engine)(nil)
)

// writer is the state that grows with each batch.
type writer struct {
	edge    frontier
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
	checkpoint []byte // signed note with cosignatures
	mu         sync.Mutex
	status     *status.Tree // as it was when status.root was logged
}

type failure struct{ err error }

// fail stops the engine for good.
func (e *Engine) fail(err error) error {
	f := &failure{ledger.ErrBroken.Because(err)}
	if e.broken.CompareAndSwap(nil, f) {
		e.cfg.Logger.Error("the log stopped", "cause", err)
	}
	return e.broken.Load().err
}

func (e *Engine) failed() error {
	if f := e.broken.Load(); f != nil {
		return f.err
	}
	return nil
}

func (e *Engine) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Close commits what was taken, refuses what waits, and releases the
// directories. Closing twice is allowed.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.ended.Wait()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	if e.stop != nil {
		e.stop()
	}
	e.signal()
	e.ended.Wait()
	return e.release()
}

func (e *Engine) release() error {
	var errs []error
	for _, h := range []*head.Store{e.head, e.front} {
		if h != nil {
			errs = append(errs, h.Close())
		}
	}
	if e.kv != nil {
		errs = append(errs, e.kv.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("couldn't close the log: %w", err)
	}
	return nil
}

// VKey returns the log's verifier key.
func (e *Engine) VKey() string { return e.cfg.VKey }

// Origin returns the log's checkpoint origin.
func (e *Engine) Origin() string { return e.cfg.Origin }
