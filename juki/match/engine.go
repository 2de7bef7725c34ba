package match

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// The keys of the store. Integers are 8 bytes big-endian.
//
//	m             meta
//	h ORDINAL     holderRow: a holder in force
//	b BUCKET ORDINAL   nothing; index of the holders in force (register.Bucket)
//	g ORDINAL     sequence of the list that struck it off
//	n ORDINAL     id of the intent: the holder has its notice
//	o POS         Outcome
//	a ORDINAL     Arrival
//	u N           nothing; the export with this number led to a certificate that arrived
//	q ID          Case
//	i ID          Intent
//	p ID          nothing; intents that are not in the ledger yet
//	s SEQ         id of the intent with this notice sequence
//	d SEQ         nothing; logged and not delivered
//	l SEQ         List
//	t             staged M1 that is not applied yet (package link)
//	v VALUE       day of the last list that named it: a name or address that crossed the wall in an M1
//	x DAY VALUE   nothing; the same by day
const format = 2

type meta struct {
	Format  int          `json:"format"`
	Cursor  uint64       `json:"cursor"` // changes of the register that are matched
	Lists   uint64       `json:"lists"`  // M1 taken in; the next one has this sequence
	LastDay string       `json:"lastDay"`
	Last    entry.Digest `json:"last"` // digest of the newest M1
	Live    uint64       `json:"live"` // holders in force
	Cases   uint64       `json:"cases"`
	Intents uint64       `json:"intents"`
	Sent    uint64       `json:"sent"` // cursor of the CA link's entries looked through for holders.sent
}

// Register is what matching reads of the identity information database
// (*register.Register).
type Register interface {
	Size() uint64
	Change(pos uint64) (register.Change, error)
	Changes(from, to uint64, fn func(register.Change) error) error
	Record(code string) (register.Record, error)
	ByBucket(bucket string, fn func(register.Record) error) error
	ExportsOf(code string) ([]register.Export, error)
}

// Config of an Engine.
type Config struct {
	KV       kv.Options
	Now      func() time.Time // time of outcomes and decisions; required
	Register Register         // required
}

// Engine is the open subsystem. Safe for concurrent use.
type Engine struct {
	kv  *kv.Store
	now func() time.Time
	reg Register

	mu sync.Mutex // one writer at a time
	m  meta       // guarded by mu
}

// Codes of the sentences that this package says.
const (
	CodeVersion = "match.version" // the directory is of another version
	CodeBehind  = "match.behind"  // the register is older than this store
	CodeList    = "match.list"    // the daily list does not fit what is held
	CodeCase    = "match.case"    // no such open case
	CodeDecide  = "match.decide"  // the decision does not fit the case
)

// Open opens or creates the subsystem's store in dir. It refuses when the
// register has fewer changes than were matched already: one of the two
// directories was restored from an old copy.
func Open(dir string, c Config) (*Engine, error) {
	if c.Now == nil || c.Register == nil {
		return nil, errors.New("matching needs a clock and a register")
	}
	if err := makeDir(dir, c.KV); err != nil {
		return nil, err
	}
	s, err := kv.Open(dir, c.KV)
	if err != nil {
		return nil, err
	}
	e := &Engine{kv: s, now: c.Now, reg: c.Register, m: meta{Format: format}}
	if err := e.load(); err != nil {
		s.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) load() error {
	if err := e.get([]byte("m"), &e.m); err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	if e.m.Format != format {
		return say.New(CodeVersion, "突合の保存先の版が、このプログラムの版と合いません。",
			"The matching store is of another version than this program.").
			Hint("作ったときと同じ版のプログラムで開いてください。", "Open it with the version that made it.")
	}
	if e.m.Cursor > e.reg.Size() {
		return say.New(CodeBehind, "本人確認情報DBが、突合の記録より古くなっています。",
			"The identity information database is older than the matching records.").
			Hint("古いバックアップから戻していないか確かめ、同じ時点の2つを使ってください。",
				"One of the two was restored from an old backup; use both from the same moment.")
	}
	return nil
}

// Close closes the store.
func (e *Engine) Close() error { return e.kv.Close() }

// tx is one atomic step with what it has set so far.
type tx struct {
	e        *Engine
	b        *kv.Batch
	m        meta
	at       entry.Time
	noticed  map[uint64]bool // ordinals that got their notice in this step
	consumed map[uint64]bool // exports used in this step
}

// begin starts a step; the caller holds e.mu and ends it with commit or b.Close.
func (e *Engine) begin() *tx {
	return &tx{e: e, b: e.kv.NewBatch(), m: e.m, at: entry.At(e.now()),
		noticed: map[uint64]bool{}, consumed: map[uint64]bool{}}
}

func (t *tx) set(key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("couldn't encode a row: %w", err)
	}
	t.b.Set(key, b)
	return nil
}

func (t *tx) commit() error { return t.end(true) }

func (t *tx) end(sync bool) error {
	if err := t.set([]byte("m"), t.m); err != nil {
		return err
	}
	if err := t.b.Commit(sync); err != nil {
		return fmt.Errorf("couldn't write to the matching store: %w", err)
	}
	t.e.m = t.m
	return nil
}

// chunk bounds one step of Match.
const chunk = 512

// Match matches the register's changes since the last call, in order, and
// returns how many. What it has done is on disk when it returns; after a crash
// or an error the next call goes on where it stopped.
func (e *Engine) Match(ctx context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.matchAll(ctx)
}

func (e *Engine) matchAll(ctx context.Context) (int, error) {
	done := 0
	for end := e.reg.Size(); e.m.Cursor < end; {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		n, err := e.matchChunk(min(e.m.Cursor+chunk, end))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (e *Engine) matchChunk(to uint64) (int, error) {
	var cs []register.Change
	err := e.reg.Changes(e.m.Cursor, to, func(c register.Change) error {
		cs = append(cs, c)
		return nil
	})
	if err != nil {
		return 0, err
	}
	t := e.begin()
	defer t.b.Close()
	for _, c := range cs {
		o, err := t.forward(c)
		if err != nil {
			return 0, fmt.Errorf("couldn't match change %d: %w", c.Pos, err)
		}
		if err := t.set(key("o", c.Pos), o); err != nil {
			return 0, err
		}
		t.m.Cursor = c.Pos + 1
	}
	return len(cs), t.commit()
}

// Cursor is the number of changes that are matched.
func (e *Engine) Cursor() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.m.Cursor
}

// Outcome returns what became of the change at pos.
func (e *Engine) Outcome(pos uint64) (Outcome, error) {
	var o Outcome
	err := e.get(key("o", pos), &o)
	return o, err
}

// Arrival returns what became of a holder when it arrived.
func (e *Engine) Arrival(ordinal uint64) (Arrival, error) {
	var a Arrival
	err := e.get(key("a", ordinal), &a)
	return a, err
}

func key(prefix string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), n)
}

func (e *Engine) get(k []byte, v any) error {
	b, err := e.kv.Get(k)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errors.New("a row of the matching store cannot be read") // never quotes the row
	}
	return nil
}

func (e *Engine) has(k []byte) (bool, error) {
	_, err := e.kv.Get(k)
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// holder returns a holder in force, or kv.ErrNotFound.
func (e *Engine) holder(ordinal uint64) (holders.Holder, error) {
	var row holderRow
	if err := e.get(key("h", ordinal), &row); err != nil {
		return holders.Holder{}, err
	}
	return row.holder()
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
