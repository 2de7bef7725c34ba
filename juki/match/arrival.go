package match

import (
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// standing is what one record says about a certificate that has just arrived.
type standing int

const (
	strange  standing = iota // no state of the record was ever certified so
	current                  // the record says it now and never said it before another state
	returned                 // the record says it now, and said it before it said something else
	former                   // the record said it once and has been corrected or deleted since
)

// stands compares a certificate with a record's history. Spellings of one run
// count as the same.
func stands(h holders.Holder, r register.Record) standing {
	live := r.Live()
	runs := r.Runs()
	if live != nil {
		runs = runs[:len(runs)-1]
	}
	before := false
	for _, run := range runs {
		before = before || anyMatches(h.Certified, run)
	}
	now := anyMatches(h.Certified, live)
	switch {
	case now && before:
		return returned
	case now:
		return current
	case before:
		return former
	}
	return strange
}

// arrive decides what a new holder leads to: whether a change came between its
// issue and its list (IN-07), or during its issue (IN-08). M1 says no issue
// time, so the record's history and the transfer files answer.
func (t *tx) arrive(h holders.Holder, list uint64) (Arrival, error) {
	a := Arrival{Ordinal: h.Ordinal, List: list, At: t.at}
	var now, back, old []register.Record
	err := t.e.reg.ByBucket(register.Bucket(h.Certified.Attributes()), func(r register.Record) error {
		r, ok := r.AsOf(t.m.Cursor)
		if !ok {
			return nil
		}
		switch stands(h, r) {
		case current:
			now = append(now, r)
		case returned:
			back = append(back, r)
		case former:
			old = append(old, r)
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	switch {
	case len(now)+len(back) == 0 && len(old) > 0:
		// Whoever of them it is: the record has changed since.
		return t.overtaken(a, h, old)
	case len(old) > 0 || len(back) > 1 || len(back) == 1 && len(now) > 0:
		return t.arrivalUnclear(a, SomeChanged, codes(now, back, old))
	case len(back) == 1:
		return t.wentBack(a, h, back[0])
	case len(now) > 0:
		return t.undisturbed(a, h, now)
	}
	return t.unknown(a, h)
}

func (t *tx) overtaken(a Arrival, h holders.Holder, old []register.Record) (Arrival, error) {
	if len(old) == 1 {
		if err := t.consume(h, old[0]); err != nil {
			return a, err
		}
	}
	id, err := t.intend(h, Cause{Arrived: true, Records: codes(old)})
	if err != nil {
		return a, err
	}
	a.Reason, a.Intent = Notice, &id
	return a, nil
}

func (t *tx) undisturbed(a Arrival, h holders.Holder, now []register.Record) (Arrival, error) {
	a.Reason = InForce
	if len(now) > 1 {
		return a, nil // twins, of whom none has changed
	}
	return a, t.consume(h, now[0])
}

// wentBack: the record left the certified state and came back to it, by a
// reversal or by moving back. Attributes cannot tell whether the certificate
// was issued before or after; the transfer files can, if they agree.
func (t *tx) wentBack(a Arrival, h holders.Holder, r register.Record) (Arrival, error) {
	xs, err := t.unused(h, r)
	if err != nil {
		return a, err
	}
	since := r.Live()[0].Since
	before, after := 0, 0
	for _, x := range xs {
		if x.Size < since {
			before++
		} else {
			after++
		}
	}
	switch {
	case before > 0 && after == 0:
		return t.overtaken(a, h, []register.Record{r})
	case after > 0 && before == 0:
		return t.undisturbed(a, h, []register.Record{r})
	}
	return t.arrivalUnclear(a, WentBack, []string{r.Code})
}

// unknown: no record ever said what the certificate says.
func (t *tx) unknown(a Arrival, h holders.Holder) (Arrival, error) {
	near, err := t.nearRecords(h)
	if err != nil {
		return a, err
	}
	why := NoRecord
	if len(near) > 0 {
		why = NearMiss
	}
	return t.arrivalUnclear(a, why, near)
}

func (t *tx) arrivalUnclear(a Arrival, why Why, records []string) (Arrival, error) {
	id, err := t.open(Case{Why: why, Arrived: true, Ordinals: []uint64{a.Ordinal}, Records: records})
	if err != nil {
		return a, err
	}
	a.Reason, a.Case = Person, &id
	return a, nil
}

// unused returns the record's exports with these attributes that no earlier
// holder accounts for.
func (t *tx) unused(h holders.Holder, r register.Record) ([]register.Export, error) {
	xs, err := t.e.reg.ExportsOf(r.Code)
	if err != nil {
		return nil, err
	}
	var out []register.Export
	for _, x := range xs {
		if !matches(h.Certified, x.Attr) || t.consumed[x.N] {
			continue
		}
		used, err := t.e.has(key("u", x.N))
		if err != nil {
			return nil, err
		}
		if !used {
			out = append(out, x)
		}
	}
	return out, nil
}

// consume marks the export that this holder accounts for: the oldest that no
// other does. One holder never accounts for two, so a certificate that has yet
// to arrive always leaves its own behind, or one as old.
func (t *tx) consume(h holders.Holder, r register.Record) error {
	xs, err := t.unused(h, r)
	if err != nil || len(xs) == 0 {
		return err
	}
	t.consumed[xs[0].N] = true
	t.b.Set(key("u", xs[0].N), nil)
	return nil
}

func codes(groups ...[]register.Record) []string {
	var out []string
	for _, g := range groups {
		for _, r := range g {
			out = append(out, r.Code)
		}
	}
	return out
}
