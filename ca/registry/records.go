package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

const indexVersion = "sukashi/attribute-index/v1"

// person is the index key of four attributes: HMAC over a versioned encoding
// with lengths, so that no two value lists encode alike.
func person(key []byte, a attr.Attributes) []byte {
	m := hmac.New(sha256.New, key)
	io.WriteString(m, indexVersion)
	for _, v := range []string{a.Name, a.BirthDate, a.Sex, a.Address} {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(v))))
		io.WriteString(m, v)
	}
	return m.Sum(nil)
}

func publicName(ordinal uint64) string  { return fmt.Sprintf("public/%d", ordinal) }
func privateName(ordinal uint64) string { return fmt.Sprintf("private/%d", ordinal) }

// held is a record as it lies in the store: with its row.
type held struct {
	rec *Record
	row *Row
}

// row makes the row of rec. With old, the parts that did not change are taken
// from there.
func (r *Registry) row(rec *Record, old *held, s *secrets) (*Row, error) {
	row := &Row{Ordinal: rec.Ordinal, State: rec.State, Serial: rec.Serial, Application: entry.Sum([]byte(rec.Application)), SPKI: rec.SPKI,
		Twin: rec.Twin, NotBefore: rec.NotBefore, NotAfter: rec.NotAfter, Queue: rec.queue()}
	var err error
	switch {
	case !rec.named():
		row.Doomed = old != nil && (old.row.Doomed || old.rec.named())
	case old != nil && old.rec.sameInside(rec):
		row.Person, row.Private = old.row.Person, old.row.Private
	default:
		row.Person = person(s.Index[0], rec.Certified.Attributes())
		if row.Private, err = r.sealPrivate(rec, s); err != nil {
			return nil, err
		}
	}
	if rec.State == Revoked {
		if row.Revocation, err = json.Marshal(rec.revocation()); err != nil {
			return nil, err
		}
	}
	row.Public, err = r.sealJSON(publicName(rec.Ordinal), public{rec, row.Person, row.Doomed})
	return row, err
}

func (r *Registry) sealPrivate(rec *Record, s *secrets) ([]byte, error) {
	plain, err := json.Marshal(private{rec.Certified, rec.TBS, rec.DER, rec.Key[:]})
	if err != nil {
		return nil, err
	}
	return r.sealOwn(s.Records, rec.Ordinal, privateName(rec.Ordinal), plain)
}

// load reads a record with its row. One whose own key was destroyed, as in a
// store restored from before its erasure, is an erased one.
func (r *Registry) load(ordinal uint64) (*held, error) {
	sealed, inside, err := r.store.Get(ordinal)
	if err != nil {
		return nil, err
	}
	p := public{Record: new(Record)}
	if err := r.unsealJSON(publicName(ordinal), sealed, &p); err != nil {
		return nil, fmt.Errorf("couldn't read record %d: %w", ordinal, err)
	}
	rec := p.Record
	row := &Row{Ordinal: rec.Ordinal, State: rec.State, Serial: rec.Serial, Application: entry.Sum([]byte(rec.Application)), SPKI: rec.SPKI,
		Person: p.Person, Twin: rec.Twin, NotBefore: rec.NotBefore, NotAfter: rec.NotAfter, Queue: rec.queue(), Doomed: p.Doomed,
		Public: sealed, Private: inside}
	if rec.State == Revoked {
		if row.Revocation, err = json.Marshal(rec.revocation()); err != nil {
			return nil, err
		}
	}
	if inside == nil {
		return &held{rec, row}, nil
	}
	plain, err := r.unsealOwn(r.ring.get().Records, ordinal, privateName(ordinal), inside)
	if errors.Is(err, errDestroyed) {
		rec.Erase()
		return &held{rec, row}, nil
	}
	var in private
	if err == nil {
		err = json.Unmarshal(plain, &in)
	}
	if err != nil || len(in.Key) != commitment.KeySize {
		return nil, fmt.Errorf("couldn't read who record %d is about", ordinal)
	}
	rec.Certified, rec.TBS, rec.DER, rec.Key = in.Certified, in.TBS, in.DER, commitment.Key(in.Key)
	return &held{rec, row}, nil
}

