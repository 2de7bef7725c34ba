package trillianlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/google/trillian"
	trillog "github.com/google/trillian/log"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// publishedDir is where the newest published checkpoint is kept: beside the
// head, so that a store that lost its newest entries can't hide that either.
func publishedDir(fs kv.FS, headDir string) string {
	if fs == nil {
		fs = kv.Disk()
	}
	return fs.PathJoin(headDir, "published")
}

// FormatVersion is the version of the store's layout.
const FormatVersion = 1

// meta says what a store was made for.
type meta struct {
	Format int    `json:"format"`
	Origin string `json:"origin"`
	Tree   int64  `json:"tree"`
	VKey   string `json:"vkey"`
}

var metaKey = pebblestore.UserKey(0, "meta")

// Open opens the log in cfg.Dir, or makes a new one with log.genesis as entry
// 0. It refuses a store that is behind its head, differs from it, or was made
// for another log, with a sentence that says what to do.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	trillog.InitMetrics(nil)
	e := &Engine{cfg: cfg, clock: &monotonic{real: cfg.Now}, room: semaphore.NewWeighted(cfg.QueueBytes),
		wake: make(chan struct{}, 1), commits: make(chan *commit, 1)}
	if err := e.open(ctx); err != nil {
		e.release()
		return nil, err
	}
	e.ended.Add(2)
	go e.loop()
	go e.finish()
	if err := e.begin(ctx); err != nil {
		e.Close()
		return nil, err
	}
	if cfg.PublishEvery > 0 {
		var background context.Context
		background, e.stop = context.WithCancel(context.Background())
		e.ended.Add(1)
		go e.publishLoop(background)
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context) (err error) {
	if e.policy, err = proof.LogOnly(e.cfg.VKey); err != nil {
		return fmt.Errorf("couldn't read the log's verifier key: %w", err)
	}
	if e.head, err = head.Open(e.cfg.HeadDir, e.cfg.FS); err != nil {
		return err
	}
	if e.front, err = head.Open(publishedDir(e.cfg.FS, e.cfg.HeadDir), e.cfg.FS); err != nil {
		return err
	}
	if e.head.Torn() || e.front.Torn() {
		e.cfg.Logger.Warn("one of the two head slots was damaged; the other one is used")
	}
	e.kv, err = kv.Open(e.cfg.Dir, kv.Options{FS: e.cfg.FS, CacheBytes: e.cfg.CacheBytes, Logger: e.cfg.Logger})
	if err != nil {
		return err
	}
	e.store = pebblestore.New(e.kv, pebblestore.Options{Now: e.clock.Now})
	if err := e.openTree(ctx); err != nil {
		return err
	}
	root, err := e.root(ctx)
	if err != nil {
		return err
	}
	if root.TimestampNanos > 0 {
		e.clock.after(root.TimestampNanos)
	}
	if err := e.checkHead(root); err != nil {
		return err
	}
	if err := e.checkRightEdge(root); err != nil {
		return err
	}
	if e.cfg.CheckHead != nil {
		if err := e.cfg.CheckHead(ctx, root.TreeSize, e.RootAt); err != nil {
			return err
		}
	}
	return e.load(ctx, root)
}

// openTree reads what the store was made for, or makes it.
func (e *Engine) openTree(ctx context.Context) error {
	b, err := e.kv.Get(metaKey)
	if errIsMissing(err) {
		return e.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("couldn't read what the store was made for: %w", err)
	}
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		return errFormat("unreadable")
	}
	switch {
	case m.Format != FormatVersion:
		return errFormat(fmt.Sprint(m.Format))
	case m.Origin != e.cfg.Origin:
		return errOrigin(m.Origin, e.cfg.Origin)
	case m.VKey != e.cfg.VKey:
		return errKey
	}
	e.tree, err = storage.GetTree(ctx, e.store.Admin(), m.Tree)
	if err != nil {
		return fmt.Errorf("couldn't read the log's tree: %w", err)
	}
	return nil
}

// create makes the tree. The note what the store is for is written last: a
// crash before it leaves a store that is still new.
func (e *Engine) create(ctx context.Context) error {
	if e.head.Get() != nil {
		return errLost
	}
	var err error
	e.tree, err = storage.CreateTree(ctx, e.store.Admin(), &trillian.Tree{
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
	err = e.store.ReadWriteTransaction(ctx, e.tree, func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: root})
	})
	if err != nil {
		return fmt.Errorf("couldn't store the empty root: %w", err)
	}
	m, err := json.Marshal(meta{Format: FormatVersion, Origin: e.cfg.Origin, Tree: e.tree.TreeId, VKey: e.cfg.VKey})
	if err != nil {
		return fmt.Errorf("couldn't encode what the store is for: %w", err)
	}
	b := e.kv.NewBatch()
	b.Set(metaKey, m)
	return b.Commit(true)
}

func (e *Engine) root(ctx context.Context) (*types.LogRootV1, error) {
	tx, err := e.store.SnapshotForTree(ctx, e.tree)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the log's root: %w", err)
	}
	defer tx.Close()
	slr, err := tx.LatestSignedLogRoot(ctx)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the log's root: %w", err)
	}
	root := new(types.LogRootV1)
	if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
		return nil, fmt.Errorf("the log's root is damaged: %w", err)
	}
	return root, nil
}

