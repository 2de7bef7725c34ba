package match

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// ListCheck is how a daily list stands to what is held.
type ListCheck struct {
	Known    bool   // this very list was applied before
	Conflict bool   // another list with its sequence was applied before
	NextSeq  uint64 // sequence that the next list must have
	LastDay  string // day of the last list, "" before the first
	Held     uint64 // holders in force
	Unknown  bool   // it strikes off a holder that is not held, or adds one that was held already
}

// CheckList compares a list with CertHolderDB. It changes nothing.
func (e *Engine) CheckList(l holders.List) (ListCheck, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.checkList(l)
}

func (e *Engine) checkList(l holders.List) (ListCheck, error) {
	c := ListCheck{NextSeq: e.m.Lists, LastDay: e.m.LastDay, Held: e.m.Live}
	if l.Seq < e.m.Lists {
		var old List
		if err := e.get(key("l", l.Seq), &old); err != nil {
			return c, err
		}
		c.Known = old.Digest == l.Digest()
		c.Conflict = !c.Known
		return c, nil
	}
	known, err := e.knowsAll(l)
	c.Unknown = !known
	return c, err
}

// knowsAll reports whether the gone holders are held and the new ones never were.
func (e *Engine) knowsAll(l holders.List) (bool, error) {
	for _, h := range l.New {
		for _, prefix := range []string{"h", "g"} {
			if had, err := e.has(key(prefix, h.Ordinal)); err != nil || had {
				return false, err
			}
		}
	}
	for _, n := range l.Gone {
		if held, err := e.has(key("h", n)); err != nil || !held {
			return false, err
		}
	}
	return true, nil
}

// fits reports whether the list may be applied now.
func (c ListCheck) fits(l holders.List) bool {
	return l.Seq == c.NextSeq && l.Day > c.LastDay && !c.Unknown &&
		c.Held+uint64(len(l.New)) == l.Total+uint64(len(l.Gone))
}

var errList = say.New(CodeList, "利用者一覧が、前回までの一覧と合いません。", "The list of holders does not fit the lists before it.").
	Hint("認証局側に、抜けた一覧の再送を求めてください。", "Ask the CA side to send the missing list again.")

// ApplyList takes a list that is in the ledger as holders.received (at this
// index) into CertHolderDB and decides about each new holder. All changes
// that the register has at this moment are matched first, so that each is
// compared with a holder exactly once: as a change, or when the holder
// arrives. Applying the same list again does nothing.
//
// When holders were struck off, the store is then rewritten, so that their keys
// and attributes are in none of its tables either, and from the next start on in
// none of its files. Backups from before still hold them: they must not be kept
// for longer than the register's own.
func (e *Engine) ApplyList(ctx context.Context, l holders.List, index uint64) error {
	if err := e.applyList(ctx, l, index); err != nil || len(l.Gone) == 0 {
		return err
	}
	return e.kv.Compact()
}

func (e *Engine) applyList(ctx context.Context, l holders.List, index uint64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	check, err := e.checkList(l)
	if err != nil || check.Known {
		return err
	}
	if !check.fits(l) {
		return errList
	}
	if _, err := e.matchAll(ctx); err != nil {
		return err
	}
	t := e.begin()
	defer t.b.Close()
	if err := t.replace(l); err != nil {
		return err
	}
	for _, h := range l.New {
		a, err := t.arrive(h, l.Seq)
		if err != nil {
			return err
		}
		if err := t.set(key("a", h.Ordinal), a); err != nil {
			return err
		}
	}
	row := List{Seq: l.Seq, Day: l.Day, Digest: l.Digest(), New: uint64(len(l.New)), Gone: uint64(len(l.Gone)),
		Total: l.Total, Index: index, At: t.at}
	if err := t.set(key("l", l.Seq), row); err != nil {
		return err
	}
	t.m.Lists, t.m.Last, t.m.LastDay, t.m.Live = l.Seq+1, row.Digest, l.Day, l.Total
	t.b.Delete([]byte("t"))
	return t.commit()
}

// replace strikes off the gone holders, deleting their rows with key and
// attributes, and takes in the new ones. The bare names and addresses stay for
// Crossed, for as long as they may lie on the CA side.
func (t *tx) replace(l holders.List) error {
	if err := t.forget(l.Day); err != nil {
		return err
	}
	for _, n := range l.Gone {
		h, err := t.e.holder(n)
		if err != nil {
			return err
		}
		t.b.Delete(key("h", n))
		t.b.Delete(key("b"+register.Bucket(h.Certified.Attributes()), n))
		if err := t.set(key("g", n), l.Seq); err != nil {
			return err
		}
		if err := t.cross(l.Day, h.Certified); err != nil {
			return err
		}
	}
	for _, h := range l.New {
		if err := t.set(key("h", h.Ordinal), rowOf(h)); err != nil {
			return err
		}
		t.b.Set(key("b"+register.Bucket(h.Certified.Attributes()), h.Ordinal), nil)
		if err := t.cross(l.Day, h.Certified); err != nil {
			return err
		}
	}
	return nil
}

// Lists returns every daily list that was applied, in order.
func (e *Engine) Lists() ([]List, error) {
	var out []List
	from, to := kv.Prefix([]byte("l"))
	err := e.kv.Scan(from, to, func(_, v []byte) error {
		var l List
		if err := json.Unmarshal(v, &l); err != nil {
			return errors.New("a list's row cannot be read")
		}
		out = append(out, l)
		return nil
	})
	return out, err
}

// Staged is an M1 that has arrived and is not applied yet: its bytes, and the
// holders.received entry exactly as it is appended.
type Staged struct {
	Bytes []byte `json:"bytes"`
	Entry []byte `json:"entry"`
}

// Stage keeps an M1 on disk before it is logged, so that a crash between the
// ledger and CertHolderDB loses nothing. A newer one replaces it.
func (e *Engine) Stage(s Staged) error {
	return e.step(true, func(t *tx) error { return t.set([]byte("t"), s) })
}

// Staged returns the staged M1, or false.
func (e *Engine) Staged() (Staged, bool, error) {
	var s Staged
	err := e.get([]byte("t"), &s)
	if errors.Is(err, kv.ErrNotFound) {
		return s, false, nil
	}
	return s, err == nil, err
}

// SentCursor is how far the CA link's ledger entries have been looked through
// for holders.sent.
func (e *Engine) SentCursor() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.m.Sent
}

// SetSentCursor remembers SentCursor. It only saves look-ups, so it need not
// be on disk.
func (e *Engine) SetSentCursor(n uint64) error {
	return e.step(false, func(t *tx) error {
		t.m.Sent = n
		return nil
	})
}
