package match

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// ListCheck is how a daily list stands to what is held.
type ListCheck struct {
	Known    bool // this very list was applied before
	Conflict bool // another list with this sequence was applied before
	Next     bool // its sequence is the next one
	DayOnce  bool // its day is later than the last list's (PR-12)
	Fits     bool // new ones are new, gone ones are held, and the total is right
}

// CheckList compares a list with CertHolderDB. It changes nothing.
func (e *Engine) CheckList(l holders.List) (ListCheck, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.Seq < e.m.Lists {
		var old List
		if err := e.get(key("l", l.Seq), &old); err != nil {
			return ListCheck{}, err
		}
		same := old.Digest == l.Digest()
		return ListCheck{Known: same, Conflict: !same}, nil
	}
	fits, err := e.fits(l)
	return ListCheck{Next: l.Seq == e.m.Lists, DayOnce: l.Day > e.m.LastDay, Fits: fits}, err
}

func (e *Engine) fits(l holders.List) (bool, error) {
	if e.m.Live+uint64(len(l.New)) != l.Total+uint64(len(l.Gone)) {
		return false, nil
	}
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

var errList = say.New(CodeList, "保有者一覧が、前回までの一覧と合いません。", "The list of holders does not fit the lists before it.").
	Hint("認証局側に、抜けた一覧の再送を求めてください。", "Ask the CA side to send the missing list again.")

// ApplyList takes a list that is in the ledger as holders.received (at this
// index) into CertHolderDB and decides about each new holder. All changes
// that the register has at this moment are matched first, so that each is
// compared with a holder exactly once: as a change, or when the holder
// arrives. Applying the same list again does nothing.
func (e *Engine) ApplyList(ctx context.Context, l holders.List, index uint64) error {
	check, err := e.CheckList(l)
	if err != nil {
		return err
	}
	if check.Known {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.Seq != e.m.Lists || !check.Fits {
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

// replace strikes off the gone holders, with their keys and attributes, and
// takes in the new ones.
func (t *tx) replace(l holders.List) error {
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
	}
	for _, h := range l.New {
		if err := t.set(key("h", h.Ordinal), rowOf(h)); err != nil {
			return err
		}
		t.b.Set(key("b"+register.Bucket(h.Certified.Attributes()), h.Ordinal), nil)
		t.b.Set([]byte("v"+h.Certified.Name), nil)
		t.b.Set([]byte("v"+h.Certified.Address), nil)
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

// Crossed calls fn for every name and address that has come from the CA side
// in a list, whether its holder is still in force or not.
func (e *Engine) Crossed(fn func(value string)) error {
	from, to := kv.Prefix([]byte("v"))
	return e.kv.Scan(from, to, func(k, _ []byte) error {
		fn(string(k[1:]))
		return nil
	})
}

// Staged is an M1 that has arrived and is not applied yet: its bytes, and the
// sequence of the holders.received entry that was about to be appended.
type Staged struct {
	Bytes    []byte         `json:"bytes"`
	Digest   entry.Digest   `json:"digest"`
	Seq      *uint64        `json:"seq,omitempty"` // among the register link's own entries
	Decision entry.Decision `json:"decision"`
}

// Stage keeps an M1 on disk before it is logged, so that a crash between the
// ledger and CertHolderDB loses nothing. The newest one replaces the last.
func (e *Engine) Stage(s Staged) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.begin()
	defer t.b.Close()
	if err := t.set([]byte("t"), s); err != nil {
		return err
	}
	return t.commit()
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

// SetSentCursor remembers SentCursor. It is a hint that only saves look-ups.
func (e *Engine) SetSentCursor(n uint64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.begin()
	defer t.b.Close()
	t.m.Sent = n
	return t.commit()
}
