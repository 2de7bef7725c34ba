package match

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/sukashi-project/sukashi/internal/jtext"
)

// foldName is a key under which two notations of a name meet: compatibility
// forms unified, variation selectors and spaces dropped. Never a value.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || jtext.IsVariationSelector(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
}

// foldAddress is the same for an address, with the rule order of DOMAIN 10.7:
// 番地の and 番の before 丁目, 番地, 番 and 号; then 大字 and 字; then the hyphen
// family and the kana that vary. Where it merges too much a person looks.
func foldAddress(s string) string {
	return addressForms.Replace(hyphens.Replace(foldName(s)))
}

var (
	hyphens = strings.NewReplacer("‐", "-", "‑", "-", "‒", "-", "–", "-", "—", "-", "―", "-", "−", "-", "ー", "-")

	addressForms = strings.NewReplacer("番地の", "-", "番の", "-", "丁目", "-", "番地", "-", "番", "-", "号", "",
		"大字", "", "字", "", "ヶ", "ケ", "ッ", "ツ", "ヵ", "カ", "ノ", "の", "之", "の")
)
