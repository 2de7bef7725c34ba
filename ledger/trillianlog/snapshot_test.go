package trillianlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// A start from a snapshot has the state that a replay of the whole log has, and
// a snapshot that the log does not bear out is not used.
func TestStatusSnapshot(t *testing.T) {
	conf := config(t, kv.NewCrashableFS())
	conf.SnapshotEvery = 1000
	var said bytes.Buffer
	conf.Logger = slog.New(slog.NewTextHandler(&said, nil))
	e := mustOpen(t, conf)
	put := func(bodies ...entry.Body) {
		t.Helper()
		seq, err := e.NextSeq(context.Background(), entry.ByCA)
		if err != nil {
			t.Fatal(err)
		}
		var all [][]byte
		for i, b := range bodies {
			all = append(all, marshal(t, entry.ByCA, seq+uint64(i), b))
		}
		appendAll(t, e, all...)
	}
	publish := func() {
		t.Helper()
		if _, err := e.Publish(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for o := uint64(0); o < 1100; o += 100 {
		var bodies []entry.Body
		for i := range uint64(100) {
			bodies = append(bodies, intent(o+i))
		}
		for i := range uint64(98) { // one is aborted, one stays pending
			bodies = append(bodies, issued(o+i))
		}
		put(append(bodies, &entry.CertAborted{Ordinal: o + 98, Reason: entry.AbortSign})...)
	}
	put(&entry.Revocation{Cause: 0, Ground: entry.GroundRequest, Ordinal: 7, Recorded: at, Serial: "0a"})
	publish()
	kept := e.PublishedSize()
	put(intent(1100), issued(1100), issued(99))
	publish()
	put(intent(1101))

	reopen := func(used bool) {
		t.Helper()
		said.Reset()
		e = mustOpen(t, conf)
		if got := strings.Contains(said.String(), "taken from a snapshot"); got != used {
			t.Fatalf("snapshot used: %v, want %v: %s", got, used, said.String())
		}
		if r, err := e.Status(context.Background(), 99); err != nil || r.Index == 0 {
			t.Fatalf("status receipt: %v", err)
		}
		if _, err := e.Append(context.Background(), marshal(t, entry.ByCA, mustNext(t, e), issued(98))); err == nil {
			t.Fatal("an aborted ordinal was issued")
		}
		put(&entry.SecurityEvent{Code: "test.event", Count: 1, From: at, To: at}) // news
		publish()
		checkRoots(t, e)
	}
	// rewrite replaces the snapshot of the closed log and returns the old one.
	rewrite := func(b []byte) (old []byte) {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := kv.Open(conf.Dir, kv.Options{FS: conf.FS})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var key []byte
		from, to := kv.Prefix(nil)
		err = s.Scan(from, to, func(k, v []byte) error {
			if bytes.Contains(k, []byte("status-snapshot")) {
				key, old = bytes.Clone(k), bytes.Clone(v)
			}
			return nil
		})
		if err != nil || key == nil {
			t.Fatalf("no snapshot: %v", err)
		}
		if b != nil {
			w := s.NewBatch()
			w.Set(key, b)
			if err := w.Commit(true); err != nil {
				t.Fatal(err)
			}
		}
		return old
	}
	good := rewrite(nil)
	if binary.BigEndian.Uint64(good) != kept {
		t.Fatalf("the snapshot is of %d entries, not %d", binary.BigEndian.Uint64(good), kept)
	}
	reopen(true)
	other, err := status.Unmarshal(good[8:])
	if err != nil {
		t.Fatal(err)
	}
	other.Apply(entry.Entry{Body: &entry.Revocation{Ordinal: 8}}) // a revocation that never was
	for name, b := range map[string][]byte{
		"other states":  append(binary.BigEndian.AppendUint64(nil, kept), other.Marshal()...),
		"another size":  append(binary.BigEndian.AppendUint64(nil, kept-1), good[8:]...),
		"from tomorrow": append(binary.BigEndian.AppendUint64(nil, 1<<40), good[8:]...),
		"cut off":       good[:len(good)-1],
		"empty":         {},
	} {
		t.Log(name)
		rewrite(b)
		reopen(false)
	}
	rewrite(good)
	reopen(true)
}

func mustNext(t *testing.T, e *Engine) uint64 {
	t.Helper()
	n, err := e.NextSeq(context.Background(), entry.ByCA)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkRoots replays the whole log and holds every status.root against it.
func checkRoots(t *testing.T, r ledger.Reader) {
	t.Helper()
	size, err := r.Size(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	tree := status.New()
	err = r.Entries(context.Background(), 0, size, func(i uint64, b []byte) error {
		en, err := entry.Parse(b)
		if err != nil {
			return err
		}
		if s, ok := en.Body.(*entry.StatusRoot); ok && (s.Root != tree.Root() || s.Issued != tree.Issued() || s.Revoked != tree.Revoked()) {
			t.Errorf("status.root at %d is not the log's", i)
		}
		return tree.Apply(en)
	})
	if err != nil {
		t.Fatal(err)
	}
}