// Prepare is Begin, and returns when the records are on disk.
func (r *Registry) Prepare(recs ...*Record) error {
	durable, err := r.Begin(recs...)
	if err != nil {
		return err
	}
	return durable()
}

// Begin writes new records, in state Prepared, in one batch. What ErrTaken names
// is refused. When it returns, they are found like all others, so that the next
// records can be judged beside them; durable returns once they are on disk, and
// must be called exactly once. Nobody outside may be told of them before.
func (r *Registry) Begin(recs ...*Record) (durable func() error, err error) {
	r.sealing.RLock()
	defer r.sealing.RUnlock()
	rows := make([]*Row, len(recs))
	s := r.ring.get()
	for i, rec := range recs {
		if rec.State != Prepared || rec.Key.IsZero() {
			return nil, errors.New("a new record must be prepared and have a record key")
		}
		if err := rec.Certified.Validate(); err != nil {
			return nil, fmt.Errorf("couldn't prepare a record: %w", err)
		}
		if rows[i], err = r.row(rec, nil, s); err != nil {
			return nil, err
		}
	}
	if durable, err = r.store.Insert(rows...); err != nil {
		return nil, err
	}
	for i, rec := range recs {
		r.open.keep(rec, rows[i])
	}
	return durable, nil
}

// Change reads a record, lets fn change it and writes it back with all derived
// rows. An error of fn changes nothing.
func (r *Registry) Change(ordinal uint64, d Durability, fn func(*Record) error) error {
	return r.ChangeAll(d, []uint64{ordinal}, func(_ int, rec *Record) error { return fn(rec) })
}

// ChangeAll is Change for several different records, all or none, in one write:
// fn is called for each with its place among the ordinals.
func (r *Registry) ChangeAll(d Durability, ordinals []uint64, fn func(i int, rec *Record) error) error {
	defer r.lock(ordinals...)()
	r.sealing.RLock()
	defer r.sealing.RUnlock()
	s := r.ring.get()
	edits, next := make([]Edit, len(ordinals)), make([]*Record, len(ordinals))
	for i, o := range ordinals {
		old, err := r.current(o)
		if err != nil {
			return err
		}
		next[i] = old.rec.clone()
		if err := fn(i, next[i]); err != nil {
			return err
		}
		if err := old.rec.mayBecome(next[i]); err != nil {
			return err
		}
		row, err := r.row(next[i], old, s)
		if err != nil {
			return err
		}
		edits[i] = Edit{old.row, row}
	}
	r.open.drop(ordinals...) // what a failed write leaves is read from the store
	if err := r.store.Update(d, edits...); err != nil {
		return err
	}
	for i, rec := range next {
		r.open.keep(rec, edits[i].Next)
	}
	return nil
}

// current is load for a record that is locked: what this registry itself wrote
// last of an issuance that is under way need not be read and unsealed again.
func (r *Registry) current(ordinal uint64) (*held, error) {
	if h := r.open.get(ordinal); h != nil {
		return h, nil
	}
	return r.load(ordinal)
}

// Discard removes records whose intent never reached the log: their ordinals
// and serials are free again, and their record keys are gone from the rows.
func (r *Registry) Discard(ordinals ...uint64) error {
	rows := make([]*Row, len(ordinals))
	for i, o := range ordinals {
		h, err := r.load(o)
		if err != nil {
			return err
		}
		if h.rec.State != Prepared {
			return errors.New("only a prepared record can be discarded")
		}
		rows[i] = h.row
	}
	r.open.drop(ordinals...)
	return r.store.Delete(rows...)
}

// Get returns the record of an ordinal, or ErrNotFound.
func (r *Registry) Get(ordinal uint64) (*Record, error) {
	h, err := r.load(ordinal)
	if err != nil {
		return nil, err
	}
	return h.rec, nil
}
