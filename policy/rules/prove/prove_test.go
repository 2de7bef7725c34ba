package prove_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
)

var update = flag.Bool("update", false, "write the shipped proof certificate")

// TestShippedBundleIsProved runs the proof twice and holds the shipped
// certificate against it (but for the tools' versions). SUKASHI_POLICY_FULL=1
// has it decide every vector of every rule set, which takes minutes.
//
//	go test ./policy/rules/prove -run IsProved -update
func TestShippedBundleIsProved(t *testing.T) {
	ctx, start := context.Background(), time.Now()
	full := os.Getenv("SUKASHI_POLICY_FULL") != ""
	c, err := prove.RunWith(ctx, rules.Shipped(), prove.Options{Full: full, Progress: func(s string) {
		t.Logf("%6.2fs %s", time.Since(start).Seconds(), s)
	}})
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
	for _, r := range c.Rulesets {
		if r.Allowed != 1 || r.Exhaustive && r.Enumerated != 1<<len(r.Facts) || full && !r.Exhaustive {
			t.Errorf("%s: %d of %d allowed", r.Name, r.Allowed, r.Enumerated)
		}
	}
	if full {
		return
	}
	if *update {
		if err := os.WriteFile("../proof.json", c.Marshal(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := prove.ParseCertificate(rules.ShippedProof())
	if err != nil {
		t.Fatal(err)
	}
	if shipped.Tools = c.Tools; !*update && !bytes.Equal(shipped.Marshal(), c.Marshal()) {
		t.Error("the shipped proof certificate is not the shipped bundle's; run with -update")
	}
	if testing.Short() {
		return // once
	}
	again, err := prove.Run(ctx, rules.Shipped())
	if err != nil || !bytes.Equal(again.Marshal(), c.Marshal()) || again.Digest() != c.Digest() {
		t.Errorf("a second run gives another certificate (%v)", err)
	}
}

func TestProofCanBeStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if c, err := prove.Run(ctx, rules.Shipped()); err == nil || c.Holds {
		t.Error("a stopped proof holds")
	}
}
