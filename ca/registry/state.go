package registry

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Cursor returns the sequence number of a writer's first entry that may not be
// reflected here yet; 0 for a new registry.
func (r *Registry) Cursor(writer string) (uint64, error) {
	n, err := r.ordinalAt([]byte(cursorPrefix + writer))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// SetCursor says that every entry of the writer before seq is reflected here.
// It is relaxed: after a crash a few entries more are read again.
func (r *Registry) SetCursor(writer string, seq uint64) error {
	b := r.kv.NewBatch()
	b.Set([]byte(cursorPrefix+writer), be(seq))
	return b.Commit(false)
}

// Notice is what the CA's link server remembers of one change notice (M3), so
// that the certificate is revoked exactly once whatever crashes.
type Notice struct {
	Seq     uint64   `json:"seq"`
	Ordinal uint64   `json:"ordinal"`
	Digest  []byte   `json:"digest"`          // hash by which the same bytes are known again
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

// SetNotice writes a notice's row.
func (r *Registry) SetNotice(n Notice, d Durability) error {
	name := row(noticePrefix, n.Seq)
	sealed, err := r.sealJSON(name, n)
	if err != nil {
		return err
	}
	b := r.kv.NewBatch()
	b.Set(name, sealed)
	return b.Commit(bool(d))
}

// DropNotice forgets a pending notice that never reached the log.
func (r *Registry) DropNotice(seq uint64) error {
	b := r.kv.NewBatch()
	b.Delete(row(noticePrefix, seq))
	return b.Commit(true)
}

// GetNotice returns the row of a notice sequence, or ErrNotFound.
func (r *Registry) GetNotice(seq uint64) (Notice, error) {
	var n Notice
	name := row(noticePrefix, seq)
	sealed, err := r.get(name)
	if err != nil {
		return n, err
	}
	return n, r.unsealJSON(name, sealed, &n)
}

// LastNotice returns the row with the largest sequence, or ErrNotFound.
func (r *Registry) LastNotice() (Notice, error) {
	from, to := kv.Prefix([]byte(noticePrefix))
	k, v, err := r.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return Notice{}, ErrNotFound
	}
	if err != nil {
		return Notice{}, err
	}
	var n Notice
	return n, r.unsealJSON(k, v, &n)
}

// List is one daily holders list (M1) on its way to the register side.
type List struct {
	Seq    uint64   `json:"seq"`
	Day    string   `json:"day"`             // JST day
	Bytes  []byte   `json:"bytes,omitempty"` // the message; dropped once it is received
	Total  uint64   `json:"total"`           // holders in force after it
	New    []uint64 `json:"new,omitempty"`   // ordinals in it, until it is received
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

// SetList writes a list's row, synced.
func (r *Registry) SetList(l List) error {
	name := row(listPrefix, l.Seq)
	sealed, err := r.sealJSON(name, l)
	if err != nil {
		return err
	}
	b := r.kv.NewBatch()
	b.Set(name, sealed)
	return b.Commit(true)
}

// GetList returns the list with this sequence, or ErrNotFound.
func (r *Registry) GetList(seq uint64) (List, error) {
	var l List
	name := row(listPrefix, seq)
	sealed, err := r.get(name)
	if err != nil {
		return l, err
	}
	return l, r.unsealJSON(name, sealed, &l)
}

// LastList returns the newest list, or ErrNotFound.
func (r *Registry) LastList() (List, error) {
	from, to := kv.Prefix([]byte(listPrefix))
	k, v, err := r.kv.Last(from, to)
	if errors.Is(err, kv.ErrNotFound) {
		return List{}, ErrNotFound
	}
	if err != nil {
		return List{}, err
	}
	var l List
	return l, r.unsealJSON(k, v, &l)
}

// NewHolders returns the ordinals that no list has told yet and that are in
// force at now, at most limit of them.
func (r *Registry) NewHolders(now time.Time, limit int) ([]*Record, error) {
	ordinals, err := r.ordinals([]byte(newPrefix))
	if err != nil {
		return nil, err
	}
	var out []*Record
	for _, o := range ordinals {
		if len(out) == limit {
			break
		}
		rec, err := r.Get(o)
		if err != nil {
			return nil, err
		}
		if rec.State == Issued && rec.Live(now) {
			out = append(out, rec)
		}
	}
	return out, nil
}

// GoneHolders returns the ordinals that a list has told and that are no longer
// in force at now: revoked or expired; ascending, at most limit of them.
func (r *Registry) GoneHolders(now time.Time, limit int) ([]uint64, error) {
	out, err := r.ordinals([]byte(gonePrefix))
	if err != nil {
		return nil, err
	}
	from := []byte(expiryPrefix)
	to := row(expiryPrefix, uint64(max(now.Unix(), 0))+1)
	err = r.kv.Scan(from, to, func(k, _ []byte) error {
		out = append(out, binary.BigEndian.Uint64(k[len(k)-8:]))
		return nil
	})
	slices.Sort(out)
	return out[:min(len(out), limit)], err
}

// CountLive returns how many certificates are in force at now: issued, not
// revoked, not expired. It counts rows of the queues and the expiry index, not
// records, and so checks what a list says of itself.
func (r *Registry) CountLive(now time.Time) (uint64, error) {
	fresh, err := r.NewHolders(now, math.MaxInt)
	if err != nil {
		return 0, err
	}
	n := uint64(len(fresh))
	_, to := kv.Prefix([]byte(expiryPrefix))
	err = r.kv.Scan(row(expiryPrefix, uint64(max(now.Unix(), 0))+1), to, func(_, _ []byte) error {
		n++
		return nil
	})
	return n, err
}

// Revocations calls fn for every revocation, in order of ordinals.
func (r *Registry) Revocations(fn func(Revocation) error) error {
	from, to := kv.Prefix([]byte(revokedPrefix))
	return r.kv.Scan(from, to, func(_, v []byte) error {
		var rv Revocation
		if err := json.Unmarshal(v, &rv); err != nil {
			return fmt.Errorf("couldn't read a revocation: %w", err)
		}
		return fn(rv)
	})
}

// CRL is the newest list of one partition.
type CRL struct {
	Partition string    `json:"partition"` // "full" or a municipality code
	Number    uint64    `json:"number"`    // strictly increasing per partition
	Covers    uint64    `json:"covers"`
	DER       []byte    `json:"der,omitempty"` // empty while only the number is taken
	ThisTime  time.Time `json:"this_update"`
	NextTime  time.Time `json:"next_update"`
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
	b := r.kv.NewBatch()
	b.Set([]byte(crlPrefix+c.Partition), v)
	return b.Commit(bool(d))
}

// GetCRL returns the newest list of a partition, or ErrNotFound.
func (r *Registry) GetCRL(partition string) (CRL, error) {
	var c CRL
	v, err := r.get([]byte(crlPrefix + partition))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(v, &c)
}
