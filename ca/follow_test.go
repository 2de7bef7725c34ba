package ca

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// A start takes the revocation state from a kept snapshot and reads the rest of
// the log; a snapshot that registry or log do not bear out is passed over. Either
// way the state is the log's.
func TestKeptRevocationState(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.stateDir = filepath.Join(w.dir, "state")
	var said bytes.Buffer
	w.logger = slog.New(slog.NewTextHandler(&said, nil))
	w.restart()
	var certs []*Certificate
	for i := range 6 {
		certs = append(certs, w.issue("住民　"+string('あ'+rune(i))))
	}
	revoke := func(c *Certificate) {
		t.Helper()
		_, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: c.Ordinal, Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
		must(t, err)
	}
	revoke(certs[1])
	_, err := w.engine.Publish(ctx)
	must(t, err)
	must(t, w.ca.Follow(ctx))
	w.ca.followMu.Lock()
	must(t, w.ca.writeState())
	kept := w.ca.stateAt
	w.ca.followMu.Unlock()
	revoke(certs[2])
	_, err = w.ca.PublishCRLs(ctx)
	must(t, err)

	start := func(used bool) {
		t.Helper()
		must(t, w.ca.Close())
		must(t, w.reg.Close())
		w.reg = nil
		said.Reset()
		w.open()
		must(t, w.ca.Follow(ctx))
		if got := w.ca.stateAt == kept; got != used {
			t.Fatalf("snapshot used: %v, want %v: %s", got, used, said.String())
		}
		if used == strings.Contains(said.String(), "does not hold") {
			t.Errorf("the process's log says: %s", said.String())
		}
		fresh := revocation.NewState()
		for i, e := range w.entries() {
			must(t, fresh.Apply(uint64(i), e))
		}
		for i, c := range certs {
			got, want := w.ca.State().Lookup(w.key.KeyID(), unhex(t, c.Serial)), fresh.Lookup(w.key.KeyID(), unhex(t, c.Serial))
			if got != want || (got.Status == revocation.Revoked) != (i == 1 || i == 2) {
				t.Errorf("certificate %d: %v, want %v", i, got, want)
			}
		}
	}
	start(true)
	path := w.ca.statePath(kept)
	good, err := os.ReadFile(path)
	must(t, err)
	for i := 0; i < len(good); i += 1 + len(good)/40 {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		must(t, os.WriteFile(path, bad, 0o600))
		start(false)
	}
	// Even with the registry's word for it, a state that the log does not commit
	// to is not taken: here certificate 1 is in force again.
	bad := bytes.Clone(good)
	at := bytes.Index(bad, unhex(t, certs[1].Serial)) - 1
	bad[at+36] = 1 // phase valid
	must(t, os.WriteFile(path, bad, 0o600))
	must(t, w.reg.NoteState(kept, entry.Sum(bad)))
	start(false)
	must(t, w.reg.NoteState(kept, entry.Sum(good)))
	must(t, os.WriteFile(path, good, 0o600))
	start(true)
	must(t, os.Remove(path))
	start(false)
	w.check()
}
