package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Logged is an entry that is in the log.
type Logged struct {
	Index   uint64         // position in the log
	Bytes   []byte         // canonical bytes of the entry
	Receipt *proof.Receipt // inclusion under the commit checkpoint
}

// Writer appends one role's entries: it gives them their sequence numbers and
// gathers concurrent calls into one request. There may be only one Writer per
// role identifier at a time; a second one gets ErrConflict. It is safe for
// concurrent use.
type Writer struct {
	log Log
	by  string
	now func() time.Time

	wake chan struct{} // one token: queue is not empty, or closing
	done chan struct{} // closed when the loop has ended

	mu     sync.Mutex
	queue  []*call
	closed bool

	next  uint64 // loop only: sequence number of the next entry
	stale bool   // loop only: next must be asked for again
}

// call is one AppendAll: builds are called in order with consecutive numbers.
type call struct {
	ctx    context.Context
	builds []func(seq uint64) (entry.Body, error)
	out    []*Logged
	err    error
	done   chan struct{}
}

// Limits of a Writer.
const (
	writerQueue   = 65536                 // calls waiting
	writerBatch   = 1024                  // entries in one request
	writerTimeout = 30 * time.Second      // one request to the log
	writerRetries = 3                     // requests whose answer got lost
	writerPause   = 20 * time.Millisecond // first pause when the log is busy; doubles
)

