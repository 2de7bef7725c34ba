package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Mirror reads a whole log from another server, for ExportLog: as it was under
// one checkpoint, which the policy accepted. It believes no tile; ReadExport
// tells whether what was written leads to the checkpoint.
type Mirror struct {
	c  *Client
	cp *proof.Checkpoint
}

var _ Exporter = (*Mirror)(nil)

// NewMirror fetches and verifies the server's checkpoint.
func NewMirror(ctx context.Context, c *Client, policy *proof.Policy) (*Mirror, error) {
	note, err := c.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := policy.VerifyCheckpoint(note)
	if err != nil {
		return nil, err
	}
	return &Mirror{c, cp}, nil
}

// Checkpoint implements Exporter.
func (m *Mirror) Checkpoint(context.Context) ([]byte, error) { return m.cp.Raw, nil }

// Tile implements Exporter.
func (m *Mirror) Tile(ctx context.Context, level uint, index uint64) ([]byte, error) {
	return m.get(ctx, m.path(level, index, false), tileWidth*tlog.HashSize)
}

// Entries implements Exporter: it asks for the bundles that hold the range,
// which is how a static server has them too.
func (m *Mirror) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	for from < to {
		t := m.path(0, from/tileWidth, true)
		b, err := m.get(ctx, t, maxBundle)
		if err != nil {
			return err
		}
		frames, err := parseFrames(b)
		if err != nil || uint64(len(frames)) != t.width {
			return ledger.ErrInvalid.Because(fmt.Errorf("bundle %s doesn't hold %d entries", t, t.width))
		}
		for first := t.index * tileWidth; from < min(to, first+t.width); from++ {
			if err := fn(from, frames[from-first]); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxBundle is the largest entry bundle, in bytes.
const maxBundle = tileWidth * (2 + 65535)

func (m *Mirror) path(level uint, index uint64, entries bool) tilePath {
	return tileOf(m.cp.Size, level, index, entries)
}

// tileOf is the path of a tile or bundle in a tree of this size.
func tileOf(size uint64, level uint, index uint64, entries bool) tilePath {
	width := min(tileWidth, size>>(8*level)-index*tileWidth)
	return tilePath{entries: entries, level: level, index: index, width: width}
}

func (m *Mirror) get(ctx context.Context, t tilePath, limit int64) ([]byte, error) {
	b, _, err := m.c.get(ctx, "/ledger/tile/"+t.String(), limit)
	return b, err
}

// exported reads the hash tiles of an exported log.
type exported struct {
	fs   kv.FS
	dir  string
	size uint64
}

// Height implements tlog.TileReader.
func (x exported) Height() int { return 8 }

// SaveTiles implements tlog.TileReader.
func (x exported) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements tlog.TileReader.
func (x exported) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, want := range tiles {
		t := tileOf(x.size, uint(want.L), uint64(want.N), false)
		b, err := readFile(x.fs, x.fs.PathJoin(x.dir, "tile", filepath.FromSlash(t.String())))
		if err != nil {
			return nil, fmt.Errorf("couldn't read an exported tile: %w", err)
		}
		if len(b) < want.W*tlog.HashSize {
			return nil, errShort
		}
		out[i] = b[:want.W*tlog.HashSize]
	}
	return out, nil
}

// ProveExport makes the proof of one entry from an exported log, whose
// checkpoint the policy must accept. entryBytes is nil where the export has no
// entry bundles (ExportTree); otherwise the proof was checked against it.
func ProveExport(dir string, policy *proof.Policy, index uint64) (r *proof.Receipt, entryBytes []byte, err error) {
	return proveExport(kv.Disk(), dir, policy, index)
}

func proveExport(fs kv.FS, dir string, policy *proof.Policy, index uint64) (r *proof.Receipt, entryBytes []byte, err error) {
	note, err := readFile(fs, fs.PathJoin(dir, "checkpoint"))
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't read the exported checkpoint: %w", err)
	}
	cp, err := policy.VerifyCheckpoint(note)
	if err != nil {
		return nil, nil, err
	}
	if index >= cp.Size {
		return nil, nil, ledger.ErrNotFound
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: int64(cp.Size), Hash: cp.Root}, exported{fs, dir, cp.Size})
	path, err := tlog.ProveRecord(int64(cp.Size), int64(index), hashes)
	if err != nil {
		return nil, nil, ErrOtherEntries.Because(fmt.Errorf("%w: %w", proof.ErrFalse, err))
	}
	r = &proof.Receipt{Index: index, Hashes: path, Checkpoint: note}
	t := tileOf(cp.Size, 0, index/tileWidth, true)
	frames, err := readBundle(fs, dir, t)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	entryBytes = frames[index%tileWidth]
	if _, err := policy.VerifyReceipt(r, entryBytes); err != nil {
		return nil, nil, err
	}
	return r, entryBytes, nil
}
