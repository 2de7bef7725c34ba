package trillianlog

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// parsed is an entry that was checked by itself, before it meets the log.
type parsed struct {
	bytes []byte
	entry entry.Entry
	hash  tlog.Hash
}

// Steps of a request.
const (
	waiting int32 = iota
	taken
	cancelled
)

// request is one Append call, or one Publish (entries is empty).
type request struct {
	entries []parsed
	publish bool
	weight  int64
	step    atomic.Int32

	// Set before done is closed:
	done    chan struct{}
	err     error
	indexes []uint64
	commit  *commit // covers all indexes
}

// perEntry is what an entry weighs in the queue besides its bytes.
const perEntry = 256

// Append implements ledger.Log. The calling goroutine checks and hashes the
// entries before they are queued and computes the proofs afterwards, so that
// the loop does only what must be done in order.
func (e *Engine) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	r, err := newRequest(entries)
	if err != nil {
		return nil, err
	}
	if err := e.submit(ctx, r); err != nil {
		return nil, err
	}
	out := make([]*proof.Receipt, len(r.indexes))
	for i, index := range r.indexes {
		if out[i], err = e.receipt(r.commit, index); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func newRequest(entries [][]byte) (*request, error) {
	if len(entries) > ledger.MaxAppendEntries {
		return nil, ledger.ErrTooLarge
	}
	r := &request{entries: make([]parsed, len(entries)), done: make(chan struct{})}
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
		r.entries[i] = parsed{bytes: b, entry: p, hash: tlog.RecordHash(b)}
	}
	if r.weight > ledger.MaxAppendBytes+perEntry*ledger.MaxAppendEntries {
		return nil, ledger.ErrTooLarge
	}
	return r, nil
}

// submit queues a request and waits for its end. A request whose context ends
// while it is queued is never looked at.
func (e *Engine) submit(ctx context.Context, r *request) error {
	if err := e.failed(); err != nil {
		return err
	}
	w := min(r.weight, e.cfg.QueueBytes)
	if err := e.room.Acquire(ctx, w); err != nil {
		return err
	}
	defer e.room.Release(w)
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ledger.ErrClosed
	}
	e.queue = append(e.queue, r)
	e.mu.Unlock()
	e.signal()
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.step.CompareAndSwap(waiting, cancelled) {
			return ctx.Err()
		}
		<-r.done
	}
	return r.err
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// receipt proves index under the commit's checkpoint.
func (e *Engine) receipt(c *commit, index uint64) (*proof.Receipt, error) {
	r := &proof.Receipt{Index: index, Checkpoint: c.tip.checkpoint}
	if c.growth != nil && index >= c.growth.old.size {
		r.Hashes = c.growth.prove(index)
		return r, nil
	}
	hashes, err := e.prove(index, c.tip.size)
	if err != nil {
		return nil, err
	}
	r.Hashes = hashes
	return r, nil
}

// identity is the leaf identity of an entry: the writer's name with its length
// before, and the sequence number. It doubles as the index by writer and
// number, and since numbers only grow, writing it is cheap.
func identity(by string, seq uint64) []byte {
	b := make([]byte, 0, 1+len(by)+8)
	b = append(b, byte(len(by)))
	b = append(b, by...)
	return binary.BigEndian.AppendUint64(b, seq)
}
