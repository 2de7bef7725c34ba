package rules

import (
	"context"
	"testing"

	"github.com/sukashi-project/sukashi/policy/catalogue"
)

func BenchmarkAllows(b *testing.B) {
	ctx := context.Background()
	a, err := Analyse(ctx, Shipped())
	if err != nil {
		b.Fatal(err)
	}
	n := len(a.Facts(catalogue.NoticeSend))
	i := 0
	for b.Loop() {
		v := make([]bool, n)
		for j := range v {
			v[j] = i>>j&1 == 1
		}
		i++
		if _, err := a.Allows(ctx, catalogue.NoticeSend, v); err != nil {
			b.Fatal(err)
		}
	}
}
