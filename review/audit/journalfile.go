package audit

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The key store's journal file, read a second time by other code:
//
//	header  magic (32 bytes), key id (32 bytes)
//	record  use (1), unix seconds (7, big-endian), index (8), digest (32), chain (16)
//
// chain is the first half of SHA-256(chain before ‖ the record's first 48
// bytes); the first record follows the header's chain, which starts from zeros.
const (
	journalMagic  = "sukashi signing journal 1\n\x00\x00\x00\x00\x00\x00"
	journalHead   = 64
	journalRecord = 64
	journalBody   = 48

	journalSign   = 1 // a signature under a receipt
	journalResume = 2 // the same signature given out again after a crash
	journalLast   = 4 // greatest kind of record; the others count OCSP answers
)

// ParseJournalFile reads the journal file of one key. A torn end, which a
// crash can leave, is not an error; any other break of the chain is.
func ParseJournalFile(r io.Reader) (*Journal, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	head := make([]byte, journalHead)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(journalMagic)]) != journalMagic {
		return nil, errors.New("not a signing journal")
	}
	j := &Journal{Keys: []entry.Digest{entry.Digest(head[len(journalMagic):])}}
	chain := chainAfter(make([]byte, 16), head)
	rec := make([]byte, journalRecord)
	for n := 1; ; n++ {
		if _, err := io.ReadFull(in, rec); err == io.EOF || err == io.ErrUnexpectedEOF {
			return j, nil
		} else if err != nil {
			return nil, fmt.Errorf("couldn't read the signing journal: %w", err)
		}
		chain = chainAfter(chain, rec[:journalBody])
		use := rec[0]
		if string(chain) != string(rec[journalBody:]) || use < journalSign || use > journalLast {
			if zeros(rec, in) {
				return j, nil
			}
			return nil, fmt.Errorf("record %d of the signing journal doesn't follow from the one before it", n)
		}
		if len(j.Lines) == maxJournal {
			return nil, errors.New("the signing journal has too many records")
		}
		if use == journalSign || use == journalResume {
			j.Lines = append(j.Lines, JournalLine{Index: binary.BigEndian.Uint64(rec[8:]), TBS: entry.Digest(rec[16:journalBody]), Again: use == journalResume})
		}
	}
}

func chainAfter(chain, b []byte) []byte {
	h := sha256.New()
	h.Write(chain)
	h.Write(b)
	return h.Sum(nil)[:16]
}

// zeros reports whether this record and all that follows is zero: a file
// system may extend a file before it writes into it.
func zeros(rec []byte, rest *bufio.Reader) bool {
	for _, b := range rec {
		if b != 0 {
			return false
		}
	}
	for {
		b, err := rest.ReadByte()
		if err != nil {
			return err == io.EOF
		}
		if b != 0 {
			return false
		}
	}
}
