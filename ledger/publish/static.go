package publish

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Exporter is what an export reads from: an engine, a store that is not running,
// or another server's tiles (Mirror).
type Exporter interface {
	// Checkpoint is the published checkpoint, with cosignatures.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Entries and Tile are those of Source.
	Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error
	Tile(ctx context.Context, level uint, index uint64) ([]byte, error)
}

// ExportLog writes the whole published log as C2SP tlog-tiles files that any
// web server can serve: DIR/checkpoint, DIR/tile/<L>/<N>[.p/<W>] and
// DIR/tile/entries/<N>[.p/<W>]. The checkpoint is written last, once all else
// is on disk, so a reader never finds one whose tiles are missing, after a power
// cut either. Called again, it adds what is new; full tiles that are there
// already are left alone.
func ExportLog(ctx context.Context, s Exporter, dir string) error {
	return export(ctx, kv.Disk(), s, dir, true)
}

// ExportTree is ExportLog without entry bundles, for a public that may not read
// entries (Restriction): the checkpoint and the hash tiles, from which any
// proof can be computed.
func ExportTree(ctx context.Context, s Exporter, dir string) error {
	return export(ctx, kv.Disk(), s, dir, false)
}

// exporting is one run of ExportLog or ExportTree.
type exporting struct {
	fs    kv.FS
	dir   string
	names map[string]bool // directories with names that may not be on disk yet
}

func export(ctx context.Context, fs kv.FS, s Exporter, dir string, bundles bool) error {
	x := &exporting{fs, filepath.Clean(dir), map[string]bool{}}
	note, err := s.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("couldn't read the published checkpoint: %w", err)
	}
	cp, err := proof.ParseUnverified(note)
	if err != nil {
		return fmt.Errorf("couldn't read the published checkpoint: %w", err)
	}
	if err := kv.MakeDir(fs, x.dir); err != nil {
		return err
	}
	for level := range uint(8) { // 2^53 entries have seven levels
		n := cp.Size >> (8 * level)
		if n == 0 {
			break
		}
		for index := uint64(0); index*tileWidth < n; index++ {
			t := tilePath{level: level, index: index, width: min(tileWidth, n-index*tileWidth)}
			if err := x.tile(ctx, s, t); err != nil {
				return err
			}
			if level > 0 || !bundles {
				continue
			}
			t.entries = true
			if err := x.tile(ctx, s, t); err != nil {
				return err
			}
		}
	}
	for d := range x.names {
		if err := kv.SyncDir(fs, d); err != nil {
			return err
		}
	}
	if err := replace(fs, fs.PathJoin(x.dir, "checkpoint"), note); err != nil {
		return err
	}
	return kv.SyncDir(fs, x.dir)
}

func (x *exporting) tile(ctx context.Context, s Exporter, t tilePath) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := x.fs.PathJoin(x.dir, "tile", filepath.FromSlash(t.String()))
	if err := x.folder(x.fs.PathDir(name)); err != nil {
		return fmt.Errorf("couldn't make a tile directory: %w", err)
	}
	if _, err := x.fs.Stat(name); err == nil && t.width == tileWidth {
		return nil
	}
	var b []byte
	var err error
	if t.entries {
		from := t.index * tileWidth
		err = s.Entries(ctx, from, from+t.width, func(_ uint64, e []byte) error {
			b = appendFrame(b, e)
			return nil
		})
	} else if b, err = s.Tile(ctx, t.level, t.index); err == nil {
		if uint64(len(b)) < t.width*32 {
			err = errShort
		} else {
			b = b[:t.width*32]
		}
	}
	if err != nil {
		return fmt.Errorf("couldn't read tile %s: %w", t, err)
	}
	return replace(x.fs, name, b)
}

// folder makes a directory and notes it and those above it: what is in them may
// be of an earlier run that ended before it brought their names to disk.
func (x *exporting) folder(d string) error {
	if x.names[d] {
		return nil
	}
	if err := x.fs.MkdirAll(d, 0o755); err != nil {
		return err
	}
	for ; !x.names[d]; d = x.fs.PathDir(d) {
		if x.names[d] = true; d == x.dir {
			break
		}
	}
	return nil
}

// ReadExport calls fn for every entry of an exported log, in order, and
// verifies that they lead to the checkpoint, which the policy must accept; a
// policy without any witness looks at the log's signature alone. What fn saw
// counts only when the error is nil. It returns the checkpoint, whole.
func ReadExport(ctx context.Context, dir string, policy *proof.Policy, fn func(index uint64, b []byte) error) (*proof.Checkpoint, error) {
	return readExport(ctx, kv.Disk(), dir, policy, fn)
}

func readExport(ctx context.Context, fs kv.FS, dir string, policy *proof.Policy, fn func(index uint64, b []byte) error) (*proof.Checkpoint, error) {
	note, err := readFile(fs, fs.PathJoin(dir, "checkpoint"))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the exported checkpoint: %w", err)
	}
	cp, err := verifyExported(note, policy)
	if err != nil {
		return nil, err
	}
	tree := newStack()
	for from := uint64(0); from < cp.Size; from += tileWidth {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := tilePath{entries: true, index: from / tileWidth, width: min(tileWidth, cp.Size-from)}
		frames, err := readBundle(fs, dir, t)
		if err != nil {
			return nil, err
		}
		for i, f := range frames {
			tree.add(f)
			if err := fn(from+uint64(i), f); err != nil {
				return nil, err
			}
		}
	}
	if tree.root() != cp.Root {
		return nil, ErrOtherEntries
	}
	return cp, nil
}

// readBundle returns the entries of an exported bundle.
func readBundle(fs kv.FS, dir string, t tilePath) ([][]byte, error) {
	b, err := readFile(fs, fs.PathJoin(dir, "tile", filepath.FromSlash(t.String())))
	if err != nil {
		return nil, fmt.Errorf("couldn't read an exported entry bundle: %w", err)
	}
	frames, err := parseFrames(b)
	if err != nil || uint64(len(frames)) != t.width {
		return nil, ledger.ErrInvalid.Because(fmt.Errorf("bundle %s doesn't hold %d entries", t, t.width))
	}
	return frames, nil
}

// ErrOtherEntries means that an exported log's entries don't lead to its
// checkpoint: checked and false.
var ErrOtherEntries = say.New("export.other", "書き出されたログの記録は、チェックポイントのものではありません。",
	"The exported log's entries don't lead to its checkpoint.").Because(proof.ErrFalse)

func verifyExported(note []byte, policy *proof.Policy) (*proof.Checkpoint, error) {
	if len(policy.Witnesses()) > 0 {
		return policy.VerifyCheckpoint(note)
	}
	own, err := policy.Strip(note)
	if err != nil {
		return nil, err
	}
	cp, err := policy.VerifyCheckpoint(own)
	if err != nil {
		return nil, err
	}
	cp.Raw = note
	return cp, nil
}
