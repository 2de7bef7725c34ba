package logtest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

func testPublish(t *testing.T, make Maker) {
	e := open(t, make(t))
	appended(t, e, Marshal(t, entry.ByCA, 0, Intent(0)), Marshal(t, entry.ByCA, 1, Issued(0)), Marshal(t, entry.ByCA, 2, Intent(1)))
	note, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := e.Policy().VerifyCheckpoint(note)
	if err != nil || cp.Size != 5 || e.PublishedSize() != 5 {
		t.Fatalf("published %+v %v", cp, err)
	}
	if b, err := e.Entry(ctx, 4); err != nil || !bytes.Contains(b, []byte(`"kind":"status.root"`)) {
		t.Errorf("the last published entry is %s, %v", b, err)
	}
	if again, err := e.Publish(ctx); err != nil || !bytes.Equal(again, note) {
		t.Errorf("publishing without news made a new checkpoint: %v", err)
	}
	appended(t, e, Marshal(t, entry.ByCA, 3, Revocation(0)))
	wantStatus(t, e, 0, status.Valid) // not published yet
	if _, err := e.Proof(ctx, 5); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("proof of an unpublished entry: %v", err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, e, 0, status.Revoked)
	if _, err := e.Status(ctx, 1); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("status of a certificate that was not issued: %v", err)
	}
	for i := range e.PublishedSize() {
		r, err := e.Proof(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := e.Entry(ctx, i)
		if _, err := e.Policy().VerifyReceipt(r, b); err != nil {
			t.Errorf("proof of %d: %v", i, err)
		}
	}
}

func wantStatus(t *testing.T, e Engine, ordinal uint64, want status.State) {
	t.Helper()
	s, err := e.Status(ctx, ordinal)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = proof.ParseStatusReceipt(s.Marshal()); err != nil {
		t.Fatal(err)
	}
	r, err := e.Policy().VerifyStatus(s, nil)
	if err != nil || r.State != want || r.Ordinal != ordinal {
		t.Errorf("status of %d is %+v, %v; want %s", ordinal, r, err, want)
	}
}

func testReopen(t *testing.T, make Maker) {
	p := make(t)
	e := open(t, p)
	var batch [][]byte
	for i := range uint64(300) {
		batch = append(batch, Marshal(t, entry.ByCA, 2*i, Intent(i)), Marshal(t, entry.ByCA, 2*i+1, Issued(i)))
		if i%7 == 0 {
			appended(t, e, batch...)
			batch = nil
		}
	}
	appended(t, e, batch...)
	note, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	appended(t, e, Marshal(t, entry.ByCA, 600, Revocation(7)))
	commit, _ := e.Committed(ctx)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Append(ctx, Event(t, entry.ByCA, 601)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}

	e = open(t, p)
	if got, _ := e.Checkpoint(ctx); !bytes.Equal(got, note) {
		t.Error("published checkpoint changed")
	}
	if got, _ := e.Committed(ctx); !bytes.Equal(got, commit) {
		t.Error("commit checkpoint changed")
	}
	wantStatus(t, e, 7, status.Valid)
	if n, _ := e.NextSeq(ctx, entry.ByCA); n != 601 {
		t.Errorf("next is %d", n)
	}
	appended(t, e, Event(t, entry.ByCA, 601))
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, e, 7, status.Revoked)
	hashes, err := e.Consistency(ctx, 602, e.PublishedSize())
	if err != nil {
		t.Fatal(err)
	}
	old, _ := e.Policy().VerifyCheckpoint(note)
	newNote, _ := e.Checkpoint(ctx)
	newer, _ := e.Policy().VerifyCheckpoint(newNote)
	if err := proof.CheckConsistency(old, newer, hashes); err != nil {
		t.Errorf("consistency: %v", err)
	}
}

// testHead: a log whose head is gone is refused until an operator says so, and
// a head whose log is gone always.
func testHead(t *testing.T, make Maker) {
	p := make(t)
	e := open(t, p)
	appended(t, e, Event(t, entry.ByCA, 0))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	headless := Settings{Origin: Origin, Head: "another"}
	if _, err := p.Open(t, headless); say.Code(err) != "ledger.head" {
		t.Errorf("head gone: %v", err)
	}
	headless.Adopt = true
	adopted := with(t, p, headless)
	if n, _ := adopted.NextSeq(ctx, entry.ByCA); n != 1 {
		t.Errorf("adopted log continues at %d", n)
	}
	adopted.Close()
	empty := make(t)
	empty.TakeHeads(p)
	if _, err := empty.Open(t, Settings{Origin: Origin, Head: "head"}); say.Code(err) != "ledger.lost" {
		t.Errorf("log gone: %v", err)
	}
}

// testBehind opens a log with the head of one that is two batches longer: one
// may come back from the head itself, where an engine keeps it there.
func testBehind(t *testing.T, make Maker) {
	short, long := make(t), make(t)
	for i, p := range []Place{short, long} {
		e := open(t, p)
		appended(t, e, Event(t, entry.ByCA, 0))
		if i == 1 {
			appended(t, e, Event(t, entry.ByCA, 1))
			appended(t, e, Event(t, entry.ByCA, 2))
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	short.TakeHeads(long)
	_, err := short.Open(t, Settings{Origin: Origin, Head: "head"})
	if say.Code(err) != "ledger.behind" {
		t.Errorf("%v", err)
	}
	if _, hint := say.For(err, say.Japanese); hint == "" {
		t.Error("no word about what to do")
	}
}

// testForked opens a log with the head of one whose history differs.
func testForked(t *testing.T, make Maker) {
	one, other := make(t), make(t)
	for p, by := range map[Place]string{one: entry.ByCA, other: entry.ByOperator} {
		e := open(t, p)
		appended(t, e, Event(t, by, 0))
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	one.TakeHeads(other)
	if _, err := one.Open(t, Settings{Origin: Origin, Head: "head"}); say.Code(err) != "ledger.forked" {
		t.Errorf("%v", err)
	}
}
