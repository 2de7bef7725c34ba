package people

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/municipality"
)

// Resident is one invented resident as the register side knows them.
type Resident struct {
	Code         string          // resident code: 11 digits, test prefix; stays on the register side (DOMAIN PR-06)
	Attr         attr.Attributes // the four attributes exactly as on the record
	NameKana     string          // reading in hiragana, family U+3000 given
	Municipality string          // six-digit code
	// Designated substitutes (指定代替文字): the whole value with the applicant's
	// own substitutes, as jtext.Substitute takes it; one character per
	// character of the record. Empty if the value needs none.
	SubstituteName, SubstituteAddress string
}

// Shares of the difficulties, in residents per 1,000. The rest is plain.
const (
	ShareOutside        = 30 // name with a character outside the repertoire
	ShareIVS            = 8  // name with a variation selector
	ShareAllowedVariant = 40 // old or rare form that certificates can hold
	ShareAddressOutside = 10 // address with a character outside the repertoire
	ShareUnknownBirth   = 5  // year, month and day, or day unknown (不詳)
	ShareLeapDay        = 5  // born on 29 February, beyond chance
	ShareTwin           = 3  // equal to the resident before in all four attributes
	ShareSexUnknown     = 1
	ShareForeign        = 6   // name in full-width Latin letters or katakana
	ShareHousehold      = 550 // same family name and address as the resident before
)

// maxResidents is far above any use; it keeps the codes unique.
const maxResidents = 1_000_000_000

// thisYear bounds birth years, so that the data do not depend on a clock.
const thisYear = 2026

// feature is one difficulty that a resident shows.
type feature int

const (
	plain feature = iota
	nameOutside
	nameIVS
	nameAllowed
	addressOutside
	minusAddress
	unknownYear
	unknownMonth
	unknownDay
	unknownAll
	leapDay
	twin
	sexUnknown
	taisho
	showa
	heisei
	reiwa
	eraOverlap
	mergedTown
	foreign
	features // count
)

// firstForced and forcedStep place every feature once among the first 100 residents.
const firstForced, forcedStep = 20, 4

// ownHousehold reports whether the difficulty is in a name or address of its own.
func (f feature) ownHousehold() bool {
	switch f {
	case nameOutside, nameIVS, nameAllowed, addressOutside, minusAddress, mergedTown, foreign:
		return true
	}
	return false
}

type generator struct {
	random
	data     *source
	surnames *surnames
	a, b     uint64 // order of the codes; a ends in 1, so it has no factor with 100,000
}

// Generate returns n invented residents, the same for the same seed: the first
// m of Generate(seed, n) are Generate(seed, m). Codes are unique for any n
// (jtext.MakeResidentCode says which prefixes). Municipalities are drawn by
// their number of towns, so that cities have more residents than villages.
// Error: n is negative or above 10⁹.
func Generate(seed uint64, n int) ([]Resident, error) {
	if n < 0 || n > maxResidents {
		return nil, errors.New("the number of residents must be from 0 to 1,000,000,000")
	}
	g := &generator{random: random(seed ^ 0x73756b61736869), data: load(), surnames: loadSurnames()}
	g.a, g.b = g.next()%10_000*10+1, g.next()%100_000
	rs := make([]Resident, 0, n)
	var before *person
	for i := range n {
		f := g.feature()
		if k := (i - firstForced) / forcedStep; i >= firstForced && (i-firstForced)%forcedStep == 0 && k < int(features) {
			f = feature(k)
		}
		p := g.person(f, before)
		code, err := jtext.MakeResidentCode(g.codeNumber(uint64(i)))
		if err != nil {
			return nil, fmt.Errorf("couldn't make a code: %w", err)
		}
		p.Code = code
		rs = append(rs, p.Resident)
		before = p
	}
	return rs, nil
}

