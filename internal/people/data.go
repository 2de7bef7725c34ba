package people

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/sukashi-project/sukashi/internal/municipality"
)

//go:embed data/names.tsv
var namesTSV string

//go:embed data/towns.tsv
var townsTSV string

// named is a name with its reading in hiragana.
type named struct{ kanji, kana string }

// place is a town (大字 or 町名) of a municipality, as addresses begin there.
type place struct {
	municipality string // code
	prefix       string // 長野県長野市大字鶴賀
	oaza         bool   // rural form: 地番, otherwise 丁目 or 番 号
}

// source is all the committed data, read once.
type source struct {
	family, male, female []named
	places               []place          // all, so that a draw is weighted by the number of towns
	byTown               map[string][]int // places by municipality code
}

// mergedTowns are the towns of 千曲市 that were 更埴市 before the merger; their
// residents are generated there (municipality.Merged).
var mergedTowns = map[string]bool{"屋代": true, "雨宮": true, "杭瀬下": true, "稲荷山": true, "桑原": true, "八幡": true, "森": true, "倉科": true, "土口": true, "生萱": true}

var load = sync.OnceValue(func() *source {
	s := &source{byTown: map[string][]int{}}
	for _, f := range rows(namesTSV) {
		n := named{f[1], f[2]}
		switch f[0] {
		case "S":
			s.family = append(s.family, n)
		case "M":
			s.male = append(s.male, n)
		case "F":
			s.female = append(s.female, n)
		}
	}
	for _, f := range rows(townsTSV) {
		s.add(f[0], f[1], f[2])
	}
	for _, m := range municipality.List() {
		if len(s.byTown[m.Code]) == 0 { // villages without town names
			s.add(m.Code, "", "")
		}
	}
	return s
})

func rows(tsv string) [][]string {
	var all [][]string
	for _, line := range strings.Split(tsv, "\n") {
		if f := strings.Split(line, "\t"); len(f) == 3 && !strings.HasPrefix(line, "#") {
			all = append(all, f)
		}
	}
	return all
}

func (s *source) add(code, town, inner string) {
	if code == municipality.MergedInto && mergedTowns[town] {
		code = municipality.Merged
	}
	m, ok := municipality.Lookup(code)
	if !ok {
		return
	}
	p := place{municipality: code, prefix: municipality.PrefectureName + m.Kanji()}
	// Which towns write 大字 is not in the data. Names that end in 町 or 丁目
	// never do here; of the others three in four, fixed by the name.
	urban := strings.HasSuffix(town, "町") || strings.HasSuffix(town, "丁目") || strings.HasSuffix(town, "通")
	p.oaza = town == "" || !urban && (inner != "" || hash(code+town)%4 != 0)
	if p.oaza && town != "" {
		p.prefix += "大字"
	}
	p.prefix += town
	if inner != "" {
		p.prefix += "字" + inner
	}
	s.byTown[code] = append(s.byTown[code], len(s.places))
	s.places = append(s.places, p)
}

// hash is FNV-1a, 64 bits.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
