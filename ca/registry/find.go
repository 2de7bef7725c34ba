package registry

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

func (r *Registry) one(by Index, key []byte) (uint64, error) {
	found, err := r.store.Find(by, key)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, ErrNotFound
	}
	return found[0], nil
}

// ByApplication returns the ordinal that an application id led to, the newest
// if an earlier attempt was aborted.
func (r *Registry) ByApplication(id string) (uint64, error) {
	d := entry.Sum([]byte(id))
	return r.one(ByApplication, d[:])
}

// BySerial returns the ordinal of a serial number (lower-case hex).
func (r *Registry) BySerial(serial string) (uint64, error) { return r.one(BySerial, []byte(serial)) }

// ByKey returns the ordinal of the certificate that a public key was certified
// or announced in, by the SHA-256 of its SubjectPublicKeyInfo.
func (r *Registry) ByKey(spki entry.Digest) (uint64, error) { return r.one(ByKey, spki[:]) }

// ByAttributes returns, in ascending order, the ordinals of all certificates
// (pending, in force, revoked or expired) that state these four attributes.
// More than one holder can be behind them: twins exist.
func (r *Registry) ByAttributes(a attr.Attributes) ([]uint64, error) {
	var out []uint64
	for _, key := range r.ring.get().Index {
		found, err := r.store.Find(ByPerson, person(key, a))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// LiveByAttributes is ByAttributes without what is revoked, aborted or expired
// at now (Article 6, IN-05).
func (r *Registry) LiveByAttributes(a attr.Attributes, now time.Time) ([]uint64, error) {
	all, err := r.ByAttributes(a)
	if err != nil {
		return nil, err
	}
	live := all[:0]
	for _, o := range all {
		rec, err := r.Get(o)
		if err != nil {
			return nil, err
		}
		if rec.Live(now) {
			live = append(live, o)
		}
	}
	return live, nil
}

// Open returns the ordinals whose record is prepared, intended or signed.
func (r *Registry) Open() ([]uint64, error) {
	return r.store.Queued(QueueOpen, time.Time{}, math.MaxInt)
}

// Size is one more than the largest ordinal in the registry.
func (r *Registry) Size() (uint64, error) { return r.store.Size() }

// NewHolders returns the records that no list has told yet and that are in
// force at now, at most limit of them.
func (r *Registry) NewHolders(now time.Time, limit int) ([]*Record, error) {
	ordinals, err := r.store.Queued(QueueNew, time.Time{}, math.MaxInt)
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
	out, err := r.store.Queued(QueueGone, time.Time{}, limit)
	if err != nil {
		return nil, err
	}
	expired, err := r.store.Queued(QueueExpiring, now, limit)
	out = append(out, expired...)
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
	n, err := r.store.Expiring(now)
	return n + uint64(len(fresh)), err
}

// Revocations calls fn for every revocation, in order of ordinals.
func (r *Registry) Revocations(fn func(Revocation) error) error {
	return r.store.Revocations(func(v []byte) error {
		var rv Revocation
		if err := json.Unmarshal(v, &rv); err != nil {
			return fmt.Errorf("couldn't read a revocation: %w", err)
		}
		return fn(rv)
	})
}
