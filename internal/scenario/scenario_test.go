package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// scenario is one of DOMAIN 11.4, by its number there.
type scenario struct {
	n    int
	name string
	run  func(*town)
}

// table is all 25, by the world that they are played in. Worlds with a story
// of many years end with it: what comes after would be out of date.
var table = map[string][]scenario{
	"a town": {
		{1, "normal issuance", normalIssuance},
		{2, "characters outside the repertoire", substitutes},
		{3, "move inside a town", moveInside},
		{4, "move out and in on different days", moveOutAndIn},
		{5, "marriage with move on one day", marriageWithMove},
		{6, "death", death},
		{7, "change on the day of issue, before the list", changeBeforeList},
		{8, "two residents with equal four attributes", twins},
		{12, "municipal merger", merger},
		{13, "replayed notice", replayed},
		{17, "clerical correction, then reverted", reverted},
		{22, "birth date unknown", birthDateUnknown},
		{23, "holder born on 29 February", leapDay},
		{24, "three issuer generations of one name", generations},
		{25, "alarm during a test window", alarm},
		{20, "log fork shown to two auditors", fork},
		// Within a week the CA need not disclose why a notice revoked nothing.
		{15, "notice for a certificate revoked on request", revokedBefore},
		{16, "request for revocation while a change is pending", requestWhilePending},
		{18, "issuer's key compromised", issuerKey},
	},
	"a town that echoes": {
		{9, "notice with a hidden resident code", hiddenCode},
		{10, "notice with the new address", newAddress},
		{11, "name-only change", nameOnly},
	},
	"years": {
		{19, "revocation list past its next update", staleList},
		{14, "notice for an expired certificate", expired},
		{21, "retention ends, the link is erased", retentionEnds},
	},
}

// TestAllNumbersArePresent: 1 to 25, each once.
func TestAllNumbersArePresent(t *testing.T) {
	var got []int
	for _, list := range table {
		for _, s := range list {
			got = append(got, s.n)
		}
	}
	slices.Sort(got)
	for n := range 25 {
		if n >= len(got) || got[n] != n+1 {
			t.Fatalf("scenario numbers are %v", got)
		}
	}
	equal(t, "scenarios", len(got), 25)
}

// play runs a world's scenarios in order, each as a subtest by its number.
func play(t *testing.T, name string, v *town) {
	for _, s := range table[name] {
		t.Run(fmt.Sprintf("%02d %s", s.n, s.name), func(t *testing.T) { s.run(v.on(t)) })
	}
}

// TestScenariosReference plays most scenarios in one town whose notices are
// references. At the end the council finds no promise broken.
func TestScenariosReference(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a world with 19 scenarios takes some 20 s")
	}
	v := open(t, entry.ModeReference, -45*day)
	play(t, "a town", v)
	v.sound(v.audit(nil))
}

// TestScenariosEcho plays those that are about attributes in a notice.
func TestScenariosEcho(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a world with its own ledger takes some seconds")
	}
	v := open(t, entry.ModeEcho, -20*day)
	play(t, "a town that echoes", v)
	v.sound(v.audit(nil))
}

// TestScenariosYears plays those that need years to go by.
func TestScenariosYears(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a world with its own ledger takes some seconds")
	}
	v := open(t, entry.ModeReference, 0)
	for _, name := range []string{"stale", "expired", "erased"} {
		v.early[name] = v.issue(v.pick(plain))
	}
	v.tomorrow()
	play(t, "years", v)
}

// codesOf are the rule codes of the refusals since a mark.
func (v *town) codesOf(mark uint64) string {
	var out []string
	for _, e := range v.since(mark, entry.KindNoticeRefused) {
		out = append(out, strings.Join(e.Body.(*entry.NoticeRefused).Decision.Codes, "+"))
	}
	return strings.Join(out, " ")
}
