package match

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

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
	Records []string `json:"records,omitempty"` // resident codes of the records meant; erased in final states
}

// Intent is one notice in the outbox.
type Intent struct {
	ID        uint64      `json:"id"` // gapless from 0, in the order of matching
	Ordinal   uint64      `json:"ordinal"`
	State     State       `json:"state"`
	Cause     Cause       `json:"cause"`
	Made      entry.Time  `json:"made"`
	Seq       *uint64     `json:"seq,omitempty"`   // notice sequence, from Prepared on
	Bytes     []byte      `json:"bytes,omitempty"` // the notice, from Prepared on; erased in final states
	Index     *uint64     `json:"index,omitempty"` // ledger index of notice.sent, from Logged on
	LoggedAt  *entry.Time `json:"loggedAt,omitempty"`
	SettledAt *entry.Time `json:"settledAt,omitempty"` // when it became final
	Codes     []string    `json:"codes,omitempty"`     // rule codes of a refusal
	Holder    *holderRow  `json:"holder,omitempty"`    // copy, erased in final states
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

// NextToLog returns the oldest notice that is not in the ledger, or false.
func (e *Engine) NextToLog() (Intent, bool, error) { return e.first("p") }

// NextToSend returns the logged notice with the lowest sequence that the CA
// side has not answered, or false.
func (e *Engine) NextToSend() (Intent, bool, error) { return e.first("d") }

func (e *Engine) first(prefix string) (Intent, bool, error) {
	var at *uint64
	from, to := kv.Prefix([]byte(prefix))
	err := e.kv.Scan(from, to, func(k, _ []byte) error {
		n := binary.BigEndian.Uint64(k[1:])
		at = &n
		return kv.Stop
	})
	if err != nil || at == nil {
		return Intent{}, false, err
	}
	if prefix == "d" {
		i, err := e.BySeq(*at)
		return i, err == nil, err
	}
	i, err := e.Intent(*at)
	return i, err == nil, err
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

// update changes one notice under the lock, in one synced step.
func (e *Engine) update(id uint64, from []State, change func(*tx, *Intent) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.Intent(id)
	if err != nil {
		return err
	}
	ok := false
	for _, s := range from {
		ok = ok || i.State == s
	}
	if !ok {
		return fmt.Errorf("notice %d of the outbox is %s", id, i.State)
	}
	t := e.begin()
	defer t.b.Close()
	if err := change(t, &i); err != nil {
		return err
	}
	if i.State.final() {
		at := t.at
		i.SettledAt, i.Holder, i.Bytes, i.Cause.Records = &at, nil, nil, nil
		t.b.Delete(key("p", id))
	}
	if err := t.set(key("i", id), i); err != nil {
		return err
	}
	return t.commit()
}

// Prepare fixes the sequence and bytes of a notice before it is appended to
// the ledger. A notice may be prepared again with another sequence, as long as
// the ledger does not have it.
func (e *Engine) Prepare(id, seq uint64, bytes []byte) error {
	return e.update(id, []State{Pending, Prepared}, func(_ *tx, i *Intent) error {
		i.State, i.Seq, i.Bytes = Prepared, &seq, bytes
		return nil
	})
}

// Log records that the prepared notice is in the ledger at this index.
func (e *Engine) Log(id, index uint64) error {
	return e.update(id, []State{Prepared}, func(t *tx, i *Intent) error {
		at := t.at
		i.State, i.Index, i.LoggedAt = Logged, &index, &at
		t.b.Delete(key("p", id))
		t.b.Set(key("d", *i.Seq), nil)
		return t.set(key("s", *i.Seq), id)
	})
}

// Deliver records that the CA side has taken the notice.
func (e *Engine) Deliver(id uint64) error {
	return e.update(id, []State{Logged}, func(t *tx, i *Intent) error {
		i.State = Delivered
		t.b.Delete(key("d", *i.Seq))
		return nil
	})
}

// Reject records that the CA side has refused the notice, and opens a case.
func (e *Engine) Reject(id uint64, code string) error {
	return e.update(id, []State{Logged}, func(t *tx, i *Intent) error {
		i.State, i.Codes = Rejected, []string{code}
		t.b.Delete(key("d", *i.Seq))
		return t.openFor(*i, Refused)
	})
}

// Stop records that the sender's policy refused the notice, and opens a case.
// Nothing was logged and nothing is sent.
func (e *Engine) Stop(id uint64, codes []string) error {
	return e.update(id, []State{Pending, Prepared}, func(t *tx, i *Intent) error {
		i.State, i.Codes, i.Seq = Stopped, codes, nil
		return t.openFor(*i, Denied)
	})
}

// Withdraw records that the holder was struck off before the notice was
// logged.
func (e *Engine) Withdraw(id uint64) error {
	return e.update(id, []State{Pending, Prepared}, func(_ *tx, i *Intent) error {
		i.State, i.Seq = Withdrawn, nil
		return nil
	})
}

func (t *tx) openFor(i Intent, why Why) error {
	id := i.ID
	_, err := t.open(Case{Why: why, Change: i.Cause.Change, Arrived: i.Cause.Arrived, Intent: &id,
		Codes: i.Codes, Ordinals: []uint64{i.Ordinal}, Records: i.Cause.Records})
	return err
}

// Adopt puts a notice into the outbox that the ledger has and the outbox
// lacks, after the store was restored from an older copy: its holder was found
// by the commitment in the entry, its bytes were made again.
func (e *Engine) Adopt(h holders.Holder, seq, index uint64, bytes []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.begin()
	defer t.b.Close()
	row := rowOf(h)
	i := Intent{ID: t.m.Intents, Ordinal: h.Ordinal, State: Logged, Made: t.at, Seq: &seq, Bytes: bytes,
		Index: &index, LoggedAt: &t.at, Holder: &row}
	t.m.Intents++
	if err := t.set(key("n", h.Ordinal), i.ID); err != nil {
		return err
	}
	if err := t.set(key("s", seq), i.ID); err != nil {
		return err
	}
	t.b.Set(key("d", seq), nil)
	if err := t.set(key("i", i.ID), i); err != nil {
		return err
	}
	return t.commit()
}
