package clusterlog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/trillian"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

// store is a sequence.Store on a cluster and the cache beside it.
type store struct {
	*remote
	*cache
	meta     cacheMeta
	opened   sequence.Root // as it was when the store was opened
	doubtful bool          // entries of an earlier life may still be on their way
	// importing: whatever is at a place already can only be the same entry;
	// the root shows it
	importing bool
	logger    *slog.Logger

	ctx    context.Context // ends with the store
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting []*sequence.Batch // added or being added, not verified yet
	failed  bool              // a Write or its wait gave up

	verified sequence.Root // newest root that was ours; finisher only
	pace     pace          // finisher only
}

var (
	_ sequence.Store     = (*store)(nil)
	_ sequence.Snapshots = (*store)(nil)
)

// grace is what a batch under way gets to end when the log is closed.
const grace = 5 * time.Second

// Root implements sequence.Store.
func (s *store) Root(context.Context) (sequence.Root, error) { return s.opened, nil }

// Doubtful tells whether the first batch must be a single entry of the log's
// own, so that a place that is taken shows before anything is mixed with it.
func (s *store) Doubtful() bool { return s.doubtful }

// Write implements sequence.Store: the batch goes to the database in one call.
// One call is under way at a time. Two could be overtaken by a crash in such a
// way that the later one is in the database and the earlier one is not; nobody
// could fill that hole with what was lost. While the call is under way, the
// cache takes the batch without saying so yet.
func (s *store) Write(b *sequence.Batch) (func() error, error) {
	req := &trillian.AddSequencedLeavesRequest{LogId: s.tree, Leaves: make([]*trillian.LogLeaf, len(b.Entries))}
	for i := range b.Entries {
		e := &b.Entries[i]
		id := identity(e.Parsed.By, e.Parsed.Seq)
		req.Leaves[i] = &trillian.LogLeaf{LeafIndex: int64(b.First) + int64(i), LeafValue: e.Bytes, LeafIdentityHash: id[:]}
	}
	s.mu.Lock()
	s.waiting = append(s.waiting, b)
	s.mu.Unlock()
	cached := make(chan error, 1)
	go func() { cached <- s.cache.add(s.meta, b) }()
	err := errors.Join(s.add(req), <-cached)
	if err == nil {
		err = s.cache.claim(s.meta, b.Growth.New.Size)
	}
	if err != nil {
		return nil, s.giveUp(err)
	}
	added := time.Now()
	return func() error { return s.integrated(b.Growth.New.Size, added) }, nil
}

// identity is the leaf identity of an entry: the writer, then its number. It is
// as long as a hash, because Trillian's storage wants that, but is none: the
// databases keep an index by it, and what grows in order is added at the index's
// right edge, where a hash would land on a page of its own each time.
func identity(by string, seq uint64) [sha256.Size]byte {
	var id [sha256.Size]byte
	id[0] = byte(len(by))
	copy(id[1:len(id)-8], by) // entry.Writers has no longer names
	binary.BigEndian.PutUint64(id[len(id)-8:], seq)
	return id
}

func (s *store) giveUp(err error) error {
	s.mu.Lock()
	s.failed = true
	s.mu.Unlock()
	return err
}

// add sends a batch until its fate is certain.
func (s *store) add(req *trillian.AddSequencedLeavesRequest) error {
	uncertain := false
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(s.ctx, callTime)
		resp, err := s.log.AddSequencedLeaves(ctx, req)
		cancel()
		switch {
		case err == nil:
			return s.judge(resp.GetResults(), len(req.Leaves), uncertain)
		case isPermanent(err):
			return fmt.Errorf("the log server refuses a batch: %w", err)
		}
		uncertain = true
		if err := s.pause(try, "couldn't add a batch", err); err != nil {
			return err
		}
	}
}

// judge reads the answers to one batch. The database takes a batch whole or not
// at all, so a place that is taken means that all are: by the same batch, sent
// before, or by something else. Which of the two shows in the next root.
func (s *store) judge(results []*trillian.QueuedLogLeaf, want int, uncertain bool) error {
	taken := 0
	for _, r := range results {
		switch codes.Code(r.GetStatus().GetCode()) {
		case codes.OK:
		case codes.AlreadyExists, codes.FailedPrecondition:
			taken++
		default:
			return fmt.Errorf("the log server refuses an entry: %s", r.GetStatus().GetMessage())
		}
	}
	switch {
	case len(results) != want:
		return fmt.Errorf("the log server answered for %d of %d entries", len(results), want)
	case taken == 0 || taken == want && uncertain || s.importing:
		return nil
	case taken == want:
		return errTaken
	}
	return ErrForeign.Because(fmt.Errorf("%d of %d places are taken", taken, want))
}

