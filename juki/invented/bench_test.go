package invented_test

import (
	"context"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/invented"
)

// BenchmarkTown takes over 100,000 residents, takes in one M1 with a
// certificate for each, applies a month of changes and matches them; each part
// is reported by itself.
func BenchmarkTown(b *testing.B) {
	const n = 100_000
	ctx := context.Background()
	rs, err := people.Generate(7, n)
	if err != nil {
		b.Fatal(err)
	}
	changes := people.Changes(7, rs, 0.1)
	l := list(b, rs)
	for range b.N {
		o, err := juki.Open(juki.Config{Dir: b.TempDir(), Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		lap := func(n int, unit string) {
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), unit)
			start = time.Now()
		}
		p, err := invented.Load(o, rs, changes)
		if err != nil {
			b.Fatal(err)
		}
		lap(n, "imported/s")
		if err := o.Matching.ApplyList(ctx, l, 1); err != nil {
			b.Fatal(err)
		}
		lap(n, "holders/s")
		events := 0
		for day := range p.Last() + 1 {
			es, err := p.Events(day)
			if err != nil {
				b.Fatal(err)
			}
			events += len(es)
			if _, err := o.Register.Apply(es...); err != nil {
				b.Fatal(err)
			}
		}
		lap(events, "changes/s")
		if _, err := o.Matching.Match(ctx); err != nil {
			b.Fatal(err)
		}
		lap(events, "matched/s")
		s, err := o.Stats()
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%d changes: %v, queue %v", events, s.Matching.Outcomes, s.Matching.Cases)
		if err := o.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
