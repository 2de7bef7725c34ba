package sequence

import (
	"context"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Steps of a request.
const (
	waiting int32 = iota
	taken
	cancelled
)

// Request is one Append call, or one Publish (entries is empty).
type Request struct {
	entries []Entry
	publish bool
	weight  int64
	step    atomic.Int32

	// Set before done is closed:
	done    chan struct{}
	err     error
	indexes []uint64
	commit  *commit // covers all indexes

	// Most requests have one entry: then entries and indexes lie here.
	oneEntry [1]Entry
	oneIndex [1]uint64
}

// perEntry is what an entry weighs in the queue besides its bytes.
const perEntry = 256

// Append implements ledger.Log. The calling goroutine checks and hashes the
// entries before they are queued and computes the proofs afterwards, so that
// the loop does only what must be done in order.
func (l *Log) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	r, err := Parse(entries)
	if err != nil {
		return nil, err
	}
	if err := l.Submit(ctx, r); err != nil {
		return nil, err
	}
	return l.Receipts(ctx, r)
}

// Parse checks entries by themselves, before they meet a log. The bytes must
// not change until their receipts are there.
func Parse(entries [][]byte) (*Request, error) {
	if len(entries) > ledger.MaxAppendEntries {
		return nil, ledger.ErrTooLarge
	}
	r := &Request{done: make(chan struct{})}
	if r.entries = r.oneEntry[:]; len(entries) != 1 {
		r.entries = make([]Entry, len(entries))
	}
	for i, b := range entries {
		if len(b) > entry.MaxSize {
			return nil, ledger.ErrTooLarge
		}
		r.weight += int64(len(b)) + perEntry
		p, err := entry.Parse(b)
		if err != nil {
			return nil, ledger.ErrInvalid.Because(err)
		}
		k := p.Body.Kind()
		if p.By == entry.ByLog || !entry.MayWrite(p.By, k) {
			return nil, ledger.ErrWriter
		}
		r.entries[i] = Entry{Bytes: b, Parsed: p, Hash: tlog.RecordHash(b)}
	}
	if r.weight > ledger.MaxAppendBytes+perEntry*ledger.MaxAppendEntries {
		return nil, ledger.ErrTooLarge
	}
	return r, nil
}

// Submit queues a request, waiting while the queue is full. Requests are taken
// in the order in which Submit queued them. Receipts must follow.
func (l *Log) Submit(ctx context.Context, r *Request) error {
	if err := l.failed(); err != nil {
		return err
	}
	if l.cfg.MaxBatchBytes > 0 && r.weight > l.cfg.MaxBatchBytes-perEntry {
		return ledger.ErrTooLarge // perEntry: room for a status.root
	}
	r.weight = min(r.weight, l.cfg.QueueBytes)
	if err := l.room.Acquire(ctx, r.weight); err != nil {
		return err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.room.Release(r.weight)
		return ledger.ErrClosed
	}
	l.queue = append(l.queue, r)
	l.mu.Unlock()
	l.signal()
	return nil
}

// Receipts waits for a submitted request and returns its receipts. It is
// called once. A request whose context ends while it is queued is never looked
// at.
func (l *Log) Receipts(ctx context.Context, r *Request) ([]*proof.Receipt, error) {
	if err := l.await(ctx, r); err != nil {
		return nil, err
	}
	receipts := make([]proof.Receipt, len(r.indexes))
	out := make([]*proof.Receipt, len(r.indexes))
	for i, index := range r.indexes {
		if err := l.receipt(&receipts[i], r.commit, index); err != nil {
			return nil, err
		}
		out[i] = &receipts[i]
	}
	return out, nil
}

func (l *Log) await(ctx context.Context, r *Request) error {
	defer l.room.Release(r.weight)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if r.step.CompareAndSwap(waiting, cancelled) {
		return ctx.Err()
	}
	if l.cfg.Patient {
		select {
		case <-r.done:
		default:
			return ledger.ErrUncertain.Because(ctx.Err())
		}
	}
	<-r.done
	return r.err
}

func (r *Request) finish(err error) {
	r.err = err
	close(r.done)
}

// receipt proves index under the commit's checkpoint.
func (l *Log) receipt(r *proof.Receipt, c *commit, index uint64) (err error) {
	r.Index, r.Checkpoint = index, c.tip.checkpoint
	if c.Growth != nil && index >= c.Growth.Old.Size {
		r.Hashes = c.Growth.Prove(index)
		return nil
	}
	r.Hashes, err = l.prove(index, c.tip.size)
	return err
}
