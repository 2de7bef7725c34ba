package revocation

import (
	"bytes"
	"crypto/x509"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// published is a complete list that the log announced.
type published struct {
	list *List
	der  []byte
}

// publish announces a complete list of a partition, as the CA does.
func (h *history) publish(t draw, partition string) {
	t.Helper()
	l, err := h.lists(t).Build(partition, h.now)
	if err != nil {
		t.Fatalf("%v", err)
	}
	h.based = &published{l, signed(t, l)}
	h.apply(t, l.Body())
}

// extensionOf returns an extension's value, nil if the list has none.
func extensionOf(crl *x509.RevocationList, id string) []byte {
	for _, e := range crl.Extensions {
		if e.Id.String() == id {
			return e.Value
		}
	}
	return nil
}

// checkDelta makes a delta on the list of the middle: together they say what the
// complete list says that is made at the same moment, with its number and scope
// (RFC 5280 5.2.3, 5.2.4), and the delta repeats nothing. What is in it is what the
// log revoked after the base, by the test's own count.
func (h *history) checkDelta(t draw) {
	t.Helper()
	p, b := h.based.list.Partition, Base{h.based.list.Number, h.based.list.Covers}
	d, err := h.lists(t).BuildDelta(p, h.now, b)
	if err != nil {
		t.Fatalf("%v", err)
	}
	h.delta = signed(t, d)
	parse := func(der []byte) *x509.RevocationList {
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatalf("%v", err)
		}
		return crl
	}
	base, delta, full := parse(h.based.der), parse(h.delta), parse(h.list(t, p))
	if err := delta.CheckSignatureFrom(bareIssuer().root); err != nil {
		t.Fatalf("%v", err)
	}
	union := entriesOf(base)
	for serial, e := range entriesOf(delta) {
		if _, twice := union[serial]; twice {
			t.Fatalf("the delta of %s repeats its base", p)
		}
		union[serial] = e
	}
	since := 0
	certs := h.compute()
	for i, e := range h.log[b.Covers:] {
		if r, ok := e.Body.(*entry.Revocation); ok && (p == Full || certs[r.Ordinal].place == p) {
			if _, there := entriesOf(delta)[string(certs[r.Ordinal].serial)]; !there {
				t.Fatalf("the delta of %s lacks the revocation of entry %d", p, b.Covers+uint64(i))
			}
			since++
		}
	}
	if n, _ := h.s.Since(bareIssuer().issuer.Key, p, b.Covers); n != since || len(delta.RevokedCertificateEntries) != since || d.Entries != uint64(since) {
		t.Fatalf("the delta of %s has %d entries, says %d, the state %d, the log %d", p, len(delta.RevokedCertificateEntries), d.Entries, n, since)
	}
	if !maps.Equal(union, entriesOf(full)) {
		t.Fatalf("base and delta of %s say %v, the complete list %v", p, union, entriesOf(full))
	}
	if base.Number.Cmp(delta.Number) >= 0 || delta.Number.Cmp(full.Number) != 0 || *d.Body().Base != base.Number.Uint64() ||
		!bytes.Equal(extensionOf(base, "2.5.29.28"), extensionOf(delta, "2.5.29.28")) {
		t.Fatalf("the delta of %s has another scope or number", p)
	}
	if extensionOf(base, "2.5.29.46") == nil || extensionOf(delta, "2.5.29.46") != nil || extensionOf(delta, "2.5.29.27") == nil {
		t.Fatalf("pointers between base and delta of %s", p)
	}
}

// printedBy is what openssl prints of a list's entries.
func printedBy(t *testing.T, der []byte) []string {
	t.Helper()
	cmd := exec.Command("openssl", "crl", "-inform", "DER", "-noout", "-text")
	cmd.Stdin = bytes.NewReader(der)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "Delta CRL Indicator: critical") != strings.Contains(string(out), "X509v3 Delta CRL") {
		t.Errorf("openssl prints %s", out)
	}
	return printedEntries(string(out))
}

// opensslDelta compares base and delta, as openssl prints them, with what it
// prints of the complete list.
func (h *history) opensslDelta(t *testing.T, complete []string) {
	t.Helper()
	both := append(printedBy(t, h.based.der), printedBy(t, h.delta)...)
	slices.Sort(both)
	if want := slices.Sorted(slices.Values(complete)); !slices.Equal(both, want) {
		t.Errorf("openssl prints of base and delta\n%q, of the complete list\n%q", both, want)
	}
}
