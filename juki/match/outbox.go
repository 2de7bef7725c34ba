package match

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// State of an intent. A notice is due (Pending), then its bytes are fixed
// (Prepared), then it is in the ledger (Logged), then the CA side has it.
type State string

// States of an intent. The last four are final.
const (
	Pending   State = "pending"
	Prepared  State = "prepared"
	Logged    State = "logged"
	Delivered State = "delivered" // the CA side took it
	Rejected  State = "rejected"  // the CA side refused it; a case is open
	Stopped   State = "stopped"   // the sender's own policy refused it; a case is open
	Withdrawn State = "withdrawn" // its holder was struck off before it was logged: nothing left to revoke
)

func (s State) final() bool {
	return s == Delivered || s == Rejected || s == Stopped || s == Withdrawn
}

// Cause says why a notice is due. It belongs to zone juki.
type Cause struct {
	Change  *uint64  `json:"change,omitempty"`  // a change, by position
	Arrived bool     `json:"arrived,omitempty"` // found when the holder arrived
	Case    *uint64  `json:"case,omitempty"`    // a person's decision
	Records []string `json:"records,omitempty"` // resident codes of the records meant; erased when settled
}

// Intent is one notice in the outbox.
type Intent struct {
	ID        uint64      `json:"id"` // gapless from 0, in the order of matching
	Ordinal   uint64      `json:"ordinal"`
	State     State       `json:"state"`
	Cause     Cause       `json:"cause"`
	Made      entry.Time  `json:"made"`
	Seq       *uint64     `json:"seq,omitempty"`   // notice sequence, from Prepared on
	Bytes     []byte      `json:"bytes,omitempty"` // the notice, from Prepared on; erased when settled
	Entry     []byte      `json:"entry,omitempty"` // its notice.sent entry, exactly as appended; while Prepared
	Index     *uint64     `json:"index,omitempty"` // ledger index of notice.sent, from Logged on
	LoggedAt  *entry.Time `json:"loggedAt,omitempty"`
	SettledAt *entry.Time `json:"settledAt,omitempty"` // when it became final
	Codes     []string    `json:"codes,omitempty"`     // rule codes of a refusal
	Case      *uint64     `json:"case,omitempty"`      // the case that the refusal opened
	Holder    *holderRow  `json:"holder,omitempty"`    // copy, erased when settled
}

// HolderCopy returns the holder as it was when the notice became due.
func (i Intent) HolderCopy() (holders.Holder, error) {
	if i.Holder == nil {
		return holders.Holder{}, errors.New("the notice is settled, its holder's copy is erased")
	}
	return i.Holder.holder()
}

// intend puts a notice for h into the outbox.
func (t *tx) intend(h holders.Holder, c Cause) (uint64, error) {
	row := rowOf(h)
	i := Intent{ID: t.m.Intents, Ordinal: h.Ordinal, State: Pending, Cause: c, Made: t.at, Holder: &row}
	t.m.Intents++
	t.noticed[h.Ordinal] = true
	if err := t.set(key("n", h.Ordinal), i.ID); err != nil {
		return 0, err
	}
	t.b.Set(key("p", i.ID), nil)
	return i.ID, t.set(key("i", i.ID), i)
}

// Intent returns one notice of the outbox.
func (e *Engine) Intent(id uint64) (Intent, error) {
	var i Intent
	if err := e.get(key("i", id), &i); err != nil {
		return i, fmt.Errorf("couldn't read notice %d of the outbox: %w", id, err)
	}
	return i, nil
}

// Intents calls fn for every notice of the outbox, in order.
func (e *Engine) Intents(fn func(Intent) error) error {
	from, to := kv.Prefix([]byte("i"))
	return e.kv.Scan(from, to, func(_, v []byte) error {
		var i Intent
		if err := json.Unmarshal(v, &i); err != nil {
			return errors.New("a notice of the outbox cannot be read")
		}
		return fn(i)
	})
}