// codeNumber permutes the numbers inside each block of 100,000.
func (g *generator) codeNumber(i uint64) uint64 {
	const block = 100_000
	return i/block*block + (i%block*g.a+g.b)%block
}

func (g *generator) feature() feature {
	x := g.n(1000)
	for _, s := range []struct {
		share int
		of    []feature
	}{
		{ShareOutside, []feature{nameOutside}}, {ShareIVS, []feature{nameIVS}}, {ShareAllowedVariant, []feature{nameAllowed}},
		{ShareAddressOutside, []feature{addressOutside, minusAddress}}, {ShareUnknownBirth, []feature{unknownYear, unknownMonth, unknownDay, unknownAll}},
		{ShareLeapDay, []feature{leapDay}}, {ShareTwin, []feature{twin}}, {ShareSexUnknown, []feature{sexUnknown}}, {ShareForeign, []feature{foreign}},
	} {
		if x -= s.share; x < 0 {
			return s.of[g.n(len(s.of))]
		}
	}
	return plain
}

// person is a resident with the parts its household shares.
type person struct {
	Resident
	family surname
	given  named
	place  int
}

func (g *generator) person(f feature, before *person) *person {
	if f == twin && before != nil {
		p := *before
		return &p
	}
	p := &person{}
	p.Attr.Sex = attr.Male
	if g.n(1000) < 512 {
		p.Attr.Sex = attr.Female
	}
	p.given = g.given(p.Attr.Sex)
	if f == foreign {
		p.given = foreignGiven[g.n(len(foreignGiven))]
	}
	if f == sexUnknown {
		p.Attr.Sex = attr.SexUnknown
	}
	p.Attr.BirthDate = g.birthDate(f)
	if before != nil && g.perMille(ShareHousehold) && !f.ownHousehold() {
		p.family, p.place = before.family, before.place
		p.Attr.Address, p.SubstituteAddress = before.Attr.Address, before.SubstituteAddress
	} else {
		p.family = g.family(f)
		p.place = g.n(len(g.data.places))
		if f == mergedTown {
			ps := g.data.byTown[municipality.Merged]
			p.place = ps[g.n(len(ps))]
		}
		p.Attr.Address, p.SubstituteAddress = g.address(f, g.data.places[p.place], 1+g.n(4999))
	}
	p.Municipality = g.data.places[p.place].municipality
	p.rename()
	return p
}

// rename writes the name from family and given name.
func (p *person) rename() {
	p.Attr.Name = p.family.kanji + "　" + p.given.kanji
	p.NameKana = p.family.kana + "　" + p.given.kana
	p.SubstituteName = ""
	if p.family.designated != "" {
		p.SubstituteName = p.family.designated + "　" + p.given.kanji
	}
}

func (g *generator) given(sex string) named {
	list := g.data.male
	if sex == attr.Female {
		list = g.data.female
	}
	return list[g.n(len(list))]
}

// family draws a family name; the list is ordered by frequency, and the lower
// of two draws makes the frequent ones more so.
func (g *generator) family(f feature) surname {
	s := g.surnames
	switch f {
	case nameOutside:
		return s.variant[outside][g.n(len(s.variant[outside]))]
	case nameIVS:
		return s.variant[ivs][g.n(len(s.variant[ivs]))]
	case foreign:
		return surname{named: foreignFamily[g.n(len(foreignFamily))]}
	case nameAllowed:
		return s.variant[allowed][g.n(len(s.variant[allowed]))]
	}
	return s.plain[min(g.n(len(s.plain)), g.n(len(s.plain)))]
}

// buildings are invented names of apartment houses; those in the second list
// have a character outside the repertoire, with the designated form.
var (
	buildings       = []string{"コーポあずさ", "メゾン千草", "ハイツみすず", "県営住宅", "グリーンハイツ", "さくら荘", "ＫＳハイツ", "Ｈｅｉｍ２１　", "Ｇｒｅｅｎ　Ｈｉｌｌ　", "Ｍ’ｓコーポＡ棟", "三番館"}
	buildingsBeyond = [][2]string{{"コーポ髙嶺", "コーポ高嶺"}, {"メゾン德間", "メゾン徳間"}, {"ハイツ①番館", "ハイツ１番館"}, {"𠮷野荘", "吉野荘"}}
)

