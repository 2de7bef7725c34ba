package world_test

import (
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/pki/path"
)

// An agency that validates paths (RFC 5280 6.3) with a complete list from before a
// revocation learns of it from the CA's delta, and of nobody else's: by the
// certificate's own list and by that of all municipalities.
func TestDeltasReachPathValidation(t *testing.T) {
	ctx := t.Context()
	w, clk := open(t, entry.ModeReference)
	rs := moveIn(t, w, 1, 10)
	var certs []*path.Certificate
	var ordinals []uint64
	for _, r := range rs[:2] {
		c, err := world.NewCard(card.P256)
		if err != nil {
			t.Fatal(err)
		}
		d, err := w.Apply(ctx, r, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := path.ParseCertificate(d.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		certs, ordinals = append(certs, cert), append(ordinals, d.Ordinal)
	}
	if _, err := w.CA.Authority.PublishCRLs(ctx); err != nil {
		t.Fatal(err)
	}
	clk.Jump(2 * time.Hour)
	if _, err := w.CA.Authority.RevokeOnRequest(ctx, ca.RevocationRequest{Ordinal: ordinals[0], Ground: entry.GroundKeyLeak, Role: ca.RoleCounter, Operators: [2]string{"op-1", "op-2"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.CA.Authority.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	clk.Jump(2 * time.Minute)
	made, err := w.CA.Authority.PublishDeltas(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 {
		t.Fatalf("%d deltas: the revoked certificate's municipality and all of them need one", len(made))
	}
	anchor, err := path.ParseCertificate(w.CA.Issuer.Raw)
	if err != nil {
		t.Fatal(err)
	}
	// ask says what a client finds that holds the complete list of a partition,
	// and its delta or not.
	ask := func(cert *path.Certificate, partition string, delta bool) path.Code {
		o := path.Options{Anchors: []*path.Certificate{anchor}, Pool: path.NewPool(), Time: w.Now()}
		complete, err := w.CA.Authority.CRL(partition)
		if err != nil {
			t.Fatal(err)
		}
		lists := [][]byte{complete.DER}
		if delta {
			d, err := w.CA.Authority.Delta(partition)
			if err != nil {
				t.Fatal(err)
			}
			lists = append(lists, d.DER)
		}
		for _, der := range lists {
			l, err := path.ParseCRL(der)
			if err != nil {
				t.Fatal(err)
			}
			o.Pool.AddCRL(l)
		}
		_, err = path.Verify(cert, o)
		code := path.CodeOf(err)
		if err != nil && code == "" {
			t.Fatal(err)
		}
		return code
	}
	for _, partition := range []string{rs[0].Municipality, "full"} {
		if got := ask(certs[0], partition, false); got != "" {
			t.Errorf("%s: before the delta %q", partition, got)
		}
		if got := ask(certs[0], partition, true); got != path.Revoked {
			t.Errorf("%s: with the delta %q", partition, got)
		}
	}
	if got := ask(certs[1], "full", true); got != "" {
		t.Errorf("somebody else's certificate: %q", got)
	}
}
