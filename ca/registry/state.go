package registry

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Names of notes. Numbers have 16 hex digits, so that they sort.
const (
	cursorName  = "cursor/"
	noticeName  = "notice/"
	listName    = "list/"
	messageName = "message/" // of a list
	spentName   = "spent/"   // lists whose own key is to be destroyed
	crlName     = "crl/"
)

func number(n uint64) string { return fmt.Sprintf("%016x", n) }

// Cursor returns the sequence number of a writer's first entry that may not be
// reflected here yet; 0 for a new registry.
func (r *Registry) Cursor(writer string) (uint64, error) {
	v, err := r.store.Noted(cursorName + writer)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, errDamaged
	}
	return binary.BigEndian.Uint64(v), nil
}

// SetCursor says that every entry of the writer before seq is reflected here.
// It is relaxed: after a crash a few entries more are read again.
func (r *Registry) SetCursor(writer string, seq uint64) error {
	return r.store.Note(Relaxed, map[string][]byte{cursorName + writer: be(seq)})
}

// Notice is what the CA's link server remembers of one change notice (M3), so
// that the certificate is revoked exactly once whatever crashes.
type Notice struct {
	Seq     uint64   `json:"seq"`
	Ordinal uint64   `json:"ordinal"`
	Digest  []byte   `json:"-"`               // hash by which the same bytes are known again
	State   string   `json:"state"`           // NoticePending, NoticeDone or NoticeRefused
	Index   uint64   `json:"index,omitempty"` // of notice.received or notice.refused
	Codes   []string `json:"codes,omitempty"` // rule codes of a final refusal
}

// States of a notice.
const (
	NoticePending = "pending" // on disk before notice.received is logged
	NoticeDone    = "done"    // logged, and revoked or recorded as needing no revocation
	NoticeRefused = "refused" // logged as refused, for good
)

// SetNotice writes a notice's row. The hash of its bytes is sealed under the
// own key of the record that the notice is about, and dies with it: in echo
// mode the bytes can be guessed from it.
func (r *Registry) SetNotice(n Notice, d Durability) error {
	name := noticeName + number(n.Seq)
	row := noticeRow{Notice: n}
	if len(n.Digest) > 0 {
		mark, err := r.sealOwn(r.ring.get().Records, n.Ordinal, []byte(name), n.Digest)
		if err != nil && !errors.Is(err, errDestroyed) {
			return err
		}
		row.Mark = mark
	}
	sealed, err := r.sealJSON(name, row)
	if err != nil {
		return err
	}
	return r.store.Note(d, map[string][]byte{name: sealed})
}

type noticeRow struct {
	Notice
	Mark []byte `json:"mark,omitempty"`
}

// DropNotice forgets a pending notice that never reached the log.
func (r *Registry) DropNotice(seq uint64) error {
	return r.store.Note(Synced, map[string][]byte{noticeName + number(seq): nil})
}

// GetNotice returns the row of a notice sequence, or ErrNotFound.
func (r *Registry) GetNotice(seq uint64) (Notice, error) {
	name := noticeName + number(seq)
	sealed, err := r.store.Noted(name)
	if err != nil {
		return Notice{}, err
	}
	return r.notice(name, sealed)
}

// LastNotice returns the row with the largest sequence, or ErrNotFound.
func (r *Registry) LastNotice() (Notice, error) {
	name, sealed, err := r.store.LastNoted(noticeName)
	if err != nil {
		return Notice{}, err
	}
	return r.notice(name, sealed)
}

// notice opens a row. Without the record's own key it comes without the digest.
func (r *Registry) notice(name string, sealed []byte) (Notice, error) {
	var row noticeRow
	if err := r.unsealJSON(name, sealed, &row); err != nil {
		return Notice{}, err
	}
	if len(row.Mark) == 0 {
		return row.Notice, nil
	}
	var err error
	row.Digest, err = r.unsealOwn(r.ring.get().Records, row.Ordinal, []byte(name), row.Mark)
	if errors.Is(err, errDestroyed) {
		err = nil
	}
	return row.Notice, err
}

