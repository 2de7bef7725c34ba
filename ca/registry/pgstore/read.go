package pgstore

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sukashi-project/sukashi/ca/registry"
)

func (s *Store) reading() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callTimeout)
}

// Get implements registry.Records.
func (s *Store) Get(ordinal uint64) (public, private []byte, err error) {
	ctx, cancel := s.reading()
	defer cancel()
	if ordinal > math.MaxInt64 {
		return nil, nil, registry.ErrNotFound
	}
	err = s.pool.QueryRow(ctx, `SELECT public, private FROM issuance WHERE ordinal = $1`, int64(ordinal)).Scan(&public, &private)
	return public, private, explain("read a record", err)
}

// ordinals runs a query for one column of ordinals.
func (s *Store) ordinals(sql string, args ...any) ([]uint64, error) {
	ctx, cancel := s.reading()
	defer cancel()
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, explain("look records up", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, explain("look records up", err)
	}
	var out []uint64
	for _, o := range found {
		out = append(out, uint64(o))
	}
	return out, nil
}

// Find implements registry.Finder.
func (s *Store) Find(by registry.Index, key []byte) ([]uint64, error) {
	switch by {
	case registry.ByApplication:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE application = $1 ORDER BY ordinal DESC LIMIT 1`, key)
	case registry.BySerial:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE serial = $1`, string(key))
	case registry.ByKey:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE spki = $1 AND state <> 6`, key)
	case registry.ByPerson:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE person = $1 ORDER BY ordinal`, key)
	}
	return nil, fmt.Errorf("there is no index %d", by)
}

// Queued implements registry.Finder.
func (s *Store) Queued(q registry.Queue, until time.Time, limit int) ([]uint64, error) {
	switch q {
	case registry.QueueNew, registry.QueueGone:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE queue = $1 AND queue <> 0 ORDER BY ordinal LIMIT $2`, int16(q), int64(limit))
	case registry.QueueExpiring:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE queue = 2 AND expires <= $1 ORDER BY ordinal LIMIT $2`, until, int64(limit))
	case registry.QueueOpen:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE state <= 3 ORDER BY ordinal LIMIT $1`, int64(limit))
	case registry.QueueDoomed:
		return s.ordinals(`SELECT ordinal FROM issuance WHERE doomed ORDER BY ordinal LIMIT $1`, int64(limit))
	}
	return nil, fmt.Errorf("there is no queue %d", q)
}

// number runs a query for one number.
func (s *Store) number(sql string, args ...any) (uint64, error) {
	ctx, cancel := s.reading()
	defer cancel()
	var n int64
	err := s.pool.QueryRow(ctx, sql, args...).Scan(&n)
	return uint64(n), explain("count records", err)
}

// Expiring implements registry.Finder.
func (s *Store) Expiring(after time.Time) (uint64, error) {
	return s.number(`SELECT count(*) FROM issuance WHERE queue = 2 AND expires > $1`, after)
}

// Size implements registry.Finder.
func (s *Store) Size() (uint64, error) {
	return s.number(`SELECT coalesce(max(ordinal) + 1, 0) FROM issuance`)
}

// Revocations implements registry.Finder. It reads in portions, so that a slow
// caller holds no transaction open.
func (s *Store) Revocations(fn func([]byte) error) error {
	const portion = 1000
	for from := int64(0); ; {
		n, err := s.portion(&from, portion, fn)
		if err != nil || n < portion {
			return err
		}
	}
}

func (s *Store) portion(from *int64, limit int, fn func([]byte) error) (n int, err error) {
	ctx, cancel := s.reading()
	defer cancel()
	rows, err := s.pool.Query(ctx, `SELECT ordinal, revocation FROM issuance WHERE state = 5 AND ordinal >= $1 ORDER BY ordinal LIMIT $2`, *from, limit)
	if err != nil {
		return 0, explain("list the revocations", err)
	}
	type one struct {
		Ordinal    int64
		Revocation []byte
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[one])
	if err != nil {
		return 0, explain("list the revocations", err)
	}
	for _, r := range all {
		if err := fn(r.Revocation); err != nil {
			return 0, err
		}
		*from = r.Ordinal + 1
	}
	return len(all), nil
}

// Noted implements registry.Notes.
func (s *Store) Noted(name string) (v []byte, err error) {
	ctx, cancel := s.reading()
	defer cancel()
	err = s.pool.QueryRow(ctx, `SELECT value FROM note WHERE name = $1`, name).Scan(&v)
	return v, explain("read a note", err)
}

// LastNoted implements registry.Notes.
func (s *Store) LastNoted(prefix string) (name string, v []byte, err error) {
	ctx, cancel := s.reading()
	defer cancel()
	err = s.pool.QueryRow(ctx, `SELECT name, value FROM note WHERE name >= $1 AND name < $2 ORDER BY name DESC LIMIT 1`, prefix, after(prefix)).Scan(&name, &v)
	return name, v, explain("read a note", err)
}

// NotedNames implements registry.Notes.
func (s *Store) NotedNames(prefix string) ([]string, error) {
	ctx, cancel := s.reading()
	defer cancel()
	rows, err := s.pool.Query(ctx, `SELECT name FROM note WHERE name >= $1 AND name < $2 ORDER BY name`, prefix, after(prefix))
	if err != nil {
		return nil, explain("list notes", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return names, explain("list notes", err)
}

// after is the first name that is past every name with the prefix; names are
// ASCII.
func after(prefix string) string { return prefix + "\x7f" }

// Scrub implements registry.Store: VACUUM gives the space of dead row versions
// back for reuse.
func (s *Store) Scrub() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return explain("vacuum", err)
	}
	defer c.Release()
	if _, err := c.Exec(ctx, `SET statement_timeout = 0`); err != nil {
		return explain("vacuum", err)
	}
	_, err = c.Exec(ctx, `VACUUM issuance, note`)
	if _, e := c.Exec(ctx, fmt.Sprintf(`SET statement_timeout = %d`, callTimeout.Milliseconds())); err == nil {
		err = e
	}
	return explain("vacuum", err)
}
