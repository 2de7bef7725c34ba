package demo

import (
	"sync"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/internal/people"
)

// Shares of the story.
const (
	changeShare  = 0.25 // residents to whom something happens in the month
	firstDayOf10 = 6    // of ten residents, how many apply on the first day
	lateOf10     = 1    // and how many on a later day
)

// holder is a resident with a card in their pocket.
type holder struct {
	resident int
	card     *card.Card
	delivery *counter.Delivery
	form     people.Resident // as certified
}

// town is what the story's narrator knows of everybody. It stands in nobody's
// zone: the roles never see it.
type town struct {
	mu        sync.Mutex
	now       []people.Resident // as on the record today
	gone      []bool
	byDay     [days][]people.Change
	holders   map[uint64]*holder // by ordinal
	of        map[int]uint64     // resident → newest ordinal
	cards     map[int]*card.Card // made ahead, not yet used
	twinAsked int
}

func newTown(rs []people.Resident, changes []people.Change) *town {
	t := &town{now: append([]people.Resident(nil), rs...), gone: make([]bool, len(rs)), holders: map[uint64]*holder{}, of: map[int]uint64{}, cards: map[int]*card.Card{}}
	for _, c := range changes {
		day := c.Day
		if c.Kind == people.MoveOut {
			day = c.Arrival // the new town hall's record; the old one's deletion comes with it
		}
		day = min(day, days-1)
		t.byDay[day] = append(t.byDay[day], c)
	}
	return t
}

// first lists who applies on the first day.
func (t *town) first() (list []int) {
	for i := range t.now {
		if i%10 < firstDayOf10 {
			list = append(list, i)
		}
	}
	return list
}

// late lists who applies on a later day: some for the first time, some again
// because a change revoked their certificate some days before.
func (t *town) late(day int) (list []int) {
	for i := range t.now {
		if i%10 >= firstDayOf10 && i%10 < firstDayOf10+lateOf10 && !t.gone[i] && 1+i%(days-2) == day {
			list = append(list, i)
		}
	}
	return list
}

func (t *town) deliver(i int, c *card.Card, d *counter.Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holders[d.Ordinal] = &holder{resident: i, card: c, delivery: d, form: t.now[i]}
	t.of[i] = d.Ordinal
}
