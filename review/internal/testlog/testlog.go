// Package testlog is a small log in memory with one witness, for the tests of
// the review packages. It is imported by tests only.
package testlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Signature types of C2SP signed-note and tlog-cosignature.
const (
	typeLog       = 0x01
	typeCosigning = 0x04
)

// Log is the log. Now moves by one second with each entry.
type Log struct {
	T      testing.TB
	Origin string
	Now    time.Time
	bytes  [][]byte
	Tree   *status.Tree

	key     ed25519.PrivateKey
	witness ed25519.PrivateKey
	seqs    map[string]uint64
	hashes  []tlog.Hash
}

// New makes a log with its genesis entry.
func New(t testing.TB, origin string, now time.Time) *Log {
	l := &Log{T: t, Origin: origin, Now: now, Tree: status.New(), key: keyFrom(origin), witness: keyFrom(origin + " witness"), seqs: map[string]uint64{}}
	l.Append(entry.ByLog, &entry.Genesis{Key: l.VKey(), Origin: origin, Rules: "sukashi-1"})
	return l
}

func keyFrom(seed string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(s[:])
}

// raw is the signature type and the public key, as in a vkey.
func raw(typ byte, k ed25519.PrivateKey) []byte {
	return append([]byte{typ}, k.Public().(ed25519.PublicKey)...)
}

func keyHash(name string, raw []byte) []byte {
	h := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return h[:4]
}

func vkey(name string, typ byte, k ed25519.PrivateKey) string {
	r := raw(typ, k)
	return fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(keyHash(name, r)), base64.StdEncoding.EncodeToString(r))
}

// VKey is the log's verifier key.
func (l *Log) VKey() string { return vkey(l.Origin, typeLog, l.key) }

// Policy trusts the log and asks for its witness.
func (l *Log) Policy() *proof.Policy {
	p, err := proof.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness w %s\nquorum w\n", l.VKey(), vkey("w.example", typeCosigning, l.witness)))
	if err != nil {
		l.T.Fatal(err)
	}
	return p
}

// Append adds an entry and returns its index.
func (l *Log) Append(by string, b entry.Body) uint64 {
	l.T.Helper()
	e := entry.Entry{At: entry.At(l.Now), By: by, Seq: l.seqs[by], Body: b}
	l.seqs[by]++
	l.Now = l.Now.Add(time.Second)
	raw, err := e.Marshal()
	if err != nil {
		l.T.Fatal(err)
	}
	if err := l.Tree.Apply(e); err != nil {
		l.T.Fatal(err)
	}
	n := int64(len(l.bytes))
	hs, err := tlog.StoredHashes(n, raw, l.reader())
	if err != nil {
		l.T.Fatal(err)
	}
	l.hashes = append(l.hashes, hs...)
	l.bytes = append(l.bytes, raw)
	return uint64(n)
}

func (l *Log) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(is []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(is))
		for i, x := range is {
			out[i] = l.hashes[x]
		}
		return out, nil
	})
}

// Publish appends status.root and returns the signed and cosigned checkpoint.
func (l *Log) Publish() []byte {
	l.Append(entry.ByLog, &entry.StatusRoot{Covers: uint64(len(l.bytes)), Issued: l.Tree.Issued(), Revoked: l.Tree.Revoked(), Root: l.Tree.Root(), Size: l.Tree.Size()})
	return l.Checkpoint(true)
}

// Checkpoint signs the log as it is, with or without the witness.
func (l *Log) Checkpoint(witnessed bool) []byte {
	h, err := tlog.TreeHash(int64(len(l.bytes)), l.reader())
	if err != nil {
		l.T.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.Origin, len(l.bytes), h)
	out := text + "\n" + line(l.Origin, typeLog, l.key, ed25519.Sign(l.key, []byte(text)))
	if witnessed {
		at := l.Now.Unix()
		sig := binary.BigEndian.AppendUint64(nil, uint64(at))
		sig = append(sig, ed25519.Sign(l.witness, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))...)
		out += line("w.example", typeCosigning, l.witness, sig)
	}
	return []byte(out)
}

func line(name string, typ byte, k ed25519.PrivateKey, sig []byte) string {
	return "— " + name + " " + base64.StdEncoding.EncodeToString(append(keyHash(name, raw(typ, k)), sig...)) + "\n"
}

// Receipt makes the status receipt of an ordinal whose cert.issued entry has
// the index, under a checkpoint that is the result of Publish.
func (l *Log) Receipt(ordinal, issued uint64, checkpoint []byte) []byte {
	size := int64(len(l.bytes))
	path := func(i int64) []tlog.Hash {
		p, err := tlog.ProveRecord(size, i, l.reader())
		if err != nil {
			l.T.Fatal(err)
		}
		return p
	}
	chunk, chunkPath, err := l.Tree.Prove(ordinal)
	if err != nil {
		l.T.Fatal(err)
	}
	s := proof.StatusReceipt{Issued: l.bytes[issued], Index: issued, IssuedPath: path(int64(issued)), Chunk: chunk, ChunkPath: chunkPath,
		Root: l.bytes[size-1], RootPath: path(size - 1), Checkpoint: checkpoint}
	return s.Marshal()
}
