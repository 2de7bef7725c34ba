package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sukashi-project/sukashi/ca/registry"
)

// Advisory locks of the database. The class is also in the schema's fence.
const (
	lockClass = 1937074017
	lockLease = 1 // held by the active process
	lockGate  = 2 // shared by every write, exclusive in a takeover
)

// watchEvery is how often the active process looks at its lease.
const watchEvery = 500 * time.Millisecond

// takeOver raises the epoch when no write of an earlier one is under way. It
// returns c, which holds the lease, or closes it.
func takeOver(ctx context.Context, c *pgx.Conn, holder string) (_ *pgx.Conn, epoch int64, err error) {
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
		closeConn(c)
		return nil, 0, fmt.Errorf("couldn't take the registry over: %w", err)
	}
	return c, epoch, nil
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
	if got, err := tryLock(ctx, c); err != nil || !got {
		closeConn(c)
		return nil
	}
	return c
}

func tryLock(ctx context.Context, c *pgx.Conn) (got bool, err error) {
	err = c.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, lockClass, lockLease).Scan(&got)
	return got, explain("ask for the lease", err)
}

// askAgain is how long a standby waits after its database went away.
const askAgain = time.Second

// lead waits for the lease and takes over. Who has begun to wait outlasts a
// restart of the database; a database that isn't there at first is an error.
func lead(ctx context.Context, cfg Config) (*pgx.Conn, int64, error) {
	c, err := connect(ctx, cfg.URL)
	if err != nil {
		return nil, 0, err
	}
	got, err := tryLock(ctx, c)
	if err == nil && got {
		return takeOver(ctx, c, cfg.Holder)
	}
	if err == nil && cfg.Busy != nil {
		err = cfg.Busy(holder(ctx, c))
	}
	if err != nil {
		closeConn(c)
		return nil, 0, err
	}
	for {
		if _, err = c.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, lockClass, lockLease); err != nil {
			closeConn(c)
		} else if c, epoch, err := takeOver(ctx, c, cfg.Holder); err == nil {
			return c, epoch, nil
		} // the lease may come from a server that is about to end
		if c, err = again(ctx, cfg.URL); err != nil {
			return nil, 0, err
		}
	}
}

// again connects to a database that went away.
func again(ctx context.Context, url string) (*pgx.Conn, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("couldn't wait for the lease: %w", ctx.Err())
		case <-time.After(askAgain):
		}
		if c, err := connect(ctx, url); err == nil {
			return c, nil
		}
	}
}

// holder is who took the registry over last, for a sentence; "" if unknown.
func holder(ctx context.Context, c *pgx.Conn) (name string) {
	_ = c.QueryRow(ctx, `SELECT holder FROM lease`).Scan(&name) // the very first process makes the table
	return name
}
