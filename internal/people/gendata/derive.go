package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

type town struct {
	code, name, district, reading, districtReading, roman string
}

const prefecture = "200000" // 長野県

// municipalities joins the six-digit codes and readings with the 郡 names.
func municipalities(gov, zip map[string][]byte) ([]town, error) {
	var prefectures []struct {
		Code           string
		Municipalities []struct{ Code, Name, Ruby string }
	}
	if err := json.Unmarshal(gov["dist/codes.json"], &prefectures); err != nil {
		return nil, fmt.Errorf("couldn't read codes.json: %w", err)
	}
	var cities struct {
		City map[string][]string
	}
	if err := json.Unmarshal(zip["master/city.json"], &cities); err != nil {
		return nil, fmt.Errorf("couldn't read city.json: %w", err)
	}
	var towns []town
	for _, p := range prefectures {
		if p.Code != prefecture {
			continue
		}
		for _, m := range p.Municipalities {
			c := cities.City[m.Code[:5]]
			if len(c) != 2 || !strings.HasSuffix(c[0], m.Name) {
				return nil, fmt.Errorf("%s: the packages do not agree on the name", m.Code)
			}
			t := town{code: m.Code, name: m.Name, district: strings.TrimSuffix(c[0], m.Name), reading: m.Ruby}
			if t.district != "" {
				kana, _, ok := strings.Cut(hiragana(c[1]), "ぐん")
				if !ok {
					return nil, fmt.Errorf("%s: no reading of the district", m.Code)
				}
				t.districtReading = kana + "ぐん"
			}
			var err error
			if t.roman, err = romanName(t.reading); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Code, err)
			}
			towns = append(towns, t)
		}
	}
	sort.Slice(towns, func(i, j int) bool { return towns[i].code < towns[j].code })
	return towns, nil
}

// notAPlace finds bracketed remarks that are not the name of a place: numbers,
// "the rest", lists and ranges.
var notAPlace = regexp.MustCompile(`[0-9０-９、〜「・]|その他|番地|大字|丁目`)

// places lists town names (大字 or 町名) and, where the source has one, the
// place inside it: code, town, place.
func places(postal map[string][]byte, towns []town) ([]byte, error) {
	var codes map[string]map[string][]string
	if err := json.Unmarshal(postal["postal.json"], &codes); err != nil {
		return nil, fmt.Errorf("couldn't read postal.json: %w", err)
	}
	seen := map[string]bool{}
	for _, byPrefecture := range codes {
		for _, full := range byPrefecture["長野県"] {
			line, err := placeLine(full, towns)
			if err != nil {
				return nil, err
			}
			if line != "" {
				seen[line] = true
			}
		}
	}
	lines := make([]string, 0, len(seen))
	for l := range seen {
		lines = append(lines, l)
	}
	sort.Strings(lines)
	return []byte("# code\ttown\tplace in it\n" + strings.Join(lines, "")), nil
}

func placeLine(full string, towns []town) (string, error) {
	for _, t := range towns {
		rest, ok := strings.CutPrefix(full, t.district+t.name)
		if !ok {
			continue
		}
		name, remark, _ := strings.Cut(rest, "（")
		remark = strings.TrimSuffix(remark, "）")
		if notAPlace.MatchString(remark) {
			remark = ""
		}
		if name == "" || notAPlace.MatchString(name) {
			return "", nil
		}
		return t.code + "\t" + name + "\t" + remark + "\n", nil
	}
	return "", errors.New("a place of the prefecture is in none of its municipalities")
}

var gimeiName = regexp.MustCompile(`\{ kanji: "([^"]+)", hiragana: "([^"]+)"`)

// names lists family names in the source's order (by frequency) and given
// names by sex: kind (S, M, F), kanji, hiragana.
func names(gimei map[string][]byte) ([]byte, error) {
	var source []byte
	for path, b := range gimei {
		if strings.HasPrefix(path, "dist/chunk-") && bytes.Contains(b, []byte("lastNames = [")) && (source == nil || bytes.Compare(b, source) < 0) {
			source = b
		}
	}
	male, rest, ok1 := strings.Cut(string(source), "female: [")
	female, family, ok2 := strings.Cut(rest, "lastNames = [")
	if !ok1 || !ok2 {
		return nil, errors.New("couldn't find the name lists")
	}
	var b bytes.Buffer
	b.WriteString("# kind (S family, M male, F female)\tkanji\treading\n")
	for _, part := range []struct{ kind, text string }{{"S", family}, {"M", male}, {"F", female}} {
		seen := map[string]bool{}
		for _, m := range gimeiName.FindAllStringSubmatch(part.text, -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				fmt.Fprintf(&b, "%s\t%s\t%s\n", part.kind, m[1], m[2])
			}
		}
	}
	return b.Bytes(), nil
}
