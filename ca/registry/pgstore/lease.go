package pgstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/say"
)

// Advisory locks of the database. The class is also in the schema's fence.
const (
	lockClass = 1937074017
	lockLease = 1 // held by the active process
	lockGate  = 2 // shared by every write, exclusive in a takeover
)

// watchEvery is how often the active process looks at its lease.
const watchEvery = 500 * time.Millisecond

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up, one file after the other, each once. Whoever
// calls it has the lease.
func migrate(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())`); err != nil {
		return explain("prepare the schema", err)
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var have int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM migration`).Scan(&have); err != nil {
		return explain("look at the schema", err)
	}
	if have > len(files) {
		return say.New("registry.format", "発行記録の保存形式がこの版と違います。", "The registry is of another version's format.").
			Hint("この保存先を作った版の sukashi を使ってください。", "Use the version of sukashi that made this database.")
	}
	for _, f := range files[have:] {
		b, err := migrations.ReadFile(f)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(b)); err != nil {
			return explain("bring the schema up", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO migration (name) VALUES ($1)`, f); err != nil {
			return explain("bring the schema up", err)
		}
	}
	return nil
}

// takeOver raises the epoch when no write of an earlier one is under way.
func takeOver(ctx context.Context, c *pgx.Conn, holder string) (epoch int64, err error) {
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, lockClass, lockGate); err != nil {
			return explain("take over", err)
		}
		if err := migrate(ctx, tx); err != nil {
			return err
		}
		return explain("take over", tx.QueryRow(ctx, `UPDATE lease SET epoch = epoch + 1, holder = $1, since = now() RETURNING epoch`, holder).Scan(&epoch))
	})
	if err != nil {
		return 0, fmt.Errorf("couldn't take the registry over: %w", err)
	}
	return epoch, nil
}

// Epoch is the number of takeovers up to this process's own.
func (s *Store) Epoch() uint64 { return uint64(s.epoch) }

// Lost is closed when another process has taken over.
func (s *Store) Lost() <-chan struct{} { return s.lost }

// Held asks the database whether this process is still the active one:
// ErrFenced when it is not.
func (s *Store) Held(ctx context.Context) error {
	select {
	case <-s.lost:
		return registry.ErrFenced
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var epoch int64
	if err := s.pool.QueryRow(ctx, `SELECT epoch FROM lease`).Scan(&epoch); err != nil {
		return explain("look at the lease", err)
	}
	if epoch != s.epoch {
		s.fence()
		return registry.ErrFenced
	}
	return nil
}

func (s *Store) fence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fenced {
		s.fenced = true
		close(s.lost)
	}
}

// watch keeps the lock connection and looks at the epoch. A lost connection is
// made again; if another process got the lock meanwhile, the epoch tells.
func (s *Store) watch(ctx context.Context, lock *pgx.Conn) {
	defer s.done.Done()
	defer func() {
		if lock != nil {
			closeConn(lock)
		}
	}()
	for tick := time.NewTicker(watchEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-s.lost:
			tick.Stop()
			return
		case <-tick.C:
		}
		if lock == nil {
			lock = s.relock(ctx)
		} else if err := lock.Ping(ctx); err != nil {
			closeConn(lock)
			lock = nil
		}
		_ = s.Held(ctx) // fences; an unreachable database is asked again
	}
}

// BreakLease ends the connection that holds the lease, as a broken network
// would: a drill for the standby. If another process waits, it takes over; if
// none does, the active one takes its lease again.
func BreakLease(ctx context.Context, url string) error {
	c, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer closeConn(c)
	_, err = c.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::int::oid AND objid = $2::int::oid AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, lockClass, lockLease)
	return explain("break the lease", err)
}

func (s *Store) relock(ctx context.Context) *pgx.Conn {
	c, err := connect(ctx, s.cfg.URL)
	if err != nil {
		return nil
	}
	var got bool
	if err := c.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, lockClass, lockLease).Scan(&got); err != nil || !got {
		closeConn(c)
		return nil
	}
	return c
}
