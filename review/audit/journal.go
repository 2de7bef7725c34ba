package audit

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Journal is the key store's signing journal: one line for each use of an
// issuer key, written before the key was used.
type Journal struct {
	Lines []JournalLine
	// Keys are the keys (SHA-256 of SubjectPublicKeyInfo) whose whole journal
	// this is; empty: of every issuer key.
	Keys []entry.Digest
}

// JournalLine says that the bytes with this digest were signed under a receipt
// for the log entry with this index.
type JournalLine struct {
	Index uint64
	TBS   entry.Digest
	// Again is set when the key store gave out the same signature again after a
	// crash; any other second line for an entry is a second signature.
	Again bool
}

// Add puts another key's journal to this one.
func (j *Journal) Add(other *Journal) {
	j.Lines = append(j.Lines, other.Lines...)
	j.Keys = append(j.Keys, other.Keys...)
}

// covers reports whether the journal is the whole one of a key.
func (j *Journal) covers(key entry.Digest) bool {
	return len(j.Keys) == 0 || slices.Contains(j.Keys, key)
}

// maxJournal bounds a journal in lines.
const maxJournal = 100_000_000

// ParseJournal reads lines of the form "index tbs-digest", decimal and 64 hex
// digits; empty lines and lines that start with # are skipped.
func ParseJournal(r io.Reader) (*Journal, error) {
	j := &Journal{}
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		num, hexDigest, ok := strings.Cut(line, " ")
		index, err := strconv.ParseUint(num, 10, 53)
		tbs, derr := entry.ParseDigest(hexDigest)
		if !ok || err != nil || derr != nil || strconv.FormatUint(index, 10) != num {
			return nil, fmt.Errorf("line %d of the signing journal is not an index and a digest", n)
		}
		if len(j.Lines) == maxJournal {
			return nil, errors.New("the signing journal has too many lines")
		}
		j.Lines = append(j.Lines, JournalLine{Index: index, TBS: tbs})
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("couldn't read the signing journal: %w", err)
	}
	return j, nil
}

func hexText(b []byte) string { return hex.EncodeToString(b) }

// finishJournal checks that every signature was announced where the journal
// says, that no announcement was signed twice, and that every issued
// certificate has its line.
func (a *auditor) finishJournal() {
	if a.src.Journal == nil {
		a.skip(ckJournal, "署名日誌が渡されていません。", "No signing journal was handed over.")
		return
	}
	signed := make(map[uint64]bool, len(a.src.Journal.Lines))
	for i, l := range a.src.Journal.Lines {
		a.count(ckJournal)
		if l.Index >= a.size {
			a.warn(ckJournal, text("署名日誌の %d 行めは、この監査の対象より後の記録 %d を示しています。", "Line %d of the signing journal names entry %d, which is later than this audit reaches.", i+1, l.Index))
			continue
		}
		if tbs, ok := a.announcedAt(l.Index); !ok || tbs != l.TBS {
			a.fail(ckJournal, text("署名日誌の %d 行めの署名は、記録 %d で予告されていません。", "The signature on line %d of the signing journal was not announced at entry %d.", i+1, l.Index), l.Index)
			continue
		}
		if signed[l.Index] && !l.Again {
			a.fail(ckJournal, text("記録 %[2]d の予告に基づく署名が、署名日誌に二度あります(%[1]d 行め)。", "The announcement of entry %[2]d was signed twice (line %[1]d of the journal).", i+1, l.Index), l.Index)
		}
		signed[l.Index] = true
	}
	for o := range a.certs {
		if c := &a.certs[o]; c.issued && a.src.Journal.covers(c.serial.issuer) && !signed[c.intent-1] {
			a.fail(ckJournal, text("番号 %d の証明書は発行されていますが、署名日誌に署名がありません。", "Certificate %d was issued, but the signing journal has no signature for it.", o), c.intent-1, c.end-1)
		}
	}
}

// announcedAt returns the TBS digest that the entry at index announced.
func (a *auditor) announcedAt(index uint64) (entry.Digest, bool) {
	if tbs, ok := a.keyTBS[index]; ok {
		return tbs, true
	}
	i := sort.Search(len(a.lists), func(i int) bool { return a.lists[i].index >= index })
	if i < len(a.lists) && a.lists[i].index == index {
		return a.lists[i].body.TBS, true
	}
	// Fillers have no intent; they only follow a gap and are skipped by value.
	i = sort.Search(len(a.certs), func(i int) bool { return a.intentFrom(i) >= index+1 })
	for ; i < len(a.certs); i++ {
		if a.certs[i].intent == index+1 {
			return a.certs[i].tbs, true
		}
		if !a.certs[i].filler() {
			break
		}
	}
	return entry.Digest{}, false
}

// intentFrom is the intent position of ordinal i, or of the next real ordinal
// when i was skipped over.
func (a *auditor) intentFrom(i int) uint64 {
	for ; i < len(a.certs); i++ {
		if !a.certs[i].filler() {
			return a.certs[i].intent
		}
	}
	return ^uint64(0)
}
