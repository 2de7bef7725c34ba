package match

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

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
			if err := t.closeFor(*i); err != nil {
				return err
			}
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
// whether there was one. Its case stays as it is until the notice is taken.
func (e *Engine) Reopen(seq uint64) (bool, error) {
	i, err := e.BySeq(seq)
	if err != nil || i.State != Rejected {
		return false, err
	}
	return true, e.step(true, func(t *tx) error { return t.reopen(i.ID, false) })
}

func (t *tx) reopen(id uint64, again bool) error {
	return t.update(id, []State{Rejected}, func(i *Intent) error {
		if i.Bytes == nil {
			return errors.New("the refused notice is erased")
		}
		i.State, i.SettledAt, i.Again = Logged, nil, i.Again || again
		t.b.Set(key("d", *i.Seq), nil)
		return nil
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

// openFor opens the case of a refused notice, if none is open for it.
func (t *tx) openFor(i *Intent, why Why) error {
	if i.Case != nil {
		if c, err := t.e.Case(*i.Case); err != nil || c.Decision == nil {
			return err
		}
	}
	id := i.ID
	n, err := t.open(Case{Why: why, Change: i.Cause.Change, Arrived: i.Cause.Arrived, Intent: &id,
		Codes: i.Codes, Ordinals: []uint64{i.Ordinal}, Records: i.Cause.Records})
	i.Case = &n
	return err
}

// closeFor closes the case of a notice that was refused and then taken after
// all, so that nobody decides on a second one.
func (t *tx) closeFor(i Intent) error {
	if i.Case == nil {
		return nil
	}
	c, err := t.e.Case(*i.Case)
	if err != nil || c.Decision != nil {
		return err
	}
	c.Decision = &Decision{Operator: entry.ByRegisterLink, At: t.at, Basis: SentAgain, Notify: []uint64{}}
	return t.set(key("q", c.ID), c)
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
