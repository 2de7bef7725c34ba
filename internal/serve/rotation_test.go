package serve

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

// After a rotation the ledger runs with the new key and a policy that lists
// both; the configuration from before is refused.
func TestLedgerWithRotatedKey(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	s.write("witness.policy", "log "+s.vkey+"\nquorum none\n", 0o644)
	a, stop := s.start("ledger.yaml", ledgerYAML)
	if a == nil {
		t.Fatal(stop())
	}
	_, err := s.client(zone.LGWAN, entry.ByCA, a["append"]).Append(ctx, event(0))
	s.must(err)
	s.must(stop())

	old, err := logkey.OpenFile(s.at("log.key"))
	s.must(err)
	next, err := logkey.CreateFile(s.at("next.key"), origin, rand.Reader)
	s.must(err)
	retired, err := trillianlog.Rotate(ctx, trillianlog.Config{Dir: s.at("store"), HeadDir: s.at("head"), Origin: origin, Signer: old, VKey: old.VKey(), Now: time.Now},
		next, next.VKey(), entry.Sum([]byte("record")))
	s.must(err)

	a, stop = s.start("ledger.yaml", ledgerYAML)
	if a != nil {
		t.Error("the ledger runs with its retired key")
	} else if err := stop(); say.Code(err) != trillianlog.CodeHead {
		t.Errorf("the retired key: %v", err)
	}
	rotated := strings.Replace(ledgerYAML, "log.key", "next.key", 1)
	if a, stop = s.start("ledger.yaml", rotated); a != nil {
		t.Error("the ledger runs with a key that its policy doesn't name")
	} else if err := stop(); say.Code(err) != "serve.policy-key" {
		t.Errorf("an old policy: %v", err)
	}
	s.write("witness.policy", "log "+s.vkey+"\n"+proof.UntilLine(s.vkey, retired[0].Until)+"\nlog "+next.VKey()+"\nquorum none\n", 0o644)
	if a, stop = s.start("ledger.yaml", rotated); a == nil {
		t.Fatal(stop())
	}
	_, err = s.client(zone.LGWAN, entry.ByCA, a["append"]).Append(ctx, event(1))
	s.must(err)
	s.must(stop())
}