// ToLog returns the oldest notices that are not in the ledger, at most limit.
func (e *Engine) ToLog(limit int) ([]Intent, error) {
	ids, err := e.numbers("p", limit)
	if err != nil {
		return nil, err
	}
	out := make([]Intent, len(ids))
	for k, id := range ids {
		if out[k], err = e.Intent(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// NextToSend returns the logged notice with the lowest sequence that the CA
// side has not answered, or false.
func (e *Engine) NextToSend() (Intent, bool, error) {
	seqs, err := e.numbers("d", 1)
	if err != nil || len(seqs) == 0 {
		return Intent{}, false, err
	}
	i, err := e.BySeq(seqs[0])
	return i, err == nil, err
}

// numbers returns the first numbers of an index, at most limit.
func (e *Engine) numbers(prefix string, limit int) ([]uint64, error) {
	var out []uint64
	from, to := kv.Prefix([]byte(prefix))
	err := e.kv.Scan(from, to, func(k, _ []byte) error {
		if len(out) == limit {
			return kv.Stop
		}
		out = append(out, binary.BigEndian.Uint64(k[1:]))
		return nil
	})
	return out, err
}

// BySeq returns the notice with this sequence.
func (e *Engine) BySeq(seq uint64) (Intent, error) {
	var id uint64
	if err := e.get(key("s", seq), &id); err != nil {
		return Intent{}, fmt.Errorf("couldn't find notice sequence %d in the outbox: %w", seq, err)
	}
	return e.Intent(id)
}

// NextSeq is one more than the highest sequence that the outbox has given to a
// logged notice.
func (e *Engine) NextSeq() (uint64, error) {
	from, to := kv.Prefix([]byte("s"))
	k, _, err := e.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(k[1:]) + 1, nil
}

// Gone reports whether a list has struck off the holder.
func (e *Engine) Gone(ordinal uint64) (bool, error) { return e.has(key("g", ordinal)) }

// Holders calls fn for every holder in force, by ordinal.
func (e *Engine) Holders(fn func(holders.Holder) error) error {
	from, to := kv.Prefix([]byte("h"))
	return e.kv.Scan(from, to, func(_, v []byte) error {
		var row holderRow
		if err := json.Unmarshal(v, &row); err != nil {
			return errors.New("a holder's row cannot be read")
		}
		h, err := row.holder()
		if err != nil {
			return err
		}
		return fn(h)
	})
}

// update changes one notice and keeps what final states must not keep out.
func (t *tx) update(id uint64, from []State, change func(*Intent) error) error {
	i, err := t.e.Intent(id)
	if err != nil {
		return err
	}
	if !slices.Contains(from, i.State) {
		return fmt.Errorf("notice %d of the outbox is %s", id, i.State)
	}
	if err := change(&i); err != nil {
		return err
	}
	if i.State != Pending && i.State != Prepared {
		t.b.Delete(key("p", id))
	}
	if i.State.final() {
		at := t.at
		i.SettledAt = &at
	}
	if i.State.final() && i.State != Rejected {
		i.erase()
	}
	return t.set(key("i", id), i)
}

// erase drops what a settled notice no longer needs.
func (i *Intent) erase() { i.Holder, i.Bytes, i.Entry, i.Cause.Records = nil, nil, nil, nil }

// passed erases the refused notice before seq: the CA side has answered the
// next one, so the refusal stands and the notice never goes again.
func (t *tx) passed(seq uint64) error {
	if seq == 0 {
		return nil
	}
	i, err := t.e.BySeq(seq - 1)
	if err != nil || i.State != Rejected {
		return err
	}
	i.erase()
	return t.set(key("i", i.ID), i)
}

// step runs one atomic step under the lock.
func (e *Engine) step(sync bool, f func(*tx) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.begin()
	defer t.b.Close()
	if err := f(t); err != nil {
		return err
	}
	return t.end(sync)
}

// Fixed is a notice whose sequence, bytes and entry are fixed.
type Fixed struct {
	ID, Seq uint64
	Bytes   []byte // the notice
	Entry   []byte // the notice.sent entry
}

// Prepare fixes notices before they are appended to the ledger, in one step
// that is on disk when it returns. A notice may be fixed again with another
// sequence, as long as the ledger does not have it.
func (e *Engine) Prepare(fs ...Fixed) error {
	return e.step(true, func(t *tx) error {
		for _, f := range fs {
			err := t.update(f.ID, []State{Pending, Prepared}, func(i *Intent) error {
				i.State, i.Seq, i.Bytes, i.Entry = Prepared, &f.Seq, f.Bytes, f.Entry
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Log records that prepared notices are in the ledger, by id and index.
func (e *Engine) Log(at map[uint64]uint64) error {
	return e.step(true, func(t *tx) error {
		for id, index := range at {
			err := t.update(id, []State{Prepared}, func(i *Intent) error {
				when := t.at
				i.State, i.Index, i.LoggedAt, i.Entry = Logged, &index, &when, nil
				t.b.Set(key("d", *i.Seq), nil)
				return t.set(key("s", *i.Seq), id)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Deliver records that the CA side has taken the notice. It need not be on
// disk: after a crash the notice is sent again, and the CA side knows it by
// its sequence.
func (e *Engine) Deliver(id uint64) error {
	return e.step(false, func(t *tx) error {
		return t.update(id, []State{Logged}, func(i *Intent) error {
			i.State = Delivered
			t.b.Delete(key("d", *i.Seq))
			return t.passed(*i.Seq)
		})
	})
}

// Reject records that the CA side has refused the notice, and opens a case.
func (e *Engine) Reject(id uint64, code string) error {
	return e.step(true, func(t *tx) error {
		return t.update(id, []State{Logged}, func(i *Intent) error {
			i.State, i.Codes = Rejected, []string{code}
			t.b.Delete(key("d", *i.Seq))
			if err := t.passed(*i.Seq); err != nil {
				return err
			}
			return t.openFor(i, Refused)
		})
	})
}

// Reopen puts the refused notice with this sequence back, because the CA side
// still waits for it: it had not looked at the notice itself. It reports
// whether there was one. Its case stays as it is.
func (e *Engine) Reopen(seq uint64) (bool, error) {
	i, err := e.BySeq(seq)
	if err != nil || i.State != Rejected {
		return false, err
	}
	return true, e.step(true, func(t *tx) error {
		return t.update(i.ID, []State{Rejected}, func(i *Intent) error {
			if i.Bytes == nil {
				return errors.New("the refused notice is erased")
			}
			i.State, i.SettledAt = Logged, nil
			t.b.Set(key("d", seq), nil)
			return nil
		})
	})
}

// Stop records that the sender's policy refused the notice, and opens a case.
// Nothing was logged and nothing is sent.
func (e *Engine) Stop(id uint64, codes []string) error {
	return e.step(true, func(t *tx) error {
		return t.update(id, []State{Pending, Prepared}, func(i *Intent) error {
			i.State, i.Codes, i.Seq = Stopped, codes, nil
			return t.openFor(i, Denied)
		})
	})
}

// Withdraw records that the holder was struck off before the notice was
// logged.
func (e *Engine) Withdraw(id uint64) error {
	return e.step(true, func(t *tx) error {
		return t.update(id, []State{Pending, Prepared}, func(i *Intent) error {
			i.State, i.Seq = Withdrawn, nil
			return nil
		})
	})
}

// openFor opens the case of a refused notice, once for each notice.
func (t *tx) openFor(i *Intent, why Why) error {
	if i.Case != nil {
		return nil
	}
	id := i.ID
	n, err := t.open(Case{Why: why, Change: i.Cause.Change, Arrived: i.Cause.Arrived, Intent: &id,
		Codes: i.Codes, Ordinals: []uint64{i.Ordinal}, Records: i.Cause.Records})
	i.Case = &n
	return err
}

// Adopt puts a notice into the outbox that the ledger has and the outbox does
// not know as logged, after the store was restored from an older copy: its
// holder was found by the commitment in the entry, its bytes were made again.
// Where the holder's notice is due already, it is that one.
func (e *Engine) Adopt(h holders.Holder, seq, index uint64, bytes []byte) error {
	return e.step(true, func(t *tx) error {
		row := rowOf(h)
		i := Intent{ID: t.m.Intents, Ordinal: h.Ordinal, State: Pending, Made: t.at, Holder: &row}
		var id uint64
		err := t.e.get(key("n", h.Ordinal), &id)
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		if err == nil {
			had, err := t.e.Intent(id)
			if err != nil {
				return err
			}
			if had.State == Pending || had.State == Prepared {
				i = had
			}
		}
		if i.ID == t.m.Intents {
			t.m.Intents++
		}
		i.State, i.Seq, i.Bytes, i.Entry, i.Index, i.LoggedAt = Logged, &seq, bytes, nil, &index, &t.at
		if err := t.set(key("n", h.Ordinal), i.ID); err != nil {
			return err
		}
		if err := t.set(key("s", seq), i.ID); err != nil {
			return err
		}
		t.b.Delete(key("p", i.ID))
		t.b.Set(key("d", seq), nil)
		return t.set(key("i", i.ID), i)
	})
}
