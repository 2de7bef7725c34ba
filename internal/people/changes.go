package people

import (
	"slices"
	"strings"

	"github.com/sukashi-project/sukashi/internal/municipality"
)

// Kind is the kind of a change to a resident record (DOMAIN 8.4).
type Kind int

// Kinds of change.
const (
	MoveWithin                 Kind = iota // 転居: new address in the same municipality
	MoveOut                                // 転出・転入: new address in another municipality, from Arrival on
	NameChange                             // 婚姻等: new family name
	Death                                  // 死亡: the record is deleted, nothing is corrected
	Merger                                 // 行政区画等の変更: the municipality in the address is renamed; a minor correction
	BirthDateCorrection                    // 訂正 of the birth date
	ExOfficioDeletion                      // 職権消除: deleted
	MoveAbroad                             // 国外転出: deleted
	ClericalCorrection                     // 修正: a slip, undone by the next kind some days later
	ClericalCorrectionReverted             // 修正の取消し: the attributes of before; a revocation stays final
)

var kindNames = [...]string{"move-within", "move-out", "name-change", "death", "merger", "birth-date-correction",
	"ex-officio-deletion", "move-abroad", "clerical-correction", "clerical-correction-reverted"}

// String returns a stable English name in lower case, such as move-within.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Deletes reports whether the record is deleted (消除) and not corrected.
func (k Kind) Deletes() bool { return k == Death || k == ExOfficioDeletion || k == MoveAbroad }

// Revokes reports whether a live certificate of the resident must be revoked
// (DOMAIN 8.4): everything but a merger, which is a minor correction.
func (k Kind) Revokes() bool { return k != Merger }

// Change is one change to one resident record. Two changes of one resident on
// one Day are two corrections that lead to one revocation (scenario 5).
type Change struct {
	Kind     Kind
	Resident int // index into the residents given to Changes
	Day      int // day from 0 to Days−1
	Arrival  int // MoveOut: day on which the new municipality opens the record, Day or later
	// The record before and after; equal if the record is deleted. Code never changes.
	Before, After Resident
}

// NewContent returns what the change brings that was not on the record: the
// new name, the new address. These are the strings that must never reach the
// CA side (DOMAIN PR-02).
func (c Change) NewContent() []string {
	if c.Kind == ClericalCorrectionReverted {
		return nil
	}
	var all []string
	if c.After.Attr.Name != c.Before.Attr.Name {
		all = append(all, c.After.Attr.Name)
	}
	if c.After.Attr.Address != c.Before.Attr.Address {
		all = append(all, c.After.Attr.Address)
	}
	return all
}

// Days is the length of the period that Changes covers, MergerDay the day of
// the merger in it.
const (
	Days      = 30
	MergerDay = 15
)

// story is what happens to one resident: one change or several.
type story int

const (
	storyMoveWithin story = iota
	storyMoveOut
	storyNameChange
	storyDeath
	storyMarriageAndMove // name and address corrected on one day
	storyBirthDate
	storyExOfficio
	storyAbroad
	storyClerical
	stories // count
)

// weights per 1,000, after the volumes of DOMAIN 12 (moves, deaths and
// marriages of a year in Nagano); the rare ones are more frequent than in life.
var weights = [stories]int{390, 310, 60, 130, 50, 10, 10, 30, 10}

type changer struct {
	generator
	rs       []Resident
	now      map[int]Resident // residents already changed
	lots     map[int]int      // lots given away, by place
	names    map[string]bool  // every family-suffix, U+3000, given-prefix of the new names
	newNames map[string]bool
	out      []Change
}

// Changes invents what happens to a share (0 to 1) of the residents in a
// period of Days days, the same for the same seed and residents, in the order
// of days. With 12 or more stories every kind occurs, and among the residents
// who move, die or rename are a twin and holders of substitutes. If share is
// above 0, the merger of municipality.Merged is in it, for everybody who lives
// there; some of them move afterwards.
//
// Each new name and address is a string that no attribute of another resident
// contains, before or after; only residents of one household share an address
// renamed by the merger. Two calls with different seeds may use a string twice.
func Changes(seed uint64, rs []Resident, share float64) []Change {
	c := &changer{rs: rs, now: map[int]Resident{}, lots: map[int]int{}, names: map[string]bool{}, newNames: map[string]bool{},
		generator: generator{random: random(seed ^ 0x6368616e676573), data: load(), surnames: loadSurnames()}}
	n := min(len(rs), int(share*float64(len(rs))+0.5))
	if n <= 0 {
		return nil
	}
	for k, i := range c.choose(n) {
		c.tell(c.story(k), i)
	}
	c.merge()
	slices.SortStableFunc(c.out, func(a, b Change) int { return a.Day - b.Day })
	return c.out
}

// choose picks n residents outside the merged town: first a twin and two with
// substitutes, for the hard cases of matching, then any.
func (c *changer) choose(n int) []int {
	var order, hard []int
	have := [3]bool{}
	for i, r := range c.rs {
		if r.Municipality == municipality.Merged {
			continue
		}
		is := [3]bool{i > 0 && r.Attr == c.rs[i-1].Attr, r.SubstituteName != "", r.SubstituteAddress != ""}
		if k := slices.Index(is[:], true); k >= 0 && !have[k] {
			have[k] = true
			hard = append(hard, i)
			continue
		}
		order = append(order, i)
	}
	for k := range min(n, len(order)) {
		j := k + c.n(len(order)-k)
		order[k], order[j] = order[j], order[k]
	}
	all := append(hard, order...)
	return all[:min(n, len(all))]
}

