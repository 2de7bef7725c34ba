package revocation

import (
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// zlint's rules of RFC 5280 have no complaint about any of our lists.
func TestZlintLists(t *testing.T) {
	reg, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{lint.RFC5280}})
	if err != nil {
		t.Fatal(err)
	}
	w := clients(t, keystore.P256)
	w.revoke(0, entry.GroundNotDelivered)
	deltas := w.lists(true)
	first, err := deltas.Build(Full, w.now)
	w.check(err)
	list := map[string][]byte{"full with delta address": w.publish("a", first), "partition": w.publish("b", w.build("202011"))}
	w.revoke(2, entry.GroundRenewed)
	delta, err := deltas.BuildDelta(Full, w.now, Base{first.Number, first.Covers})
	w.check(err)
	list["delta"] = w.publish("c", delta)
	list["empty"] = w.publish("d", w.build("203611"))
	passed := 0
	for name, der := range list {
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for id, r := range zlint.LintRevocationListEx(crl, reg).Results {
			if r.Status >= lint.Notice {
				t.Errorf("%s: %s: %s %s", name, id, r.Status, r.Details)
			}
			if r.Status == lint.Pass {
				passed++
			}
		}
	}
	if passed == 0 {
		t.Error("zlint checked nothing")
	}
}
