package people

import (
	"strings"
	"sync"
)

// variant is a form of a character that records use and a PC may not show. In
// values of class outside it is replaced in the certificate by plain, which
// its holder designates; the others are in the repertoire and stay.
type variant struct {
	plain, record string
	class         class
}

type class int

const (
	allowed class = iota // in JIS X 0208 or 0212: certified as it is
	outside              // needs a substitute
	ivs                  // base character with an ideographic variation selector: needs a substitute
)

// variants are the test characters of DOMAIN 10.6 and their like.
var variants = []variant{
	{"高", "髙", outside}, {"崎", "﨑", outside}, {"吉", "𠮷", outside}, {"塚", "\ufa10", outside}, {"柳", "栁", outside},
	{"瀬", "瀨", outside}, {"徳", "德", outside}, {"神", "\ufa19", outside}, {"福", "\ufa1b", outside}, {"都", "\ufa26", outside},
	{"隆", "\uf9dc", outside},
	{"辻", "辻\U000e0100", ivs}, {"葛", "葛\U000e0100", ivs}, {"榊", "榊\U000e0100", ivs}, {"辺", "邉\U000e0104", ivs},
	{"邊", "邊\U000e0108", ivs}, {"斎", "齋\U000e0101", ivs}, {"沢", "澤\U000e0101", ivs},
	{"浜", "濵", allowed}, {"沢", "澤", allowed}, {"辺", "邉", allowed}, {"辺", "邊", allowed}, {"広", "廣", allowed},
	{"桜", "櫻", allowed}, {"斎", "齋", allowed}, {"斉", "齊", allowed}, {"島", "嶋", allowed}, {"竜", "龍", allowed}, {"浜", "濱", allowed},
}

// surname is a family name as on the record, with the form its holder
// designates for certificates (empty if it needs none).
type surname struct {
	named
	designated string
}

// surnames are the family names by class of variant, the plain ones, and those
// kept for changes of name: no generated resident has one of them or a longer
// name that ends in one, so a new name cannot stand in anybody else's.
type surnames struct {
	plain    []surname
	variant  [ivs + 1][]surname
	reserved []surname
}

// reservedFrom is the rank of frequency from which every second name is reserved.
const reservedFrom = 200

func isReserved(i int, all []named) bool {
	if i < reservedFrom || i%2 == 1 {
		return false
	}
	for j, f := range all {
		if j != i && strings.HasSuffix(f.kanji, all[i].kanji) {
			return false
		}
	}
	return true
}

// rare are family names with variants that the public list does not have.
var rare = []struct {
	named
	plain string
	class class
}{
	{named{"辻\U000e0100", "つじ"}, "辻", ivs}, {named{"葛\U000e0100西", "かさい"}, "葛西", ivs}, {named{"榊\U000e0100原", "さかきばら"}, "榊原", ivs},
	{named{"鷗谷", "かもめたに"}, "", allowed}, {named{"𡈽屋", "つちや"}, "土屋", outside}, {named{"\ufa19林", "かんばやし"}, "神林", outside},
}

var loadSurnames = sync.OnceValue(func() *surnames {
	s := new(surnames)
	all := load().family
	for i, f := range all {
		if isReserved(i, all) {
			s.reserved = append(s.reserved, surname{named: f})
			continue
		}
		s.plain = append(s.plain, surname{named: f})
		for _, v := range variants {
			if !strings.Contains(f.kanji, v.plain) {
				continue
			}
			x := surname{named: named{strings.Replace(f.kanji, v.plain, v.record, 1), f.kana}}
			if v.class != allowed {
				x.designated = f.kanji
			}
			s.variant[v.class] = append(s.variant[v.class], x)
		}
	}
	for _, r := range rare {
		s.variant[r.class] = append(s.variant[r.class], surname{r.named, r.plain})
	}
	return s
})

// Names of residents from abroad, as records write them: full-width Latin
// letters or katakana.
var (
	foreignFamily = []named{{"ＳＭＩＴＨ", "すみす"}, {"ＧＡＲＣＩＡ", "がるしあ"}, {"ＮＧＵＹＥＮ", "ぐえん"}, {"ＳＩＬＶＡ", "しるば"}, {"ＳＣＨＭＩＤＴ", "しゅみっと"}, {"Ｏ’ＢＲＩＥＮ", "おぶらいえん"},
		{"スミス", "すみす"}, {"サントス", "さんとす"}, {"オリヴェイラ", "おりゔぇいら"}, {"ニシムラ", "にしむら"}}
	foreignGiven = []named{{"ＪＯＨＮ", "じょん"}, {"ＭＡＲＩＡ", "まりあ"}, {"ＴＨＩ・ＨＯＡ", "てぃほあ"}, {"ＡＮＮＡ－ＬＥＮＡ", "あんなれな"}, {"ＢＥＡＴＲＩＺ", "べあとりす"}, {"ＷＩＬＨＥＬＭ", "ゔぃるへるむ"},
		{"ジョン", "じょん"}, {"マリア・ルイザ", "まりあるいざ"}, {"アンジェラ", "あんじぇら"}}
)
