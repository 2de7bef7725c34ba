package trillianlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

const origin = "log.test/1"

// seeded is a deterministic source for test keys.
type seeded struct{ n uint64 }

func (s *seeded) Read(b []byte) (int, error) {
	for i := range b {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, s.n))
		b[i] = sum[0]
		s.n++
	}
	return len(b), nil
}

func keyPair(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(&seeded{}, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s, vkey
}

func config(t testing.TB, fs kv.FS) Config {
	t.Helper()
	s, vkey := keyPair(t, origin)
	c := Config{Dir: "/store", HeadDir: "/head", Origin: origin, Signer: s, VKey: vkey, FS: fs, CacheBytes: 1 << 20,
		Now: func() time.Time { return time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC) }}
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

var at = entry.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))

func marshal(t testing.TB, by string, seq uint64, body entry.Body) []byte {
	t.Helper()
	b, err := entry.Entry{At: at, By: by, Seq: seq, Body: body}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// event is an entry without a status.
func event(t testing.TB, by string, seq uint64) []byte {
	return marshal(t, by, seq, &entry.SecurityEvent{Code: "test.event", Count: seq + 1, From: at, To: at})
}

func digest(parts ...uint64) entry.Digest {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, p)
	}
	return entry.Sum(b)
}

func intent(ordinal uint64) entry.Body {
	return &entry.CertIntent{
		Decision: entry.Decision{Allow: true, Bundle: digest(1), Codes: []string{}, Engine: "opa-1", Facts: "ff", Ruleset: "issue"},
		Issuer:   digest(2), Municipality: "202011", Ordinal: ordinal, Profile: digest(3), Serial: "0a", Subject: digest(4, ordinal), TBS: digest(5, ordinal),
	}
}

func issued(ordinal uint64) entry.Body {
	return &entry.CertIssued{Ordinal: ordinal, Certificate: digest(6, ordinal)}
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
		if _, err := e.policy.VerifyReceipt(r, entries[i]); err != nil {
			t.Fatalf("receipt %d: %v", i, err)
		}
		if b, err := e.Entry(context.Background(), r.Index); err != nil || !bytes.Equal(b, entries[i]) {
			t.Fatalf("entry %d can't be read back: %v", r.Index, err)
		}
	}
}
