package proof

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

var update = flag.Bool("update", false, "write the examples into docs/formats.md")

const formatsPage = "../../docs/formats.md"

// examples are the files that docs/formats.md shows.
func examples(t *testing.T) map[string]string {
	w := newStatusWorld()
	w.witKeys, w.witNames, w.witVKeys = w.witKeys[:2], w.witNames[:2], w.witVKeys[:2]
	w.log(t, entry.ByLog, &entry.Genesis{Key: w.logVKey, Origin: w.origin, Rules: "sukashi-1"})
	o := w.issue(t)
	w.issue(t)
	w.revoke(t, 1)
	w.logRoot(t)
	n := len(w.entries)
	return map[string]string{
		"entry":      string(w.entries[w.at[o]]) + "\n",
		"checkpoint": string(w.sign(w.text(t, n), 0, 1)),
		"policy":     strings.Replace(w.policyText("all"), "# test policy", "# whom we believe: the log, and both witnesses", 1),
		"proof":      string(w.receipt(t, w.at[o], n, 0, 1).Marshal()),
		"status":     string(w.statusReceipt(t, o, 0, 1).Marshal()),
	}
}

// block finds the fenced block after an example's mark.
func block(t *testing.T, page, name string) (from, to int) {
	t.Helper()
	mark := "<!-- example: " + name + " -->\n```\n"
	from = strings.Index(page, mark)
	if from < 0 {
		t.Fatalf("the page has no example %q", name)
	}
	from += len(mark)
	return from, from + strings.Index(page[from:], "```")
}

// TestFormatsPage: the page's examples are what this version writes, and they
// verify when read from the page.
func TestFormatsPage(t *testing.T) {
	b, err := os.ReadFile(formatsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	shown := map[string]string{}
	for name, want := range examples(t) {
		from, to := block(t, page, name)
		if *update {
			page = page[:from] + want + page[to:]
			from, to = block(t, page, name)
		}
		if shown[name] = page[from:to]; shown[name] != want {
			t.Errorf("example %q differs; run the test with -update", name)
		}
	}
	if *update {
		if err := os.WriteFile(formatsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ParsePolicy([]byte(shown["policy"]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyCheckpoint([]byte(shown["checkpoint"])); err != nil {
		t.Error(err)
	}
	r, err := ParseReceipt([]byte(shown["proof"]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyReceipt(r, []byte(strings.TrimSuffix(shown["entry"], "\n"))); err != nil {
		t.Error(err)
	}
	s, err := ParseStatusReceipt([]byte(shown["status"]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyStatus(s, cert(0)); err != nil {
		t.Error(err)
	}
}
