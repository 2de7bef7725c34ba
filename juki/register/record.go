package register

import (
	"fmt"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Resident is one person at the time of Import.
type Resident struct {
	Code         string          // resident code (住民票コード), 11 digits with check digit
	Municipality string          // 全国地方公共団体コード, 6 digits with check digit
	Attr         attr.Attributes // as on the resident record
}

// Event is a change as the municipality reports it (M2). As JSON it holds full
// identity information with the resident code, and never leaves zone juki.
type Event struct {
	Kind         Kind            `json:"kind"`
	Code         string          `json:"code"`         // resident code of the record
	Municipality string          `json:"municipality"` // whose record it is from now on; for a deletion: who deletes
	Attr         attr.Attributes `json:"attr"`         // all four after the change; zero for a deletion and where a Reversal restores a deletion
	Reverts      uint64          `json:"reverts"`      // Reversal only: position of the change taken back; must be the record's last
}

// Change is an Event that has its place in the sequence.
type Change struct {
	Pos          uint64           `json:"pos"` // gapless from 0
	At           entry.Time       `json:"at"`
	Kind         Kind             `json:"kind"`
	Minor        bool             `json:"minor,omitempty"` // minor correction, or a reversal of one: leads to no notice
	Code         string           `json:"code"`
	Municipality string           `json:"municipality"`
	Before       *attr.Attributes `json:"before,omitempty"`  // nil: no record was in force
	After        *attr.Attributes `json:"after,omitempty"`   // nil: the record is deleted
	Reverts      *uint64          `json:"reverts,omitempty"` // Reversal only
}

// Version is the state of a record over a stretch of the change sequence.
type Version struct {
	// Since is the size of the change sequence from which the state holds: the
	// change at position Since-1 made it. For Kind Load no change did.
	Since        uint64          `json:"since"`
	Kind         Kind            `json:"kind"`
	Minor        bool            `json:"minor,omitempty"` // as in Change
	At           entry.Time      `json:"at"`
	Municipality string          `json:"municipality"`
	Deleted      bool            `json:"deleted,omitempty"`
	Attr         attr.Attributes `json:"attr"` // zero when Deleted
}

// Record is a resident's record with its whole history.
type Record struct {
	Code     string    `json:"code"`
	Versions []Version `json:"versions"` // oldest first, never empty
}

// Current is the newest version.
func (r Record) Current() Version { return r.Versions[len(r.Versions)-1] }

// AsOf returns the record as it was when the change sequence had this size,
// and whether it existed.
func (r Record) AsOf(size uint64) (Record, bool) {
	n := len(r.Versions)
	for n > 0 && r.Versions[n-1].Since > size {
		n--
	}
	return Record{Code: r.Code, Versions: r.Versions[:n]}, n > 0
}

// Runs splits the history into runs: versions that only minor corrections lie
// between are spellings of the same facts, so a certificate that carries one
// of them is still right. Each run is oldest first; so are the runs.
func (r Record) Runs() [][]Version {
	var runs [][]Version
	from := 0
	for i := 1; i <= len(r.Versions); i++ {
		if i == len(r.Versions) || !r.Versions[i].Minor {
			runs = append(runs, r.Versions[from:i])
			from = i
		}
	}
	return runs
}

// Live returns the run that is in force, or nil when the record is deleted.
func (r Record) Live() []Version {
	runs := r.Runs()
	if last := runs[len(runs)-1]; !last[len(last)-1].Deleted {
		return last
	}
	return nil
}

// Bucket is the index key under which records and certificates with possibly
// equal attributes meet: birth date, sex and the number of characters of name
// and address. A substitute stands for exactly one character, so all four
// survive substitution; a character is a code point with its variation
// selectors, as in package jtext.
func Bucket(a attr.Attributes) string {
	return fmt.Sprintf("%s%03d%03d", Person(a), len(jtext.Characters(a.Name)), len(jtext.Characters(a.Address)))
}

// Person is the prefix of a Bucket that does not depend on spelling: birth
// date and sex.
func Person(a attr.Attributes) string { return a.BirthDate + a.Sex }

// Export is one hand-over of four attributes to a transfer file.
type Export struct {
	N            uint64          `json:"n"` // gapless from 0 over the whole database
	At           entry.Time      `json:"at"`
	Size         uint64          `json:"size"` // size of the change sequence at that moment
	Code         string          `json:"code"`
	Municipality string          `json:"municipality"` // where the terminal stands
	Operator     string          `json:"operator"`     // operator id of the terminal
	Attr         attr.Attributes `json:"attr"`
}
