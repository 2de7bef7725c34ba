package trillianlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	trillog "github.com/google/trillian/log"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// ImportConfig says where an exported log is to become a store. It has no
// signer: an import signs nothing.
type ImportConfig struct {
	Dir, HeadDir string
	// Keys are the log's keys, oldest first, of which log.genesis names the
	// first; see Config.Retired.
	Keys []proof.LogKey
	Now  func() time.Time

	FS         kv.FS        // nil: the operating system's
	CacheBytes int64        // 0: 64 MiB
	Logger     *slog.Logger // nil: silent
}

// importKey is in a store from before its first imported entry until everything
// was verified. Such a store is nobody's log yet.
var importKey = pebblestore.UserKey(0, "importing")

var (
	errImporting = say.New("ledger.importing", "この保存先への取り込みは、まだ終わっていません。", "The import into this store has not ended.").
			Hint("同じ取り込みをもう一度実行すると、続きから進みます。", "Run the same import again; it goes on where it was.")
	errImportFull = say.New("ledger.import.full", "この保存先には、すでにログがあります。", "There is a log in this directory already.").
			Hint("空の保存先を指定してください。", "Name an empty directory.")
)

// Import makes a store from an exported log. read calls its argument for every
// entry in order and returns the checkpoint that they lead to, verified against
// whatever witnesses its caller asks for (publish.ReadExport). Every entry is
// checked; only a whole log becomes one. After an interruption the same call
// goes on where it was. The newest entries' checkpoint becomes the head and
// what is published, so that the same bytes can be exported again.
//
// A head that is there already refuses an import that ends before it. A whole
// log that is there is compared with the export: when it is the very same, the
// import has ended before, and its caller may not have learned of it.
func Import(ctx context.Context, c ImportConfig, read func(func(index uint64, b []byte) error) (*proof.Checkpoint, error)) (*proof.Checkpoint, error) {
	policy, err := proof.LogKeys(c.Keys...)
	if err != nil {
		return nil, err
	}
	if c.Dir == "" || c.HeadDir == "" || c.Dir == c.HeadDir || c.Now == nil {
		return nil, errors.New("an import needs a store, a head outside it and a clock")
	}
	trillog.InitMetrics(nil)
	k, err := kv.Open(c.Dir, kv.Options{FS: c.FS, CacheBytes: c.CacheBytes, BlockBytes: blockBytes, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	cp, err := importInto(ctx, c, k, policy, read)
	if err := errors.Join(err, k.Close()); err != nil {
		return nil, err
	}
	return cp, nil
}

func importInto(ctx context.Context, c ImportConfig, k *kv.Store, policy *proof.Policy, read func(func(uint64, []byte) error) (*proof.Checkpoint, error)) (*proof.Checkpoint, error) {
	whole, err := beginImport(k)
	if err != nil {
		return nil, err
	}
	first := policy.Logs()[0]
	s := &store{kv: k, clock: timeSource{sequence.NewClock(c.Now)}}
	s.store = pebblestore.New(k, pebblestore.Options{Now: s.clock.Now})
	if err := s.openTree(ctx, first.Origin, first.VKey, false); err != nil {
		return nil, taken(whole, err)
	}
	root, err := s.Root(ctx)
	if err != nil {
		return nil, err
	}
	if root.Nanos > 0 {
		s.clock.After(root.Nanos)
	}
	if whole {
		cp, err := sequence.Import(ctx, c.HeadDir, c.FS, policy, finished{s}, read)
		return cp, taken(whole, err)
	}
	cp, err := sequence.Import(ctx, c.HeadDir, c.FS, policy, s, read)
	if err != nil {
		return nil, err
	}
	b := k.NewBatch()
	b.Delete(importKey)
	if err := b.Commit(true); err != nil {
		return nil, fmt.Errorf("couldn't end the import: %w", err)
	}
	return cp, nil
}

// finished is the store of a whole log: an import only compares.
type finished struct{ *store }

// Write implements sequence.Store.
func (finished) Write(*sequence.Batch) (func() error, error) { return nil, errImportFull }

// taken says of a whole log that it is in the way, when it is not the one that
// is to be imported.
func taken(whole bool, err error) error {
	switch say.Code(err) {
	case sequence.ErrImportOther.Code, sequence.CodeOrigin, sequence.CodeKey, sequence.CodeBehind, sequence.CodeForked:
		if whole {
			return errImportFull.Because(err)
		}
	}
	return err
}

// beginImport marks an empty store; one that is marked already goes on. whole: it
// holds a log, and no import is under way.
func beginImport(k *kv.Store) (whole bool, err error) {
	_, err = k.Get(importKey)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, kv.ErrNotFound) {
		return false, fmt.Errorf("couldn't look into the store: %w", err)
	}
	switch _, err := k.Get(metaKey); {
	case err == nil:
		return true, nil
	case !errors.Is(err, kv.ErrNotFound):
		return false, fmt.Errorf("couldn't look into the store: %w", err)
	}
	b := k.NewBatch()
	b.Set(importKey, []byte{1})
	if err := b.Commit(true); err != nil {
		return false, fmt.Errorf("couldn't begin the import: %w", err)
	}
	return false, nil
}

// importing tells whether an import into the store was begun and not ended.
func importing(k *kv.Store) error {
	switch _, err := k.Get(importKey); {
	case err == nil:
		return errImporting
	case errors.Is(err, kv.ErrNotFound):
		return nil
	default:
		return fmt.Errorf("couldn't look into the store: %w", err)
	}
}
