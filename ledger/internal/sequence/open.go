package sequence

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Start holds the store against the head and begins to work: a new log gets
// log.genesis as entry 0. It refuses a store that is behind its head or differs
// from it, with a sentence that says what to do. The store is closed with the
// log, also when Start fails and Close is called.
func (l *Log) Start(ctx context.Context, store Store) error {
	l.store = store
	root, err := l.check(ctx)
	if err != nil {
		return err
	}
	if err := l.load(ctx, root); err != nil {
		return err
	}
	l.ended.Add(2)
	go l.loop()
	go l.finish()
	if err := l.begin(ctx); err != nil {
		return err
	}
	if l.cfg.PublishEvery > 0 {
		var background context.Context
		background, l.stop = context.WithCancel(context.Background())
		l.ended.Add(1)
		go l.publishLoop(background)
	}
	return nil
}

// check is everything that must hold before the first signature.
func (l *Log) check(ctx context.Context) (Root, error) {
	root, err := l.store.Root(ctx)
	if err != nil {
		return root, err
	}
	if root.Nanos > 0 {
		l.clock.After(root.Nanos)
	}
	if root, err = l.redo(ctx, root); err != nil {
		return root, err
	}
	if err := l.checkHead(root); err != nil {
		return root, err
	}
	if err := l.checkRightEdge(ctx, root); err != nil {
		return root, err
	}
	if err := l.checkKeys(ctx, root); err != nil {
		return root, err
	}
	if l.cfg.CheckHead != nil {
		if err := l.cfg.CheckHead(ctx, root.Size, l.RootAt); err != nil {
			return root, err
		}
	}
	return root, nil
}

// checkHead holds the store against the head: not behind, and the same tree.
func (l *Log) checkHead(root Root) error {
	note := l.head.Get()
	if note == nil {
		// Genesis alone may be there without a head: a crash at the very start.
		if root.Size > 1 && !l.cfg.AdoptHead {
			return ErrHeadLost
		}
		return nil
	}
	cp, err := l.policy.VerifyCheckpoint(note)
	if err != nil {
		return ErrHeadForeign.Because(err)
	}
	if cp.Size > root.Size {
		return ErrBehind(root.Size, cp.Size)
	}
	at, err := tlog.TreeHash(int64(cp.Size), tlog.HashReaderFunc(l.readHashes))
	if err != nil {
		return ErrDamaged.Because(err)
	}
	if at != cp.Root {
		return ErrForked(cp.Size)
	}
	return nil
}

// checkRightEdge recomputes the root from the tiles and the last tile from the
// entries.
func (l *Log) checkRightEdge(ctx context.Context, root Root) error {
	if root.Size == 0 {
		return nil
	}
	got, err := tlog.TreeHash(int64(root.Size), tlog.HashReaderFunc(l.readHashes))
	if err != nil {
		return ErrDamaged.Because(err)
	}
	if got != root.Hash {
		return ErrDamaged.Because(fmt.Errorf("tiles don't lead to the root of size %d", root.Size))
	}
	n := (root.Size - 1) / TileWidth
	tile, err := l.store.Tile(0, n)
	if err != nil {
		return ErrDamaged.Because(err)
	}
	from := n * TileWidth
	if uint64(len(tile)) < (root.Size-from)*tlog.HashSize {
		return ErrDamaged.Because(errors.New("the last tile is too short"))
	}
	err = l.store.Leaves(ctx, from, root.Size, func(i uint64, b []byte) error {
		h := tlog.RecordHash(b)
		if at := (i - from) * tlog.HashSize; !bytes.Equal(h[:], tile[at:at+tlog.HashSize]) {
			return fmt.Errorf("entry %d is not the one in its tile", i)
		}
		return nil
	})
	if err != nil {
		return ErrDamaged.Because(err)
	}
	return nil
}