// checkHead holds the store against the head: not behind, and the same tree.
func (e *Engine) checkHead(root *types.LogRootV1) error {
	note := e.head.Get()
	if note == nil {
		// Genesis alone may be there without a head: a crash at the very start.
		if root.TreeSize > 1 && !e.cfg.AdoptHead {
			return errHeadLost
		}
		return nil
	}
	cp, err := e.policy.VerifyCheckpoint(note)
	if err != nil {
		return errHeadForeign.Because(err)
	}
	if cp.Size > root.TreeSize {
		return errBehind(root.TreeSize, cp.Size)
	}
	at, err := tlog.TreeHash(int64(cp.Size), tlog.HashReaderFunc(e.readHashes))
	if err != nil {
		return errDamaged.Because(err)
	}
	if at != cp.Root {
		return errForked(cp.Size)
	}
	return nil
}

// checkRightEdge recomputes the root from the tiles and the last tile from the
// entries.
func (e *Engine) checkRightEdge(root *types.LogRootV1) error {
	size := root.TreeSize
	if size == 0 {
		return nil
	}
	got, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(e.readHashes))
	if err != nil {
		return errDamaged.Because(err)
	}
	if !bytes.Equal(got[:], root.RootHash) {
		return errDamaged.Because(fmt.Errorf("tiles don't lead to the root of size %d", size))
	}
	n := (size - 1) / pebblestore.TileWidth
	tile, err := e.store.Tile(e.tree.TreeId, pebblestore.TileID{Index: n})
	if err != nil {
		return errDamaged.Because(err)
	}
	from := n * pebblestore.TileWidth
	err = e.store.Leaves(e.tree.TreeId, from, size, func(i uint64, b, _ []byte) error {
		h := tlog.RecordHash(b)
		if at := (i - from) * tlog.HashSize; !bytes.Equal(h[:], tile[at:at+tlog.HashSize]) {
			return fmt.Errorf("entry %d is not the one in its tile", i)
		}
		return nil
	})
	if err != nil {
		return errDamaged.Because(err)
	}
	return nil
}

// load rebuilds what the engine keeps in memory: right edge, sequence numbers,
// status trees of now and of the newest published checkpoint.
func (e *Engine) load(ctx context.Context, root *types.LogRootV1) error {
	e.next, e.pending, e.status = map[string]uint64{}, map[uint64]struct{}{}, status.New()
	e.edge.size = root.TreeSize
	for k := range 64 {
		if root.TreeSize>>k&1 == 1 {
			h, err := e.readHashes([]int64{tlog.StoredHashIndex(k, int64(root.TreeSize>>k)-1)})
			if err != nil {
				return errDamaged.Because(err)
			}
			e.edge.peaks[k] = h[0]
		}
	}
	for by := range entry.Writers {
		n, err := e.nextSeq(by, root.TreeSize)
		if err != nil {
			return err
		}
		e.next[by] = n
	}
	if note := e.head.Get(); note != nil {
		cp, err := proof.ParseUnverified(note)
		if err != nil {
			return errHeadForeign.Because(err)
		}
		e.committed.Store(&tip{size: cp.Size, checkpoint: note})
	}
	p, err := e.loadPublished(root.TreeSize)
	if err != nil {
		return err
	}
	if err := e.replay(ctx, root.TreeSize, p); err != nil {
		return err
	}
	if p != nil {
		e.published.Store(p)
	}
	return nil
}

// loadPublished reads the newest published checkpoint and holds it against the
// stored tree.
func (e *Engine) loadPublished(size uint64) (*published, error) {
	b := e.front.Get()
	if b == nil {
		return nil, nil
	}
	cp, err := proof.ParseUnverified(b)
	if err != nil || cp.Origin != e.cfg.Origin || cp.Size > size || cp.Size == 0 {
		return nil, errDamaged.Because(fmt.Errorf("published checkpoint doesn't belong to this store: %v", err))
	}
	root, err := tlog.TreeHash(int64(cp.Size), tlog.HashReaderFunc(e.readHashes))
	if err != nil || root != cp.Root {
		return nil, errForked(cp.Size)
	}
	return &published{size: cp.Size, checkpoint: b}, nil
}

// replay applies all entries to the status tree.
func (e *Engine) replay(ctx context.Context, size uint64, p *published) error {
	err := e.store.Leaves(e.tree.TreeId, 0, size, func(i uint64, b, _ []byte) error {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		en, err := statusPart(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if en.Body != nil {
			if err := e.status.Apply(en); err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
			e.track(en)
		}
		if p != nil && i+1 == p.size {
			p.status = e.status.Clone()
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return errDamaged.Because(err)
	}
	return err
}

// begin brings a freshly opened log to a signed state: genesis for a new one,
// a checkpoint over what a crash left unsigned for an old one.
func (e *Engine) begin(ctx context.Context) error {
	if e.edge.size == 0 {
		return e.genesis(ctx)
	}
	if last := e.committed.Load(); last != nil && last.size == e.edge.size {
		return nil
	}
	g := e.edge.extend(nil)
	note, err := e.sign(e.edge.size, g.root())
	if err != nil {
		return err
	}
	if err := e.head.Swap(e.head.Get(), note); err != nil {
		return err
	}
	e.committed.Store(&tip{size: e.edge.size, checkpoint: note})
	return nil
}

func (e *Engine) genesis(ctx context.Context) error {
	p, err := e.own(&entry.Genesis{Key: e.cfg.VKey, Origin: e.cfg.Origin, Rules: Rules})
	if err != nil {
		return err
	}
	e.next[entry.ByLog]-- // own counted it; admit counts it again
	r := &request{entries: []parsed{p}, weight: perEntry, done: make(chan struct{})}
	return e.submit(ctx, r)
}