func (c *changer) story(k int) story {
	if k < 3 {
		return storyMoveWithin // the hard cases
	}
	if k < 3+int(stories) {
		return story(k - 3)
	}
	x := c.n(1000)
	for s, w := range weights {
		if x -= w; x < 0 {
			return story(s)
		}
	}
	return storyMoveWithin
}

func (c *changer) tell(s story, i int) {
	day := c.n(Days)
	switch s {
	case storyMoveWithin:
		c.add(MoveWithin, i, day, c.moved(i, c.rs[i].Municipality))
	case storyMoveOut:
		c.add(MoveOut, i, day, c.moved(i, ""))
	case storyNameChange:
		c.add(NameChange, i, day, c.renamed(i))
	case storyDeath:
		c.add(Death, i, day, c.current(i))
	case storyMarriageAndMove:
		c.add(NameChange, i, day, c.renamed(i))
		c.add(MoveWithin, i, day, c.moved(i, c.rs[i].Municipality))
	case storyBirthDate:
		c.add(BirthDateCorrection, i, day, c.reborn(i))
	case storyExOfficio:
		c.add(ExOfficioDeletion, i, day, c.current(i))
	case storyAbroad:
		c.add(MoveAbroad, i, day, c.current(i))
	case storyClerical:
		day = c.n(Days - 5)
		before := c.current(i)
		c.add(ClericalCorrection, i, day, c.renamed(i))
		c.add(ClericalCorrectionReverted, i, day+1+c.n(4), before)
	}
}

func (c *changer) current(i int) Resident {
	if r, ok := c.now[i]; ok {
		return r
	}
	return c.rs[i]
}

func (c *changer) add(k Kind, i, day int, after Resident) {
	x := Change{Kind: k, Resident: i, Day: day, Before: c.current(i), After: after}
	if k == MoveOut {
		x.Arrival = day + c.n(15)
	}
	c.now[i] = after
	c.out = append(c.out, x)
}

// moved gives a new address in a municipality, or in any other if town is "".
func (c *changer) moved(i int, town string) Resident {
	r := c.current(i)
	var at int
	if ps := c.data.byTown[town]; len(ps) > 0 {
		at = ps[c.n(len(ps))]
	} else {
		for at = c.n(len(c.data.places)); ; at = c.n(len(c.data.places)) {
			if m := c.data.places[at].municipality; m != r.Municipality && m != municipality.Merged {
				break
			}
		}
	}
	p := c.data.places[at]
	c.lots[at]++
	f := plain
	if c.perMille(ShareAddressOutside) {
		f = addressOutside
	}
	r.Attr.Address, r.SubstituteAddress = c.address(f, p, 5000+c.lots[at])
	r.Municipality = p.municipality
	return r
}

// renamed gives a new family name of the reserved ones; where that is taken
// together with this given name, a double name.
func (c *changer) renamed(i int) Resident {
	r := c.current(i)
	_, given, _ := strings.Cut(r.Attr.Name, "　")
	_, givenKana, _ := strings.Cut(r.NameKana, "　")
	pool := c.surnames.reserved
	for try := 0; ; try++ {
		s := pool[c.n(len(pool))]
		if try > 20 {
			t := pool[c.n(len(pool))]
			s.kanji, s.kana = s.kanji+t.kanji, s.kana+t.kana
		}
		if len([]rune(s.kanji+given)) >= 4 && c.take(s.kanji, given) {
			r.Attr.Name, r.NameKana, r.SubstituteName = s.kanji+"　"+given, s.kana+"　"+givenKana, ""
			return r
		}
		if try > 200 {
			g := c.given(r.Attr.Sex)
			given, givenKana = g.kanji, g.kana
		}
	}
}

// take claims a new name unless it contains a new name or stands in one.
func (c *changer) take(family, given string) bool {
	if c.names[family+"　"+given] {
		return false
	}
	var inner []string
	f, g := []rune(family), []rune(given)
	for a := range f {
		for b := 1; b <= len(g); b++ {
			s := string(f[a:]) + "　" + string(g[:b])
			if c.newNames[s] {
				return false
			}
			inner = append(inner, s)
		}
	}
	for _, s := range inner {
		c.names[s] = true
	}
	c.newNames[family+"　"+given] = true
	return true
}

// reborn corrects the birth date by some years or, if parts are unknown, to a known day.
func (c *changer) reborn(i int) Resident {
	r := c.current(i)
	for old := r.Attr.BirthDate; r.Attr.BirthDate == old; {
		r.Attr.BirthDate = c.birthDate(showa)
	}
	return r
}

// merge renames the municipality of everybody in the merged town; every tenth
// moves afterwards, so that a certificate with the old name must be found.
func (c *changer) merge() {
	old, _ := municipality.Lookup(municipality.Merged)
	next, _ := municipality.Lookup(municipality.MergedInto)
	rename := func(r Resident) Resident {
		r.Attr.Address = strings.Replace(r.Attr.Address, old.Kanji(), next.Kanji(), 1)
		r.SubstituteAddress = strings.Replace(r.SubstituteAddress, old.Kanji(), next.Kanji(), 1)
		r.Municipality = municipality.MergedInto
		return r
	}
	movers := 0
	for i, r := range c.rs {
		if r.Municipality != municipality.Merged {
			continue
		}
		c.add(Merger, i, MergerDay, rename(r))
		if movers == 0 || c.perMille(100) {
			movers++
			after := c.moved(i, municipality.Merged)
			c.add(MoveWithin, i, MergerDay+1+c.n(Days-MergerDay-1), rename(after))
		}
	}
}
