package trillianlog

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/trillian"
	trillog "github.com/google/trillian/log"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
)

// FormatVersion is the version of the store's layout.
const FormatVersion = 1

// meta says what a store was made for.
type meta struct {
	Format int    `json:"format"`
	Origin string `json:"origin"`
	Tree   int64  `json:"tree"`
	VKey   string `json:"vkey"` // the log's first key, as log.genesis has it
}

var metaKey = pebblestore.UserKey(0, "meta")

// blockBytes is the store's block: entries are read in order by checks, starts,
// exports and bundles, some thirty of them at a time then.
const blockBytes = 32 << 10

// Open opens the log in cfg.Dir, or makes a new one with log.genesis as entry
// 0. It refuses a store that is behind its head, differs from it, or was made
// for another log, with a sentence that says what to do.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	trillog.InitMetrics(nil)
	l, err := sequence.New(cfg.common())
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, cfg, l)
	if err == nil {
		err = l.Start(ctx, s)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Engine{l}, nil
}

func openStore(ctx context.Context, cfg Config, l *sequence.Log) (*store, error) {
	k, err := kv.Open(cfg.Dir, kv.Options{FS: cfg.FS, CacheBytes: cfg.CacheBytes, BlockBytes: blockBytes, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	s := &store{kv: k, clock: timeSource{l.Clock()}}
	s.store = pebblestore.New(k, pebblestore.Options{Now: s.clock.Now})
	err = importing(k)
	if err == nil {
		err = s.openTree(ctx, cfg.Origin, cfg.firstKey(), l.Signed())
	}
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return s, nil
}

// openTree reads what the store was made for, or makes it.
func (s *store) openTree(ctx context.Context, origin, firstKey string, signed bool) error {
	b, err := s.kv.Get(metaKey)
	if errors.Is(err, kv.ErrNotFound) {
		return s.create(ctx, origin, firstKey, signed)
	}
	if err != nil {
		return fmt.Errorf("couldn't read what the store was made for: %w", err)
	}
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		return sequence.ErrFormat("unreadable", FormatVersion)
	}
	switch {
	case m.Format != FormatVersion:
		return sequence.ErrFormat(fmt.Sprint(m.Format), FormatVersion)
	case m.Origin != origin:
		return sequence.ErrOrigin(m.Origin, origin)
	case m.VKey != firstKey:
		return sequence.ErrKey
	}
	s.tree, err = storage.GetTree(ctx, s.store.Admin(), m.Tree)
	if err != nil {
		return fmt.Errorf("couldn't read the log's tree: %w", err)
	}
	return nil
}

// create makes the tree. The note what the store is for is written last: a
// crash before it leaves a store that is still new.
func (s *store) create(ctx context.Context, origin, firstKey string, signed bool) error {
	if signed {
		return sequence.ErrLost
	}
	var err error
	s.tree, err = storage.CreateTree(ctx, s.store.Admin(), &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_PREORDERED_LOG,
		DisplayName: "sukashi", MaxRootDuration: durationpb.New(0),
	})
	if err != nil {
		return fmt.Errorf("couldn't make the log's tree: %w", err)
	}
	empty := sha256.Sum256(nil)
	root, err := (&types.LogRootV1{RootHash: empty[:]}).MarshalBinary()
	if err != nil {
		return fmt.Errorf("couldn't encode the empty root: %w", err)
	}
	err = s.store.ReadWriteTransaction(ctx, s.tree, func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: root})
	})
	if err != nil {
		return fmt.Errorf("couldn't store the empty root: %w", err)
	}
	m, err := json.Marshal(meta{Format: FormatVersion, Origin: origin, Tree: s.tree.TreeId, VKey: firstKey})
	if err != nil {
		return fmt.Errorf("couldn't encode what the store is for: %w", err)
	}
	b := s.kv.NewBatch()
	b.Set(metaKey, m)
	return b.Commit(true)
}

// Root implements sequence.Store.
func (s *store) Root(ctx context.Context) (sequence.Root, error) {
	var out sequence.Root
	tx, err := s.store.SnapshotForTree(ctx, s.tree)
	if err != nil {
		return out, fmt.Errorf("couldn't read the log's root: %w", err)
	}
	defer tx.Close()
	slr, err := tx.LatestSignedLogRoot(ctx)
	if err != nil {
		return out, fmt.Errorf("couldn't read the log's root: %w", err)
	}
	root := new(types.LogRootV1)
	if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
		return out, fmt.Errorf("the log's root is damaged: %w", err)
	}
	out.Size, out.Nanos = root.TreeSize, root.TimestampNanos
	copy(out.Hash[:], root.RootHash)
	return out, nil
}
