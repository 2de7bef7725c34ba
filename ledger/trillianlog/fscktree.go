package trillianlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
)

// chunkTiles is how many tiles of entries a worker checks at a time.
const chunkTiles = 64

// chunkResult is what one worker found in its part of the log.
type chunkResult struct {
	roots   []tlog.Hash            // of its full tiles
	kept    map[uint64][]tlog.Hash // leaf hashes of tiles that a checkpoint cuts
	writers map[string]*written    // each writer's entries
	newest  *written               // of the writer whose entry was seen last
	bad     []badTile
	found   []Finding
	tiles   uint64
}

// written is what a part of the log holds of one writer.
type written struct {
	by      string
	first   uint64   // number of the first entry
	indexes []uint64 // of all, in order
}

// checkChunks hashes all entries, side by side, and compares them with the
// tiles of level 0.
func (f *fsck) checkChunks(ctx context.Context) error {
	cut := map[uint64]bool{f.root.TreeSize / pebblestore.TileWidth: true}
	for _, s := range f.signed {
		cut[s.size/pebblestore.TileWidth] = true
	}
	const step = chunkTiles * pebblestore.TileWidth
	n := (f.root.TreeSize + step - 1) / step
	f.chunks = make([]chunkResult, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.cfg.Workers)
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			from, to := i*step, min((i+1)*step, f.root.TreeSize)
			err := f.chunks[i].check(f, from, to, cut)
			if f.cfg.Progress != nil {
				f.cfg.Progress(to - from)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var roots []tlog.Hash
	for i := range f.chunks {
		c := &f.chunks[i]
		roots = append(roots, c.roots...)
		f.bad = append(f.bad, c.bad...)
		f.report.Tiles += c.tiles
		for _, x := range c.found {
			f.report.add(x.What, x.Level, x.Index, x.Text.JA, x.Text.EN)
		}
	}
	f.levels = [][]tlog.Hash{nil, roots}
	return nil
}

func (c *chunkResult) check(f *fsck, from, to uint64, cut map[uint64]bool) error {
	c.kept = map[uint64][]tlog.Hash{}
	c.writers = map[string]*written{}
	hashes := make([]tlog.Hash, 0, pebblestore.TileWidth)
	flush := func(end uint64) error {
		n := (end - 1) / pebblestore.TileWidth
		if cut[n] {
			c.kept[n] = append([]tlog.Hash(nil), hashes...)
		}
		if len(hashes) == pebblestore.TileWidth {
			c.roots = append(c.roots, tileRoot(hashes))
		}
		err := f.compare(&c.bad, &c.found, pebblestore.TileID{Index: n}, hashes)
		c.tiles++
		hashes = hashes[:0]
		return err
	}
	err := f.store.Leaves(f.tree, from, to, func(i uint64, b, stored []byte) error {
		h := tlog.RecordHash(b)
		hashes = append(hashes, h)
		if !bytes.Equal(stored, h[:]) {
			c.found = append(c.found, finding("entry", 0, i, "記録の内容が、保存時のハッシュ値と一致しません。", "The entry is not the one that was stored."))
		}
		c.number(i, b)
		if (i+1)%pebblestore.TileWidth == 0 {
			return flush(i + 1)
		}
		return nil
	})
	if err == nil && len(hashes) > 0 {
		err = flush(to)
	}
	if err != nil {
		return sequence.ErrDamaged.Because(fmt.Errorf("couldn't read entries %d to %d: %w", from, to, err))
	}
	return nil
}

func finding(what string, level uint, index uint64, ja, en string) Finding {
	var r FsckReport
	r.add(what, level, index, ja, en)
	return r.Findings[0]
}

// number notes whose entry this is. A writer's numbers must follow each other.
func (c *chunkResult) number(i uint64, b []byte) {
	by, seq, ok := tail(b)
	if !ok {
		c.found = append(c.found, finding("entry", 0, i, "記録の形式が正しくありません。", "The entry is malformed."))
		return
	}
	w := c.newest
	if w == nil || w.by != string(by) {
		if w = c.writers[string(by)]; w == nil {
			w = &written{by: string(by), first: seq}
			c.writers[w.by] = w
		}
		c.newest = w
	}
	if seq != w.first+uint64(len(w.indexes)) {
		c.found = append(c.found, finding("entry", 0, i, "記録の順番が続いていません。", "The entry's sequence number doesn't follow."))
	}
	w.indexes = append(w.indexes, i)
}

// The fixed parts of the end of a canonical entry.
var (
	byMember   = []byte(`,"by":"`)
	kindMember = []byte(`","kind":"`)
	seqMember  = []byte(`","seq":`)
	lastMember = fmt.Appendf(nil, `,"v":%d}`, entry.Version)
)

// tail reads by and seq from the end of a canonical entry, without parsing it
// all and without a copy: …,"by":"x","kind":"y","seq":7,"v":1}
func tail(b []byte) (by []byte, seq uint64, ok bool) {
	i := bytes.LastIndex(b, byMember)
	if i < 0 {
		return nil, 0, false
	}
	by, rest, ok1 := bytes.Cut(b[i+len(byMember):], kindMember)
	_, rest, ok2 := bytes.Cut(rest, seqMember)
	num, ok3 := bytes.CutSuffix(rest, lastMember)
	seq, err := strconv.ParseUint(string(num), 10, 64)
	return by, seq, ok1 && ok2 && ok3 && err == nil
}

// tileRoot is the hash of a full tile.
func tileRoot(hashes []tlog.Hash) tlog.Hash {
	level := append([]tlog.Hash(nil), hashes...)
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

// compare holds a stored tile against the hashes that it should have.
func (f *fsck) compare(bad *[]badTile, found *[]Finding, id pebblestore.TileID, hashes []tlog.Hash) error {
	want := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		want = append(want, hashes[i][:]...)
	}
	got, err := f.store.Tile(f.tree, id)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return fmt.Errorf("couldn't read tile %d/%d: %w", id.Level, id.Index, err)
	}
	if bytes.Equal(got, want) {
		return nil
	}
	*bad = append(*bad, badTile{id, want})
	*found = append(*found, finding("tile", id.Level, id.Index, "タイルが記録の内容と一致しません。", "The tile doesn't match the entries."))
	return nil
}

