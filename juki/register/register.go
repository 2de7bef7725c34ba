package register

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The keys of the store. All integers are 8 bytes big-endian, so that byte
// order is number order.
//
//	m            meta: format, number of changes, exports and residents
//	c POS        Change
//	r CODE       Record
//	b BUCKET CODE   nothing; one for every version that a record ever had
//	x N          Export
//	e CODE N     nothing; a record's exports
const format = 1

type meta struct {
	Format    int    `json:"format"`
	Size      uint64 `json:"size"`      // changes in the sequence
	Exports   uint64 `json:"exports"`   // exports ever made
	Residents uint64 `json:"residents"` // records, deleted ones included
	Deleted   uint64 `json:"deleted"`   // of these, deleted now
}

// Config of a register.
type Config struct {
	KV  kv.Options
	Now func() time.Time // time of changes and exports; required
}

// Register is the open database. Safe for concurrent use.
type Register struct {
	kv  Store
	now func() time.Time

	mu sync.Mutex // one writer at a time
	m  meta       // guarded by mu
}

// Open opens or creates the database in dir.
func Open(dir string, c Config) (*Register, error) {
	if c.Now == nil {
		return nil, errors.New("register needs a clock")
	}
	if err := makeDir(dir, c.KV); err != nil {
		return nil, err
	}
	s, err := kv.Open(dir, c.KV)
	if err != nil {
		return nil, err
	}
	return OpenStore(embedded{s}, c)
}

// OpenStore opens the database on a store of another kind, which it closes in
// the end, also when it fails.
func OpenStore(s Store, c Config) (*Register, error) {
	if c.Now == nil {
		return nil, errors.Join(errors.New("register needs a clock"), s.Close())
	}
	r := &Register{kv: s, now: c.Now, m: meta{Format: format}}
	if err := r.load(); err != nil {
		s.Close()
		return nil, err
	}
	return r, nil
}

func (r *Register) load() error {
	err := get(r.kv, []byte("m"), &r.m)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.m.Format != format {
		return say.New(CodeVersion, "本人確認情報DBの版が、このプログラムの版と合いません。",
			"The identity information database is of another version than this program.").
			Hint("作ったときと同じ版のプログラムで開いてください。", "Open it with the version that made it.")
	}
	return nil
}

// Close closes the store.
func (r *Register) Close() error { return r.kv.Close() }

// Size is the number of changes in the sequence; the next one gets this position.
func (r *Register) Size() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m.Size
}

// importChunk bounds the memory of one batch.
const importChunk = 5000

// Import takes over residents that the municipalities already hold. They are
// not changes. It stops at the first resident it refuses, with a *RowError;
// those before it may have been taken over. It returns how many were.
func (r *Register) Import(rs []Resident) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for done := 0; done < len(rs); done += importChunk {
		end := min(done+importChunk, len(rs))
		if row, err := r.importChunk(rs[done:end]); err != nil {
			return done, &RowError{Row: done + row, Err: err}
		}
	}
	return len(rs), nil
}

func (r *Register) importChunk(rs []Resident) (int, error) {
	tx := r.begin()
	at := entry.At(r.now())
	for i, p := range rs {
		old, err := tx.record(p.Code)
		if err != nil {
			return i, err
		}
		v, err := next(Event{Kind: Entry, Code: p.Code, Municipality: p.Municipality, Attr: p.Attr}, old)
		if err != nil {
			return i, err
		}
		v.Kind, v.At, v.Since = Load, at, tx.m.Size
		if err := tx.put(p.Code, nil, v); err != nil {
			return i, err
		}
	}
	return len(rs), r.commit(tx)
}

