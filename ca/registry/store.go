package registry

import (
	"errors"
	"io"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// ErrTaken is returned for a new record whose ordinal, serial, application or
// public key is another record's, or whose person has a certificate that is in
// force at the same time (Article 6). Both back ends refuse it by themselves,
// whatever the caller has checked.
var ErrTaken = errors.New("the ordinal, serial, application, key or person already has a record")

// ErrFenced is returned for every write once another process has taken the
// store over. There is no way back but to open it again.
var ErrFenced = say.New("registry.fenced", "別のプロセスが発行を引き継ぎました。", "Another process has taken over.").
	Hint("このプロセスを待機系として起動し直してください。", "Start this process again; it will stand by.")

// Row is what a back end keeps of a record. What a person can be known by is in
// Private and, as an HMAC, in Person; the rest is public in the log, or sealed
// in Public.
type Row struct {
	Ordinal     uint64
	State       State
	Serial      string       // lower-case hex
	Application entry.Digest // SHA-256 of the application's id
	SPKI        entry.Digest // of the holder's public key
	Person      []byte       // HMAC of the four attributes; nil once aborted or erased
	Twin        bool         // an officer's word that equal attributes are two persons
	NotBefore   time.Time
	NotAfter    time.Time
	Queue       Queue  // place among the daily lists
	Doomed      bool   // the row's own key is to be destroyed
	Revocation  []byte // JSON of Revocation, from Revoked on
	Public      []byte // sealed
	Private     []byte // sealed under the row's own key; nil once aborted or erased
}

// inForce reports whether the row keeps others away from its person.
func (row *Row) inForce() bool {
	return row.Person != nil && row.State >= Prepared && row.State <= Issued && !row.Twin
}

func (row *Row) open() bool { return row.State >= Prepared && row.State <= Signed }

// Queue names a set of records that wait for something.
type Queue uint8

// Queues. A record is in at most one of New, Expiring and Gone.
const (
	QueueNone     Queue = iota
	QueueNew            // issued, to be told of in the next daily list
	QueueExpiring       // told of, in force until NotAfter
	QueueGone           // told of, revoked, to be told as gone
	QueueOpen           // prepared, intended or signed
	QueueDoomed         // its own key is to be destroyed
)

// Index names a way to find records.
type Index uint8

// Indexes and what their keys are.
const (
	ByApplication Index = iota // SHA-256 of the application's id; the newest record
	BySerial                   // the serial's text
	ByKey                      // SHA-256 of the public key's SubjectPublicKeyInfo
	ByPerson                   // HMAC of the attributes; all records, ascending
)

// Edit is one row as it is in the store and as it is to be.
type Edit struct{ Old, Next *Row }

// Records is the part of a back end that keeps rows. Every call is atomic and
// safe for concurrent use; the caller sees to it that one row is changed by one
// call at a time and that old is what is there now.
type Records interface {
	// Insert adds rows, all or none; ErrTaken. When it returns, they are found;
	// durable returns once they are on disk, and must be called exactly once.
	Insert(rows ...*Row) (durable func() error, err error)
	// Update puts rows in the place of what is there, all or none.
	Update(d Durability, edits ...Edit) error
	Delete(rows ...*Row) error
	// Get returns the sealed parts of a row; private is nil where there is none.
	Get(ordinal uint64) (public, private []byte, err error)
}

// Finder is the part of a back end that looks rows up.
type Finder interface {
	Find(by Index, key []byte) ([]uint64, error)
	// Queued lists a queue, ascending, at most limit; of QueueExpiring only
	// those that end at until or before.
	Queued(q Queue, until time.Time, limit int) ([]uint64, error)
	// Expiring counts the rows of QueueExpiring that end after a time.
	Expiring(after time.Time) (uint64, error)
	// Size is one more than the largest ordinal.
	Size() (uint64, error)
	// Revocations calls fn with every row's Revocation, in order of ordinals.
	Revocations(fn func([]byte) error) error
}

// Notes is the part of a back end that keeps named values.
type Notes interface {
	// Note sets values, all or none; a nil value removes the name.
	Note(d Durability, notes map[string][]byte) error
	// Noted returns the value of a name, or ErrNotFound.
	Noted(name string) ([]byte, error)
	// LastNoted returns the last name with a prefix, or ErrNotFound.
	LastNoted(prefix string) (name string, value []byte, err error)
	// NotedNames lists the names with a prefix in order.
	NotedNames(prefix string) ([]string, error)
}

// Store is a back end: Pebble in one directory (Open) or PostgreSQL
// (ca/registry/pgstore). One conformance suite holds both to this.
type Store interface {
	Records
	Finder
	Notes
	// Scrub makes the files forget rows that were overwritten or removed, as far
	// as the back end can. Erasure does not rest on it.
	Scrub() error
	io.Closer
}
