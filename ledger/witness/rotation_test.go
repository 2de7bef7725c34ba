package witness

import (
	"context"
	"errors"
	"testing"
)

// A witness goes over to a log's next key with the first checkpoint under it,
// and from then on the old key, stolen or not, moves it nowhere; not after a
// restart either.
func TestKeySuccession(t *testing.T) {
	old := newLog(t, "a").grow(t, 9, "entry")
	next := newLog(t, "next")
	next.hashes, next.n = old.hashes, old.n // one log, another key
	thief := newLog(t, "a")
	thief.hashes, thief.n = old.hashes, old.n
	thief.grow(t, 5, "forged")
	next.grow(t, 5, "entry")
	ctx, dir := context.Background(), t.TempDir()
	s := open(t, dir, "w.example", old.vkey, next.vkey)
	add := func(from, to int64, l *testLog) error {
		_, err := s.AddCheckpoint(ctx, uint64(from), l.prove(t, from, to), l.checkpoint(t, to))
		return err
	}
	if err := add(0, 7, old); err != nil {
		t.Fatal(err)
	}
	if err := add(7, 9, old); err != nil {
		t.Fatalf("the old key until the handover: %v", err)
	}
	if err := add(9, 9, next); err != nil {
		t.Fatalf("the new key at the handover's size: %v", err)
	}
	for _, size := range []int64{9, 12} {
		if err := add(9, size, thief); !errors.Is(err, ErrSignature) {
			t.Errorf("the retired key at size %d: %v", size, err)
		}
	}
	s.Close()
	s = open(t, dir, "w.example", old.vkey, next.vkey)
	if err := add(9, 12, thief); !errors.Is(err, ErrSignature) {
		t.Errorf("the retired key after a restart: %v", err)
	}
	if err := add(9, 12, next); err != nil {
		t.Errorf("the new key after a restart: %v", err)
	}
	s.Close()
	s = open(t, dir, "w.example", next.vkey) // the old key may be dropped now
	if err := add(12, 14, next); err != nil {
		t.Errorf("without the old key: %v", err)
	}
	s.Close()
	// A witness that forgot the key it signed under must not start.
	if _, err := Open(Config{Dir: dir, Name: "w.example", Key: seed("w.example"), Logs: []string{old.vkey}, Now: s.now}); err == nil {
		t.Error("started with the retired key alone")
	}
}