// Apply takes changes into the sequence, in order, all or none; they are on
// disk when it returns. A refused one gives a *RowError.
func (r *Register) Apply(events ...Event) ([]Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tx := r.begin()
	at := entry.At(r.now())
	out := make([]Change, 0, len(events))
	for i, e := range events {
		c, err := tx.apply(e, at)
		if err != nil {
			return nil, &RowError{Row: i, Err: err}
		}
		out = append(out, c)
	}
	if err := r.commit(tx); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *Register) commit(tx *tx) error {
	if err := tx.set([]byte("m"), tx.m); err != nil {
		return err
	}
	if err := r.kv.Write(tx.b); err != nil {
		return fmt.Errorf("couldn't write to the register: %w", err)
	}
	r.m = tx.m
	return nil
}

// tx is one batch with the records it has touched.
type tx struct {
	r    *Register
	b    []Pair
	m    meta
	seen map[string]*Record
}

func (r *Register) begin() *tx {
	return &tx{r: r, m: r.m, seen: map[string]*Record{}}
}

func (t *tx) row(key, value []byte) { t.b = append(t.b, Pair{key, value}) }

func (t *tx) set(key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("couldn't encode a register row: %w", err)
	}
	t.row(key, b)
	return nil
}

// record returns the record of code as this batch leaves it, or nil.
func (t *tx) record(code string) (*Record, error) {
	if r, ok := t.seen[code]; ok {
		return r, nil
	}
	var rec Record
	err := get(t.r.kv, recordKey(code), &rec)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	return &rec, err
}

// put appends a version to a record (nil: a new one) and keeps the indexes.
func (t *tx) put(code string, rec *Record, v Version) error {
	if rec == nil {
		rec = &Record{Code: code}
		t.m.Residents++
	} else if rec.Current().Deleted {
		t.m.Deleted--
	}
	if v.Deleted {
		t.m.Deleted++
	} else {
		t.row(bucketKey(v.Attr, code), nil)
	}
	rec = &Record{Code: code, Versions: append(rec.Versions[:len(rec.Versions):len(rec.Versions)], v)}
	t.seen[code] = rec
	return t.set(recordKey(code), rec)
}

func (t *tx) apply(e Event, at entry.Time) (Change, error) {
	rec, err := t.record(e.Code)
	if err != nil {
		return Change{}, err
	}
	v, err := next(e, rec)
	if err != nil {
		return Change{}, err
	}
	c := Change{Pos: t.m.Size, At: at, Kind: e.Kind, Minor: v.Minor, Code: e.Code, Municipality: v.Municipality,
		Before: inForce(rec), After: attrs(v)}
	if e.Kind == Reversal {
		c.Reverts = &e.Reverts
	}
	t.m.Size++
	v.Since, v.At = t.m.Size, at
	if err := t.put(e.Code, rec, v); err != nil {
		return Change{}, err
	}
	return c, t.set(changeKey(c.Pos), c)
}

func inForce(rec *Record) *attr.Attributes {
	if rec == nil {
		return nil
	}
	return attrs(rec.Current())
}

func attrs(v Version) *attr.Attributes {
	if v.Deleted {
		return nil
	}
	a := v.Attr
	return &a
}

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func changeKey(pos uint64) []byte       { return append([]byte("c"), be(pos)...) }
func exportKey(n uint64) []byte         { return append([]byte("x"), be(n)...) }
func recordKey(code string) []byte      { return []byte("r" + code) }
func exportsOf(code string) []byte      { return []byte("e" + code) }
func bucketPrefix(bucket string) []byte { return []byte("b" + bucket) }

func bucketKey(a attr.Attributes, code string) []byte {
	return append(bucketPrefix(Bucket(a)), code...)
}

func get(s Store, key []byte, v any) error {
	b, err := s.Get(key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errors.New("a row of the register cannot be read") // never quotes the row
	}
	return nil
}

// makeDir makes the store's directory so that it survives a crash.
func makeDir(dir string, o kv.Options) error {
	if o.ReadOnly {
		return nil
	}
	if o.FS == nil {
		o.FS = kv.Disk()
	}
	return kv.MakeDir(o.FS, dir)
}
