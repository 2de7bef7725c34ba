package prove_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
)

func TestShippedBundleIsProved(t *testing.T) {
	ctx, start := context.Background(), time.Now()
	c, err := prove.RunWith(ctx, rules.Shipped(), prove.Options{Progress: func(s string) { t.Logf("%6.2fs %s", time.Since(start).Seconds(), s) }})
	if err != nil || !c.Holds {
		t.Fatal(err, c.Failures)
	}
	t.Logf("%6.2fs; %+v", time.Since(start).Seconds(), c.Mutations)
	if c.Mutations.Total < 500 || c.Mutations.Noticed != c.Mutations.Total {
		t.Errorf("%+v", c.Mutations)
	}
	for _, g := range c.Grammars {
		if g.FreeBits != 0 || g.OutsideRun >= 11 {
			t.Errorf("%+v", g)
		}
	}
	again, err := prove.Run(ctx, rules.Shipped())
	if err != nil || !bytes.Equal(again.Marshal(), c.Marshal()) || again.Digest() != c.Digest() {
		t.Errorf("a second run gives another certificate (%v)", err)
	}
}
