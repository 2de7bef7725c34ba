package keystore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Use says what a journal record stands for.
type Use byte

// Kinds of journal records.
const (
	UseSign     Use = 1 // Index is the log index of the announcing entry, TBS the digest of what was signed
	UseResume   Use = 2 // as UseSign, the same signature given out again after a crash
	UseReserved Use = 3 // Index is the number of responses the responder may have signed from here on
	UseCounted  Use = 4 // Index is the exact number of responses signed so far, TBS a hash over their digests
)

// Record is one record of a signing journal. It is on disk before the key is
// used, so a record may stand for a signature that a crash prevented; a
// signature without a record can't be.
type Record struct {
	Use   Use
	Index uint64
	TBS   entry.Digest
	At    time.Time // whole seconds UTC
}

// The file is a header and records of 64 bytes each:
//
//	header  magic (32 bytes), key id (32 bytes)
//	record  use (1), unix seconds (7, big-endian), index (8), digest (32), chain (16)
//
// chain is the first half of SHA-256(chain of the record before ‖ the record's
// first 48 bytes); the first record follows the header's. So a record can't be
// changed, left out or moved without every later one failing.
const (
	magic      = "sukashi signing journal 1\n\x00\x00\x00\x00\x00\x00"
	headerSize = 64
	recordSize = 64
	chainSize  = 16
	// JournalName is the journal's file name in its directory.
	JournalName = "signing.journal"
)

type chain [chainSize]byte

func (c chain) next(b []byte) chain {
	h := sha256.New()
	h.Write(c[:])
	h.Write(b)
	return chain(h.Sum(nil)[:chainSize])
}

func (r Record) append(b []byte, c chain) ([]byte, chain) {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Use)<<56|uint64(r.At.Unix())&(1<<56-1))
	b = binary.BigEndian.AppendUint64(b, r.Index)
	b = append(b, r.TBS[:]...)
	c = c.next(b[start:])
	return append(b, c[:]...), c
}

func parseRecord(b []byte, c chain) (Record, chain, bool) {
	n := binary.BigEndian.Uint64(b)
	r := Record{Use: Use(n >> 56), At: time.Unix(int64(n&(1<<56-1)), 0).UTC(), Index: binary.BigEndian.Uint64(b[8:])}
	copy(r.TBS[:], b[16:48])
	c = c.next(b[:48])
	return r, c, bytes.Equal(c[:], b[48:64]) && r.Use >= UseSign && r.Use <= UseCounted
}

// scan reads records from offset from to size and returns where the last good
// one ends. A tail that a crash can have left is not an error.
func scan(f io.ReaderAt, from, size int64, c chain, fn func(Record) error) (int64, chain, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, from, size-from), 1<<16)
	b := make([]byte, recordSize)
	for at := from; ; at += recordSize {
		n, err := io.ReadFull(r, b)
		if err == io.EOF || err == io.ErrUnexpectedEOF && n < recordSize {
			return at, c, nil
		}
		if err != nil {
			return 0, c, fmt.Errorf("couldn't read the signing journal: %w", err)
		}
		rec, next, ok := parseRecord(b, c)
		if !ok {
			if zeroTail(b, r) {
				return at, c, nil
			}
			return 0, c, corrupt(fmt.Sprintf("record %d does not follow from those before it", (at-headerSize)/recordSize))
		}
		if err := fn(rec); err != nil {
			return 0, c, err
		}
		c = next
	}
}

// zeroTail reports whether this record and everything after it is zero: a file
// system may extend a file before it writes into it.
func zeroTail(b []byte, rest *bufio.Reader) bool {
	for {
		for _, x := range b {
			if x != 0 {
				return false
			}
		}
		n, err := rest.Read(b)
		if err != nil {
			return true
		}
		b = b[:n]
	}
}

func corrupt(detail string) error {
	return say.New("keystore.journal", "署名記録簿が壊れているため、鍵を使えません。", "The signing journal is damaged, so the key can't be used.").
		Hint("署名記録簿のディレクトリをバックアップと比べ、ログの署名予告と突き合わせてください。",
			"Compare the journal's directory with its copy and with the announcements in the log.").
		Because(fmt.Errorf("%w: %s", ErrCorrupt, detail))
}

// ReadJournal reads the journal file of a key without opening the key or holding
// its lock, for an auditor with a copy. A torn end is passed over; damage is
// ErrCorrupt.
func ReadJournal(path string, id entry.Digest, fn func(Record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("couldn't open the signing journal: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("couldn't look at the signing journal: %w", err)
	}
	header := make([]byte, headerSize)
	if _, err := f.ReadAt(header, 0); err != nil || !bytes.Equal(header, append([]byte(magic), id[:]...)) {
		return corrupt("header is not that of this key's journal")
	}
	_, _, err = scan(f, headerSize, st.Size(), chain{}.next(header), fn)
	return err
}
