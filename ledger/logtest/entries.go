package logtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Origin is the tested logs' name.
const Origin = "log.test/1"

// At is the time of all entries.
var At = entry.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))

// Now is a clock that stands still.
func Now() time.Time { return time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC) }

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

// Key is a log's first key, the same at every call.
func Key(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	return NextKey(t, name, 0)
}

// NextKey is the log's key after n rotations.
func NextKey(t testing.TB, name string, n int) (note.Signer, string) {
	t.Helper()
	random := &seeded{}
	if _, err := io.CopyN(io.Discard, random, int64(n)*64); err != nil {
		t.Fatal(err)
	}
	skey, vkey, err := note.GenerateKey(random, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s, vkey
}

// Marshal makes the bytes of an entry.
func Marshal(t testing.TB, by string, seq uint64, body entry.Body) []byte {
	t.Helper()
	b, err := entry.Entry{At: At, By: by, Seq: seq, Body: body}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Event is an entry without a status, of about 200 bytes.
func Event(t testing.TB, by string, seq uint64) []byte {
	return Marshal(t, by, seq, &entry.SecurityEvent{Code: "test.event", Count: seq + 1, From: At, To: At})
}

// Digest is a digest that depends on the numbers alone.
func Digest(parts ...uint64) entry.Digest {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, p)
	}
	return entry.Sum(b)
}

// Intent is the body of an ordinal's cert.intent.
func Intent(ordinal uint64) entry.Body {
	return &entry.CertIntent{
		Decision: entry.Decision{Allow: true, Bundle: Digest(1), Codes: []string{}, Engine: "opa-1", Facts: "ff", Ruleset: "issue"},
		Issuer:   Digest(2), Municipality: "202011", Ordinal: ordinal, Profile: Digest(3), Serial: "0a", Subject: Digest(4, ordinal), TBS: Digest(5, ordinal),
	}
}

// Issued is the body of an ordinal's cert.issued.
func Issued(ordinal uint64) entry.Body {
	return &entry.CertIssued{Ordinal: ordinal, Certificate: Digest(6, ordinal)}
}

// Revocation is the body of an ordinal's revocation.
func Revocation(ordinal uint64) entry.Body {
	return &entry.Revocation{Ground: entry.GroundRequest, Ordinal: ordinal, Recorded: At, Serial: "0a"}
}

// Large is an entry of about 1 KiB: a policy.approved with three approvals.
func Large(t testing.TB, by string, seq uint64) []byte {
	body := &entry.PolicyApproved{Bundle: Digest(seq), Capabilities: Digest(1, seq), Grammar: Digest(2, seq), Proof: Digest(4, seq), Scanner: Digest(3, seq)}
	for i := range 3 {
		d := Digest(uint64(i), seq)
		body.Approvals = append(body.Approvals, entry.Approval{
			Key: base64.StdEncoding.EncodeToString(d[:]), Sig: base64.StdEncoding.EncodeToString(append(d[:], d[:]...))})
	}
	return Marshal(t, by, seq, body)
}