// address writes an address at a place, with lot as its first number. Lots of
// residents are below 5,000; Changes takes those from 5,001 on.
func (g *generator) address(f feature, p place, lot int) (address, designated string) {
	a := p.prefix
	branch := g.n(4)
	switch {
	case f == minusAddress:
		a += wide(lot) + "\u2212" + wide(1+g.n(40)) // MINUS SIGN, not the full-width hyphen of JIS
	case p.oaza || lot > 999:
		a += wide(lot) + "番地"
		if branch > 1 {
			a += wide(1 + g.n(30))
		} else if branch == 1 {
			a += "の" + wide(1+g.n(9))
		}
	case lot%3 == 0:
		a += wide(1+lot%6) + "丁目" + wide(1+g.n(30)) + "番" + wide(1+g.n(40)) + "号"
	case lot%3 == 1:
		a += wide(lot) + "番" + wide(1+g.n(40)) + "号"
	default:
		a += wide(lot) + "－" + wide(1+g.n(40))
	}
	switch {
	case f == minusAddress:
		return a, strings.ReplaceAll(a, "\u2212", "－")
	case f == addressOutside:
		b, room := buildingsBeyond[g.n(len(buildingsBeyond))], wide(101+g.n(300))+"号"
		return a + "　" + b[0] + room, a + "　" + b[1] + room
	case g.perMille(80):
		return a + "　" + buildings[g.n(len(buildings))] + wide(101+g.n(300)) + "号", ""
	}
	return a, ""
}

// wide writes a number in full-width digits, as records do.
func wide(n int) string {
	var b strings.Builder
	for _, c := range strconv.Itoa(n) {
		b.WriteRune('０' + c - '0')
	}
	return b.String()
}

// birthDate draws a date of birth EYYYYMMDD that exists and lies before 2026.
func (g *generator) birthDate(f feature) string {
	switch f {
	case leapDay:
		return mustDate(thisYear-2-4*g.n(22), 2, 29).String() // 2024 … 1940
	case eraOverlap:
		return jtext.Date{Era: jtext.Taisho, Year: 1926, Month: 12, Day: 25}.String()
	case unknownAll:
		return jtext.Date{}.String()
	case taisho:
		return mustDate(1913+g.n(13), 1+g.n(12), 1+g.n(28)).String()
	case showa:
		return mustDate(1927+g.n(61), 1+g.n(12), 1+g.n(28)).String()
	case heisei:
		return mustDate(1990+g.n(28), 1+g.n(12), 1+g.n(28)).String()
	case reiwa:
		return mustDate(2020+g.n(5), 1+g.n(12), 1+g.n(28)).String()
	}
	// A flat pyramid: ages to 79 alike, then fewer, to 104.
	age := g.n(92)
	if age >= 80 {
		age = 80 + min(g.n(25), g.n(25))
	}
	d := mustDate(thisYear-1-age, 1+g.n(12), 1+g.n(28))
	if extra := g.n(31); extra < 3 { // days 29 to 31 where they exist
		if e, err := jtext.DateOf(d.Year, d.Month, 29+extra); err == nil {
			d = e
		}
	}
	switch f {
	case unknownYear:
		d.Year, d.Month, d.Day = 0, 0, 0
	case unknownMonth:
		d.Month, d.Day = 0, 0
	case unknownDay:
		d.Day = 0
	}
	return d.String()
}

// mustDate is for parts that exist by construction.
func mustDate(y, m, d int) jtext.Date {
	return jtext.Date{Era: jtext.EraOf(y, m, d), Year: y, Month: m, Day: d}
}
