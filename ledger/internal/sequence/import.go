package sequence

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// ErrImportOther refuses an import whose entries are not those of a log: its
// checkpoint, its numbering or what the store has already says otherwise.
var ErrImportOther = say.New("ledger.import", "取り込む記録は、このログのものではありません。", "What is to be imported is not this log.").
	Hint("書き出したフォルダーと検証鍵の組み合わせを確かめてください。", "See whether the exported folder and the verifier key belong together.")

// NewClock returns a log's clock.
func NewClock(now func() time.Time) *Clock { return &Clock{real: now} }

// Import fills an empty store, or goes on with one that an interrupted import
// filled in part, from the entries of an exported log. read calls its argument
// for every entry in order and returns the checkpoint, verified, that they lead
// to; policy believes the log's own keys. Every entry is checked: its form, its
// writer's numbering, its effect on the status tree, and that a store which is
// not empty has the very same one. Only when all of them lead to the
// checkpoint's root does the checkpoint become head and published; nothing is
// signed. A head that is there and newer refuses the import.
func Import(ctx context.Context, headDir string, fs kv.FS, policy *proof.Policy, s Store,
	read func(func(index uint64, b []byte) error) (*proof.Checkpoint, error)) (*proof.Checkpoint, error) {
	h, err := head.Open(headDir, fs)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	front, err := head.Open(PublishedDir(fs, headDir), fs)
	if err != nil {
		return nil, err
	}
	defer front.Close()
	root, err := s.Root(ctx)
	if err != nil {
		return nil, err
	}
	m := &importer{ctx: ctx, s: s, have: root.Size, genesis: policy.Logs()[0], next: map[string]uint64{}, status: status.New()}
	if m.edge, err = Edge(root.Size, s.Tile); err != nil {
		return nil, ErrDamaged.Because(err)
	}
	cp, err := read(m.add)
	if err == nil {
		err = m.flush()
	}
	if err != nil {
		return nil, err
	}
	if g := m.edge.Extend(nil); g.New.Size != cp.Size || g.Root() != cp.Root {
		return nil, ErrImportOther.Because(fmt.Errorf("%d entries don't lead to the checkpoint's root", g.New.Size))
	}
	own, err := policy.Strip(cp.Raw)
	if err == nil {
		_, err = policy.VerifyCheckpoint(own)
	}
	if err != nil {
		return nil, ErrImportOther.Because(err)
	}
	if err := advance(front, cp.Raw, cp, s); err != nil {
		return nil, err
	}
	return cp, advance(h, own, cp, s)
}

// advance moves a head to an imported checkpoint, never back or aside.
func advance(h *head.Store, note []byte, cp *proof.Checkpoint, s Store) error {
	old := h.Get()
	if old == nil {
		return h.Swap(nil, note)
	}
	was, err := proof.ParseUnverified(old)
	if err != nil {
		return ErrHeadForeign.Because(err)
	}
	if was.Size > cp.Size {
		return ErrBehind(cp.Size, was.Size)
	}
	hashes := tlog.HashReaderFunc(func(i []int64) ([]tlog.Hash, error) { return Hashes(i, s.Tile) })
	if root, err := tlog.TreeHash(int64(was.Size), hashes); err != nil || root != was.Root {
		return ErrForked(was.Size)
	}
	if bytes.Equal(old, note) {
		return nil
	}
	return h.Swap(old, note)
}

// importer takes entries one after the other.
type importer struct {
	ctx     context.Context
	s       Store
	have    uint64 // entries that the store had before
	genesis proof.Log
	next    map[string]uint64
	status  *status.Tree

	edge  Frontier
	batch []Entry
	bytes int

	tile   []byte // the tile of hashes that was read last
	tileAt uint64
}

// Sizes of a batch of imported entries.
const (
	importEntries = 4096
	importBytes   = 3 << 20 // with its frame it fits into one call to a cluster
)

func (m *importer) add(index uint64, b []byte) error {
	e, err := m.check(index, b)
	if err != nil {
		return ErrImportOther.Because(fmt.Errorf("entry %d: %w", index, err))
	}
	if index < m.have {
		same, err := m.holds(index, e.Hash)
		if err != nil {
			return fmt.Errorf("couldn't read entry %d back: %w", index, err)
		}
		if !same {
			return ErrImportOther.Because(fmt.Errorf("entry %d is another one in the store", index))
		}
		return nil
	}
	m.batch, m.bytes = append(m.batch, e), m.bytes+len(b)
	if len(m.batch) < importEntries && m.bytes < importBytes {
		return nil
	}
	return m.flush()
}

// holds tells by its tile whether the store has an entry with this hash.
func (m *importer) holds(index uint64, h tlog.Hash) (bool, error) {
	n, at := index/TileWidth, index%TileWidth*tlog.HashSize
	if m.tile == nil || m.tileAt != n {
		var err error
		if m.tile, err = m.s.Tile(0, n); err != nil {
			return false, err
		}
		m.tileAt = n
	}
	return uint64(len(m.tile)) >= at+tlog.HashSize && bytes.Equal(m.tile[at:at+tlog.HashSize], h[:]), nil
}

// check holds an entry against the log's rules.
func (m *importer) check(index uint64, b []byte) (Entry, error) {
	b = bytes.Clone(b)
	p, err := entry.Parse(b)
	switch {
	case err != nil:
		return Entry{}, err
	case !entry.MayWrite(p.By, p.Body.Kind()):
		return Entry{}, fmt.Errorf("%s may not write %s", p.By, p.Body.Kind())
	case p.Seq != m.next[p.By]:
		return Entry{}, fmt.Errorf("it is number %d of %s, not %d", p.Seq, p.By, m.next[p.By])
	}
	g, first := p.Body.(*entry.Genesis)
	if first != (index == 0) || first && (g.Origin != m.genesis.Origin || g.Key != m.genesis.VKey) {
		return Entry{}, fmt.Errorf("the log doesn't begin with its origin and key, or begins twice")
	}
	if err := m.status.Apply(p); err != nil {
		return Entry{}, err
	}
	m.next[p.By]++
	return Entry{Bytes: b, Parsed: p, Hash: tlog.RecordHash(b)}, nil
}

func (m *importer) flush() error {
	if len(m.batch) == 0 {
		return nil
	}
	hashes := make([]tlog.Hash, len(m.batch))
	for i := range m.batch {
		hashes[i] = m.batch[i].Hash
	}
	g := m.edge.Extend(hashes)
	wait, err := m.s.Write(&Batch{First: m.edge.Size, Entries: m.batch, Growth: g})
	if err == nil {
		err = wait()
	}
	if err != nil {
		return fmt.Errorf("couldn't write imported entries: %w", err)
	}
	m.edge, m.batch, m.bytes = g.New, nil, 0
	return nil
}
