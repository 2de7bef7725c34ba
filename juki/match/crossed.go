package match

import (
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
)

// crossedYears is how long a name or address that crossed the wall may still
// lie on the CA side, counted from the last list that named its holder: what is
// left of the validity (under six years), the ten years for which issuance
// records are kept (DOMAIN 8.2), and one for the erasure to be done. After that
// the value is forgotten here too, and a copy of it over there is a leak again.
const crossedYears = 17

// cross notes that a holder's name and address were in a list of this day, new
// or struck off.
func (t *tx) cross(day string, c attr.Certified) error {
	for _, v := range []string{c.Name, c.Address} {
		old, err := t.e.kv.Get([]byte("v" + v))
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		if err == nil {
			t.b.Delete([]byte("x" + string(old) + v))
		}
		t.b.Set([]byte("v"+v), []byte(day))
		t.b.Set([]byte("x"+day+v), nil)
	}
	return nil
}

// forget drops the values that no list has named for crossedYears.
func (t *tx) forget(day string) error {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return fmt.Errorf("couldn't read the list's day: %w", err)
	}
	last := d.AddDate(-crossedYears, 0, 0).Format(time.DateOnly)
	return t.e.kv.Scan([]byte("x"), []byte("x"+last), func(k, _ []byte) error {
		t.b.Delete(append([]byte{}, k...))
		t.b.Delete([]byte("v" + string(k[1+len(time.DateOnly):])))
		return nil
	})
}

// Crossed calls fn for every name and address that has come from the CA side
// in a list and may still lie there, whether its holder is in force or not.
func (e *Engine) Crossed(fn func(value string)) error {
	from, to := kv.Prefix([]byte("v"))
	return e.kv.Scan(from, to, func(k, _ []byte) error {
		fn(string(k[1:]))
		return nil
	})
}
