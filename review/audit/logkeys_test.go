package audit

import (
	"bytes"
	"context"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// rotatedStory is the honest story with a rotation of the log's key before its
// end, and the keys as a trust policy lists them.
func rotatedStory(t *testing.T, spoil func(w *world, created *entry.KeyCreated, retired *entry.KeyRetired)) (*world, []proof.LogKey) {
	w := newWorld(t)
	story(w)
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{9}, 64)), "log.example/audit")
	must(t, err)
	next, err := note.NewSigner(skey)
	must(t, err)
	created := &entry.KeyCreated{Alg: "ed25519", Record: entry.Sum([]byte("record")), Role: roleLog, SPKI: logKeyID(vkey)}
	retired := &entry.KeyRetired{Role: roleLog, SPKI: logKeyID(w.vkey)}
	if spoil != nil {
		spoil(w, created, retired)
	} else {
		w.add(entry.ByLog, created)
		w.add(entry.ByLog, retired)
	}
	w.publish() // the old key's last signature
	until := uint64(len(w.entries))
	w.logKey = next
	w.request(4, entry.GroundRequest)
	w.publish()
	return w, []proof.LogKey{{VKey: w.vkey, Until: until}, {VKey: vkey}}
}

func auditWith(t *testing.T, w *world, keys ...proof.LogKey) *Result {
	t.Helper()
	s := w.source()
	var err error
	s.Policy, err = proof.LogKeys(keys...)
	must(t, err)
	r, err := Audit(context.Background(), s, Options{Now: w.now})
	must(t, err)
	return r
}

func failed(r *Result, code string) bool {
	for _, f := range r.Findings() {
		if f.Check == code {
			return true
		}
	}
	return false
}

// A log whose key was rotated is audited as one log: checkpoints kept from
// before, under the old key, are part of it.
func TestRotatedLog(t *testing.T) {
	w, keys := rotatedStory(t, nil)
	r := auditWith(t, w, keys...)
	for _, code := range []string{"LOG-1", "LOG-2", "LOG-3", "LOG-4", "LOG-5"} {
		if failed(r, code) {
			t.Errorf("%s fails: %+v", code, r.Findings())
		}
	}
	for _, f := range r.Findings() {
		if f.Check[:3] == "LOG" || f.Check[:3] == "KEY" {
			t.Errorf("%s: %s", f.Check, f.Text.EN)
		}
	}
	// The policy says another size, or the log rotated to another key.
	for name, change := range map[string]func([]proof.LogKey){
		"one entry early": func(k []proof.LogKey) { k[0].Until-- },
		"another key":     func(k []proof.LogKey) { k[0].VKey, k[1].VKey = k[1].VKey, k[0].VKey },
	} {
		bad := append([]proof.LogKey(nil), keys...)
		change(bad)
		s := w.source()
		var err error
		s.Policy, err = proof.LogKeys(bad...)
		must(t, err)
		if r, err := Audit(context.Background(), s, Options{Now: w.now}); err == nil && len(r.Findings()) == 0 {
			t.Errorf("%s: nothing found", name)
		}
	}
}

// Rotations that are not the log's, or not as prescribed, are found.
func TestRotationsThatAreNone(t *testing.T) {
	for name, spoil := range map[string]func(w *world, c *entry.KeyCreated, r *entry.KeyRetired){
		"by the operator": func(w *world, c *entry.KeyCreated, r *entry.KeyRetired) {
			w.add(entry.ByOperator, c)
			w.add(entry.ByOperator, r)
		},
		"nothing in the log": func(w *world, _ *entry.KeyCreated, _ *entry.KeyRetired) {},
		"entries between": func(w *world, c *entry.KeyCreated, r *entry.KeyRetired) {
			w.add(entry.ByLog, c)
			w.add(entry.ByLog, w.statusRoot())
			w.add(entry.ByLog, r)
		},
		"another key retired": func(w *world, c *entry.KeyCreated, r *entry.KeyRetired) {
			w.add(entry.ByLog, c)
			w.add(entry.ByLog, &entry.KeyRetired{Role: roleLog, SPKI: c.SPKI})
		},
	} {
		w, keys := rotatedStory(t, spoil)
		if r := auditWith(t, w, keys...); r.Class() != ClassD {
			t.Errorf("%s: class %s, %+v", name, r.Class(), r.Findings())
		}
	}
}
