package replay

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/review/internal/testlog"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// decide asks the real rules about facts that are all true but one ("" for none).
func decide(t testing.TB, ruleset, wrong string) entry.Decision {
	t.Helper()
	d, err := policy.NewDecider(context.Background(), policy.Shipped(), 1)
	if err != nil {
		t.Fatal(err)
	}
	f := policy.NewFacts(policy.Ruleset(ruleset))
	for _, n := range policy.FactNames(policy.Ruleset(ruleset)) {
		f.Set(n, n != wrong)
	}
	return d.Decide(context.Background(), f)
}

func replayer(t testing.TB, bundles ...policy.Bundle) *Replayer {
	t.Helper()
	r, err := New(context.Background(), bundles...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplay(t *testing.T) {
	ctx, r := context.Background(), replayer(t, policy.Shipped())
	for _, rules := range []string{"issue", "notice-send", "notice-receive", "revoke"} {
		d := decide(t, rules, "")
		if !d.Allow {
			t.Fatalf("%s: everything is right and still refused", rules)
		}
		if err := r.Replay(ctx, d); err != nil {
			t.Errorf("%s allowed: %v", rules, err)
		}
		wrong := policy.FactNames(policy.Ruleset(rules))
		d = decide(t, rules, wrong[len(wrong)-1])
		if d.Allow {
			t.Fatalf("%s: allowed with a wrong fact", rules)
		}
		if err := r.Replay(ctx, d); err != nil {
			t.Errorf("%s refused: %v", rules, err)
		}
		forged := d
		forged.Allow, forged.Codes = true, []string{}
		if err := r.Replay(ctx, forged); !errors.Is(err, ErrDiffers) {
			t.Errorf("%s: a refusal turned into a permission: %v", rules, err)
		}
		forged = d
		forged.Codes = []string{"N102"}
		if err := r.Replay(ctx, forged); !errors.Is(err, ErrDiffers) {
			t.Errorf("%s: another reason: %v", rules, err)
		}
	}
}

func TestUnknownBundle(t *testing.T) {
	r := replayer(t)
	if err := r.Replay(context.Background(), decide(t, "issue", "")); !errors.Is(err, ErrUnknownBundle) {
		t.Errorf("no bundle at hand: %v", err)
	}
	if _, err := New(context.Background(), policy.Bundle{}); err == nil {
		t.Error("an empty bundle was taken")
	}
}

func TestLog(t *testing.T) {
	ctx, r := context.Background(), replayer(t, policy.Shipped())
	l := testlog.New(t, "log.example/replay", start)
	dig := entry.Sum([]byte("x"))
	intent := func(o uint64, d entry.Decision) {
		l.Append(entry.ByCA, &entry.CertIntent{Decision: d, Issuer: dig, Municipality: "202011", Ordinal: o, Profile: dig, Serial: "0102", Subject: dig, TBS: dig})
	}
	intent(0, decide(t, "issue", ""))
	l.Append(entry.ByNoticeSender, &entry.NoticeSent{Decision: decide(t, "notice-send", ""), Digest: dig, Holder: dig, Mode: entry.ModeReference})
	l.Append(entry.ByCALink, &entry.NoticeReceived{Decision: decide(t, "notice-receive", ""), Digest: dig})
	l.Append(entry.ByCALink, &entry.NoticeRefused{Decision: decide(t, "notice-receive", "grammar"), Notice: 1})
	l.Append(entry.ByCA, &entry.RevocationRequested{Decision: decide(t, "revoke", ""), Ground: entry.GroundRequest})
	n, bad, err := r.Log(ctx, l, 6)
	if err != nil || n != 5 || len(bad) != 0 {
		t.Fatalf("honest log: %d decisions, %v, %v", n, bad, err)
	}
	forged := decide(t, "issue", "key_new")
	forged.Allow, forged.Codes = true, []string{}
	intent(1, forged)
	n, bad, err = r.Log(ctx, l, 7)
	if err != nil || n != 6 || len(bad) != 1 || bad[0].Index != 6 || !errors.Is(bad[0].Err, ErrDiffers) {
		t.Errorf("forged decision: %d decisions, %v, %v", n, bad, err)
	}
}