// NewWriter returns a writer for the role identifier by, which continues after
// the role's last logged entry.
func NewWriter(ctx context.Context, log Log, by string, now func() time.Time) (*Writer, error) {
	if _, ok := entry.Writers[by]; !ok {
		return nil, fmt.Errorf("couldn't start a writer: %w", ErrWriter)
	}
	next, err := log.NextSeq(ctx, by)
	if err != nil {
		return nil, fmt.Errorf("couldn't ask the log for the next sequence number of %s: %w", by, err)
	}
	w := &Writer{log: log, by: by, now: now, next: next, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.loop()
	return w, nil
}

// Append logs one entry with this body.
func (w *Writer) Append(ctx context.Context, body entry.Body) (*Logged, error) {
	return w.AppendFunc(ctx, func(uint64) (entry.Body, error) { return body, nil })
}

// AppendFunc logs one entry whose body depends on its sequence number. build
// may be called more than once, each time with the number that would be used.
func (w *Writer) AppendFunc(ctx context.Context, build func(seq uint64) (entry.Body, error)) (*Logged, error) {
	out, err := w.submit(ctx, build)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// AppendAll logs entries with consecutive sequence numbers, all or none.
func (w *Writer) AppendAll(ctx context.Context, bodies ...entry.Body) ([]*Logged, error) {
	if len(bodies) == 0 {
		return nil, nil
	}
	builds := make([]func(uint64) (entry.Body, error), len(bodies))
	for i, b := range bodies {
		builds[i] = func(uint64) (entry.Body, error) { return b, nil }
	}
	return w.submit(ctx, builds...)
}

func (w *Writer) submit(ctx context.Context, builds ...func(uint64) (entry.Body, error)) ([]*Logged, error) {
	if len(builds) > MaxAppendEntries {
		return nil, ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &call{ctx: ctx, builds: builds, done: make(chan struct{})}
	w.mu.Lock()
	switch {
	case w.closed:
		w.mu.Unlock()
		return nil, ErrClosed
	case len(w.queue) >= writerQueue:
		w.mu.Unlock()
		return nil, ErrBusy
	}
	w.queue = append(w.queue, c)
	w.mu.Unlock()
	w.signal()
	<-c.done // a call whose context ends while it waits is dropped by the loop
	return c.out, c.err
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Close logs what waits, then stops. It does not close the log.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
	<-w.done
	return nil
}

func (w *Writer) loop() {
	defer close(w.done)
	for {
		calls, closed := w.take()
		if len(calls) == 0 {
			if closed {
				return
			}
			<-w.wake
			continue
		}
		w.send(calls)
	}
}

// take removes the calls of the next request from the queue and answers those
// whose context has ended.
func (w *Writer) take() (calls []*call, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, i := 0, 0
	for ; i < len(w.queue); i++ {
		c := w.queue[i]
		if n > 0 && n+len(c.builds) > writerBatch {
			break
		}
		if err := c.ctx.Err(); err != nil {
			c.finish(nil, err)
			continue
		}
		calls = append(calls, c)
		n += len(c.builds)
	}
	clear(w.queue[:i])
	w.queue = w.queue[i:]
	return calls, w.closed
}

func (c *call) finish(out []*Logged, err error) {
	c.out, c.err = out, err
	close(c.done)
}

// send logs the calls in one request. When the log refuses an entry, each call
// is sent by itself, so that only the one to blame fails.
func (w *Writer) send(calls []*call) {
	ctx, cancel := context.WithTimeout(context.Background(), writerTimeout)
	defer cancel()
	if err := w.resync(ctx); err != nil {
		for _, c := range calls {
			c.finish(nil, err)
		}
		return
	}
	var batch [][]byte
	var good []*call
	var ends []int
	for _, c := range calls {
		entries, err := w.build(c, w.next+uint64(len(batch)))
		if err != nil {
			c.finish(nil, err)
			continue
		}
		batch, good, ends = append(batch, entries...), append(good, c), append(ends, len(batch)+len(entries))
	}
	if len(good) == 0 {
		return
	}
	receipts, err := w.request(ctx, batch)
	if err != nil {
		w.failed(good, err)
		return
	}
	w.next += uint64(len(batch))
	start := 0
	for i, c := range good {
		out := make([]*Logged, 0, ends[i]-start)
		for ; start < ends[i]; start++ {
			out = append(out, &Logged{Index: receipts[start].Index, Bytes: batch[start], Receipt: receipts[start]})
		}
		c.finish(out, nil)
	}
}

func (w *Writer) failed(calls []*call, err error) {
	w.stale = true
	if len(calls) > 1 && isRefusal(err) {
		for _, c := range calls {
			w.send([]*call{c})
		}
		return
	}
	for _, c := range calls {
		c.finish(nil, err)
	}
}

func (w *Writer) resync(ctx context.Context) error {
	if !w.stale {
		return nil
	}
	next, err := w.log.NextSeq(ctx, w.by)
	if err != nil {
		return fmt.Errorf("couldn't ask the log for the next sequence number of %s: %w", w.by, err)
	}
	w.next, w.stale = next, false
	return nil
}

func (w *Writer) build(c *call, seq uint64) ([][]byte, error) {
	at := entry.At(w.now())
	out := make([][]byte, 0, len(c.builds))
	for i, build := range c.builds {
		body, err := build(seq + uint64(i))
		if err != nil {
			return nil, err
		}
		b, err := entry.Entry{At: at, By: w.by, Seq: seq + uint64(i), Body: body}.Marshal()
		if err != nil {
			return nil, fmt.Errorf("couldn't make an entry: %w", ErrInvalid.Because(err))
		}
		out = append(out, b)
	}
	return out, nil
}

// request sends entries until there is an answer. The same bytes may be sent
// again: the log knows them by writer and number.
func (w *Writer) request(ctx context.Context, batch [][]byte) ([]*proof.Receipt, error) {
	var err error
	for try, pause := 0, writerPause; try < writerRetries; try++ {
		var receipts []*proof.Receipt
		receipts, err = w.log.Append(ctx, batch...)
		if err == nil && len(receipts) != len(batch) {
			err = fmt.Errorf("log answered %d receipts for %d entries", len(receipts), len(batch))
		}
		if err == nil {
			return receipts, nil
		}
		switch {
		case errors.Is(err, ErrBusy) && wait(ctx, pause): // nothing was looked at: doesn't count
			try, pause = try-1, min(2*pause, 64*writerPause)
		case isRefusal(err) || errors.Is(err, ErrBusy) || errors.Is(err, ErrClosed) || ctx.Err() != nil:
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrUncertain, err)
}

// isRefusal reports that the log looked at the entries and took none.
func isRefusal(err error) bool {
	for _, e := range []error{ErrConflict, ErrGap, ErrInvalid, ErrWriter, ErrImpossible, ErrTooLarge} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// wait pauses; false when the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
