package logtest

import (
	"context"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// Engine is what every engine of the ledger offers.
type Engine interface {
	ledger.Log
	publish.Source
	// Publish publishes what is committed and returns the checkpoint.
	Publish(ctx context.Context) ([]byte, error)
	// Committed returns the newest commit checkpoint.
	Committed(ctx context.Context) ([]byte, error)
	// Consistency proves that one committed size follows from another.
	Consistency(ctx context.Context, old, new uint64) ([]tlog.Hash, error)
	// RootAt returns the root of the first n entries.
	RootAt(ctx context.Context, n uint64) (tlog.Hash, error)
	// Policy believes the log's own signature.
	Policy() *proof.Policy
	Close() error
}

// Settings of one start of a log. The key is NextKey(t, Origin, len(Retired))
// and the clock Now.
type Settings struct {
	Origin   string // the log's name
	Head     string // names one of the place's heads
	Adopt    bool   // adopt the store as head
	MaxBatch int    // 0: the engine's
	Retired  []proof.LogKey
}

// Key is the key that the settings mean.
func (s Settings) Key(t testing.TB) (note.Signer, string) {
	t.Helper()
	return NextKey(t, s.Origin, len(s.Retired))
}

// Place is where one log is kept. Open starts it; Open again, after Close,
// starts the same log.
type Place interface {
	Open(t testing.TB, s Settings) (Engine, error)
	// Rotate goes over from the settings' key to the next one and returns the
	// retired keys.
	Rotate(t testing.TB, s Settings) ([]proof.LogKey, error)
	// TakeHeads makes the place use another place's heads.
	TakeHeads(from Place)
}

// Maker makes a new, empty place.
type Maker func(t testing.TB) Place

// Run tests that an engine does what package ledger promises.
func Run(t *testing.T, make Maker) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Maker)
	}{
		{"genesis", testGenesis},
		{"receipts", testReceipts},
		{"refusals", testRefusals},
		{"again", testAgain},
		{"publish", testPublish},
		{"reopen", testReopen},
		{"concurrent", testConcurrent},
		{"cancelled", testCancelled},
		{"head", testHead},
		{"behind", testBehind},
		{"forked", testForked},
		{"rotation", testRotation},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make) })
	}
}

var ctx = context.Background()

// open starts a log with the usual settings.
func open(t testing.TB, p Place) Engine {
	t.Helper()
	return with(t, p, Settings{Origin: Origin, Head: "head"})
}

func with(t testing.TB, p Place, s Settings) Engine {
	t.Helper()
	e, err := p.Open(t, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// appended appends and checks the receipts.
func appended(t testing.TB, e Engine, entries ...[]byte) []*proof.Receipt {
	t.Helper()
	rs, err := e.Append(ctx, entries...)
	if err != nil {
		t.Fatal(err)
	}
	Check(t, e, rs, entries)
	return rs
}

// Check verifies receipts as an outsider would, and that the log gives the
// entries back.
func Check(t testing.TB, e Engine, rs []*proof.Receipt, entries [][]byte) {
	t.Helper()
	if len(rs) != len(entries) {
		t.Fatalf("%d receipts for %d entries", len(rs), len(entries))
	}
	for i, r := range rs {
		if _, err := e.Policy().VerifyReceipt(r, entries[i]); err != nil {
			t.Fatalf("receipt %d: %v", i, err)
		}
		if b, err := e.Entry(ctx, r.Index); err != nil || string(b) != string(entries[i]) {
			t.Fatalf("entry %d can't be read back: %v", r.Index, err)
		}
	}
}
