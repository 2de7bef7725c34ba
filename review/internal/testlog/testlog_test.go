package testlog

import (
	"context"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// TestReceipts: the log's checkpoints and receipts verify under its own policy.
func TestReceipts(t *testing.T) {
	l := Story(t, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	cp, err := l.Policy().VerifyCheckpoint(l.Checkpoint(true))
	if err != nil || cp.Size != l.Size() {
		t.Fatalf("checkpoint: %v", err)
	}
	if _, err := l.Policy().VerifyCheckpoint(l.Checkpoint(false)); err == nil {
		t.Error("a checkpoint without the witness verifies")
	}
	n := 0
	if err := l.Entries(context.Background(), 0, l.Size(), func(uint64, []byte) error { n++; return nil }); err != nil || uint64(n) != l.Size() {
		t.Errorf("%d entries, %v", n, err)
	}
	s, err := proof.ParseStatusReceipt(l.Receipt(1, 6, l.Checkpoint(true)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Policy().VerifyStatus(s, nil)
	if err != nil || r.State != status.Revoked {
		t.Errorf("%+v, %v", r, err)
	}
}
