// Package jtext holds the text rules of Japanese resident records that the
// other packages share: eras and birth dates, the character repertoire of
// certificates and its substitutes, check digits, match keys, and a scanner
// that finds resident codes however they are written (DOMAIN 10).
//
// It promises that nothing it derives (keys, digit views) is ever a value: a
// stored or certified value keeps its exact code points, and no function here
// returns a normalised name or address meant for storing. It is pure: no I/O,
// no clock, no randomness. Its errors never quote the text they are about.
//
//	certified, subs, err := jtext.Substitute("髙橋　一郎", "高橋　一郎") // "高橋　一郎", "10000"
//	end, err := jtext.ValidityEnd(issued, "319620617")              // 23:59:59 JST on the fifth birthday
//	found := jtext.FindResidentCode("番号は ９９９９９０００−０１７")     // true
package jtext
