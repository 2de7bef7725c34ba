// Package pgstore keeps the CA's registry in PostgreSQL, for those who outgrow
// one machine or need a standby. It is the only package that imports pgx, and
// behaves as the embedded back end does: ca/registry/registrytest holds both to
// the same suite.
//
// The database refuses by itself what must never happen: a second record for an
// ordinal, serial, application or key, a second certificate in force for one
// person (Article 6), a record that moves back, a write by a process that was
// replaced (migrations/).
//
// # Two processes, one registry
//
// One is active, the others stand by. Open waits for a session-level advisory
// lock on a connection of its own: when the active process ends, however it
// ends, the server sees its connection close and gives the lock to a waiting
// one. That one then takes over: it raises the epoch in table lease, under an
// exclusive lock that waits until every write of the old epoch has committed or
// failed. Triggers refuse any later statement of an old epoch, so a process that
// only believes to be active (it was stopped, or cut off and came back) can't
// write; ErrFenced tells it. The epoch and not the lock is what protects: a lost
// lock connection is made again, and as long as the epoch is the same nobody
// came between.
//
// What a takeover needs beside the database, and what ca does about it:
//
//   - The log. A fenced process could still append. The new one therefore logs
//     an entry under each of the CA's writers before it reads the log (the fence
//     entry): the next number of the old process is then taken, the log refuses
//     it, and a refused number ends that process. It asks Held before it trusts
//     a number that it asked the log for anew.
//   - The signing journal and the burned receipts. They are local to a host. On
//     one host both processes use the same journal, whose file lock the kernel
//     releases with the old process. On two hosts each has its own: each is a
//     subset of the logged intents, so their union is. An intent that the old
//     host left open is not in the new host's journal and is closed as aborted;
//     if the old host's key was used for it, that signature stayed in its memory
//     (storing it is fenced, and a certificate leaves only after cert.issued).
//   - The key ring. Both hosts need the present one: a shared small volume, or a
//     copy after each Shred and Rotate. An old ring is refused by its epoch. The
//     key-encryption key is the token's, or one that both tokens hold.
//
// # Erasure
//
// Dead row versions stay in a table's pages until VACUUM and reuse, in the
// write-ahead log until its segment is overwritten, in archives and base backups
// for as long as they are kept, and on replicas. None of it matters to erasure:
// what names a person is sealed under a key of its record's own, which is never
// in the database and is destroyed in the key ring. Scrub runs VACUUM for
// tidiness only.
//
//	s, err := pgstore.Open(ctx, pgstore.Config{URL: "postgres://…", Holder: "ca-1"}) // waits while another is active
//	reg, err := registry.OpenStore(s, keysDir, registry.Config{…})
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/say"
)

// Config of a store.
type Config struct {
	URL    string // a connection string; the role owns the database, or was given what Schema grants
	Holder string // who this process is, for the operator who looks into table lease
	Conns  int32  // connections at most beside the lease's; 0: 16
	// Busy is told who is active before Open waits for its end; an error ends
	// Open instead. nil: it waits.
	Busy func(holder string) error
}

// Store is the registry's back end in a database. It is safe for concurrent
// use.
type Store struct {
	cfg   Config
	pool  *pgxpool.Pool
	epoch int64

	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex // guards fenced
	fenced bool
	lost   chan struct{} // closed when fenced

	ops    chan *op
	closed chan struct{}
	once   sync.Once
}

var _ registry.Store = (*Store)(nil)

const (
	callTimeout  = 30 * time.Second // one read or one group of writes
	defaultConns = 16
	writers      = 2    // groups that may be on their way to disk at a time
	queueLength  = 4096 // writes waiting
)

// Open waits until this process is the active one, brings the schema up and
// takes over. It returns when ctx ends, too.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Conns == 0 {
		cfg.Conns = defaultConns
	}
	lock, epoch, err := lead(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, epoch: epoch, lost: make(chan struct{}), ops: make(chan *op, queueLength), closed: make(chan struct{})}
	if s.pool, err = newPool(ctx, cfg, epoch); err != nil {
		closeConn(lock)
		return nil, err
	}
	watching, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Add(1 + writers)
	go s.watch(watching, lock)
	for range writers {
		go s.write()
	}
	return s, nil
}

func newPool(ctx context.Context, cfg Config, epoch int64) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, errors.New("couldn't read the database's connection string") // the string may hold a password
	}
	pc.MaxConns = cfg.Conns
	pc.ConnConfig.RuntimeParams["sukashi.epoch"] = strconv.FormatInt(epoch, 10)
	pc.ConnConfig.RuntimeParams["application_name"] = "sukashi-registry"
	pc.ConnConfig.RuntimeParams["statement_timeout"] = strconv.FormatInt(callTimeout.Milliseconds(), 10)
	// A process that is stopped in the middle of a write must not hold a takeover up.
	pc.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "2000"
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	return pool, explain("open the database", err)
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("couldn't read the database's connection string")
	}
	cc.RuntimeParams["application_name"] = "sukashi-registry-lease"
	// A host that died without a word is found out within seconds.
	cc.RuntimeParams["tcp_keepalives_idle"], cc.RuntimeParams["tcp_keepalives_interval"], cc.RuntimeParams["tcp_keepalives_count"] = "2", "1", "3"
	c, err := pgx.ConnectConfig(ctx, cc)
	return c, explain("connect to the database", err)
}

func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.Close(ctx)
}

// Close ends what waits and gives the lease back.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.stop()
		s.done.Wait()
		s.pool.Close()
	})
	return nil
}

// Codes of the sentences that this package says.
const codeDatabase = "registry.database"

// explain turns a database's error into what the registry knows. The server's
// detail lines are left out: they quote values.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var pe *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return registry.ErrNotFound
	case !errors.As(err, &pe):
		return say.New(codeDatabase, "データベースに接続できません。", "The database can't be reached.").
			Hint("PostgreSQL が動いているか確かめてください。", "Check that PostgreSQL is running.").Because(fmt.Errorf("couldn't %s: %w", what, err))
	case pe.Code == "SU001":
		return registry.ErrFenced
	case pe.Code == "42501": // insufficient_privilege
		return say.New(codeDatabase, "データベースに発行記録の表がないか、権限がありません。", "The database has no tables for the registry, or this role no right to them.").
			Hint("データベースの管理者が sukashi ca schema の出力を実行してください(docs/SERVE.md)。", "The database's administrator runs what sukashi ca schema prints (docs/SERVE.md).").
			Because(fmt.Errorf("couldn't %s: the database answered %s: %s", what, pe.Code, pe.Message))
	case pe.Code == "23505" || pe.Code == "23P01": // unique_violation, exclusion_violation
		return fmt.Errorf("%w (%s)", registry.ErrTaken, pe.ConstraintName)
	}
	return fmt.Errorf("couldn't %s: the database answered %s: %s", what, pe.Code, pe.Message)
}
