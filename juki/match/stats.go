package match

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
)

// Counts are figures without persons; they may leave the zone.
type Counts struct {
	Matched   uint64            // changes matched
	Outcomes  map[Reason]uint64 // of these, by outcome
	Arrivals  map[Reason]uint64 // holders that arrived, by outcome
	Holders   uint64            // holders in force
	Lists     uint64            // daily lists taken in
	CasesOpen uint64
	Cases     map[Why]uint64   // cases ever opened, by reason
	Notices   map[State]uint64 // outbox by state
}

// Counts returns the subsystem's figures. It reads every row of outcomes.
func (e *Engine) Counts() (Counts, error) {
	e.mu.Lock()
	c := Counts{Matched: e.m.Cursor, Holders: e.m.Live, Lists: e.m.Lists}
	e.mu.Unlock()
	c.Outcomes, c.Arrivals = map[Reason]uint64{}, map[Reason]uint64{}
	c.Cases, c.Notices = map[Why]uint64{}, map[State]uint64{}
	if err := e.count("o", c.Outcomes); err != nil {
		return c, err
	}
	if err := e.count("a", c.Arrivals); err != nil {
		return c, err
	}
	cs, err := e.Cases(false)
	if err != nil {
		return c, err
	}
	for _, x := range cs {
		c.Cases[x.Why]++
		if x.Decision == nil {
			c.CasesOpen++
		}
	}
	err = e.Intents(func(i Intent) error {
		c.Notices[i.State]++
		return nil
	})
	return c, err
}

func (e *Engine) count(prefix string, into map[Reason]uint64) error {
	from, to := kv.Prefix([]byte(prefix))
	return e.kv.Scan(from, to, func(_, v []byte) error {
		var row struct {
			Reason Reason `json:"reason"`
		}
		if err := json.Unmarshal(v, &row); err != nil {
			return errors.New("an outcome cannot be read")
		}
		into[row.Reason]++
		return nil
	})
}

// Day is one day's exchange as the register side counts it, for comparison
// with the CA side (IN-09).
type Day struct {
	Logged    uint64 // notices that went into the ledger
	Delivered uint64 // notices that the CA side took
	Rejected  uint64 // notices that the CA side refused
	Lists     uint64 // lists taken in (0 or 1)
	New, Gone uint64 // holders that they added and struck off
}

// DayOf returns the day in Japan of t, as "2026-11-23".
func DayOf(t time.Time) string { return t.In(jtext.JST()).Format(time.DateOnly) }

// Daily returns the counts of every day in Japan on which something crossed.
func (e *Engine) Daily() (map[string]Day, error) {
	days := map[string]Day{}
	err := e.Intents(func(i Intent) error {
		if i.LoggedAt != nil {
			day := DayOf(i.LoggedAt.Std())
			d := days[day]
			d.Logged++
			days[day] = d
		}
		if i.SettledAt == nil {
			return nil
		}
		day := DayOf(i.SettledAt.Std())
		d := days[day]
		switch i.State {
		case Delivered:
			d.Delivered++
		case Rejected:
			d.Rejected++
		}
		days[day] = d
		return nil
	})
	if err != nil {
		return nil, err
	}
	ls, err := e.Lists()
	for _, l := range ls {
		d := days[l.Day]
		d.Lists++
		d.New += l.New
		d.Gone += l.Gone
		days[l.Day] = d
	}
	return days, err
}
