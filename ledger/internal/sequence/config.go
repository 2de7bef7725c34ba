package sequence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Rules is the version of the entry rules that log.genesis names.
const Rules = "sukashi-1"

// Config of a log. HeadDir, Origin, Signer, VKey and Now are needed.
type Config struct {
	HeadDir string // the head and the newest published checkpoint
	Origin  string // checkpoint origin, equal to the signer's name
	Signer  note.Signer
	VKey    string // the signer's verifier key; log.genesis holds the first one
	Now     func() time.Time
	// Retired are the keys before this one, oldest first, each with the largest
	// tree that it signed.
	Retired []proof.LogKey

	// PublishEvery is how often a checkpoint is published while there is
	// news; 0: only when Publish is called.
	PublishEvery time.Duration
	// RefreshEvery is how old the newest published checkpoint becomes without
	// news before it is replaced by one over a new status.root: receipts stay
	// fresh on quiet days. 0: never.
	RefreshEvery time.Duration
	// Cosign is asked for cosignatures before a checkpoint is published. It
	// returns the checkpoint with signature lines added. prove gives the
	// consistency proof from any older size, because a witness may be behind.
	// nil: checkpoints are published with the log's signature alone.
	Cosign func(ctx context.Context, checkpoint []byte, prove func(oldSize uint64) ([]tlog.Hash, error)) ([]byte, error)
	// CheckHead is asked before the first signature after a start: it may know
	// witnesses that have seen more of the log than the store has, or something
	// else (promise P9, restored backups). Its error is Start's. nil: not asked.
	CheckHead func(ctx context.Context, size uint64, rootAt func(ctx context.Context, n uint64) (tlog.Hash, error)) error
	// AdoptHead lets an operator start a log whose head was lost: the store as
	// it is becomes the head. Everything else of the open-time checks stays.
	AdoptHead bool
	// Patient is for a store that may be out of reach for a while: a caller
	// whose context ends while its entries are being written is told
	// ledger.ErrUncertain instead of being kept.
	Patient bool
	// RotatingTo is the verifier key that Rotate is going to be called with;
	// empty: it is not.
	RotatingTo string
	rotatingTo entry.Digest // its fingerprint

	FS     kv.FS        // of HeadDir; nil: the operating system's
	Logger *slog.Logger // nil: silent

	// Limits; 0 gives the default in brackets.
	MaxBatch int // entries in one commit [4096]
	// MaxBatchBytes bounds the bytes of one commit, and so of one call, each
	// entry counted with 256 more; 0: not bounded
	MaxBatchBytes int64
	QueueBytes    int64 // bytes of entries waiting, each counted with 256 more; callers beyond wait [64 MiB]
	// SnapshotEvery is how many entries come between two snapshots of the
	// status tree, which a start then need not replay [100,000].
	SnapshotEvery uint64
}

func (c *Config) validate() error {
	switch {
	case c.HeadDir == "":
		return errors.New("config needs HeadDir")
	case c.Signer == nil || c.Now == nil:
		return errors.New("config needs Signer and Now")
	case c.Signer.Name() != c.Origin:
		return errors.New("config: the signer's name is not the origin")
	}
	v, err := note.NewVerifier(c.VKey)
	if err != nil {
		return fmt.Errorf("config: couldn't read the verifier key: %w", err)
	}
	if v.Name() != c.Signer.Name() || v.KeyHash() != c.Signer.KeyHash() {
		return errors.New("config: signer and verifier key don't belong together")
	}
	if c.RotatingTo != "" {
		if c.rotatingTo, err = fingerprint(c.RotatingTo); err != nil {
			return err
		}
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 4096
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 64 << 20
	}
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = DefaultSnapshotEvery
	}
	if c.MaxBatch < 1 || c.QueueBytes < 1<<20 || c.PublishEvery < 0 || c.RefreshEvery < 0 {
		return errors.New("config: a limit is too small")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Clock never goes back and never shows one moment twice: Trillian refuses a
// root that is not newer than the one before.
type Clock struct {
	mu   sync.Mutex
	real func() time.Time
	last time.Time
}

// Now returns the time, later than every time before.
func (m *Clock) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.real()
	if !t.After(m.last) {
		t = m.last.Add(time.Nanosecond)
	}
	m.last = t
	return t
}

// After makes the clock continue after a moment that was already used, in
// nanoseconds since 1970.
func (m *Clock) After(nanos uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := time.Unix(0, int64(nanos)); t.After(m.last) {
		m.last = t
	}
}
