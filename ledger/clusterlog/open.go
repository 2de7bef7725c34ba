package clusterlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

// Engine is an open log. It implements ledger.Log and ledger.Reader and is
// safe for concurrent use. A caller whose context ends while its entries are
// with the cluster gets ledger.ErrUncertain.
type Engine struct{ *sequence.Log }

var (
	_ ledger.Log    = (*Engine)(nil)
	_ ledger.Reader = (*Engine)(nil)
)

// Open opens the log on the cluster, or makes it with log.genesis as entry 0.
// It refuses a cluster that is behind the head, differs from it, or holds
// another log's entries under this origin.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(cfg.CatchUp)
	for {
		e, err := open(ctx, cfg, deadline)
		// Entries of an earlier life are on their way into the tree: after
		// them the log is read again.
		if !errors.Is(err, ErrForeign) || time.Now().After(deadline) {
			return e, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func open(ctx context.Context, cfg Config, deadline time.Time) (*Engine, error) {
	l, err := sequence.New(cfg.common())
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, cfg, l.Signed(), deadline)
	if err == nil {
		err = l.Start(ctx, s)
		s.doubtful = s.doubtful && err != nil
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Engine{l}, nil
}

func openStore(ctx context.Context, cfg Config, signed bool, deadline time.Time) (*store, error) {
	r, err := dial(&cfg)
	if err != nil {
		return nil, err
	}
	k, err := kv.Open(cfg.CacheDir, kv.Options{FS: cfg.FS, CacheBytes: cfg.CacheBytes, Logger: cfg.Logger})
	if err != nil {
		return nil, errors.Join(err, r.conn.Close())
	}
	s := &store{remote: r, cache: &cache{k}, logger: cfg.Logger}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err = s.openTree(ctx, cfg.Origin, signed); err == nil {
		err = s.reconcile(ctx, cfg, deadline)
	}
	if err != nil {
		s.cancel()
		return nil, errors.Join(err, k.Close(), r.conn.Close())
	}
	return s, nil
}

// reconcile brings the cache to the cluster's newest root, from where it is or
// from the beginning.
func (s *store) reconcile(ctx context.Context, cfg Config, deadline time.Time) error {
	m, err := s.cache.meta()
	if err != nil {
		return err
	}
	s.meta = cacheMeta{Format: cacheFormat, VKey: cfg.firstKey(), Tree: s.tree}
	if m.Format != cacheFormat || m.VKey != cfg.firstKey() || m.Tree != s.tree {
		m = cacheMeta{}
	}
	if s.opened, err = s.settledRoot(ctx, m.Size, deadline); err != nil {
		return err
	}
	s.doubtful = !(m.Clean && m.Size == s.opened.Size) && s.opened.Size > 0
	if err := s.checkGenesis(ctx, cfg); err != nil {
		return err
	}
	have := min(m.Size, s.opened.Size)
	if have == 0 || s.goOn(ctx, have) != nil {
		have = 0
		if err := s.cache.clear(); err != nil {
			return err
		}
		if err := s.fill(ctx, 0); err != nil {
			return err
		}
	}
	s.logger.Info("the cache goes with the cluster's root", "entries", s.opened.Size, "read", s.opened.Size-have)
	s.verified = s.opened
	// From now on the log is not closed in order.
	b := s.kv.NewBatch()
	m = s.meta
	m.Size = s.opened.Size
	putMeta(b, m)
	return b.Commit(true)
}

// goOn keeps what the cache has below size and reads the entries after it.
func (s *store) goOn(ctx context.Context, size uint64) error {
	if err := s.cut(size); err != nil {
		return err
	}
	return s.fill(ctx, size)
}

// settledRoot waits for the signer to integrate what the cache knows of.
func (s *store) settledRoot(ctx context.Context, size uint64, deadline time.Time) (sequence.Root, error) {
	for {
		root, err := s.root(ctx)
		if err != nil {
			return root, ErrUnreachable.Because(err)
		}
		if root.Size >= size || time.Now().After(deadline) {
			return root, nil
		}
		select {
		case <-ctx.Done():
			return root, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// checkGenesis holds entry 0 against origin and key.
func (s *store) checkGenesis(ctx context.Context, cfg Config) error {
	if s.opened.Size == 0 {
		return nil
	}
	return s.leaves(ctx, 0, 1, func(_ uint64, b []byte) error {
		en, err := entry.Parse(b)
		if err != nil {
			return sequence.ErrDamaged.Because(err)
		}
		g, ok := en.Body.(*entry.Genesis)
		switch {
		case !ok:
			return sequence.ErrDamaged.Because(errors.New("entry 0 is not log.genesis"))
		case g.Origin != cfg.Origin:
			return sequence.ErrOrigin(g.Origin, cfg.Origin)
		case g.Key != cfg.firstKey():
			return sequence.ErrKey
		}
		return nil
	})
}

// fill reads the entries from size on into the cache and checks that the whole
// leads to the cluster's root.
func (s *store) fill(ctx context.Context, size uint64) error {
	edge, err := sequence.Edge(size, s.Tile)
	if err != nil {
		return err
	}
	next := map[string]uint64{}
	for by := range entry.Writers {
		if next[by], err = s.Next(by); err != nil {
			return err
		}
	}
	b := &sequence.Batch{First: size}
	flush := func() error {
		hashes := make([]tlog.Hash, len(b.Entries))
		for i := range b.Entries {
			hashes[i] = b.Entries[i].Hash
		}
		b.Growth = edge.Extend(hashes)
		if err := errors.Join(s.cache.add(s.meta, b), s.cache.claim(s.meta, b.Growth.New.Size)); err != nil {
			return err
		}
		edge = b.Growth.New
		b = &sequence.Batch{First: edge.Size}
		return nil
	}
	err = s.leaves(ctx, size, s.opened.Size, func(index uint64, v []byte) error {
		en, err := entry.Parse(v)
		if err != nil || en.Seq != next[en.By] {
			return sequence.ErrDamaged.Because(fmt.Errorf("entry %d doesn't follow: %v", index, err))
		}
		next[en.By]++
		b.Entries = append(b.Entries, sequence.Entry{Bytes: v, Parsed: en, Hash: tlog.RecordHash(v)})
		if len(b.Entries) < readChunk {
			return nil
		}
		return flush()
	})
	if err == nil && len(b.Entries) > 0 {
		err = flush()
	}
	if err != nil {
		return err
	}
	if root := edge.Extend(nil).Root(); root != s.opened.Hash {
		return sequence.ErrDamaged.Because(fmt.Errorf("the cluster's %d entries don't lead to its root", edge.Size))
	}
	return nil
}
