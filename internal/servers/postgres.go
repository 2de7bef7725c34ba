package servers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	pgPackage = "postgresql"
	pgDirs    = "/usr/lib/postgresql/*/bin"
	pgUser    = "sukashi" // the only role; trusted, because the socket's directory is closed to others
)

// PG is a PostgreSQL server. It listens on a Unix socket in a closed
// directory, and elsewhere only with PGOptions.TCP.
type PG struct {
	port    string // of the socket's name and of TCP
	bin     string // directory of the programs
	dir     string // holds data, the socket and the server's log
	account *account
	options string
	next    atomic.Int64
}

// PGOptions of a server of one's own.
type PGOptions struct {
	// Durable keeps fsync on. Without it the server is several times faster
	// and survives a killed process, but not a power cut.
	Durable bool
	// TCP makes the server listen on a loopback port too, where every role needs
	// its password.
	TCP bool
	// Settings are further lines of postgresql.conf, such as "max_connections=50".
	Settings []string
}

var sharedPG struct {
	once  sync.Once
	pg    *PG
	guard io.Closer // kept: the guard acts when its pipe is closed, also by the garbage collector
	err   error
}

// Postgres returns the server that all tests of the binary share, and skips
// the test when there is no PostgreSQL. It is started once, with fsync off,
// and ends with the test process.
func Postgres(t testing.TB) *PG {
	t.Helper()
	need(t, "initdb", pgPackage, pgDirs)
	sharedPG.once.Do(func() {
		pg, err := newPG(filepath.Dir(need(t, "initdb", pgPackage, pgDirs)), PGOptions{})
		if err == nil {
			sharedPG.guard, err = guard(pg.account, `"$0" -D "$1/data" -m immediate -t 20 stop; rm -rf "$1"`, pg.tool("pg_ctl"), pg.dir)
		}
		if err == nil {
			err = pg.start()
		}
		sharedPG.pg, sharedPG.err = pg, err
	})
	if sharedPG.err != nil {
		t.Fatalf("couldn't start PostgreSQL: %v", sharedPG.err)
	}
	return sharedPG.pg
}

// OwnPostgres starts a server for this test alone, which it may kill and start
// again. It ends with the test.
func OwnPostgres(t testing.TB, o PGOptions) *PG {
	t.Helper()
	pg, err := newPG(filepath.Dir(need(t, "initdb", pgPackage, pgDirs)), o)
	if err != nil {
		t.Fatalf("couldn't make a PostgreSQL server: %v", err)
	}
	g, err := guard(pg.account, `"$0" -D "$1/data" -m immediate -t 20 stop; rm -rf "$1"`, pg.tool("pg_ctl"), pg.dir)
	if err != nil {
		t.Fatalf("couldn't guard a PostgreSQL server: %v", err)
	}
	t.Cleanup(func() {
		g.Close()
		pg.stop("immediate")
		os.RemoveAll(pg.dir)
	})
	pg.Start(t)
	return pg
}

func newPG(bin string, o PGOptions) (*PG, error) {
	pg := &PG{bin: bin, port: "5432", account: unprivileged("postgres")}
	var err error
	if pg.dir, err = tempDir(pg.account); err != nil {
		return nil, err
	}
	err = run(pg.account, pg.dir, "", pg.tool("initdb"), "-D", pg.data(), "-U", pgUser, "--auth-local=trust", "--auth-host=scram-sha-256",
		"-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=16")
	if err != nil {
		os.RemoveAll(pg.dir)
		return nil, err
	}
	settings := []string{"listen_addresses=", "unix_socket_directories=" + pg.dir, "unix_socket_permissions=0700",
		"max_connections=200", "jit=off", "timezone=UTC"}
	if !o.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	if o.TCP {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(pg.dir))
		}
		_, pg.port, _ = net.SplitHostPort(ln.Addr().String())
		ln.Close()
		settings = append(settings, "listen_addresses=127.0.0.1", "port="+pg.port)
	}
	for _, s := range append(settings, o.Settings...) {
		pg.options += " -c " + s
	}
	return pg, nil
}

