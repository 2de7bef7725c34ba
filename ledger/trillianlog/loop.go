package trillianlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/trillian"
	trillog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// commit is one batch on its way: what is written, who waits for it.
type commit struct {
	requests []*request
	refused  []refusal
	entries  []parsed // new entries, from index first on
	first    uint64
	publish  bool

	growth *growth // nil: nothing new
	wait   func() error
	tip    tip
	status *status.Tree // publish: the tree that status.root is about
}

// refusal is a request that the log refuses. Its caller is told when the batch
// is on disk: the reason may be an entry of the batch, and nobody may learn of
// an entry that a crash could still take away.
type refusal struct {
	r   *request
	err error
}

// loop takes what waits, writes it, and hands it to the finisher, so that one
// batch is prepared while the one before goes to disk.
func (e *Engine) loop() {
	defer e.ended.Done()
	defer close(e.commits)
	for {
		c, closed := e.take()
		if c == nil {
			if closed {
				return
			}
			<-e.wake
			continue
		}
		e.prepare(c)
		e.commits <- c
	}
}

// take removes the next batch from the queue; nil when nothing waits. On a
// closed engine it refuses what waits.
func (e *Engine) take() (c *commit, closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, i := 0, 0
	for ; i < len(e.queue); i++ {
		r := e.queue[i]
		if n > 0 && n+len(r.entries) > e.cfg.MaxBatch {
			break
		}
		if !r.step.CompareAndSwap(waiting, taken) {
			continue
		}
		if e.closed {
			r.finish(ledger.ErrClosed)
			continue
		}
		if c == nil {
			c = &commit{}
		}
		c.requests = append(c.requests, r)
		n += len(r.entries)
	}
	clear(e.queue[:i])
	e.queue = e.queue[i:]
	return c, e.closed
}