// load rebuilds what the engine keeps in memory: right edge, sequence numbers,
// status trees of now and of the newest published checkpoint.
func (l *Log) load(ctx context.Context, root Root) error {
	l.next, l.pending, l.status = map[string]uint64{}, map[uint64]struct{}{}, status.New()
	var err error
	if l.edge, err = Edge(root.Size, l.store.Tile); err != nil {
		return ErrDamaged.Because(err)
	}
	for by := range entry.Writers {
		n, err := l.store.Next(by)
		if err != nil {
			return fmt.Errorf("couldn't find the last entry of %s: %w", by, err)
		}
		l.next[by] = n
	}
	if note := l.head.Get(); note != nil {
		cp, err := proof.ParseUnverified(note)
		if err != nil {
			return ErrHeadForeign.Because(err)
		}
		l.committed.Store(&tip{size: cp.Size, checkpoint: note})
	}
	p, err := l.loadPublished(root.Size)
	if err != nil {
		return err
	}
	if err := l.replay(ctx, root.Size, p); err != nil {
		return err
	}
	if p != nil {
		l.published.Store(p)
	}
	return nil
}

// loadPublished reads the newest published checkpoint and holds it against the
// stored tree.
func (l *Log) loadPublished(size uint64) (*published, error) {
	b := l.front.Get()
	if b == nil {
		return nil, nil
	}
	cp, err := proof.ParseUnverified(b)
	if err != nil || cp.Origin != l.cfg.Origin || cp.Size > size || cp.Size == 0 {
		return nil, ErrDamaged.Because(fmt.Errorf("published checkpoint doesn't belong to this store: %v", err))
	}
	root, err := tlog.TreeHash(int64(cp.Size), tlog.HashReaderFunc(l.readHashes))
	if err != nil || root != cp.Root {
		return nil, ErrForked(cp.Size)
	}
	return &published{size: cp.Size, checkpoint: b}, nil
}

// replay applies all entries to the status tree, or those after a snapshot.
func (l *Log) replay(ctx context.Context, size uint64, p *published) error {
	keep := func(before uint64) { // p's tree is the one before the entry at this index
		if p != nil && p.status == nil && before >= p.size {
			p.status = l.status.Clone()
		}
	}
	err := l.statuses(ctx, size, p, func(i uint64, en entry.Entry) error {
		keep(i)
		if err := l.status.Apply(en); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		l.track(en)
		return nil
	})
	if err == nil {
		keep(size)
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	return ErrDamaged.Because(err)
}

// begin brings a freshly opened log to a signed state: genesis for a new one,
// a checkpoint over what a crash left unsigned for an old one.
func (l *Log) begin(ctx context.Context) error {
	if l.edge.Size == 0 {
		return l.genesis(ctx)
	}
	if last := l.committed.Load(); last == nil || last.size != l.edge.Size {
		if err := l.signWhatIsThere(); err != nil {
			return err
		}
	}
	if s, ok := l.store.(interface{ Doubtful() bool }); ok && s.Doubtful() {
		if rotating, err := l.inRotation(ctx); err != nil || rotating {
			return err
		}
		l.pubMu.Lock()
		defer l.pubMu.Unlock()
		_, err := l.candidate(ctx)
		return err
	}
	return nil
}

func (l *Log) signWhatIsThere() error {
	g := l.edge.Extend(nil)
	note, err := l.sign(l.edge.Size, g.Root())
	if err != nil {
		return err
	}
	if err := l.head.Swap(l.head.Get(), note); err != nil {
		return err
	}
	l.committed.Store(&tip{size: l.edge.Size, checkpoint: note})
	return nil
}

func (l *Log) genesis(ctx context.Context) error {
	p, err := l.own(&entry.Genesis{Key: l.cfg.VKey, Origin: l.cfg.Origin, Rules: Rules})
	if err != nil {
		return err
	}
	l.next[entry.ByLog]-- // own counted it; admit counts it again
	r := &Request{entries: []Entry{p}, weight: perEntry, done: make(chan struct{})}
	if err := l.Submit(ctx, r); err != nil {
		return err
	}
	return l.await(ctx, r)
}