// checkUpper compares the tiles above level 0 with the roots of those below.
func (f *fsck) checkUpper() error {
	for t := 1; t < len(f.levels); t++ {
		nodes := f.levels[t]
		var roots []tlog.Hash
		for i := 0; i < len(nodes); i += pebblestore.TileWidth {
			part := nodes[i:min(i+pebblestore.TileWidth, len(nodes))]
			id := pebblestore.TileID{Level: uint(t), Index: uint64(i / pebblestore.TileWidth)}
			var found []Finding
			if err := f.compare(&f.bad, &found, id, part); err != nil {
				return err
			}
			for _, x := range found {
				f.report.add(x.What, x.Level, x.Index, x.Text.JA, x.Text.EN)
			}
			f.report.Tiles++
			if len(part) == pebblestore.TileWidth {
				roots = append(roots, tileRoot(part))
			}
		}
		if len(roots) > 0 {
			f.levels = append(f.levels, roots)
		}
	}
	return nil
}

// rootAt computes the root of the first n entries from what was hashed.
func (f *fsck) rootAt(n uint64) (tlog.Hash, error) {
	return tlog.TreeHash(int64(n), tlog.HashReaderFunc(f.hashes))
}

// hashes returns nodes of the tree from what was hashed.
func (f *fsck) hashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, at := tlog.SplitStoredHashIndex(x)
		t, height := level/pebblestore.TileHeight, level%pebblestore.TileHeight
		first, count := uint64(at)<<height, 1<<height
		var nodes []tlog.Hash
		if t == 0 {
			tile := first / pebblestore.TileWidth
			const step = chunkTiles
			nodes, first = f.chunks[tile/step].kept[tile], first%pebblestore.TileWidth
		} else if t < len(f.levels) {
			nodes = f.levels[t]
		}
		if first+uint64(count) > uint64(len(nodes)) {
			return nil, fmt.Errorf("node %d/%d was not computed", level, at)
		}
		out[i] = tileRoot(nodes[first : first+uint64(count)])
	}
	return out, nil
}

// checkIndex compares the index by writer and number with the entries.
func (f *fsck) checkIndex(ctx context.Context, sound bool) error {
	var mu sync.Mutex
	g, _ := errgroup.WithContext(ctx)
	for by := range entry.Writers {
		g.Go(func() error {
			var want []uint64
			for i := range f.chunks {
				c := &f.chunks[i]
				if w := c.writers[by]; w != nil {
					if w.first != uint64(len(want)) {
						mu.Lock()
						f.report.add("entry", 0, w.indexes[0], "記録の順番が続いていません。", "The entry's sequence number doesn't follow.")
						mu.Unlock()
					}
					want = append(want, w.indexes...)
				}
			}
			wrong, err := f.wrongIndex(by, want)
			if err != nil || len(wrong) == 0 {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return f.fixIndex(by, wrong, want, f.cfg.Repair && sound)
		})
	}
	return g.Wait()
}

// wrongIndex returns the numbers of a writer whose index entry is missing or
// leads elsewhere; numbers beyond the last entry are included.
func (f *fsck) wrongIndex(by string, want []uint64) ([]uint64, error) {
	var wrong []uint64
	next := uint64(0)
	prefix := identity(by, 0)[:1+len(by)]
	err := f.store.Identities(f.tree, prefix, func(id []byte, index uint64) error {
		seq := binary.BigEndian.Uint64(id[len(prefix):])
		for ; next < seq && next < uint64(len(want)); next++ {
			wrong = append(wrong, next)
		}
		if seq >= uint64(len(want)) || want[seq] != index {
			wrong = append(wrong, seq)
		}
		next = seq + 1
		return nil
	})
	for ; next < uint64(len(want)); next++ {
		wrong = append(wrong, next)
	}
	return wrong, err
}

func (f *fsck) fixIndex(by string, wrong, want []uint64, repair bool) error {
	b := f.kv.NewBatch()
	defer b.Close()
	for _, seq := range wrong {
		at := uint64(0)
		if seq < uint64(len(want)) {
			at = want[seq]
		}
		f.report.add("index", 0, at, fmt.Sprintf("%s の %d 番の索引が誤っています。", by, seq),
			fmt.Sprintf("The index entry of %s, number %d, is wrong.", by, seq))
		if !repair {
			continue
		}
		f.store.PutIdentity(b, f.tree, identity(by, seq), at, seq < uint64(len(want)))
		f.report.Repaired++
	}
	if !repair {
		return nil
	}
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("couldn't write the repaired index: %w", err)
	}
	return nil
}
