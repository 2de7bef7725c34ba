package world_test

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/internal/clock"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

func open(t *testing.T, mode string) (*world.World, *clock.Story) {
	t.Helper()
	c := clock.New(72*time.Hour, time.Now)
	dirs := world.In(t.TempDir())
	for _, d := range []string{dirs.Juki, dirs.CA, dirs.Ledger, dirs.Head, dirs.Witness, dirs.Out} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w, err := world.Open(context.Background(), world.Config{Dirs: dirs, Now: c.Now, NoticeMode: mode, IssuerAlg: keystore.P256})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, c
}

// moveIn puts n invented residents on the register.
func moveIn(t *testing.T, w *world.World, seed uint64, n int) []people.Resident {
	t.Helper()
	rs, err := people.Generate(seed, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Import(rs); err != nil {
		t.Fatal(err)
	}
	return rs
}

// One resident through every role, in both notice modes.
func TestThread(t *testing.T) {
	modes := []string{entry.ModeReference, entry.ModeEcho}
	if testing.Short() {
		modes = modes[:1]
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			ctx := context.Background()
			w, clk := open(t, mode)
			rs := moveIn(t, w, 1, 50)
			var change *people.Change
			for _, c := range people.Changes(1, rs, 0.5) {
				if c.Kind == people.MoveWithin && c.Before == rs[c.Resident] {
					change = &c
					break
				}
			}
			c, err := world.NewCard(card.P256)
			if err != nil {
				t.Fatal(err)
			}
			d, err := w.Apply(ctx, change.Before, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.SendHolders(ctx); err != nil {
				t.Fatal(err)
			}
			state := func() status.State {
				if _, err := w.Publish(ctx); err != nil {
					t.Fatal(err)
				}
				s, err := w.Ledger.Engine.Status(ctx, d.Ordinal)
				if err != nil {
					t.Fatal(err)
				}
				res, err := w.Ledger.Policy.VerifyStatus(s, d.Certificate)
				if err != nil {
					t.Fatal(err)
				}
				return res.State
			}
			if s := state(); s != status.Valid {
				t.Fatalf("after the issue the status is %v", s)
			}
			if answer, s := ledgerProof(t, w, d.Certificate); answer != ocsp.Good || s != status.Valid {
				t.Errorf("by OCSP with proof: %d, %v", answer, s)
			}
			clk.Jump(24 * time.Hour)
			if done, err := w.Happen(ctx, *change); err != nil || !done {
				t.Fatalf("%v %v", done, err)
			}
			sent, err := w.SendNotices(ctx)
			if err != nil || sent.Delivered != 1 {
				t.Fatalf("%+v %v", sent, err)
			}
			if s := state(); s != status.Revoked {
				t.Fatalf("after the move the status is %v", s)
			}
			if answer, s := ledgerProof(t, w, d.Certificate); answer != ocsp.Revoked || s != status.Revoked {
				t.Errorf("by OCSP with proof after the move: %d, %v", answer, s)
			}
			if _, err := w.CA.Authority.PublishCRLs(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}
