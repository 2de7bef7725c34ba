package jtext_test

import (
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/jtext"
)

func ExampleSubstitute() {
	certified, subs, err := jtext.Substitute("髙橋　一郎", "高橋　一郎")
	fmt.Println(certified, subs, err)
	// Output: 高橋　一郎 10000 <nil>
}

func ExampleValidityEnd() {
	issued := time.Date(2026, 11, 23, 10, 0, 0, 0, jtext.JST())
	end, err := jtext.ValidityEnd(issued, "319620617")
	fmt.Println(end, err)
	// Output: 2031-06-17 14:59:59 +0000 UTC <nil>
}

func ExampleFindResidentCode() {
	fmt.Println(jtext.FindResidentCode("番号は ９９９９９０００−０１７"), jtext.FindResidentCode("長野県長野市大字鶴賀１２３番地４"))
	// Output: true false
}
