// Package keystoretest has a small transparency log in memory for the tests of
// packages that sign: it gives real receipts, and forged ones.
//
// It is for tests only and never part of a running system.
//
//	l := keystoretest.NewLog("log.example/test")
//	logged, err := l.Append(entry.ByCA, &entry.CertIntent{…})
//	sig, err := key.Sign(ctx, tbs, logged.Bytes, logged.Receipt)
package keystoretest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"golang.org/x/mod/sumdb/tlog"
)

// Log is a transparency log in memory. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	origin string
	key    ed25519.PrivateKey
	hashes []tlog.Hash
	leaves [][]byte
	seq    map[string]uint64
	at     time.Time
}

// Logged is an entry with its receipt.
type Logged struct {
	Index   uint64
	Entry   entry.Entry
	Bytes   []byte
	Receipt *proof.Receipt
}

// NewLog returns an empty log whose key follows from its origin.
func NewLog(origin string) *Log {
	seed := sha256.Sum256([]byte("keystoretest " + origin))
	return &Log{origin: origin, key: ed25519.NewKeyFromSeed(seed[:]), seq: map[string]uint64{},
		at: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
}

// VKey is the log's verifier key.
func (l *Log) VKey() string {
	pub := append([]byte{1}, l.key.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", l.origin, l.hash(), base64.StdEncoding.EncodeToString(pub))
}

func (l *Log) hash() uint32 {
	pub := append([]byte{1}, l.key.Public().(ed25519.PublicKey)...)
	h := sha256.Sum256(append([]byte(l.origin+"\n"), pub...))
	return binary.BigEndian.Uint32(h[:])
}

// Policy believes this log and asks for no witness.
func (l *Log) Policy() *proof.Policy {
	p, err := proof.LogOnly(l.VKey())
	if err != nil {
		panic(err) // the key is made here
	}
	return p
}

// SetTime sets the time of the entries that follow.
func (l *Log) SetTime(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = t
}

// Append logs an entry under the next sequence number of its writer.
func (l *Log) Append(by string, body entry.Body) (*Logged, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry.Entry{At: entry.At(l.at), By: by, Seq: l.seq[by], Body: body}
	b, err := e.Marshal()
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the entry: %w", err)
	}
	l.seq[by]++
	return l.add(e, b)
}

// AppendBytes logs bytes as they are, which a real ledger would refuse.
func (l *Log) AppendBytes(b []byte) (*Logged, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(entry.Entry{}, b)
}

func (l *Log) add(e entry.Entry, b []byte) (*Logged, error) {
	hs, err := tlog.StoredHashes(int64(len(l.leaves)), b, tlog.HashReaderFunc(l.read))
	if err != nil {
		return nil, fmt.Errorf("couldn't hash the entry: %w", err)
	}
	l.hashes = append(l.hashes, hs...)
	l.leaves = append(l.leaves, b)
	i := uint64(len(l.leaves) - 1)
	r, err := l.receipt(i)
	if err != nil {
		return nil, err
	}
	return &Logged{Index: i, Entry: e, Bytes: b, Receipt: r}, nil
}

// Receipt returns a receipt for an entry under the log as it is now.
func (l *Log) Receipt(index uint64) (*proof.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receipt(index)
}

func (l *Log) receipt(index uint64) (*proof.Receipt, error) {
	size := int64(len(l.leaves))
	path, err := tlog.ProveRecord(size, int64(index), tlog.HashReaderFunc(l.read))
	if err != nil {
		return nil, fmt.Errorf("couldn't prove the entry: %w", err)
	}
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(l.read))
	if err != nil {
		return nil, fmt.Errorf("couldn't hash the tree: %w", err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.origin, size, root)
	sig := append(binary.BigEndian.AppendUint32(nil, l.hash()), ed25519.Sign(l.key, []byte(text))...)
	note := text + "\n— " + l.origin + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
	return &proof.Receipt{Index: index, Hashes: path, Checkpoint: []byte(note)}, nil
}

func (l *Log) read(is []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(is))
	for i, x := range is {
		out[i] = l.hashes[x]
	}
	return out, nil
}

// Decision is a decision that allows, for entries that need one.
func Decision(ruleset string) entry.Decision {
	return entry.Decision{Allow: true, Bundle: entry.Sum([]byte("bundle")), Codes: []string{}, Engine: "test-1",
		Facts: "ff", Policy: 0, Ruleset: ruleset}
}
