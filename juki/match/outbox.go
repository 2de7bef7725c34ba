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
	Case      *uint64     `json:"case,omitempty"`      // the newest case that a refusal opened
	Again     bool        `json:"again,omitempty"`     // a person had the refused notice sent again as it was
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
			return kv.ErrStop
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
