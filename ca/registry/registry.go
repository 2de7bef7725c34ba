// Package registry is the CA's memory of what it issued: the issuance records
// of Article 8 (発行記録), the record keys, and the map from attributes to
// certificates that DOMAIN 3.4 calls the most sensitive store of the CA side.
//
// What it promises:
//
//   - Attributes, certificates and record keys are at rest only sealed
//     (AES-256-GCM, bound to the row's name), each record under a key of its own.
//   - The attribute index is keyed by HMAC: names, dates and addresses can't
//     be guessed from it (DOMAIN 11.3).
//   - A record and everything derived from it (indexes, queues) change in one
//     atomic step, because the derived rows are computed from the record.
//   - A record moves along prepared → intended → signed → issued → revoked, or
//     to aborted before it was issued; nothing moves back (IN-06).
//   - The store itself refuses a second record for one ordinal, serial,
//     application or public key, and a second certificate that would be in force
//     at the same time for one person (Article 6), on either back end.
//   - Erasure is physical (P8). Erase takes what names the person out of the
//     row; Shred then destroys the row's own key for good. After that neither
//     old files of the store, nor its log, nor a backup tell who it was, given
//     every key that is left. The bare ordinal, serial and state stay, because
//     the log refers to them.
//
// The keys are in the key ring, a small file apart from the store: two trees of
// keys (one key for each record, one for each daily list), the sealing key and
// the index key, all under a key-encryption key that a token can hold. Backups
// are of the store and never of the ring: of the ring one keeps live copies, so
// that what is destroyed stays destroyed. Each rewrite of the ring makes a new
// generation of the key-encryption key and destroys the old one; an index from
// before an erasure was keyed by a key that is gone. What stays possible: a disk
// that keeps overwritten blocks (flash, snapshots) together with a software
// key-encryption key that lay on the same disk; and whoever copied a record has
// it: the register side, by M1, until it strikes the holder off, and its backups.
//
// The truth about what happened is the ledger; the registry is what makes it
// possible to go on from there after a crash. So it also keeps, per writer,
// the sequence number below which everything logged is already reflected here.
//
//	reg, err := registry.Open(dir, registry.Config{Key: key, Rand: rand.Reader})
//	err = reg.Prepare(rec)                                  // on disk before the intent is logged
//	err = reg.Change(rec.Ordinal, registry.Relaxed, func(r *registry.Record) error { … })
package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"sync"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
)

// KeySize is the length of the operator's key in bytes.
const KeySize = 32

// ErrNotFound is returned when there is no such record or row.
var ErrNotFound = errors.New("not in the registry")

// Durability says when a change must be on disk.
type Durability bool

// Synced changes are on disk when the call returns. Relaxed ones may be lost
// in a crash and are found again in the ledger.
const (
	Synced  Durability = true
	Relaxed Durability = false
)

// Config of a registry.
type Config struct {
	Key  []byte    // KeySize bytes; the operator's, for a software key-encryption key
	KEK  KEK       // a token's, instead of Key
	Rand io.Reader // crypto/rand.Reader in production
	FS   kv.FS     // nil: the operating system's
}

// Registry is one open store. It is safe for concurrent use; changes of one
// record follow one another.
type Registry struct {
	store    Store
	ring     *ring
	rand     *lockedRand
	open     underWay
	publics  blockKeys
	stripes  [64]sync.Mutex
	shredder sync.Mutex   // one Shred at a time
	sealing  sync.RWMutex // held for reading from taking the ring's keys until the row is written
}

const (
	formatNote  = "format"
	formatValue = "sukashi-registry-3"
	epochNote   = "ring-epoch"
	indexNote   = "index-key" // which key the attribute index is keyed by
)

