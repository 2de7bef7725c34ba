package trillianlog

import (
	"bytes"
	"context"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

const origin = logtest.Origin

var (
	at      = logtest.At
	keyPair = logtest.Key
	marshal = logtest.Marshal
	event   = logtest.Event
	intent  = logtest.Intent
	issued  = logtest.Issued
)

func config(t testing.TB, fs kv.FS) Config {
	t.Helper()
	s, vkey := keyPair(t, origin)
	c := Config{Dir: "/store", HeadDir: "/head", Origin: origin, Signer: s, VKey: vkey, FS: fs, CacheBytes: 1 << 20,
		Now: logtest.Now}
	if fs == nil {
		c.Dir, c.HeadDir = t.TempDir(), t.TempDir()
	}
	return c
}

func mustOpen(t testing.TB, c Config) *Engine {
	t.Helper()
	e, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func appendAll(t testing.TB, e *Engine, entries ...[]byte) []*proof.Receipt {
	t.Helper()
	rs, err := e.Append(context.Background(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	check(t, e, rs, entries)
	return rs
}

// check verifies receipts as an outsider would, and that the log gives the
// entries back.
func check(t testing.TB, e *Engine, rs []*proof.Receipt, entries [][]byte) {
	t.Helper()
	for i, r := range rs {
		if _, err := e.Policy().VerifyReceipt(r, entries[i]); err != nil {
			t.Fatalf("receipt %d: %v", i, err)
		}
		if b, err := e.Entry(context.Background(), r.Index); err != nil || !bytes.Equal(b, entries[i]) {
			t.Fatalf("entry %d can't be read back: %v", r.Index, err)
		}
	}
}
