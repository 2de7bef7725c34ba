package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

const (
	mariaPackage = "mariadb-server"
	mariaDirs    = "/usr/sbin"
)

// Maria is a MariaDB server. It listens on a Unix socket in a closed directory
// only.
type Maria struct {
	dir     string
	account *account
	client  string
	server  process
	next    atomic.Int64
}

// MariaDB starts a server for this test alone, which it may kill and start
// again, and skips the test when there is no MariaDB. It ends with the test.
// Durable is as in PGOptions.
func MariaDB(t testing.TB, durable bool) *Maria {
	t.Helper()
	daemon := need(t, "mariadbd", mariaPackage, mariaDirs)
	install := need(t, "mariadb-install-db", mariaPackage)
	m := &Maria{account: unprivileged("mysql"), client: need(t, "mariadb", "mariadb-client")}
	var err error
	if m.dir, err = tempDir(m.account); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(m.dir) })
	err = run(m.account, m.dir, "", install, "--no-defaults", "--datadir="+m.data(),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	if err != nil {
		t.Fatalf("couldn't make a MariaDB server: %v", err)
	}
	flush := "2"
	if durable {
		flush = "1"
	}
	m.server = process{account: m.account, dir: m.dir, name: daemon, ready: func() error { return m.sql("", "", "SELECT 1") },
		args: []string{"--no-defaults", "--datadir=" + m.data(), "--socket=" + m.socket(), "--pid-file=" + filepath.Join(m.dir, "pid"),
			"--skip-networking", "--skip-name-resolve", "--max-connections=1000", "--innodb-flush-log-at-trx-commit=" + flush,
			"--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M", "--max-allowed-packet=64M"}}
	t.Cleanup(m.server.kill)
	m.Start(t)
	return m
}

func (m *Maria) data() string   { return filepath.Join(m.dir, "data") }
func (m *Maria) socket() string { return filepath.Join(m.dir, "s") }

// Start starts the server after Kill.
func (m *Maria) Start(t testing.TB) { t.Helper(); m.server.must(t) }

// Kill ends the server with SIGKILL, as a crash would.
func (m *Maria) Kill(testing.TB) { m.server.kill() }

// DSN makes a fresh, empty database whose name begins with name and returns
// its data source name, as go-sql-driver/mysql reads it.
func (m *Maria) DSN(t testing.TB, name string) string {
	t.Helper()
	name = m.create(t, name)
	return "root@unix(" + m.socket() + ")/" + name
}

func (m *Maria) create(t testing.TB, name string) string {
	t.Helper()
	name = fmt.Sprintf("%s_%d", name, m.next.Add(1))
	if err := m.sql("", "", "CREATE DATABASE "+name); err != nil {
		t.Fatalf("couldn't make a database: %v", err)
	}
	return name
}

func (m *Maria) sql(database, file, command string) error {
	args := []string{"--no-defaults", "--socket=" + m.socket(), "--user=root", "--batch"}
	if command != "" {
		args = append(args, "--execute="+command)
	}
	if database != "" {
		args = append(args, database)
	}
	return run(m.account, m.dir, file, m.client, args...)
}
