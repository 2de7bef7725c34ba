package sequence

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// commit is one batch on its way: what is written, who waits for it. Growth is
// nil when nothing is new.
type commit struct {
	Batch
	requests []*Request
	refused  []refusal
	publish  bool

	wait   func() error
	tip    tip
	status *status.Tree // publish: the tree that status.root is about
}

// refusal is a request that the log refuses. Its caller is told when the batch
// is on disk: the reason may be an entry of the batch, and nobody may learn of
// an entry that a crash could still take away.
type refusal struct {
	r   *Request
	err error
}

// loop takes what waits, writes it, and hands it to the finisher, so that one
// batch is prepared while the one before goes to disk. No third one is begun
// before the first is done: what a batch costs besides its entries is then
// shared by more of them.
func (l *Log) loop() {
	defer l.ended.Done()
	defer close(l.commits)
	for {
		runtime.Gosched() // callers that were just answered come back before the batch is closed
		c, closed := l.take()
		if c == nil {
			if closed {
				return
			}
			<-l.wake
			continue
		}
		l.prepare(c)
		l.commits <- c
	}
}

// take removes the next batch from the queue; nil when nothing waits. On a
// closed log it refuses what waits.
func (l *Log) take() (c *commit, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, i, weight := 0, 0, int64(perEntry) // room for a status.root
	if len(l.queue) > 0 {
		c = &commit{requests: make([]*Request, 0, min(len(l.queue), l.cfg.MaxBatch))}
	}
	for ; i < len(l.queue); i++ {
		r := l.queue[i]
		if n > 0 && (n+len(r.entries) > l.cfg.MaxBatch || l.cfg.MaxBatchBytes > 0 && weight+r.weight > l.cfg.MaxBatchBytes) {
			break
		}
		if !r.step.CompareAndSwap(waiting, taken) {
			continue
		}
		if l.closed {
			r.finish(ledger.ErrClosed)
			continue
		}
		c.requests = append(c.requests, r)
		n += len(r.entries)
		weight += r.weight
	}
	rest := copy(l.queue, l.queue[i:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
	if c != nil && len(c.requests) == 0 { // all were given up
		c = nil
	}
	if c != nil {
		c.Entries = make([]Entry, 0, n+1) // a status.root may follow
	}
	return c, l.closed
}

// prepare gives the batch's entries their places and writes them; c.wait then
// says when they are on disk.
func (l *Log) prepare(c *commit) {
	c.First = l.edge.Size
	admitted := c.requests[:0]
	for _, r := range c.requests {
		err := l.failed()
		if err == nil {
			err = l.admit(c, r)
		}
		if err != nil {
			c.refused = append(c.refused, refusal{r, err})
			continue
		}
		c.publish = c.publish || r.publish
		admitted = append(admitted, r)
	}
	c.requests = admitted
	if c.publish {
		if err := l.addStatusRoot(c); err != nil {
			c.wait = func() error { return err }
			return
		}
	}
	if len(c.Entries) == 0 {
		return
	}
	if err := l.write(c); err != nil {
		c.wait = func() error { return err }
	}
}

// admit checks a request against the log and appends its new entries to the
// batch, all or none.
func (l *Log) admit(c *commit, r *Request) error {
	if len(r.entries) == 1 {
		return l.admitOne(c, r)
	}
	indexes := make([]uint64, len(r.entries))
	fresh := c.Entries
	var ahead map[string]uint64 // numbers that this request adds
	for i, p := range r.entries {
		by, seq := p.Parsed.By, p.Parsed.Seq
		next := l.next[by] + ahead[by]
		switch {
		case seq > next:
			return ledger.ErrGap
		case seq < next:
			index, err := l.again(fresh, c.First, p)
			if err != nil {
				return err
			}
			indexes[i] = index
		default:
			indexes[i] = c.First + uint64(len(fresh))
			fresh = append(fresh, p)
			if ahead == nil {
				ahead = map[string]uint64{}
			}
			ahead[by]++
		}
	}
	if err := l.applyStatus(fresh[len(c.Entries):]); err != nil {
		return ledger.ErrImpossible.Because(err)
	}
	c.Entries, r.indexes = fresh, indexes
	for by, n := range ahead {
		l.next[by] += n
	}
	return nil
}

// admitOne is admit for the most common request, without its bookkeeping.
func (l *Log) admitOne(c *commit, r *Request) error {
	p := &r.entries[0]
	switch next := l.next[p.Parsed.By]; {
	case p.Parsed.Seq > next:
		return ledger.ErrGap
	case p.Parsed.Seq < next:
		index, err := l.again(c.Entries, c.First, *p)
		if err != nil {
			return err
		}
		r.oneIndex[0] = index
	default:
		if err := l.applyStatus(r.entries); err != nil {
			return ledger.ErrImpossible.Because(err)
		}
		r.oneIndex[0] = c.First + uint64(len(c.Entries))
		c.Entries = append(c.Entries, *p)
		l.next[p.Parsed.By] = next + 1
	}
	r.indexes = r.oneIndex[:]
	return nil
}

// again finds an entry that is logged already: in this batch or in the store.
func (l *Log) again(fresh []Entry, first uint64, p Entry) (uint64, error) {
	for i := range fresh {
		if f := &fresh[i]; f.Parsed.By == p.Parsed.By && f.Parsed.Seq == p.Parsed.Seq {
			if !bytes.Equal(f.Bytes, p.Bytes) {
				return 0, ledger.ErrConflict
			}
			return first + uint64(i), nil
		}
	}
	index, err := l.store.IndexOf(p.Parsed.By, p.Parsed.Seq)
	if err != nil {
		return 0, l.fail(fmt.Errorf("couldn't find a logged entry by its number: %w", err))
	}
	same, err := l.holds(index, p)
	if err != nil {
		return 0, l.fail(fmt.Errorf("couldn't read entry %d: %w", index, err))
	}
	if !same {
		return 0, ledger.ErrConflict
	}
	return index, nil
}

// holds tells whether the entry at index is p, by its hash in the tree.
func (l *Log) holds(index uint64, p Entry) (bool, error) {
	h, err := l.readHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
	if err != nil {
		return false, err
	}
	return h[0] == p.Hash, nil
}

// addStatusRoot makes status.root the last entry of the batch.
func (l *Log) addStatusRoot(c *commit) error {
	p, err := l.own(&entry.StatusRoot{
		Covers: c.First + uint64(len(c.Entries)),
		Issued: l.status.Issued(), Revoked: l.status.Revoked(), Root: l.status.Root(), Size: l.status.Size(),
	})
	if err != nil {
		return l.fail(err)
	}
	c.Entries = append(c.Entries, p)
	c.status = l.status.Clone()
	return nil
}

// own makes the log's own next entry.
func (l *Log) own(body entry.Body) (Entry, error) {
	en := entry.Entry{At: entry.At(l.clock.Now()), By: entry.ByLog, Seq: l.next[entry.ByLog], Body: body}
	b, err := en.Marshal()
	if err != nil {
		return Entry{}, fmt.Errorf("couldn't make the log's own entry: %w", err)
	}
	l.next[entry.ByLog]++
	return Entry{Bytes: b, Parsed: en, Hash: tlog.RecordHash(b)}, nil
}

// write stores the batch and signs it. After an error the state in memory is
// ahead of the store, so the log stops.
func (l *Log) write(c *commit) error {
	hashes := make([]tlog.Hash, len(c.Entries))
	for i := range c.Entries {
		hashes[i] = c.Entries[i].Hash
	}
	c.Growth = l.edge.Extend(hashes)
	wait, err := l.store.Write(&c.Batch)
	if err != nil {
		return l.fail(err)
	}
	l.edge = c.Growth.New
	c.wait = wait
	c.tip.size = l.edge.Size
	if l.cfg.Patient {
		return nil // signed when the store has shown that its tree is ours
	}
	if c.tip.checkpoint, err = l.sign(l.edge.Size, c.Growth.Root()); err != nil {
		return l.fail(err)
	}
	return nil
}

// sign makes the commit checkpoint.
func (l *Log) sign(size uint64, root tlog.Hash) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", l.cfg.Origin, size, root)
	b, err := note.Sign(&note.Note{Text: text}, l.cfg.Signer)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign a checkpoint: %w", err)
	}
	return b, nil
}

