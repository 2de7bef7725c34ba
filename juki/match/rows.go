package match

import (
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// Reason says what became of a change or of a holder that arrived.
type Reason string

// Outcomes.
const (
	Notice          Reason = "notice"           // exactly one certificate was hit: its notice is in the outbox
	AlreadyNotified Reason = "already-notified" // hit, but an earlier change has led to its notice
	NoCertificate   Reason = "no-certificate"   // no certificate carries the old values
	Minor           Reason = "minor"            // minor correction, excepted by Article 12
	NewRecord       Reason = "new-record"       // no record was in force before, so nothing can have been certified
	InForce         Reason = "in-force"         // arrived holder: the record still says what was certified
	Person          Reason = "person"           // not clear: in the person's queue
)

// Outcome is what became of one change.
type Outcome struct {
	Pos    uint64     `json:"pos"` // position of the change
	At     entry.Time `json:"at"`  // when it was matched
	Reason Reason     `json:"reason"`
	Intent *uint64    `json:"intent,omitempty"` // Notice: id in the outbox
	Case   *uint64    `json:"case,omitempty"`   // Person: id in the queue
}

// Arrival is what became of one holder when M1 brought it.
type Arrival struct {
	Ordinal uint64     `json:"ordinal"`
	List    uint64     `json:"list"` // sequence of the M1
	At      entry.Time `json:"at"`
	Reason  Reason     `json:"reason"`
	Intent  *uint64    `json:"intent,omitempty"`
	Case    *uint64    `json:"case,omitempty"`
}

// List is one M1 as it was taken in.
type List struct {
	Seq    uint64       `json:"seq"`
	Day    string       `json:"day"`
	Digest entry.Digest `json:"digest"`
	New    uint64       `json:"new"`
	Gone   uint64       `json:"gone"`
	Total  uint64       `json:"total"`
	Index  uint64       `json:"index"` // ledger index of holders.received
	At     entry.Time   `json:"at"`
}

// holderRow is a holder on disk: what M1 says of it.
type holderRow struct {
	Ordinal   uint64         `json:"ordinal"`
	Key       string         `json:"key"` // commitment.Key in hex
	Certified attr.Certified `json:"certified"`
}

func rowOf(h holders.Holder) holderRow {
	return holderRow{Ordinal: h.Ordinal, Key: h.Key.Hex(), Certified: h.Certified}
}

func (r holderRow) holder() (holders.Holder, error) {
	k, err := commitment.ParseKey(r.Key)
	return holders.Holder{Ordinal: r.Ordinal, Key: k, Certified: r.Certified}, err
}
