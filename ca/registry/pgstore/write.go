package pgstore

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sukashi-project/sukashi/ca/registry"
)

// op is one atomic write: statements that go into one transaction, together
// with those of other callers that came at the same time.
type op struct {
	sync  bool
	stmts []stmt
	done  chan error
}

type stmt struct {
	sql  string
	args []any
	rows int64 // how many rows it must touch; -1: any number
}

const (
	insertSQL = `INSERT INTO issuance (ordinal, state, serial, application, spki, person, twin, period, queue, expires, doomed, revocation, public, private)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	updateSQL = `UPDATE issuance SET state = $2, person = $3, twin = $4, period = $5, queue = $6, expires = $7, doomed = $8, revocation = $9, public = $10
WHERE ordinal = $1`
	updateAllSQL = `UPDATE issuance SET state = $2, person = $3, twin = $4, period = $5, queue = $6, expires = $7, doomed = $8, revocation = $9, public = $10, private = $11
WHERE ordinal = $1`
	deleteSQL = `DELETE FROM issuance WHERE ordinal = $1`
	noteSQL   = `INSERT INTO note (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	unnoteSQL = `DELETE FROM note WHERE name = $1`
)

// maxGroup bounds how many callers' writes go into one transaction.
const maxGroup = 256

func period(row *registry.Row) any {
	if row.Person == nil {
		return nil
	}
	return pgtype.Range[pgtype.Timestamptz]{
		Lower: pgtype.Timestamptz{Time: row.NotBefore, Valid: true}, LowerType: pgtype.Inclusive,
		Upper: pgtype.Timestamptz{Time: row.NotAfter, Valid: true}, UpperType: pgtype.Exclusive, Valid: true}
}

func expires(row *registry.Row) any {
	if row.Queue != registry.QueueExpiring {
		return nil
	}
	return row.NotAfter
}

// Insert implements registry.Records.
func (s *Store) Insert(rows ...*registry.Row) (durable func() error, err error) {
	o := &op{sync: true}
	for _, r := range rows {
		o.stmts = append(o.stmts, stmt{insertSQL, []any{int64(r.Ordinal), int16(r.State), r.Serial, r.Application[:], r.SPKI[:], r.Person, r.Twin,
			period(r), int16(r.Queue), expires(r), r.Doomed, r.Revocation, r.Public, r.Private}, 1})
	}
	return func() error { return nil }, s.do(o)
}

// Update implements registry.Records. What names the person is written only
// when it changed: it is most of a row.
func (s *Store) Update(d registry.Durability, edits ...registry.Edit) error {
	o := &op{sync: bool(d)}
	for _, e := range edits {
		next := e.Next
		args := []any{int64(next.Ordinal), int16(next.State), next.Person, next.Twin, period(next), int16(next.Queue), expires(next), next.Doomed,
			next.Revocation, next.Public}
		if slices.Equal(e.Old.Private, next.Private) {
			o.stmts = append(o.stmts, stmt{updateSQL, args, 1})
		} else {
			o.stmts = append(o.stmts, stmt{updateAllSQL, append(args, next.Private), 1})
		}
	}
	return s.do(o)
}

// Delete implements registry.Records.
func (s *Store) Delete(rows ...*registry.Row) error {
	o := &op{sync: true}
	for _, r := range rows {
		o.stmts = append(o.stmts, stmt{deleteSQL, []any{int64(r.Ordinal)}, 1})
	}
	return s.do(o)
}

// Note implements registry.Notes.
func (s *Store) Note(d registry.Durability, notes map[string][]byte) error {
	o := &op{sync: bool(d)}
	for name, v := range notes {
		if v == nil {
			o.stmts = append(o.stmts, stmt{unnoteSQL, []any{name}, -1})
			continue
		}
		o.stmts = append(o.stmts, stmt{noteSQL, []any{name, v}, 1})
	}
	return s.do(o)
}

// do queues a write and waits for it.
func (s *Store) do(o *op) error {
	if len(o.stmts) == 0 {
		return nil
	}
	o.done = make(chan error, 1)
	select {
	case <-s.lost:
		return registry.ErrFenced
	case <-s.closed:
		return errClosed
	case s.ops <- o:
	}
	select {
	case err := <-o.done:
		return err
	case <-s.closed:
		select {
		case err := <-o.done:
			return err
		default:
			return errClosed
		}
	}
}

var errClosed = errors.New("the registry's store is closed")

// write is the loop of one writer: it takes what waits and commits it at once.
func (s *Store) write() {
	defer s.done.Done()
	for {
		var group []*op
		select {
		case <-s.closed:
			return
		case o := <-s.ops:
			group = append(group, o)
		}
	more:
		for len(group) < maxGroup {
			select {
			case o := <-s.ops:
				group = append(group, o)
			default:
				break more
			}
		}
		s.commit(group)
	}
}

// commit writes a group. When the database refuses it, each op is tried by
// itself, so that only the one to blame fails.
func (s *Store) commit(group []*op) {
	err := s.transact(group)
	if err != nil && len(group) > 1 && (errors.Is(err, registry.ErrTaken) || errors.Is(err, errRows)) {
		for _, o := range group {
			s.commit([]*op{o})
		}
		return
	}
	if errors.Is(err, registry.ErrFenced) {
		s.fence()
	}
	for _, o := range group {
		o.done <- err
	}
}

var errRows = errors.New("a row of the registry is not there")

// transact sends a group in one transaction and, but for its begin and commit,
// in one round trip.
func (s *Store) transact(group []*op) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	b := &pgx.Batch{}
	var stmts []stmt
	relaxed := true
	for _, o := range group {
		relaxed = relaxed && !o.sync
		stmts = append(stmts, o.stmts...)
	}
	for _, st := range stmts {
		b.Queue(st.sql, st.args...)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if relaxed {
			if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
				return err
			}
		}
		return run(ctx, tx, b, stmts)
	})
	if errors.Is(err, errRows) {
		return err
	}
	return explain("write", err)
}

func run(ctx context.Context, tx pgx.Tx, b *pgx.Batch, stmts []stmt) (err error) {
	res := tx.SendBatch(ctx, b)
	defer func() { err = errors.Join(err, res.Close()) }()
	for _, st := range stmts {
		tag, err := res.Exec()
		if err != nil {
			return err
		}
		if st.rows >= 0 && tag.RowsAffected() != st.rows {
			return errRows
		}
	}
	return nil
}
