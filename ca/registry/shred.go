package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Doomed reports whether something was erased, aborted or delivered whose own
// key Shred has still to destroy.
func (r *Registry) Doomed() (bool, error) {
	rows, err := r.store.Queued(QueueDoomed, time.Time{}, 1)
	if err != nil {
		return false, err
	}
	lists, err := r.store.NotedNames(spentName)
	return len(rows)+len(lists) > 0 || len(r.ring.get().Index) > 1, err
}

// Shred destroys for good the own keys of all records that were erased or
// aborted and of all lists that were delivered, then makes the attribute index
// anew under a fresh key if a person left it. When it returns without an error,
// nobody can tell any more from the store, from its old files or from a backup
// who those records were about. It may be stopped and called again at any
// point; records may be read and written meanwhile.
//
// The index costs a read of every record: erasure is a batch, not an act of
// every day.
func (r *Registry) Shred(ctx context.Context) error {
	r.shredder.Lock()
	defer r.shredder.Unlock()
	rows, err := r.store.Queued(QueueDoomed, time.Time{}, math.MaxInt)
	if err != nil {
		return err
	}
	spent, err := r.store.NotedNames(spentName)
	if err != nil {
		return err
	}
	if len(rows)+len(spent) > 0 {
		if err := r.destroy(rows, spent); err != nil {
			return fmt.Errorf("couldn't destroy keys: %w", err)
		}
	}
	if len(r.ring.get().Index) > 1 {
		return r.reindex(ctx)
	}
	return nil
}

// destroy takes keys out of the ring, then says so in the store.
func (r *Registry) destroy(rows []uint64, spent []string) error {
	lists := make([]uint64, len(spent))
	for i, name := range spent {
		n, err := strconv.ParseUint(strings.TrimPrefix(name, spentName), 16, 64)
		if err != nil {
			return errDamaged
		}
		lists[i] = n
	}
	var index []byte
	if len(rows) > 0 {
		fresh, err := freshSecrets(r.rand)
		if err != nil {
			return err
		}
		index = fresh.Index[0]
	}
	err := r.rekey(func(s secrets) *secrets {
		s.Records, s.Lists = s.Records.without(rows...), s.Lists.without(lists...)
		if index != nil {
			s.Index = append([][]byte{index}, s.Index...)
		}
		return &s
	})
	if err != nil {
		return err
	}
	for _, o := range rows {
		if err := r.rewriteRow(o); err != nil {
			return err
		}
	}
	notes := map[string][]byte{epochNote: be(r.ring.get().Epoch)}
	for _, name := range spent {
		notes[name] = nil
	}
	return r.store.Note(Synced, notes)
}

// rekey rewrites the ring while no row is between its keys and the store.
func (r *Registry) rekey(fn func(secrets) *secrets) error {
	r.sealing.Lock()
	defer r.sealing.Unlock()
	r.open.clear()
	return r.ring.rewrite(fn)
}

// rewriteRow brings a row up to the ring: no longer doomed once its key is
// gone, its person under the newest index key.
func (r *Registry) rewriteRow(ordinal uint64) error {
	defer r.lock(ordinal)()
	old, err := r.load(ordinal)
	if errors.Is(err, ErrNotFound) {
		return nil // discarded meanwhile
	}
	if err != nil {
		return err
	}
	s := r.ring.get()
	next, err := r.hold(old.rec, old, s)
	if err != nil {
		return err
	}
	next.row.Doomed = next.row.Doomed && s.Records.alive(ordinal)
	if next.row.Person != nil {
		next.row.Person = person(s.Index[0], old.rec.Certified.Attributes())
	}
	if err := r.sealPublic(next); err != nil {
		return err
	}
	r.open.drop(ordinal)
	return r.store.Update(Relaxed, Edit{old.row, next.row})
}

// reindex keys the attribute index by the newest key alone and destroys the
// older ones.
func (r *Registry) reindex(ctx context.Context) error {
	size, err := r.store.Size()
	if err != nil {
		return err
	}
	for o := range size { // newer records are under the newest key already
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.rewriteRow(o); err != nil {
			return fmt.Errorf("couldn't key the index of record %d anew: %w", o, err)
		}
	}
	s := r.ring.get()
	if err := r.store.Note(Synced, map[string][]byte{epochNote: be(s.Epoch), indexNote: indexID(s.Index[0])}); err != nil {
		return err // with it the rows are on disk
	}
	if len(s.Index) == 1 {
		return nil
	}
	return r.rekey(func(s secrets) *secrets {
		s.Index = s.Index[:1:1]
		return &s
	})
}

// Rotate puts the ring under a new generation of the key-encryption key and
// destroys the old one. Rows stay as they are.
func (r *Registry) Rotate() error {
	r.shredder.Lock()
	defer r.shredder.Unlock()
	if err := r.rekey(func(s secrets) *secrets { return &s }); err != nil {
		return fmt.Errorf("couldn't rotate the key-encryption key: %w", err)
	}
	return r.store.Note(Synced, map[string][]byte{epochNote: be(r.ring.get().Epoch)})
}

// Scrub makes the store's files forget what was overwritten or removed, as far
// as the back end can. Erasure does not rest on it.
func (r *Registry) Scrub() error { return r.store.Scrub() }