// finish ends the batches in order: on disk, head moved, callers answered.
func (l *Log) finish() {
	defer l.ended.Done()
	for c := range l.commits {
		err := l.settle(c)
		for _, r := range c.requests {
			r.commit = c
			r.finish(err)
		}
		for _, x := range c.refused {
			if err != nil {
				x.err = err
			}
			x.r.finish(x.err)
		}
	}
}

// settle returns when the batch and the head over it are on disk.
func (l *Log) settle(c *commit) error {
	last := l.committed.Load()
	head := l.moveBeside(c, last)
	var err error
	if c.wait != nil {
		err = c.wait()
	}
	if err == nil {
		err = l.failed()
	}
	if err == nil && c.Growth == nil {
		c.tip = *last // everything asked for was logged before
		return nil
	}
	if err == nil && c.tip.checkpoint == nil {
		c.tip.checkpoint, err = l.sign(c.tip.size, c.Growth.Root())
	}
	if err == nil && head == nil {
		var old []byte
		if last != nil {
			old = last.checkpoint
		}
		err = l.head.Swap(old, c.tip.checkpoint)
	}
	if head != nil {
		err = errors.Join(err, <-head)
	}
	if err != nil {
		return l.fail(err)
	}
	l.committed.Store(&c.tip)
	return nil
}

// moveBeside begins to move the head while the store still writes, when the
// batch fits into the head; nil when it doesn't.
func (l *Log) moveBeside(c *commit, last *tip) <-chan error {
	if last == nil || c.tip.checkpoint == nil || last.size != c.First || l.failed() != nil {
		return nil
	}
	tail := appendTail(l.tail[:0], &c.Batch, c.tip.checkpoint)
	if tail == nil {
		return nil
	}
	l.tail = tail
	done := make(chan error, 1)
	go func() { done <- l.head.SwapTail(last.checkpoint, c.tip.checkpoint, tail) }()
	return done
}