// integrated waits until the signer's root covers size, and holds every root
// on the way against our own tree. added is when the database had the batch.
func (s *store) integrated(size uint64, added time.Time) error {
	warned := added
	for try, asked := 0, false; s.verified.Size < size; asked = true {
		wait := s.pace.next(time.Since(added), asked)
		if err := s.sleep(wait); err != nil {
			return s.giveUp(err)
		}
		root, err := s.root(s.ctx)
		if err != nil {
			if isPermanent(err) {
				return s.giveUp(err)
			}
			if err := s.pause(try, "couldn't read the cluster's root", err); err != nil {
				return s.giveUp(err)
			}
			try++
			continue
		}
		if err := s.verify(root); err != nil {
			return s.giveUp(err)
		}
		if s.verified.Size >= size {
			s.pace.done(time.Since(added), wait, asked)
		}
		if time.Since(warned) > 10*time.Second {
			s.logger.Warn("the signer doesn't integrate", "size", root.Size, "waiting", size)
			warned = time.Now()
		}
	}
	return nil
}

// verify is the self-check: a root of the signer must be the root of our own
// tree at its size.
func (s *store) verify(root sequence.Root) error {
	if root.Size == s.verified.Size && root.Hash == s.verified.Hash {
		return nil
	}
	if root.Size <= s.verified.Size {
		return sequence.ErrForked(s.verified.Size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.waiting) && s.waiting[n].Growth.New.Size < root.Size {
		n++
	}
	if n == len(s.waiting) {
		return ErrForeign.Because(fmt.Errorf("the cluster has %d entries", root.Size))
	}
	b := s.waiting[n]
	if rootAt(b, root.Size) != root.Hash {
		return ErrForeign.Because(errors.New("self-check: the integrated root is not the tree's"))
	}
	if b.Growth.New.Size == root.Size {
		n++
	}
	s.waiting = append([]*sequence.Batch(nil), s.waiting[n:]...)
	s.verified = root
	return nil
}

// rootAt computes the root of the tree that ends within b.
func rootAt(b *sequence.Batch, size uint64) tlog.Hash {
	if size == b.Growth.New.Size {
		return b.Growth.Root()
	}
	hashes := make([]tlog.Hash, size-b.First)
	for i := range hashes {
		hashes[i] = b.Entries[i].Hash
	}
	return b.Growth.Old.Extend(hashes).Root()
}

// pause waits before the next try of something that failed. It returns an error
// when the log is being closed.
func (s *store) pause(try int, what string, err error) error {
	if try%16 == 0 {
		s.logger.Warn(what+"; trying again", "cause", err)
	}
	return s.sleep(min(50*time.Millisecond<<min(try, 6), 2*time.Second))
}

func (s *store) sleep(d time.Duration) error {
	select {
	case <-s.ctx.Done():
		return ledger.ErrUncertain.Because(ErrUnreachable)
	case <-time.After(d):
		return nil
	}
}

// Interrupt gives what is under way a moment to end.
func (s *store) Interrupt() { time.AfterFunc(grace, s.cancel) }

// Leaf implements sequence.Tree.
func (s *store) Leaf(ctx context.Context, index uint64) (out []byte, err error) {
	err = s.Leaves(ctx, index, index+1, func(_ uint64, b []byte) error {
		out = b
		return nil
	})
	return out, err
}

// Leaves implements sequence.Tree. What the cluster answers is held against the
// tiles.
func (s *store) Leaves(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	var tile []byte
	return s.leaves(ctx, from, to, func(index uint64, b []byte) error {
		if at := index % sequence.TileWidth; tile == nil || at == 0 {
			var err error
			if tile, err = s.Tile(0, index/sequence.TileWidth); err != nil {
				return sequence.ErrDamaged.Because(err)
			}
		}
		h, at := tlog.RecordHash(b), index%sequence.TileWidth*tlog.HashSize
		if uint64(len(tile)) < at+tlog.HashSize || tlog.Hash(tile[at:at+tlog.HashSize]) != h {
			return sequence.ErrDamaged.Because(fmt.Errorf("the cluster's entry %d is not the one that was logged", index))
		}
		return fn(index, b)
	})
}

// Close implements sequence.Store. The cache notes when nothing is left in
// doubt.
func (s *store) Close() error {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if m, e := s.cache.meta(); e == nil && m.Tree == s.tree && !s.failed && len(s.waiting) == 0 && !s.doubtful {
		m.Clean = true
		b := s.kv.NewBatch()
		putMeta(b, m)
		err = b.Commit(true)
	}
	return errors.Join(err, s.kv.Close(), s.conn.Close())
}