// prepare gives the batch's entries their places and writes them; c.wait then
// says when they are on disk.
func (e *Engine) prepare(c *commit) {
	c.first = e.edge.size
	admitted := c.requests[:0]
	for _, r := range c.requests {
		err := e.failed()
		if err == nil {
			err = e.admit(c, r)
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
		if err := e.addStatusRoot(c); err != nil {
			c.wait = func() error { return err }
			return
		}
	}
	if len(c.entries) == 0 {
		return
	}
	if err := e.write(c); err != nil {
		c.wait = func() error { return err }
	}
}

// admit checks a request against the log and appends its new entries to the
// batch, all or none.
func (e *Engine) admit(c *commit, r *request) error {
	indexes := make([]uint64, len(r.entries))
	fresh := c.entries
	ahead := map[string]uint64{} // numbers that this request adds
	for i, p := range r.entries {
		by, seq := p.entry.By, p.entry.Seq
		next := e.next[by] + ahead[by]
		switch {
		case seq > next:
			return ledger.ErrGap
		case seq < next:
			index, err := e.again(fresh, c.first, p)
			if err != nil {
				return err
			}
			indexes[i] = index
		default:
			indexes[i] = c.first + uint64(len(fresh))
			fresh = append(fresh, p)
			ahead[by]++
		}
	}
	if err := e.applyStatus(fresh[len(c.entries):]); err != nil {
		return ledger.ErrImpossible.Because(err)
	}
	c.entries, r.indexes = fresh, indexes
	for by, n := range ahead {
		e.next[by] += n
	}
	return nil
}

// again finds an entry that is logged already: in this batch or in the store.
func (e *Engine) again(fresh []parsed, first uint64, p parsed) (uint64, error) {
	for i := range fresh {
		if f := &fresh[i]; f.entry.By == p.entry.By && f.entry.Seq == p.entry.Seq {
			if !bytes.Equal(f.bytes, p.bytes) {
				return 0, ledger.ErrConflict
			}
			return first + uint64(i), nil
		}
	}
	index, err := e.store.IndexOf(e.tree.TreeId, identity(p.entry.By, p.entry.Seq))
	if err != nil {
		return 0, e.fail(fmt.Errorf("couldn't find a logged entry by its number: %w", err))
	}
	old, err := e.store.Leaf(e.tree.TreeId, index)
	if err != nil {
		return 0, e.fail(fmt.Errorf("couldn't read entry %d: %w", index, err))
	}
	if !bytes.Equal(old, p.bytes) {
		return 0, ledger.ErrConflict
	}
	return index, nil
}

// addStatusRoot makes status.root the last entry of the batch.
func (e *Engine) addStatusRoot(c *commit) error {
	p, err := e.own(&entry.StatusRoot{
		Covers: c.first + uint64(len(c.entries)),
		Issued: e.status.Issued(), Revoked: e.status.Revoked(), Root: e.status.Root(), Size: e.status.Size(),
	})
	if err != nil {
		return e.fail(err)
	}
	c.entries = append(c.entries, p)
	c.status = e.status.Clone()
	return nil
}

// own makes the log's own next entry.
func (e *Engine) own(body entry.Body) (parsed, error) {
	en := entry.Entry{At: entry.At(e.clock.Now()), By: entry.ByLog, Seq: e.next[entry.ByLog], Body: body}
	b, err := en.Marshal()
	if err != nil {
		return parsed{}, fmt.Errorf("couldn't make the log's own entry: %w", err)
	}
	e.next[entry.ByLog]++
	return parsed{bytes: b, entry: en, hash: tlog.RecordHash(b)}, nil
}

// write integrates the batch and signs it. After an error the state in memory
// is ahead of the store, so the engine stops.
func (e *Engine) write(c *commit) error {
	hashes := make([]tlog.Hash, len(c.entries))
	leaves := make([]*trillian.LogLeaf, len(c.entries))
	for i := range c.entries {
		p := &c.entries[i]
		hashes[i] = p.hash
		leaves[i] = &trillian.LogLeaf{
			LeafIndex: int64(c.first) + int64(i), LeafValue: p.bytes,
			MerkleLeafHash: hashes[i][:], LeafIdentityHash: identity(p.entry.By, p.entry.Seq),
		}
	}
	c.growth = e.edge.extend(hashes)
	stage := &pebblestore.Stage{Store: e.store, Leaves: leaves, Extra: e.extra(c), Check: c.growth.check}
	n, err := trillog.IntegrateBatch(context.Background(), e.tree, len(leaves), 0, 0, e.clock, stage, quota.Noop())
	if err != nil {
		return e.fail(fmt.Errorf("couldn't integrate a batch: %w", err))
	}
	if n != len(leaves) {
		return e.fail(fmt.Errorf("integrated %d of %d leaves", n, len(leaves)))
	}
	e.edge = c.growth.new
	c.wait = stage.Wait
	c.tip.size = e.edge.size
	if c.tip.checkpoint, err = e.sign(e.edge.size, c.growth.root()); err != nil {
		return e.fail(err)
	}
	return nil
}

// check compares what is about to be written with the engine's own tree: the
// root, and every new hash in every tile.
func (g *growth) check(w pebblestore.Written) error {
	if root := g.root(); w.Root.TreeSize != g.new.size || !bytes.Equal(w.Root.RootHash, root[:]) {
		return errors.New("self-check: the integrated root is not the tree's")
	}
	for id, data := range w.Tiles {
		if err := g.checkTile(id, data); err != nil {
			return err
		}
	}
	return nil
}

func (g *growth) checkTile(id pebblestore.TileID, data []byte) error {
	k := int(id.Level) * pebblestore.TileHeight
	first := id.Index * pebblestore.TileWidth
	count := min(g.new.size>>k-first, pebblestore.TileWidth)
	if uint64(len(data)) != count*tlog.HashSize {
		return fmt.Errorf("self-check: tile %d/%d has %d bytes, want %d hashes", id.Level, id.Index, len(data), count)
	}
	for i := max(g.old.size>>k, first); i < first+count; i++ {
		at := (i - first) * tlog.HashSize
		if h := g.node(k, i); !bytes.Equal(h[:], data[at:at+tlog.HashSize]) {
			return fmt.Errorf("self-check: tile %d/%d is wrong at hash %d", id.Level, id.Index, i-first)
		}
	}
	return nil
}

// issuedKey leads from an ordinal to the index of its cert.issued entry.
func (e *Engine) issuedKey(ordinal uint64) []byte {
	return pebblestore.UserKey(e.tree.TreeId, "issued", binary.BigEndian.AppendUint64(nil, ordinal))
}

func (e *Engine) extra(c *commit) []pebblestore.Pair {
	var out []pebblestore.Pair
	for i := range c.entries {
		if b, ok := c.entries[i].entry.Body.(*entry.CertIssued); ok {
			index := binary.BigEndian.AppendUint64(nil, c.first+uint64(i))
			out = append(out, pebblestore.Pair{Key: e.issuedKey(b.Ordinal), Value: index})
		}
	}
	return out
}

// sign makes the commit checkpoint.
func (e *Engine) sign(size uint64, root tlog.Hash) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", e.cfg.Origin, size, root)
	b, err := note.Sign(&note.Note{Text: text}, e.cfg.Signer)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign a checkpoint: %w", err)
	}
	return b, nil
}

// finish ends the batches in order: on disk, head moved, callers answered.
func (e *Engine) finish() {
	defer e.ended.Done()
	for c := range e.commits {
		err := e.settle(c)
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

func (e *Engine) settle(c *commit) error {
	var err error
	if c.wait != nil {
		err = c.wait()
	}
	if err == nil {
		err = e.failed()
	}
	if err != nil {
		return e.fail(err)
	}
	last := e.committed.Load()
	if c.growth == nil {
		c.tip = *last // everything asked for was logged before
		return nil
	}
	var old []byte
	if last != nil {
		old = last.checkpoint
	}
	if err := e.head.Swap(old, c.tip.checkpoint); err != nil {
		return e.fail(err)
	}
	e.committed.Store(&c.tip)
	return nil
}

// errIsMissing tells a key that is not there from a store that failed.
func errIsMissing(err error) bool { return errors.Is(err, kv.ErrNotFound) }
