package jtext

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// worst are values made to cost the scanner much.
func worst() map[string]string {
	nested := strings.Repeat("99999000017 ", 300)
	for range 2 {
		nested = base64.StdEncoding.EncodeToString([]byte(nested))
	}
	fields := strings.Repeat("aB1 ", 1000)
	return map[string]string{
		"digits": strings.Repeat("9", 2048), "kanji digits": strings.Repeat("九", 682), "base64": nested[:2048], "short pieces": fields, "mixed tokens": strings.Repeat("aB1cD2 ", 585),
		"hex": hex.EncodeToString([]byte(strings.Repeat("a", 2048))), "escapes": strings.Repeat("%39", 682), "entities": strings.Repeat("&#57;", 409), "morse": strings.Repeat("----. ", 682),
		"spaces": strings.Repeat("9 ", 2048), "words": strings.Repeat("キュウ", 455), "compat": strings.Repeat("㍿9", 500), "halfwidth": strings.Repeat("ｾﾞ", 340), "units": strings.Repeat("九千", 682) + "99999000017", "ascii85": strings.Repeat("<~9jqo^~> ", 409),
	}
}

// BenchmarkScanWorst shows what one form can cost at most.
func BenchmarkScanWorst(b *testing.B) {
	for name, v := range worst() {
		v = v[:min(len(v), maxScan)]
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Scan(v, v[1:], v[2:])
			}
		})
	}
}

// Values made to cost much are still looked at to the end of the limit.
func TestWorstValues(t *testing.T) {
	for name, v := range worst() {
		f := Scan(v)
		if harmless := name == "halfwidth" || name == "compat"; f.Any() == harmless {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