// Open opens or creates the registry in dir: the embedded store in dir/store,
// the key ring in dir/keys. A wrong key is refused with a sentence.
func Open(dir string, cfg Config) (*Registry, error) {
	store, err := OpenPebble(filepath.Join(dir, "store"), cfg.FS)
	if err != nil {
		return nil, err
	}
	r, err := OpenStore(store, filepath.Join(dir, "keys"), cfg)
	if err != nil {
		store.Close()
		return nil, err
	}
	return r, nil
}

// OpenStore opens the registry in a back end, with the key ring in the
// directory keys. Closing the registry closes the store.
func OpenStore(store Store, keys string, cfg Config) (*Registry, error) {
	if cfg.Rand == nil {
		return nil, errors.New("the registry needs a random source")
	}
	if cfg.FS == nil {
		cfg.FS = kv.Disk()
	}
	r := &Registry{store: store, rand: &lockedRand{r: cfg.Rand}}
	var err error
	if cfg.KEK == nil {
		if cfg.KEK, err = SoftwareKEK(cfg.FS, keys, cfg.Key, r.rand); err != nil {
			return nil, err
		}
	}
	format, err := store.Noted(formatNote)
	isNew := errors.Is(err, ErrNotFound)
	if err != nil && !isNew {
		return nil, err
	}
	if !isNew && string(format) != formatValue {
		return nil, say.New("registry.format", "発行記録の保存形式がこの版と違います。", "The registry is of another version's format.").
			Hint("この保存先を作った版の sukashi を使ってください。", "Use the version of sukashi that made this directory.")
	}
	if r.ring, err = openRing(cfg.FS, keys, cfg.KEK, r.rand, isNew); err != nil {
		return nil, err
	}
	if isNew {
		return r, store.Note(Synced, map[string][]byte{formatNote: []byte(formatValue), indexNote: indexID(r.ring.get().Index[0])})
	}
	if err := r.checkEpoch(); err != nil {
		return nil, err
	}
	return r, r.checkIndex()
}

// checkIndex makes the attribute index anew when the store is from before an
// erasure (a restored backup): its index is keyed by a key that is gone, and
// without it a second certificate for one person would go unnoticed.
func (r *Registry) checkIndex() error {
	have, err := r.store.Noted(indexNote)
	if err != nil {
		return err
	}
	for _, key := range r.ring.get().Index {
		if bytes.Equal(have, indexID(key)) {
			return nil
		}
	}
	return r.reindex(context.Background())
}

// indexID names an index key without telling it.
func indexID(key []byte) []byte {
	h := sha256.Sum256(append([]byte("sukashi/registry/v2/index-id/"), key...))
	return h[:8]
}

// checkEpoch refuses a ring that is older than the store: it would open rows
// that were erased since.
func (r *Registry) checkEpoch() error {
	v, err := r.store.Noted(epochNote)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(v) != 8 || r.ring.get().Epoch < binary.BigEndian.Uint64(v) {
		return say.New("registry.keys-behind", "鍵束が発行記録より古いため、開けません。", "The key ring is older than the registry.").
			Hint("今使っている鍵束を置いてください。古い鍵束は、消したはずの記録を開いてしまいます。",
				"Put today's ring in its place; an old one would open records that were erased.")
	}
	return nil
}

// Close releases the store.
func (r *Registry) Close() error { return r.store.Close() }

// lockedRand lets goroutines share a random source that isn't safe for
// concurrent use.
type lockedRand struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedRand) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return io.ReadFull(l.r, p)
}

// lock makes changes of the same records follow one another. Stripes are taken
// in order, so that two calls with several records don't wait for each other.
func (r *Registry) lock(ordinals ...uint64) (unlock func()) {
	var want [len(r.stripes)]bool
	for _, o := range ordinals {
		want[o%uint64(len(r.stripes))] = true
	}
	each := func(do func(*sync.Mutex)) {
		for i := range r.stripes {
			if want[i] {
				do(&r.stripes[i])
			}
		}
	}
	each((*sync.Mutex).Lock)
	return func() { each((*sync.Mutex).Unlock) }
}
