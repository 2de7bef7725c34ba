package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/clusterlog"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

// ErrUnpublished refuses to move a log with entries after its newest published
// checkpoint: they would be left behind.
var ErrUnpublished = say.New("migrate.unpublished", "公開されていない記録が残っているため、移せません。",
	"The log has entries that are not published yet, so it can't be moved.").
	Hint("書き込みを止め、チェックポイントを公開してからログを停止し、もう一度実行してください。",
		"Stop the writers, let the log publish a checkpoint, stop the log, and run it again.")

// source is a log that is not running.
type source interface {
	Checkpoint(ctx context.Context) ([]byte, error)
	Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error
	Close() error
}

// Migrate copies a whole log to another place. No engine may run on either. The
// keys are the log's, oldest first. Every entry is checked, and nothing is
// signed: the source's published checkpoint becomes the destination's head and
// what it publishes, so the destination goes on where the source ended. The
// source is left as it is, and must not be started again once the destination
// has.
//
// After an interruption the same call goes on where it was. A destination with
// another log's entries is refused. progress is called with the number of
// entries read; nil: not at all.
func Migrate(ctx context.Context, keys []proof.LogKey, from, to Place, progress func(entries uint64)) (*proof.Checkpoint, error) {
	if err := errors.Join(from.validate(), to.validate()); err != nil {
		return nil, err
	}
	if from.HeadDir == to.HeadDir {
		return nil, errors.New("source and destination need a head each")
	}
	policy, err := proof.LogKeys(keys...)
	if err != nil {
		return nil, err
	}
	src, size, err := openSource(ctx, from, keys)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	read := func(add func(uint64, []byte) error) (*proof.Checkpoint, error) {
		return copyAll(ctx, src, size, policy, add, progress)
	}
	if to.Dir != "" {
		return trillianlog.Import(ctx, trillianlog.ImportConfig{Dir: to.Dir, HeadDir: to.HeadDir, Keys: keys, Now: time.Now}, read)
	}
	return clusterlog.Import(ctx, to.cluster(), keys, read)
}

func openSource(ctx context.Context, p Place, keys []proof.LogKey) (source, uint64, error) {
	last := len(keys) - 1
	if p.Dir != "" {
		v, err := trillianlog.OpenView(trillianlog.FsckConfig{Dir: p.Dir, HeadDir: p.HeadDir, VKey: keys[last].VKey, Retired: keys[:last]})
		if err != nil {
			return nil, 0, err
		}
		return v, v.Size, nil
	}
	policy, err := proof.LogKeys(keys...)
	if err != nil {
		return nil, 0, err
	}
	c := p.cluster()
	c.Origin = policy.Logs()[0].Origin
	v, err := clusterlog.OpenView(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	return v, v.Size, nil
}

// copyAll hands every entry on and returns the checkpoint that they must lead
// to; the importer recomputes the tree.
func copyAll(ctx context.Context, src source, size uint64, policy *proof.Policy, add func(uint64, []byte) error, progress func(uint64)) (*proof.Checkpoint, error) {
	note, err := src.Checkpoint(ctx)
	if err != nil {
		return nil, ErrUnpublished.Because(err)
	}
	own, err := policy.Strip(note)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the published checkpoint: %w", err)
	}
	cp, err := policy.VerifyCheckpoint(own)
	if err != nil {
		return nil, err
	}
	if cp.Size != size {
		return nil, ErrUnpublished.Because(fmt.Errorf("%d of %d entries are published", cp.Size, size))
	}
	cp.Raw = note // with the witnesses' lines
	return cp, src.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		if progress != nil && i%4096 == 0 {
			progress(i)
		}
		return add(i, b)
	})
}
