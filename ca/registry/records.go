package registry

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

const indexVersion = "sukashi/attribute-index/v1"

// person is the index key of four attributes: HMAC over a versioned encoding
// with lengths, so that no two value lists encode alike.
func person(key []byte, a attr.Attributes) []byte {
	var room [512]byte
	b := append(room[:0], indexVersion...)
	for _, v := range [...]string{a.Name, a.BirthDate, a.Sex, a.Address} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(v))), v...)
	}
	m := hmac.New(sha256.New, key)
	m.Write(b)
	return m.Sum(nil)
}

// What the sealed parts of a row are bound to.
const (
	publicName  = "public/"
	privateName = "private/"
	outcomeName = "outcome/"
)

func partName(part string, ordinal uint64) []byte {
	return strconv.AppendUint([]byte(part), ordinal, 10)
}

// held is a record as it lies in the store.
type held struct {
	rec     *Record
	row     *Row
	tbs     []byte // in the private part, also once the record has its DER
	outcome []byte // sealed; in the public part
}

// sameInside reports whether the private part stays what it is.
func (h *held) sameInside(rec *Record) bool {
	return h.row.Private != nil && h.rec.Certified == rec.Certified && h.rec.Key == rec.Key && (len(rec.DER) > 0 || bytes.Equal(h.tbs, rec.TBS))
}

// hold makes what lies in the store of rec. With old, the parts that did not
// change are taken from there.
func (r *Registry) hold(rec *Record, old *held, s *secrets) (h *held, err error) {
	h = &held{rec: rec, row: bareRow(rec)}
	switch {
	case !rec.named():
		h.row.Doomed = old != nil && (old.row.Doomed || old.rec.named())
	case old != nil && old.sameInside(rec):
		h.row.Person, h.row.Private, h.tbs = old.row.Person, old.row.Private, old.tbs
		if bytes.Equal(old.rec.DER, rec.DER) {
			h.outcome = old.outcome
		}
	default:
		h.row.Person, h.tbs = person(s.Index[0], rec.Certified.Attributes()), rec.TBS
		in := private{rec.Key, rec.Certified, rec.TBS}
		if h.row.Private, err = r.sealOwn(s.Records, rec.Ordinal, partName(privateName, rec.Ordinal), appendPrivate(nil, &in)); err != nil {
			return nil, err
		}
	}
	if rec.named() && len(rec.DER) > 0 && h.outcome == nil {
		if h.outcome, err = r.sealOwn(s.Records, rec.Ordinal, partName(outcomeName, rec.Ordinal), appendOutcome(nil, rec.DER, h.tbs)); err != nil {
			return nil, err
		}
	}
	if rec.State == Revoked {
		if h.row.Revocation, err = json.Marshal(rec.revocation()); err != nil {
			return nil, err
		}
	}
	return h, r.sealPublic(h)
}

// bareRow is the row of a record without what is sealed and without its person.
func bareRow(rec *Record) *Row {
	return &Row{Ordinal: rec.Ordinal, State: rec.State, Serial: rec.Serial, Application: entry.Sum([]byte(rec.Application)), SPKI: rec.SPKI,
		Twin: rec.Twin, NotBefore: rec.NotBefore, NotAfter: rec.NotAfter, Queue: rec.queue()}
}

// load reads a record with its row. One whose own key was destroyed, as in a
// store restored from before its erasure, is an erased one.
func (r *Registry) load(ordinal uint64) (*held, error) {
	sealed, inside, err := r.store.Get(ordinal)
	if err != nil {
		return nil, err
	}
	p, err := r.openPublic(ordinal, sealed)
	if err != nil {
		return nil, fmt.Errorf("couldn't read record %d: %w", ordinal, err)
	}
	rec := p.Record
	h := &held{rec: rec, row: bareRow(rec), outcome: p.Outcome}
	h.row.Person, h.row.Doomed, h.row.Public, h.row.Private = p.Person, p.Doomed, sealed, inside
	if rec.State == Revoked {
		if h.row.Revocation, err = json.Marshal(rec.revocation()); err != nil {
			return nil, err
		}
	}
	if inside == nil {
		return h, nil
	}
	err = r.openInside(h)
	if errors.Is(err, errDestroyed) {
		rec.Erase()
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't read who record %d is about", ordinal)
	}
	return h, nil
}

// openInside reads what only the row's own key opens.
func (r *Registry) openInside(h *held) error {
	rec, keys := h.rec, r.ring.get().Records
	plain, err := r.unsealOwn(keys, rec.Ordinal, partName(privateName, rec.Ordinal), h.row.Private)
	if err != nil {
		return err
	}
	in, err := parsePrivate(plain)
	if err != nil {
		return err
	}
	rec.Certified, rec.Key, h.tbs = in.Certified, in.Key, in.TBS
	if len(h.outcome) == 0 {
		rec.TBS = in.TBS
		return nil
	}
	if plain, err = r.unsealOwn(keys, rec.Ordinal, partName(outcomeName, rec.Ordinal), h.outcome); err != nil {
		return errRow // not errDestroyed: the private part was readable
	}
	rec.DER, err = parseOutcome(plain, in.TBS)
	return err
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
	rows, all := make([]*Row, len(recs)), make([]*held, len(recs))
	s := r.ring.get()
	for i, rec := range recs {
		if rec.State != Prepared || rec.Key.IsZero() || len(rec.DER) > 0 {
			return nil, errors.New("a new record must be prepared and have a record key, and has no certificate yet")
		}
		if err := rec.Certified.Validate(); err != nil {
			return nil, fmt.Errorf("couldn't prepare a record: %w", err)
		}
		h, err := r.hold(rec.clone(), nil, s)
		if err != nil {
			return nil, err
		}
		rows[i], all[i] = h.row, h
	}
	if durable, err = r.store.Insert(rows...); err != nil {
		return nil, err
	}
	r.open.keep(all...)
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
	edits, all := make([]Edit, len(ordinals)), make([]*held, len(ordinals))
	for i, o := range ordinals {
		old, err := r.current(o)
		if err != nil {
			return err
		}
		next := old.rec.clone()
		if err := fn(i, next); err != nil {
			return err
		}
		if err := old.rec.mayBecome(next); err != nil {
			return err
		}
		if len(next.DER) > 0 {
			next.TBS = nil
		}
		if all[i], err = r.hold(next.clone(), old, s); err != nil {
			return err
		}
		edits[i] = Edit{old.row, all[i].row}
	}
	r.open.drop(ordinals...) // what a failed write leaves is read from the store
	if err := r.store.Update(d, edits...); err != nil {
		return err
	}
	r.open.keep(all...)
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
