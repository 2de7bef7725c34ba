package register

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	towns "github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Record returns the record of a resident code with its history. An unknown
// code gives a sentence with CodeUnknown.
func (r *Register) Record(code string) (Record, error) {
	if !jtext.ValidResidentCode(code) {
		return Record{}, errCode
	}
	var rec Record
	err := get(r.kv, recordKey(code), &rec)
	if errors.Is(err, kv.ErrNotFound) {
		return rec, errUnknown
	}
	return rec, err
}

// Change returns the change at pos.
func (r *Register) Change(pos uint64) (Change, error) {
	var c Change
	if err := get(r.kv, changeKey(pos), &c); err != nil {
		return c, fmt.Errorf("couldn't read change %d: %w", pos, err)
	}
	return c, nil
}

// Changes calls fn for the changes at from <= position < to, in order. It
// fails if one is missing.
func (r *Register) Changes(from, to uint64, fn func(Change) error) error {
	want := from
	err := r.kv.Scan(changeKey(from), changeKey(to), func(_, v []byte) error {
		var c Change
		if err := json.Unmarshal(v, &c); err != nil {
			return errors.New("a change of the register cannot be read")
		}
		if c.Pos != want {
			return fmt.Errorf("change %d of the register is missing", want)
		}
		want++
		return fn(c)
	})
	if err == nil && want < to {
		return fmt.Errorf("change %d of the register is missing", want)
	}
	return err
}

// ByBucket calls fn for every record that has or once had attributes in this
// bucket (see Bucket) or, given a prefix such as Person, in any bucket that
// begins with it. A record comes once.
func (r *Register) ByBucket(bucket string, fn func(Record) error) error {
	var codes []string
	seen := map[string]bool{}
	from, to := kv.Prefix(bucketPrefix(bucket))
	err := r.kv.Scan(from, to, func(k, _ []byte) error {
		code := string(k[len(k)-11:])
		if !seen[code] {
			seen[code] = true
			codes = append(codes, code)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, code := range codes {
		rec, err := r.Record(code)
		if err != nil {
			return err
		}
		if err := fn(rec); err != nil {
			return err
		}
	}
	return nil
}

// Records calls fn for every record, in order of code.
func (r *Register) Records(fn func(Record) error) error {
	from, to := kv.Prefix([]byte("r"))
	return r.kv.Scan(from, to, func(_, v []byte) error {
		var rec Record
		if err := json.Unmarshal(v, &rec); err != nil {
			return errors.New("a record of the register cannot be read")
		}
		return fn(rec)
	})
}

// RecordExport records that the four attributes of a record go into a transfer
// file now, and returns what to put in: the attributes in force. It must
// return before the file leaves the terminal. A deleted or unknown record is
// refused. check, where not nil, sees the export before it is recorded and may
// refuse it; then nothing is recorded.
func (r *Register) RecordExport(code, municipality, operator string, check func(Export) error) (Export, error) {
	if err := CheckOperator(operator); err != nil {
		return Export{}, err
	}
	if !towns.ValidCode(municipality) {
		return Export{}, errTown
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, err := r.Record(code)
	if err != nil {
		return Export{}, err
	}
	cur := rec.Current()
	if cur.Deleted {
		return Export{}, errDeleted
	}
	if cur.Municipality != municipality {
		return Export{}, errTown
	}
	tx := r.begin()
	x := Export{N: tx.m.Exports, At: entry.At(r.now()), Size: tx.m.Size, Code: code,
		Municipality: municipality, Operator: operator, Attr: cur.Attr}
	if check != nil {
		if err := check(x); err != nil {
			return Export{}, err
		}
	}
	tx.m.Exports++
	if err := tx.set(exportKey(x.N), x); err != nil {
		return Export{}, err
	}
	tx.row(append(exportsOf(code), be(x.N)...), nil)
	return x, r.commit(tx)
}

// ExportsOf returns the exports of one record, oldest first.
func (r *Register) ExportsOf(code string) ([]Export, error) {
	var ns [][]byte
	from, to := kv.Prefix(exportsOf(code))
	err := r.kv.Scan(from, to, func(k, _ []byte) error {
		ns = append(ns, append([]byte("x"), k[len(k)-8:]...))
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Export, len(ns))
	for i, k := range ns {
		if err := get(r.kv, k, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Exports calls fn for every export, in order.
func (r *Register) Exports(fn func(Export) error) error {
	from, to := kv.Prefix([]byte("x"))
	return r.kv.Scan(from, to, func(_, v []byte) error {
		var x Export
		if err := json.Unmarshal(v, &x); err != nil {
			return errors.New("an export of the register cannot be read")
		}
		return fn(x)
	})
}

// Counts are figures without persons.
type Counts struct {
	Residents uint64          // records, deleted ones included
	Deleted   uint64          // of these, deleted now
	Changes   uint64          // changes in the sequence
	ByKind    map[Kind]uint64 // changes by kind
	Exports   uint64          // transfer files
}

// Counts returns the register's figures. It reads the whole change sequence.
func (r *Register) Counts() (Counts, error) {
	r.mu.Lock()
	m := r.m
	r.mu.Unlock()
	c := Counts{Residents: m.Residents, Deleted: m.Deleted, Changes: m.Size, Exports: m.Exports, ByKind: map[Kind]uint64{}}
	err := r.Changes(0, m.Size, func(ch Change) error {
		c.ByKind[ch.Kind]++
		return nil
	})
	return c, err
}

// NewValues calls fn for every name and every address that a change brought
// into the register: what a notice must never carry.
func (r *Register) NewValues(fn func(value string)) error {
	return r.Changes(0, r.Size(), func(c Change) error {
		var was attr.Attributes
		if c.Before != nil {
			was = *c.Before
		}
		if c.After == nil {
			return nil
		}
		if c.After.Name != was.Name {
			fn(c.After.Name)
		}
		if c.After.Address != was.Address {
			fn(c.After.Address)
		}
		return nil
	})
}
