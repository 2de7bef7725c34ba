// Package pgstore keeps the identity information database on PostgreSQL, for
// an information-processing body that runs one anyway.
//
//	s, err := pgstore.Open(ctx, "postgres://…")
//	r, err := register.OpenStore(s, register.Config{Now: clock.Now})
//
// What it promises: a write is whole and on the database's disk, or not there
// (synchronous_commit is demanded for every connection, whatever the server's
// default). Only the process that opened the database last may write: opening
// raises an epoch, and every write checks it under the same transaction, so a
// process that was thought dead can't go on with what it remembers.
//
// The database holds resident codes and belongs to zone juki. Errors never
// quote a row: of the server's own errors only the code is kept.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
)

// callTimeout bounds one call; Scan is bounded by its caller's work.
const callTimeout = time.Minute

// ErrFenced says that another process has opened the database since.
var ErrFenced = say.New("register.fenced", "本人確認情報DBは、ほかのプロセスが使い始めています。", "Another process has taken the identity information database over.").
	Hint("このプロセスを終了してください。", "End this process.")

// Store implements register.Store.
type Store struct {
	pool  *pgxpool.Pool
	epoch int64
}

var _ register.Store = (*Store)(nil)

const schema = `
CREATE TABLE IF NOT EXISTS identity (k bytea PRIMARY KEY, v bytea NOT NULL);
CREATE TABLE IF NOT EXISTS fence (one boolean PRIMARY KEY DEFAULT true CHECK (one), epoch bigint NOT NULL);
INSERT INTO fence (epoch) VALUES (0) ON CONFLICT DO NOTHING;`

// Open connects, makes the tables where there are none, and takes over: from
// now on no earlier opener can write.
func Open(ctx context.Context, url string) (*Store, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database's address can't be read") // it may hold a password
	}
	conf.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, explain("reach the database", err)
	}
	s := &Store{pool: pool}
	if _, err := pool.Exec(ctx, schema); err != nil {
		pool.Close()
		return nil, explain("prepare the database", err)
	}
	if err := pool.QueryRow(ctx, `UPDATE fence SET epoch = epoch + 1 RETURNING epoch`).Scan(&s.epoch); err != nil {
		pool.Close()
		return nil, explain("take the database over", err)
	}
	return s, nil
}

// Close implements register.Store.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Get implements register.Store.
func (s *Store) Get(key []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var v []byte
	err := s.pool.QueryRow(ctx, `SELECT v FROM identity WHERE k = $1`, key).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, kv.ErrNotFound
	}
	return v, explain("read a row", err)
}

// Scan implements register.Store.
func (s *Store) Scan(from, to []byte, fn func(key, value []byte) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if from == nil {
		from = []byte{}
	}
	rows, err := s.pool.Query(ctx, `SELECT k, v FROM identity WHERE k >= $1 AND ($2::bytea IS NULL OR k < $2) ORDER BY k`, from, to)
	if err != nil {
		return explain("read rows", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k, v []byte
		if err := rows.Scan(&k, &v); err != nil {
			return explain("read rows", err)
		}
		if err := fn(k, v); errors.Is(err, kv.ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return explain("read rows", rows.Err())
}

// Write implements register.Store.
func (s *Store) Write(pairs []register.Pair) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	last := map[string]int{}
	for i, p := range pairs {
		last[string(p.Key)] = i
	}
	keys, values := make([][]byte, 0, len(last)), make([][]byte, 0, len(last))
	for i, p := range pairs {
		if last[string(p.Key)] != i {
			continue // a later row of this batch has the key
		}
		v := p.Value
		if v == nil {
			v = []byte{}
		}
		keys, values = append(keys, p.Key), append(values, v)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var epoch int64
		if err := tx.QueryRow(ctx, `SELECT epoch FROM fence FOR SHARE`).Scan(&epoch); err != nil {
			return err
		}
		if epoch != s.epoch {
			return ErrFenced
		}
		_, err := tx.Exec(ctx, `INSERT INTO identity (k, v) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (k) DO UPDATE SET v = excluded.v`, keys, values)
		return err
	})
	if errors.Is(err, ErrFenced) {
		return ErrFenced
	}
	return explain("write", err)
}

// explain keeps what a database's error says without its values.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return fmt.Errorf("couldn't %s: the database answered with %s", what, pg.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("couldn't %s: %w", what, context.DeadlineExceeded)
	}
	return fmt.Errorf("couldn't %s: the database can't be reached", what)
}
