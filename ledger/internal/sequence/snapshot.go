package sequence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Snapshots is a Store that keeps one status snapshot beside the log; a store
// that can't is replayed from its beginning at each start.
type Snapshots interface {
	// Snapshot returns what KeepSnapshot kept last, or ledger.ErrNotFound.
	Snapshot() ([]byte, error)
	// KeepSnapshot replaces it, whole or not at all. It need not be durable.
	KeepSnapshot(b []byte) error
	// StatusesFrom is Index.Statuses for the entries of [from, to).
	StatusesFrom(ctx context.Context, from, to uint64, fn func(index uint64, en entry.Entry) error) error
}

// A status snapshot spares a start the replay of the whole log. It is the status
// tree as it was under a published checkpoint, kept in the store beside the
// entries. What a start checks before it believes it:
//
//   - the entry at the end of its checkpoint is a status.root, and it is proved
//     to be in the tree whose root the head has signed;
//   - that entry's size, counts and root are those of the snapshot, the root
//     recomputed from every chunk. So each certificate's state is exactly what
//     the log committed to.
//
// What the log does not commit to is which ordinals without a certificate are
// pending and which aborted. For that the snapshot is believed as the entries
// themselves are, which a start does not hash again either (fsck does). Anything
// that does not fit, and the whole log is replayed.

// DefaultSnapshotEvery is how many entries come between two snapshots, when the
// configuration does not say.
const DefaultSnapshotEvery = 100_000

// keepSnapshot keeps a published state when it is due. An error only means that
// a start reads more. pubMu is held.
func (l *Log) keepSnapshot(p *published) {
	s, ok := l.store.(Snapshots)
	if !ok || p.size < l.snapshot+l.cfg.SnapshotEvery {
		return
	}
	p.mu.Lock()
	tree := p.status.Marshal()
	p.mu.Unlock()
	if err := s.KeepSnapshot(append(binary.BigEndian.AppendUint64(nil, p.size), tree...)); err != nil {
		l.cfg.Logger.Warn("couldn't keep a snapshot of the status tree", "cause", err)
		return
	}
	l.snapshot = p.size
}

// statuses calls fn for the entries below size that change a status, but for
// those that a snapshot stands for.
func (l *Log) statuses(ctx context.Context, size uint64, p *published, fn func(uint64, entry.Entry) error) error {
	s, ok := l.store.(Snapshots)
	if !ok {
		return l.store.Statuses(ctx, size, fn)
	}
	return s.StatusesFrom(ctx, l.restore(ctx, s, size, p), size, fn)
}

// restore takes the status tree from the snapshot if there is one that holds,
// and returns the size of the log that it stands for.
func (l *Log) restore(ctx context.Context, s Snapshots, size uint64, p *published) uint64 {
	b, err := s.Snapshot()
	if errors.Is(err, ledger.ErrNotFound) || p == nil {
		return 0
	}
	var tree *status.Tree
	var at uint64
	if err == nil {
		tree, at, err = l.openSnapshot(ctx, b, size, p.size)
	}
	if err != nil {
		l.cfg.Logger.Warn("the snapshot of the status tree does not hold; reading the whole log", "cause", err)
		return 0
	}
	l.status, l.snapshot = tree, at
	for _, o := range tree.PendingOrdinals() {
		l.pending[o] = struct{}{}
	}
	l.cfg.Logger.Info("status tree taken from a snapshot", "entries", at)
	return at
}

func (l *Log) openSnapshot(ctx context.Context, b []byte, size, published uint64) (*status.Tree, uint64, error) {
	if len(b) < 8 {
		return nil, 0, errors.New("too short")
	}
	at := binary.BigEndian.Uint64(b)
	if at == 0 || at > published || at > size {
		return nil, 0, errors.New("it is of a log that is longer than what was published")
	}
	tree, err := status.Unmarshal(b[8:])
	if err != nil {
		return nil, 0, err
	}
	leaf, err := l.store.Leaf(ctx, at-1)
	if err != nil {
		return nil, 0, err
	}
	root, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(l.readHashes))
	if err != nil {
		return nil, 0, err
	}
	path, err := tlog.ProveRecord(int64(size), int64(at-1), tlog.HashReaderFunc(l.readHashes))
	if err != nil {
		return nil, 0, err
	}
	if err := tlog.CheckRecord(path, int64(size), root, int64(at-1), tlog.RecordHash(leaf)); err != nil {
		return nil, 0, errors.New("its status.root is not in the log")
	}
	en, err := entry.Parse(leaf)
	if err != nil {
		return nil, 0, err
	}
	r, ok := en.Body.(*entry.StatusRoot)
	if !ok || r.Covers != at-1 || r.Size != tree.Size() || r.Issued != tree.Issued() || r.Revoked != tree.Revoked() || r.Root != tree.Root() {
		return nil, 0, fmt.Errorf("the log's status.root at %d is another tree's", at-1)
	}
	return tree, at, nil
}
