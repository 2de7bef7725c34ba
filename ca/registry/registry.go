// Package registry is the CA's memory of what it issued: the issuance records
// of Article 8 (発行記録), the record keys, and the map from attributes to
// certificates that DOMAIN 3.4 calls the most sensitive store of the CA side.
//
// What it promises:
//
//   - Attributes, certificates and record keys lie on disk only sealed
//     (AES-256-GCM, one derived key per row, bound to the row's name).
//   - The attribute index is keyed by HMAC: names, dates and addresses can't
//     be guessed from it (DOMAIN 11.3).
//   - A record and everything derived from it (indexes, queues) change in one
//     atomic batch, because the derived rows are computed from the record.
//   - A record moves along prepared → intended → signed → issued → revoked, or
//     to aborted before it was issued; nothing moves back (IN-06).
//   - Erase destroys the record key and whatever names the person; the bare
//     ordinal, serial and state stay, because the log refers to them. An older
//     version of the row stays in the store's files, sealed, until it compacts.
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
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// KeySize is the length of the registry's sealing key in bytes.
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
	Key  []byte    // KeySize bytes; from a token or the operator, never stored here
	Rand io.Reader // for nonces; crypto/rand.Reader in production
	FS   kv.FS     // nil: the operating system's
}

// Registry is one open store. It is safe for concurrent use; changes of one
// record follow one another.
type Registry struct {
	kv      *kv.Store
	sealKey []byte
	index   []byte // key of the attribute index
	rand    *lockedRand
	stripes [64]sync.Mutex
}

const (
	formatKey   = "m/format"
	formatValue = "sukashi-registry-1"
	checkKey    = "m/key-check"
)

// Open opens or creates the registry in dir. A wrong key is refused with a
// sentence before anything is read.
func Open(dir string, cfg Config) (*Registry, error) {
	if len(cfg.Key) != KeySize || cfg.Rand == nil {
		return nil, fmt.Errorf("the registry needs a key of %d bytes and a random source", KeySize)
	}
	store, err := kv.Open(dir, kv.Options{FS: cfg.FS})
	if err != nil {
		return nil, err
	}
	r := &Registry{kv: store, rand: &lockedRand{r: cfg.Rand}}
	if err = r.unlock(cfg.Key); err != nil {
		store.Close()
		return nil, err
	}
	return r, nil
}

func (r *Registry) unlock(key []byte) error {
	var check []byte
	for _, d := range []struct {
		to   *[]byte
		info string
	}{{&r.sealKey, "seal"}, {&r.index, "attribute-index"}, {&check, "check"}} {
		k, err := hkdf.Key(sha256.New, key, nil, "sukashi/registry/v1/"+d.info, sha256.Size)
		if err != nil {
			return fmt.Errorf("couldn't derive a registry key: %w", err)
		}
		*d.to = k
	}
	format, err := r.kv.Get([]byte(formatKey))
	if errors.Is(err, kv.ErrNotFound) {
		b := r.kv.NewBatch()
		b.Set([]byte(formatKey), []byte(formatValue))
		b.Set([]byte(checkKey), check)
		return b.Commit(true)
	}
	if err != nil {
		return err
	}
	if string(format) != formatValue {
		return say.New("registry.format", "発行記録の保存形式がこの版と違います。", "The registry is of another version's format.").
			Hint("この保存先を作った版の sukashi を使ってください。", "Use the version of sukashi that made this directory.")
	}
	have, err := r.kv.Get([]byte(checkKey))
	if err != nil {
		return err
	}
	if !hmac.Equal(have, check) {
		return say.New("registry.key", "発行記録を開く鍵が違います。", "This key does not open the registry.").
			Hint("この認証局の鍵を設定してください。", "Configure the key of this CA.")
	}
	return nil
}

// Close releases the store.
func (r *Registry) Close() error { return r.kv.Close() }

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

func (r *Registry) lock(ordinal uint64) func() {
	m := &r.stripes[ordinal%uint64(len(r.stripes))]
	m.Lock()
	return m.Unlock
}

// Prepare writes new records, in state Prepared, in one synced batch. An
// ordinal or serial that is already there is refused.
func (r *Registry) Prepare(recs ...*Record) error {
	b := r.kv.NewBatch()
	defer b.Close()
	for _, rec := range recs {
		if rec.State != Prepared || rec.Key.IsZero() {
			return errors.New("a new record must be prepared and have a record key")
		}
		if err := rec.Certified.Validate(); err != nil {
			return fmt.Errorf("couldn't prepare a record: %w", err)
		}
		for _, k := range [][]byte{recordKey(rec.Ordinal), serialKey(rec.Serial)} {
			if _, err := r.kv.Get(k); err == nil {
				return errors.New("the ordinal or serial is already in the registry")
			} else if !errors.Is(err, kv.ErrNotFound) {
				return err
			}
		}
		if err := r.put(b, nil, rec); err != nil {
			return err
		}
	}
	return b.Commit(true)
}

