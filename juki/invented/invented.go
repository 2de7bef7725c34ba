// Package invented plays the invented residents of internal/people into the
// register side: for the demo, tests and measurements.
//
// It promises that the changes become exactly the typed changes of package
// register, day by day; and it never touches anything but the register side.
//
//	p, err := invented.Load(office, residents, people.Changes(seed, residents, 0.1))
//	for day := range people.Days {
//		n, err := p.Day(ctx, day)
//	}
package invented

import (
	"context"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/register"
)

// Player holds the changes that are still to come. Not safe for concurrent use.
type Player struct {
	office *juki.Office
	days   map[int][]register.Event
}

// Residents returns the residents as the register takes them over.
func Residents(rs []people.Resident) []register.Resident {
	out := make([]register.Resident, len(rs))
	for i, r := range rs {
		out[i] = register.Resident{Code: r.Code, Municipality: r.Municipality, Attr: r.Attr}
	}
	return out
}

// Load imports the residents and keeps their changes, which must be those of
// people.Changes for the same residents. It fails for a kind of change that it
// does not know and where the register refuses a resident.
func Load(o *juki.Office, rs []people.Resident, changes []people.Change) (*Player, error) {
	p := &Player{office: o, days: map[int][]register.Event{}}
	for _, c := range changes {
		if err := p.plan(c); err != nil {
			return nil, err
		}
	}
	if _, err := o.Register.Import(Residents(rs)); err != nil {
		return nil, fmt.Errorf("couldn't import the residents: %w", err)
	}
	return p, nil
}

var kinds = map[people.Kind]register.Kind{
	people.MoveWithin:                 register.MoveWithin,
	people.MoveOut:                    register.MoveOut,
	people.NameChange:                 register.NameChange,
	people.Death:                      register.Death,
	people.Merger:                     register.Merger,
	people.BirthDateCorrection:        register.BirthDateCorrection,
	people.ExOfficioDeletion:          register.ExOfficioDeletion,
	people.MoveAbroad:                 register.MoveAbroad,
	people.ClericalCorrection:         register.Correction,
	people.ClericalCorrectionReverted: register.Reversal,
}

func (p *Player) plan(c people.Change) error {
	k, ok := kinds[c.Kind]
	if !ok {
		return fmt.Errorf("no typed change for %s", c.Kind)
	}
	e := register.Event{Kind: k, Code: c.After.Code, Municipality: c.After.Municipality, Attr: c.After.Attr}
	if k.Deletes() {
		e.Municipality, e.Attr = c.Before.Municipality, attr.Attributes{}
	}
	p.days[c.Day] = append(p.days[c.Day], e)
	if k == register.MoveOut {
		in := register.Event{Kind: register.MoveIn, Code: c.After.Code, Municipality: c.After.Municipality, Attr: c.After.Attr}
		p.days[c.Arrival] = append(p.days[c.Arrival], in)
	}
	return nil
}

// Last is the last day on which something happens, arrivals after a move out
// included; -1 when nothing ever does.
func (p *Player) Last() int {
	last := -1
	for day := range p.days {
		last = max(last, day)
	}
	return last
}

// Events returns what happens on a day, once, in order. Days must be asked for
// in order, each after the day before was applied: a reversal needs to know
// what it takes back.
func (p *Player) Events(day int) ([]register.Event, error) {
	es := p.days[day]
	delete(p.days, day)
	for i, e := range es {
		if e.Kind != register.Reversal {
			continue
		}
		r, err := p.office.Register.Record(e.Code)
		if err != nil {
			return nil, err
		}
		es[i].Reverts = r.Current().Since - 1
	}
	return es, nil
}

// Day applies and matches what happens on a day, and returns the changes.
func (p *Player) Day(ctx context.Context, day int) ([]register.Change, error) {
	es, err := p.Events(day)
	if err != nil {
		return nil, err
	}
	cs, err := p.office.Change(ctx, es...)
	if err != nil {
		return cs, fmt.Errorf("couldn't play day %d: %w", day, err)
	}
	return cs, nil
}
