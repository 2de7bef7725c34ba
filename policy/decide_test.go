package policy_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/notice"
)

func decider(t testing.TB, index uint64) *policy.Decider {
	t.Helper()
	d, err := policy.NewDecider(context.Background(), policy.Shipped(), index)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func allTrue(r policy.Ruleset) *policy.Facts {
	f := policy.NewFacts(r)
	for _, n := range policy.FactNames(r) {
		f.Set(n, true)
	}
	return f
}

func TestAllowsOnlyWhenEveryFactIsTrue(t *testing.T) {
	ctx, d := context.Background(), decider(t, 3)
	for _, r := range catalogue.Rulesets() {
		good := d.Decide(ctx, allTrue(r))
		if !good.Allow || len(good.Codes) != 0 || good.Policy != 3 || good.Bundle != policy.Shipped().Digest {
			t.Fatalf("%s: all facts true gives %+v", r, good)
		}
		for _, f := range catalogue.Facts(r)[2:] {
			facts := allTrue(r)
			facts.Set(f.Name, false)
			got := d.Decide(ctx, facts)
			if got.Allow || !slices.Equal(got.Codes, []string{f.Code}) {
				t.Errorf("%s with %s false gives %v %v", r, f.Name, got.Allow, got.Codes)
			}
			missing := policy.NewFacts(r)
			for _, n := range policy.FactNames(r) {
				if n != f.Name {
					missing.Set(n, true)
				}
			}
			want := []string{f.Code, "N100"}
			slices.Sort(want)
			if got := d.Decide(ctx, missing); got.Allow || !slices.Equal(got.Codes, want) {
				t.Errorf("%s without %s gives %v %v", r, f.Name, got.Allow, got.Codes)
			}
		}
	}
}

func TestFailsClosed(t *testing.T) {
	ctx := context.Background()
	d := decider(t, 3)
	stray := allTrue(policy.Revoke)
	stray.Set("no_such_fact", true)
	if got := d.Decide(ctx, stray); got.Allow || !slices.Equal(got.Codes, []string{"N100"}) {
		t.Errorf("a fact of no rule set gives %+v", got)
	}
	if got := d.Decide(ctx, policy.NewFacts("no-such-set")); got.Allow || !slices.Equal(got.Codes, []string{"N901"}) {
		t.Errorf("an unknown rule set gives %+v", got)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if got := d.Decide(done, allTrue(policy.Revoke)); got.Allow || !slices.Equal(got.Codes, []string{"N901"}) {
		t.Errorf("a cancelled decision gives %+v", got)
	}
	if got := decider(t, policy.NotApproved).Decide(ctx, allTrue(policy.Revoke)); got.Allow || !slices.Equal(got.Codes, []string{"N902"}) {
		t.Errorf("an unapproved bundle gives %+v", got)
	}
	wrongFirst := allTrue(policy.Revoke)
	wrongFirst.Set("ground_known", false)
	wrongFirst.Set("ground_known", true)
	if d.Decide(ctx, wrongFirst).Allow {
		t.Error("a fact found false became true again")
	}
}

func TestReplay(t *testing.T) {
	ctx, d := context.Background(), decider(t, 3)
	rep, err := policy.NewReplayer(ctx, policy.Shipped())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		r := catalogue.Rulesets()[rng.IntN(len(catalogue.Rulesets()))]
		f := policy.NewFacts(r)
		for _, n := range policy.FactNames(r) {
			if rng.IntN(20) > 0 {
				f.Set(n, rng.IntN(8) > 0)
			}
		}
		dec := d.Decide(ctx, f)
		if err := rep.Replay(ctx, dec); err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		forged := dec
		forged.Allow = !dec.Allow
		if rep.Replay(ctx, forged) == nil {
			t.Fatal("a turned decision replays")
		}
		forged = dec
		forged.Codes = append(slices.Clone(dec.Codes), "Z999")
		if rep.Replay(ctx, forged) == nil {
			t.Fatal("another code list replays")
		}
	}
	dec := d.Decide(ctx, allTrue(policy.Revoke))
	for _, bad := range []string{"", "ff", "ffffff", "ff0f", "FF07", "zz07"} {
		forged := dec
		forged.Facts = bad
		if rep.Replay(ctx, forged) == nil {
			t.Errorf("bitmap %q replays", bad)
		}
	}
	forged := dec
	forged.Bundle[0] ^= 1
	if policy.Replay(ctx, policy.Shipped(), forged) == nil {
		t.Error("a decision of another bundle replays")
	}
	if err := policy.Replay(ctx, policy.Shipped(), dec); err != nil {
		t.Error(err)
	}
}

func TestDecisionsFitTheEntry(t *testing.T) {
	ctx, d := context.Background(), decider(t, 0)
	good := d.Decide(ctx, allTrue(policy.NoticeReceive))
	bad := d.Decide(ctx, policy.NewFacts(policy.NoticeReceive))
	sum := entry.Sum([]byte("x"))
	for _, b := range []entry.Body{
		&entry.NoticeReceived{Decision: good, Digest: sum}, &entry.NoticeRefused{Decision: bad},
	} {
		if _, err := (entry.Entry{By: entry.ByCALink, Body: b}).Marshal(); err != nil {
			t.Error(err)
		}
	}
}

func TestApprovals(t *testing.T) {
	var keys []ed25519.PrivateKey
	var members []ed25519.PublicKey
	for i := range 3 {
		k := ed25519.NewKeyFromSeed(slices.Repeat([]byte{byte(i)}, 32))
		keys, members = append(keys, k), append(members, k.Public().(ed25519.PublicKey))
	}
	b := policy.ShippedProposal()
	body, err := policy.Approve(b, keys[0], keys[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.VerifyApprovals(body, 2, members); err != nil {
		t.Error(err)
	}
	if err := policy.VerifyBundle(body, b.Bundle); err != nil {
		t.Error(err)
	}
	if policy.VerifyApprovals(body, 3, members) == nil {
		t.Error("two approvals pass for three")
	}
	if policy.VerifyApprovals(body, 1, members[1:]) == nil {
		t.Error("an approval by a stranger passes")
	}
	twice, _ := policy.Approve(b, keys[0], keys[0])
	if policy.VerifyApprovals(twice, 1, members) == nil {
		t.Error("a double approval passes")
	}
	other := body
	other.Bundle[5] ^= 1
	if policy.VerifyApprovals(other, 2, members) == nil || policy.VerifyBundle(other, b.Bundle) == nil {
		t.Error("approvals carry over to another bundle")
	}
	other = body
	other.Proof[5] ^= 1
	if policy.VerifyApprovals(other, 2, members) == nil {
		t.Error("approvals carry over to another proof")
	}
	for name, proof := range map[string]string{
		"no proof":              "",
		"another bundle's":      strings.Replace(string(b.Proof), b.Bundle.Digest.String(), strings.Repeat("0", 63)+"1", 1),
		"one that doesn't hold": strings.Replace(string(b.Proof), `"holds": true`, `"holds": false`, 1),
	} {
		if _, err := policy.Approve(policy.Proposal{Bundle: b.Bundle, Proof: []byte(proof)}, keys[0]); err == nil {
			t.Errorf("%s is signed", name)
		}
	}
	if _, err := policy.Approve(b); err == nil {
		t.Error("no approvals at all pass")
	}
}

// latencies runs f b.N times and reports the median, the 99th percentile, and
// how many there are in a second and in a second of processor time: on a busy
// machine only the last says what a core can do.
func latencies(b *testing.B, f func()) {
	floor := make([]byte, 64<<20) // as a role of sukashi serve has
	defer runtime.KeepAlive(floor)
	var took []time.Duration
	began := processorTime(b)
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "per-s")
	b.ReportMetric(float64(len(took))/(processorTime(b)-began).Seconds(), "per-core-s")
}

// processorTime is what the process has used, collecting garbage included.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkDecideAllowed(b *testing.B) {
	ctx, d, f := context.Background(), decider(b, 3), allTrue(policy.NoticeSend)
	latencies(b, func() {
		if !d.Decide(ctx, f).Allow {
			b.Fatal("refused")
		}
	})
}

// BenchmarkDecideRefused refuses for one reason, which was decided beforehand, and
// for three, about which OPA is asked each time.
func BenchmarkDecideRefused(b *testing.B) {
	for _, lacking := range [][]string{{"no_resident_code"}, {"echo_equals_certified", "no_resident_code", "no_long_digits"}} {
		b.Run(fmt.Sprintf("facts=%d", len(lacking)), func(b *testing.B) {
			ctx, d, f := context.Background(), decider(b, 3), allTrue(policy.NoticeSend)
			for _, n := range lacking {
				f.Set(n, false)
			}
			latencies(b, func() {
				if d.Decide(ctx, f).Allow {
					b.Fatal("allowed")
				}
			})
		})
	}
}

// BenchmarkFactsDecisionEntry is all that a receiver does for one notice but
// the append itself.
func BenchmarkFactsDecisionEntry(b *testing.B) {
	for _, mode := range []string{notice.Reference, notice.Echo} {
		b.Run(mode, func(b *testing.B) {
			ctx, d, r := context.Background(), decider(b, 3), receive(b, mode)
			latencies(b, func() {
				dec := d.Decide(ctx, r.Facts())
				e := entry.Entry{By: entry.ByCALink, Body: &entry.NoticeReceived{Decision: dec, Digest: r.Sent.Digest, Notice: 3}}
				if _, err := e.Marshal(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// TestConcurrentDecisions: one decider serves every request of a link server.
func TestConcurrentDecisions(t *testing.T) {
	ctx, d := context.Background(), decider(t, 3)
	want := map[policy.Ruleset][2]entry.Decision{}
	for _, r := range catalogue.Rulesets() {
		want[r] = [2]entry.Decision{d.Decide(ctx, allTrue(r)), d.Decide(ctx, policy.NewFacts(r))}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				r := catalogue.Rulesets()[i%7]
				good, bad := d.Decide(ctx, allTrue(r)), d.Decide(ctx, policy.NewFacts(r))
				if !good.Allow || bad.Allow || good.Facts != want[r][0].Facts || !slices.Equal(bad.Codes, want[r][1].Codes) {
					t.Errorf("%s: %+v %+v", r, good, bad)
					return
				}
			}
		})
	}
	wg.Wait()
}
