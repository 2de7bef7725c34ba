package clusterlog

import (
	"context"
	"errors"
	"time"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Import fills a cluster with the entries of a log, without signing anything:
// read calls its argument for every entry in order and returns the checkpoint
// that they lead to. c needs no Signer and no VKey; keys are the log's, oldest
// first. Every entry is checked, and the cluster's root is compared with the
// tree of the entries after every batch. An import that was interrupted goes on
// where it was; one into a log that is there already verifies what it has and
// adds what is new. Another log's entries are refused.
//
// Only when all entries lead to the checkpoint does it become the head: until
// then Open refuses the cluster, because its head is missing.
func Import(ctx context.Context, c Config, keys []proof.LogKey, read func(func(index uint64, b []byte) error) (*proof.Checkpoint, error)) (*proof.Checkpoint, error) {
	policy, err := proof.LogKeys(keys...)
	if err != nil {
		return nil, err
	}
	if c.HeadDir == "" {
		return nil, errors.New("an import needs HeadDir")
	}
	first := policy.Logs()[0]
	c.Origin, c.VKey, c.Retired = first.Origin, first.VKey, nil
	if err := c.validate(); err != nil {
		return nil, err
	}
	s, err := openStore(ctx, c, false, time.Now().Add(c.CatchUp))
	if err != nil {
		return nil, err
	}
	// What an interrupted import left on the way is of the same entries.
	s.importing, s.doubtful = true, false
	cp, err := sequence.Import(ctx, c.HeadDir, c.FS, policy, s, read)
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return cp, nil
}

// View is a log on a cluster, opened for reading alone while no engine runs.
type View struct {
	Size uint64 // entries
	note []byte // newest published checkpoint
	r    *remote
}

// OpenView opens the log for reading. Of c it needs Address, TLS, HeadDir, FS
// and Origin.
func OpenView(ctx context.Context, c Config) (*View, error) {
	c.CacheDir = "unused"
	if err := c.validate(); err != nil {
		return nil, err
	}
	note, _, err := head.Read(sequence.PublishedDir(c.FS, c.HeadDir), c.FS)
	if err != nil {
		return nil, err
	}
	r, err := dial(&c)
	if err != nil {
		return nil, err
	}
	v := &View{note: note, r: r}
	if err = r.openTree(ctx, c.Origin, true); err == nil {
		var root sequence.Root
		if root, err = r.root(ctx); err != nil {
			err = ErrUnreachable.Because(err)
		}
		v.Size = root.Size
	}
	if err != nil {
		return nil, errors.Join(err, r.conn.Close())
	}
	return v, nil
}

// Checkpoint returns the newest published checkpoint.
func (v *View) Checkpoint(context.Context) ([]byte, error) {
	if v.note == nil {
		return nil, ledger.ErrNotFound
	}
	return v.note, nil
}

// Entries calls fn for the entries of [from, to) in order, as the cluster
// answers: the caller verifies them.
func (v *View) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	if to > v.Size || from > to {
		return ledger.ErrNotFound
	}
	return v.r.leaves(ctx, from, to, fn)
}

// Close ends the connection.
func (v *View) Close() error { return v.r.conn.Close() }
