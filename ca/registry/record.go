package registry

import (
	"errors"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// State is how far an issuance has come.
type State uint8

// States, in the order in which a record passes through them.
const (
	Prepared State = iota + 1 // on disk here, intent perhaps not logged
	Intended                  // cert.intent is in the log
	Signed                    // the certificate exists, cert.issued perhaps not logged
	Issued                    // cert.issued is in the log
	Revoked                   // revocation is in the log; final
	Aborted                   // cert.aborted is in the log; final
)

// Record is one issuance record (発行記録, Article 8) with its life since.
type Record struct {
	Ordinal      uint64
	State        State
	Application  string // application id
	Serial       string // lower-case hex
	Municipality string
	Certified    attr.Certified
	NotBefore    time.Time
	NotAfter     time.Time
	TBS          []byte       // until DER is there
	DER          []byte       // from Signed on
	Digest       entry.Digest // SHA-256 of TBS
	SPKI         entry.Digest // SHA-256 of the holder's SubjectPublicKeyInfo
	Subject      entry.Digest // subject commitment, as in the log
	IntentSeq    uint64       // of ca-server, from Intended on
	IntentIndex  uint64
	IssuedIndex  uint64
	Twin         bool // an officer confirmed that another person has equal attributes

	// Revocation, from Revoked on (R1: nothing about the change).
	Ground          string
	Recorded        time.Time
	Cause           uint64
	RevocationIndex uint64

	// Daily holders list (M1).
	Told bool // the register side knows this holder
	Gone bool // and was told that the certificate is no longer in force

	Erased bool // record key and person destroyed (DOMAIN 8.2)

	Key commitment.Key // zero when erased or aborted
}

// named reports whether the record still names its person.
func (rec *Record) named() bool { return !rec.Key.IsZero() }

// queue is the record's place among the daily lists.
func (rec *Record) queue() Queue {
	switch {
	case rec.State == Issued && !rec.Told && !rec.Erased:
		return QueueNew
	case rec.State == Issued && rec.Told && !rec.Gone:
		return QueueExpiring
	case rec.State == Revoked && rec.Told && !rec.Gone:
		return QueueGone
	}
	return QueueNone
}

func (rec *Record) clone() *Record {
	c := *rec // slices are replaced, never written into
	return &c
}

// Live reports whether the record stands for a certificate that is in force at
// now, or may come to be: pending ones count (Article 6).
func (rec *Record) Live(now time.Time) bool {
	return rec.State >= Prepared && rec.State <= Issued && now.Before(rec.NotAfter)
}

// open reports whether the ledger has not yet closed the intent.
func (rec *Record) open() bool { return rec.State >= Prepared && rec.State <= Signed }

// mayBecome refuses what can't happen to a record: ways back, another person,
// another certificate.
func (rec *Record) mayBecome(next *Record) error {
	legal := next.State == rec.State ||
		rec.State < Revoked && next.State > rec.State && next.State <= Issued ||
		rec.State == Issued && next.State == Revoked ||
		rec.open() && next.State == Aborted
	switch {
	case !legal:
		return errors.New("the record can't change into this state")
	case next.Ordinal != rec.Ordinal || next.Serial != rec.Serial || next.Application != rec.Application:
		return errors.New("a record's identity can't change")
	case rec.Erased && !next.Erased:
		return errors.New("an erased record stays erased")
	case next.State == Issued && len(next.DER) == 0 && !next.Erased:
		return errors.New("an issued record needs its certificate")
	}
	return nil
}

// Abort turns an open record into a bare stub: the certificate never came to
// exist, so nothing about the person is kept.
func (rec *Record) Abort() {
	rec.State = Aborted
	rec.bare()
}

// Erase destroys what names the person and the key that opens the
// commitments. State, serial and positions in the log stay.
func (rec *Record) Erase() {
	rec.Erased = true
	rec.bare()
}

func (rec *Record) bare() {
	rec.Certified = attr.Certified{}
	rec.Key = commitment.Key{}
	rec.TBS, rec.DER = nil, nil
}

// Revocation is the CA's record of one revocation (R1): serial, ground class,
// date of recording; no attribute (PR-04).
type Revocation struct {
	Ordinal      uint64    `json:"ordinal"`
	Serial       string    `json:"serial"`
	Ground       string    `json:"ground"`
	Recorded     time.Time `json:"recorded"`
	Municipality string    `json:"municipality"`
	NotAfter     time.Time `json:"not_after"`
	Index        uint64    `json:"index"` // of the revocation entry
}

func (rec *Record) revocation() Revocation {
	return Revocation{Ordinal: rec.Ordinal, Serial: rec.Serial, Ground: rec.Ground, Recorded: rec.Recorded,
		Municipality: rec.Municipality, NotAfter: rec.NotAfter, Index: rec.RevocationIndex}
}
