package trillianlog

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Rules is the version of the entry rules that log.genesis names.
const Rules = sequence.Rules

// Config of an engine. Dir, HeadDir, Origin, Signer, VKey and Now are needed.
type Config struct {
	Dir     string // the store
	HeadDir string // the head and the newest published checkpoint; outside Dir, if possible on another disk
	Origin  string // checkpoint origin, equal to the signer's name
	Signer  note.Signer
	VKey    string // the signer's verifier key; log.genesis holds the first one
	Now     func() time.Time
	// Retired are the keys before this one, oldest first, each with the largest
	// tree that it signed (Rotate returns it). Start looks for the entries that
	// retired them.
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
	// else (promise P9, restored backups). Its error is Open's. nil: not asked.
	CheckHead func(ctx context.Context, size uint64, rootAt func(ctx context.Context, n uint64) (tlog.Hash, error)) error

	// AdoptHead lets an operator start a log whose head was lost: the store as
	// it is becomes the head. Everything else of the open-time checks stays.
	AdoptHead bool

	FS         kv.FS        // nil: the operating system's
	CacheBytes int64        // block cache; 0: 64 MiB
	Logger     *slog.Logger // nil: silent

	// Limits; 0 gives the default in brackets.
	MaxBatch   int   // entries in one commit [4096]
	QueueBytes int64 // bytes of entries waiting, each counted with 256 more; callers beyond wait [64 MiB]
	// SnapshotEvery is how many entries come between two snapshots of the
	// status tree, which a start then need not replay [100,000].
	SnapshotEvery uint64

	rotatingTo string // Rotate: the verifier key to come
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("config needs Dir")
	case c.Dir == c.HeadDir:
		return errors.New("config: the head must not be in the store's directory")
	}
	return nil
}

// firstKey is the key that the log began with.
func (c *Config) firstKey() string {
	if len(c.Retired) > 0 {
		return c.Retired[0].VKey
	}
	return c.VKey
}

// common is the part that the rules shared by all engines need.
func (c *Config) common() sequence.Config {
	return sequence.Config{HeadDir: c.HeadDir, Origin: c.Origin, Signer: c.Signer, VKey: c.VKey, Retired: c.Retired, Now: c.Now,
		PublishEvery: c.PublishEvery, RefreshEvery: c.RefreshEvery, Cosign: c.Cosign, CheckHead: c.CheckHead, AdoptHead: c.AdoptHead,
		RotatingTo: c.rotatingTo, FS: c.FS, Logger: c.Logger, MaxBatch: c.MaxBatch, QueueBytes: c.QueueBytes,
		SnapshotEvery: c.SnapshotEvery}
}