// Address is where a server with PGOptions.TCP listens.
func (pg *PG) Address() string { return net.JoinHostPort("127.0.0.1", pg.port) }

// Administrator is the environment by which libpq's programs, psql above all,
// are the server's administrator. Programs of this server's version are in Bin.
func (pg *PG) Administrator() []string {
	return []string{"PGHOST=" + pg.dir, "PGPORT=" + pg.port, "PGUSER=" + pgUser, "PGDATABASE=postgres"}
}

// Bin is the directory of the server's programs.
func (pg *PG) Bin() string { return pg.bin }

func (pg *PG) tool(name string) string { return filepath.Join(pg.bin, name) }
func (pg *PG) data() string            { return filepath.Join(pg.dir, "data") }

func (pg *PG) start() error {
	return run(pg.account, pg.dir, "", pg.tool("pg_ctl"), "-D", pg.data(), "-l", filepath.Join(pg.dir, "log"),
		"-w", "-t", strconv.Itoa(int(startTime.Seconds())), "-o", strings.TrimSpace(pg.options), "start")
}

func (pg *PG) stop(mode string) error {
	return run(pg.account, pg.dir, "", pg.tool("pg_ctl"), "-D", pg.data(), "-m", mode, "-w", "-t", "30", "stop")
}

// Start starts the server after Kill or Stop and returns when it answers.
func (pg *PG) Start(t testing.TB) {
	t.Helper()
	// After a kill the old server's children hold its shared memory for a moment.
	for deadline := time.Now().Add(startTime); ; time.Sleep(100 * time.Millisecond) {
		err := pg.start()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(filepath.Join(pg.dir, "log")) // only to explain err
			t.Fatalf("couldn't start PostgreSQL: %v\n%s", err, said)
		}
	}
}

// Stop ends the server in order.
func (pg *PG) Stop(t testing.TB) {
	t.Helper()
	if err := pg.stop("fast"); err != nil {
		t.Fatalf("couldn't stop PostgreSQL: %v", err)
	}
}

// Kill ends the server with SIGKILL, as a crash would.
func (pg *PG) Kill(t testing.TB) {
	t.Helper()
	pid, err := pg.pid()
	if err == nil {
		var p *os.Process
		if p, err = os.FindProcess(pid); err == nil {
			err = p.Kill()
		}
	}
	if err != nil {
		t.Fatalf("couldn't kill PostgreSQL: %v", err)
	}
}

func (pg *PG) pid() (int, error) {
	b, err := os.ReadFile(filepath.Join(pg.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return 0, errors.New("postmaster.pid holds no process id")
	}
	return pid, nil
}

// URL makes a fresh, empty database whose name begins with name (a-z, 0-9, _)
// and returns its connection URL, as jackc/pgx reads it. The database is
// dropped when t ends, connections or not.
func (pg *PG) URL(t testing.TB, name string) string {
	t.Helper()
	name = fmt.Sprintf("%s_%d", name, pg.next.Add(1))
	if err := pg.psql("postgres", "", "CREATE DATABASE "+name); err != nil {
		t.Fatalf("couldn't make a database: %v", err)
	}
	t.Cleanup(func() {
		// An own server may be gone by now, on purpose.
		_ = pg.psql("postgres", "", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	q := url.Values{"host": {pg.dir}, "port": {pg.port}, "user": {pgUser}, "sslmode": {"disable"}}
	return "postgres:///" + name + "?" + q.Encode()
}

// Load runs the statements of an SQL file in a database made by URL.
func (pg *PG) Load(t testing.TB, databaseURL, file string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err == nil {
		err = pg.psql(strings.TrimPrefix(u.Path, "/"), file, "")
	}
	if err != nil {
		t.Fatalf("couldn't load %s: %v", filepath.Base(file), err)
	}
}

func (pg *PG) psql(database, file, command string) error {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", pg.dir, "-p", pg.port, "-U", pgUser, "-d", database}
	if command != "" {
		args = append(args, "-c", command)
	}
	// The file comes by standard input: the tests' user can read it, the server's may not.
	return run(pg.account, pg.dir, file, pg.tool("psql"), args...)
}
