package clusterlog

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

// cache is what this machine keeps of the log beside the cluster: everything
// but the entries. It is written without waiting for the disk, because it can
// be built again from the entries; a batch of it is applied whole or not.
type cache struct {
	kv *kv.Store
}

// cacheFormat is the version of the cache's layout; another one is built again.
const cacheFormat = 1

// A key is one byte for the table, then the table's own key in big-endian.
const (
	tableMeta   = 'm'
	tableTile   = 't' // level, index → hashes
	tableNumber = 'n' // writer with its length before, seq → index
	tableIssued = 'o' // ordinal → index of cert.issued
	tableStatus = 's' // index → kind, ordinal
	tableTree   = 'x' // the newest snapshot of the status tree
)

// cacheMeta says what the cache is of and how far it goes.
type cacheMeta struct {
	Format int    `json:"format"`
	VKey   string `json:"vkey"`
	Tree   int64  `json:"tree"`
	Size   uint64 `json:"size"`
	// Clean means that the log was closed with every call answered.
	Clean bool `json:"clean"`
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func key(table byte, parts ...[]byte) []byte {
	k := []byte{table}
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

func tileKey(level uint, index uint64) []byte {
	return key(tableTile, []byte{byte(level)}, be64(index))
}

func writerKey(by string) []byte { return key(tableNumber, []byte{byte(len(by))}, []byte(by)) }

// meta returns what the cache says of itself; the zero value when it is new or
// unreadable.
func (c *cache) meta() (m cacheMeta, err error) {
	b, err := c.kv.Get([]byte{tableMeta})
	if errors.Is(err, kv.ErrNotFound) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if json.Unmarshal(b, &m) != nil {
		return cacheMeta{}, nil
	}
	return m, nil
}

func putMeta(b *kv.Batch, m cacheMeta) {
	v, _ := json.Marshal(m) // numbers and strings: can't fail
	b.Set([]byte{tableMeta}, v)
}

// clear empties the cache.
func (c *cache) clear() error {
	b := c.kv.NewBatch()
	b.DeleteRange([]byte{0}, []byte{0xff})
	return b.Commit(true)
}

// add writes a batch that the cluster is taking. The cache doesn't count it
// before claim: what a crash leaves beyond the claimed size is cut off.
func (c *cache) add(m cacheMeta, batch *sequence.Batch) error {
	b := c.kv.NewBatch()
	if err := c.putTiles(b, batch.Growth); err != nil {
		b.Close()
		return err
	}
	for i := range batch.Entries {
		e := &batch.Entries[i].Parsed
		index := be64(batch.First + uint64(i))
		b.Set(append(writerKey(e.By), be64(e.Seq)...), index)
		kind, ordinal := statusOf(e.Body)
		if kind == 0 {
			continue
		}
		b.Set(key(tableStatus, index), append([]byte{kind}, be64(ordinal)...))
		if kind == statusIssued {
			b.Set(key(tableIssued, be64(ordinal)), index)
		}
	}
	m.Size, m.Clean = batch.First, false
	putMeta(b, m)
	return b.Commit(false)
}

// claim says that the cluster has taken everything below size.
func (c *cache) claim(m cacheMeta, size uint64) error {
	b := c.kv.NewBatch()
	m.Size, m.Clean = size, false
	putMeta(b, m)
	return b.Commit(false)
}

// cut takes away what the cache has of the entries from size on.
func (c *cache) cut(size uint64) error {
	b := c.kv.NewBatch()
	for by := range entry.Writers {
		if err := c.cutNumbers(b, by, size); err != nil {
			b.Close()
			return err
		}
	}
	from, to := key(tableStatus, be64(size)), key(tableStatus+1)
	err := c.kv.Scan(from, to, func(_, v []byte) error {
		if len(v) == 9 && v[0] == statusIssued {
			b.Delete(key(tableIssued, v[1:]))
		}
		return nil
	})
	if err != nil {
		b.Close()
		return err
	}
	b.DeleteRange(from, to)
	for level := range uint(8) { // 2⁶⁴ entries have no more
		nodes := size >> (level * sequence.TileHeight)
		b.DeleteRange(tileKey(level, (nodes+sequence.TileWidth-1)/sequence.TileWidth), tileKey(level+1, 0))
	}
	return b.Commit(true)
}

// cutNumbers takes away a writer's numbers of the entries from size on: they
// are the writer's last.
func (c *cache) cutNumbers(b *kv.Batch, by string, size uint64) error {
	from, to := kv.Prefix(writerKey(by))
	for {
		k, v, err := c.kv.Last(from, to)
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(v) != 8 || binary.BigEndian.Uint64(v) < size {
			return nil // a damaged one shows when it is read
		}
		b.Delete(k)
		to = k
	}
}

// putTiles appends the new complete nodes of every eighth level to their tiles.
func (c *cache) putTiles(b *kv.Batch, g *sequence.Growth) error {
	for level := uint(0); ; level++ {
		k := int(level) * sequence.TileHeight
		from, to := g.Old.Size>>k, g.New.Size>>k
		if from == to {
			return nil // nothing new above either
		}
		for from < to {
			index, end := from/sequence.TileWidth, min(to, (from/sequence.TileWidth+1)*sequence.TileWidth)
			var data []byte
			if at := from % sequence.TileWidth; at > 0 {
				old, err := c.kv.Get(tileKey(level, index))
				if err != nil || uint64(len(old)) < at*tlog.HashSize {
					return fmt.Errorf("tile %d/%d of the cache is not whole: %v", level, index, err)
				}
				data = old[:at*tlog.HashSize]
			}
			for ; from < end; from++ {
				h := g.Node(k, from)
				data = append(data, h[:]...)
			}
			b.Set(tileKey(level, index), data)
		}
	}
}

// Kinds of entries that change a certificate's status, as the cache keeps them.
const (
	statusIntent byte = 1 + iota
	statusIssued
	statusAborted
	statusRevoked
)

func statusOf(body entry.Body) (kind byte, ordinal uint64) {
	switch b := body.(type) {
	case *entry.CertIntent:
		return statusIntent, b.Ordinal
	case *entry.CertIssued:
		return statusIssued, b.Ordinal
	case *entry.CertAborted:
		return statusAborted, b.Ordinal
	case *entry.Revocation:
		return statusRevoked, b.Ordinal
	}
	return 0, 0
}

func statusBody(kind byte, ordinal uint64) entry.Body {
	switch kind {
	case statusIntent:
		return &entry.CertIntent{Ordinal: ordinal}
	case statusIssued:
		return &entry.CertIssued{Ordinal: ordinal}
	case statusAborted:
		return &entry.CertAborted{Ordinal: ordinal}
	}
	return &entry.Revocation{Ordinal: ordinal}
}

// Tile implements sequence.Tree.
func (c *cache) Tile(level uint, index uint64) ([]byte, error) {
	b, err := c.kv.Get(tileKey(level, index))
	return b, notFound(err)
}

// Next implements sequence.Index.
func (c *cache) Next(by string) (uint64, error) {
	from, to := kv.Prefix(writerKey(by))
	k, _, err := c.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(k[len(k)-8:]) + 1, nil
}

// IndexOf implements sequence.Index.
func (c *cache) IndexOf(by string, seq uint64) (uint64, error) {
	return c.number(append(writerKey(by), be64(seq)...))
}

// Issued implements sequence.Index.
func (c *cache) Issued(ordinal uint64) (uint64, error) {
	return c.number(key(tableIssued, be64(ordinal)))
}

func (c *cache) number(k []byte) (uint64, error) {
	v, err := c.kv.Get(k)
	if err != nil {
		return 0, notFound(err)
	}
	if len(v) != 8 {
		return 0, errors.New("the cache's index is damaged")
	}
	return binary.BigEndian.Uint64(v), nil
}

// Statuses implements sequence.Index.
func (c *cache) Statuses(ctx context.Context, size uint64, fn func(index uint64, en entry.Entry) error) error {
	return c.StatusesFrom(ctx, 0, size, fn)
}

// StatusesFrom implements sequence.Snapshots.
func (c *cache) StatusesFrom(ctx context.Context, from, to uint64, fn func(index uint64, en entry.Entry) error) error {
	if from >= to {
		return nil
	}
	return c.kv.Scan(key(tableStatus, be64(from)), key(tableStatus, be64(to)), func(k, v []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(k) != 9 || len(v) != 9 {
			return errors.New("the cache's statuses are damaged")
		}
		return fn(binary.BigEndian.Uint64(k[1:]), entry.Entry{Body: statusBody(v[0], binary.BigEndian.Uint64(v[1:]))})
	})
}

// Snapshot implements sequence.Snapshots.
func (c *cache) Snapshot() ([]byte, error) {
	b, err := c.kv.Get([]byte{tableTree})
	return b, notFound(err)
}

// KeepSnapshot implements sequence.Snapshots.
func (c *cache) KeepSnapshot(v []byte) error {
	b := c.kv.NewBatch()
	b.Set([]byte{tableTree}, v)
	return b.Commit(false)
}

// notFound says what is not there in the ledger's words.
func notFound(err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return ledger.ErrNotFound.Because(err)
	}
	return err
}
