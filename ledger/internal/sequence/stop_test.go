package sequence_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

var ctx = context.Background()

func open(t *testing.T) *trillianlog.Engine {
	t.Helper()
	s, vkey := logtest.Key(t, logtest.Origin)
	e, err := trillianlog.Open(ctx, trillianlog.Config{Dir: "/store", HeadDir: "/head", Origin: logtest.Origin, Signer: s, VKey: vkey,
		FS: kv.NewMemFS(), CacheBytes: 1 << 20, Now: logtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestMovedHeadStopsTheLog lets another process sign for the same log.
func TestMovedHeadStopsTheLog(t *testing.T) {
	e := open(t)
	if _, err := e.Append(ctx, logtest.Event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	if err := sequence.MoveHead(e.Log); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if rs, err := e.Append(ctx, logtest.Event(t, entry.ByCA, 1)); !errors.Is(err, ledger.ErrBroken) || rs != nil {
			t.Fatalf("append under a moved head: %v", err)
		}
	}
	if _, err := e.Publish(ctx); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("publish: %v", err)
	}
	if n, _ := e.Size(ctx); n != 2 {
		t.Errorf("%d entries are signed for", n)
	}
}

// TestSelfCheckStopsAWrongTree makes the log's own tree and the store's differ:
// the next batch must not be signed.
func TestSelfCheckStopsAWrongTree(t *testing.T) {
	e := open(t)
	if _, err := e.Append(ctx, logtest.Event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	sequence.BendEdge(e.Log)
	before, _ := e.Committed(ctx)
	_, err := e.Append(ctx, logtest.Event(t, entry.ByCA, 1))
	if !errors.Is(err, ledger.ErrBroken) || !strings.Contains(err.Error(), "self-check") {
		t.Errorf("%v", err)
	}
	if after, _ := e.Committed(ctx); string(after) != string(before) {
		t.Error("a wrong tree was signed")
	}
}