// Change reads a record, lets fn change it and writes it back with all derived
// rows. An error of fn changes nothing.
func (r *Registry) Change(ordinal uint64, d Durability, fn func(*Record) error) error {
	defer r.lock(ordinal)()
	old, err := r.Get(ordinal)
	if err != nil {
		return err
	}
	next := old.clone()
	if err := fn(next); err != nil {
		return err
	}
	if err := old.mayBecome(next); err != nil {
		return err
	}
	b := r.kv.NewBatch()
	defer b.Close()
	if err := r.put(b, old, next); err != nil {
		return err
	}
	return b.Commit(bool(d))
}

// Discard removes records whose intent never reached the log: their ordinals
// and serials are free again, and their record keys are gone.
func (r *Registry) Discard(ordinals ...uint64) error {
	b := r.kv.NewBatch()
	defer b.Close()
	for _, o := range ordinals {
		rec, err := r.Get(o)
		if err != nil {
			return err
		}
		if rec.State != Prepared {
			return errors.New("only a prepared record can be discarded")
		}
		if err := r.put(b, rec, nil); err != nil {
			return err
		}
	}
	return b.Commit(true)
}

// Get returns the record of an ordinal, or ErrNotFound.
func (r *Registry) Get(ordinal uint64) (*Record, error) {
	name := recordKey(ordinal)
	sealed, err := r.get(name)
	if err != nil {
		return nil, err
	}
	rec := new(Record)
	if err := r.unsealJSON(name, sealed, rec); err != nil {
		return nil, fmt.Errorf("couldn't read record %d: %w", ordinal, err)
	}
	name = keyKey(ordinal)
	sealed, err = r.get(name)
	if errors.Is(err, ErrNotFound) {
		return rec, nil // erased or aborted
	}
	if err != nil {
		return nil, err
	}
	k, err := r.unseal(name, sealed)
	if err != nil || len(k) != len(rec.Key) {
		return nil, fmt.Errorf("couldn't read the record key of %d", ordinal)
	}
	copy(rec.Key[:], k)
	return rec, nil
}

func (r *Registry) get(key []byte) ([]byte, error) {
	v, err := r.kv.Get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, ErrNotFound
	}
	return v, err
}

func (r *Registry) ordinalAt(key []byte) (uint64, error) {
	v, err := r.get(key)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, errors.New("an index row of the registry is damaged")
	}
	return binary.BigEndian.Uint64(v), nil
}

// ByApplication returns the ordinal that an application id led to, the newest
// if an earlier attempt was aborted.
func (r *Registry) ByApplication(id string) (uint64, error) { return r.ordinalAt(applicationKey(id)) }

// BySerial returns the ordinal of a serial number (lower-case hex).
func (r *Registry) BySerial(serial string) (uint64, error) { return r.ordinalAt(serialKey(serial)) }

// ByKey returns the ordinal of the certificate that a public key was certified
// or announced in, by the SHA-256 of its SubjectPublicKeyInfo.
func (r *Registry) ByKey(spki entry.Digest) (uint64, error) { return r.ordinalAt(spkiKey(spki)) }

// ByAttributes returns, in ascending order, the ordinals of all certificates
// (pending, in force, revoked or expired) that state these four attributes.
// More than one holder can be behind them: twins exist.
func (r *Registry) ByAttributes(a attr.Attributes) ([]uint64, error) {
	return r.ordinals(r.attributePrefix(a))
}

// LiveByAttributes is ByAttributes without what is revoked, aborted or expired
// at now (Article 6, IN-05).
func (r *Registry) LiveByAttributes(a attr.Attributes, now time.Time) ([]uint64, error) {
	all, err := r.ByAttributes(a)
	if err != nil {
		return nil, err
	}
	live := all[:0]
	for _, o := range all {
		rec, err := r.Get(o)
		if err != nil {
			return nil, err
		}
		if rec.Live(now) {
			live = append(live, o)
		}
	}
	return live, nil
}

// ordinals lists the last eight bytes of all keys with this prefix.
func (r *Registry) ordinals(prefix []byte) ([]uint64, error) {
	var out []uint64
	from, to := kv.Prefix(prefix)
	err := r.kv.Scan(from, to, func(k, _ []byte) error {
		if len(k) < len(prefix)+8 {
			return errors.New("an index row of the registry is damaged")
		}
		out = append(out, binary.BigEndian.Uint64(k[len(k)-8:]))
		return nil
	})
	return out, err
}

// Open returns the ordinals whose record is prepared, intended or signed.
func (r *Registry) Open() ([]uint64, error) { return r.ordinals([]byte(openPrefix)) }

// Size is one more than the largest ordinal in the registry.
func (r *Registry) Size() (uint64, error) {
	from, to := kv.Prefix([]byte(recordPrefix))
	k, _, err := r.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(bytes.TrimPrefix(k, []byte(recordPrefix))) + 1, nil
}