// List is one daily holders list (M1) on its way to the register side.
type List struct {
	Seq    uint64   `json:"seq"`
	Day    string   `json:"day"`           // JST day
	Bytes  []byte   `json:"-"`             // the message; dropped once it is received
	Total  uint64   `json:"total"`         // holders in force after it
	New    []uint64 `json:"new,omitempty"` // ordinals in it, until it is received
	Gone   []uint64 `json:"gone,omitempty"`
	State  string   `json:"state"`
	Logged uint64   `json:"logged,omitempty"` // index of holders.sent
}

// States of a list.
const (
	ListPending   = "pending"   // on disk before holders.sent is logged
	ListLogged    = "logged"    // holders.sent is in the log, the queues are updated
	ListDelivered = "delivered" // the register side acknowledged it
)

// SetList writes a list's row, synced. The message, which holds attributes and
// record keys, is sealed under a key of the list's own, which Shred destroys
// once the message is dropped.
func (r *Registry) SetList(l List) error {
	name := listName + number(l.Seq)
	sealed, err := r.sealJSON(name, l)
	if err != nil {
		return err
	}
	notes := map[string][]byte{name: sealed}
	message := messageName + number(l.Seq)
	if l.Bytes == nil {
		notes[message], notes[spentName+number(l.Seq)] = nil, []byte{1}
	} else if notes[message], err = r.sealOwn(r.ring.get().Lists, l.Seq, []byte(message), l.Bytes); err != nil {
		return err
	}
	return r.store.Note(Synced, notes)
}

// GetList returns the list with this sequence, or ErrNotFound.
func (r *Registry) GetList(seq uint64) (List, error) {
	name := listName + number(seq)
	sealed, err := r.store.Noted(name)
	if err != nil {
		return List{}, err
	}
	return r.list(name, sealed)
}

// LastList returns the newest list, or ErrNotFound.
func (r *Registry) LastList() (List, error) {
	name, sealed, err := r.store.LastNoted(listName)
	if err != nil {
		return List{}, err
	}
	return r.list(name, sealed)
}

func (r *Registry) list(name string, sealed []byte) (List, error) {
	var l List
	if err := r.unsealJSON(name, sealed, &l); err != nil {
		return l, err
	}
	message := messageName + number(l.Seq)
	b, err := r.store.Noted(message)
	if errors.Is(err, ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	l.Bytes, err = r.unsealOwn(r.ring.get().Lists, l.Seq, []byte(message), b)
	return l, err
}

// CRL is the newest list of one partition, complete or delta.
type CRL struct {
	Partition string    `json:"partition"` // the row: its own for complete and delta lists
	Number    uint64    `json:"number"`    // strictly increasing per partition
	Covers    uint64    `json:"covers"`
	DER       []byte    `json:"der,omitempty"` // empty while only the number is taken
	ThisTime  time.Time `json:"this_update"`
	NextTime  time.Time `json:"next_update"`
	Base      uint64    `json:"base,omitempty"`  // of a delta list: number of the complete one that it builds on
	Bases     []CRLBase `json:"bases,omitempty"` // of a complete list: those that may be in force, itself included
}

// CRLBase is a complete list that a client may hold. Lists made soon after it
// may be counted under it, so that there are never many: a delta on it serves
// them as well.
type CRLBase struct {
	Number uint64    `json:"number"`
	Covers uint64    `json:"covers"`
	Made   time.Time `json:"made"`
	Until  time.Time `json:"until"` // the latest nextUpdate of those counted under it
}

// SetCRL writes the newest list of its partition. A number that does not grow
// is refused, unless it completes the list of the same number.
func (r *Registry) SetCRL(c CRL, d Durability) error {
	old, err := r.GetCRL(c.Partition)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && (c.Number < old.Number || c.Number == old.Number && len(old.DER) > 0) {
		return errors.New("the number of a revocation list must grow")
	}
	v, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return r.store.Note(d, map[string][]byte{crlName + c.Partition: v})
}

// GetCRL returns the newest list of a partition, or ErrNotFound.
func (r *Registry) GetCRL(partition string) (CRL, error) {
	var c CRL
	v, err := r.store.Noted(crlName + partition)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(v, &c)
}
