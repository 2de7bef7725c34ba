package jtext

import "strings"

// maxParts is how many values with digits are put together in every order;
// more are put together in the given and in the reverse order only.
const maxParts = 4

// part is what one value can give to a number split over several: of a name or
// a reading all its digits but single kanji numerals, of an address all or any
// one run.
type part struct {
	address bool
	all     string
	runs    []string
}

// scanSplit looks for a number whose digits stand in several values, in any
// order. Addresses have digits of their own, so at least one other value must
// take part. The digits of a value and of its form with substitutes count once.
func scanSplit(values []string) Findings {
	var f Findings
	var parts []part
	seen := map[string]bool{}
	names := 0
	for _, v := range values {
		if isDate(v) {
			continue
		}
		p := partOf(v)
		if p.all == "" || seen[p.all] || len(p.all) > maxScan/16 {
			continue
		}
		seen[p.all] = true
		parts = append(parts, p)
		if !p.address {
			names++
		}
	}
	if names == 0 || len(parts) < 2 {
		return f
	}
	if len(parts) > maxParts {
		var on, back string
		for _, p := range parts {
			on, back = on+p.all, p.all+back
		}
		f.add(number(on))
		f.add(number(back))
		return f
	}
	join(&f, "", parts, false)
	return f
}

// join checks what has been put together and goes on with each part left.
func join(f *Findings, sofar string, left []part, name bool) {
	if len(sofar) > 12 {
		return
	}
	if name {
		f.add(number(sofar))
	}
	for i, p := range left {
		rest := make([]part, 0, len(left)-1)
		rest = append(append(rest, left[:i]...), left[i+1:]...)
		join(f, sofar+p.all, rest, name || !p.address)
		for _, r := range p.runs {
			join(f, sofar+r, rest, name || !p.address)
		}
	}
}

func isDate(v string) bool {
	if _, err := ParseJapanese(v); err == nil {
		return true
	}
	_, err := ParseBirthDate(v)
	return err == nil
}

// maxRuns bounds how many runs of an address are tried.
const maxRuns = 6

func partOf(v string) part {
	us := units(v)
	p := part{address: strings.ContainsAny(v, "都道府県") && strings.ContainsAny(v, "市区町村")}
	var run strings.Builder
	inKanji := 0
	end := func() {
		// Names hold kanji numerals (三郎, 八十二): one or two are no part of a number there.
		if run.Len() > 0 && (p.address || inKanji < run.Len() || run.Len() > 2) {
			p.all += run.String()
			if len(p.runs) < maxRuns && p.address {
				p.runs = append(p.runs, run.String())
			}
		}
		run.Reset()
		inKanji = 0
	}
	for _, u := range us {
		switch {
		case u.digits != "":
			run.WriteString(u.digits)
			if u.class == kanji {
				inKanji += len(u.digits)
			}
		case u.class == other:
			end()
		}
	}
	end()
	return p
}
