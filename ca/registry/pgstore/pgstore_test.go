package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/registrytest"
	"github.com/sukashi-project/sukashi/internal/servers"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{URL: url, Holder: t.Name()})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: the suite runs on the embedded store; a server of its own takes long")
	}
	pg := servers.Postgres(t)
	registrytest.Run(t, func(t testing.TB) registrytest.Backend { return asModest(t, pg) })
}

func database(url string) registrytest.Backend {
	return registrytest.Backend{
		Open:   func(t testing.TB) registry.Store { return open(t, url) },
		Raw:    func(t testing.TB) []byte { return dump(t, url) },
		Backup: func(t testing.TB) registrytest.Backend { return database(copyDatabase(t, url)) },
	}
}

// copyDatabase makes a copy of a database, file by file.
func copyDatabase(t testing.TB, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	must(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	copied, admin := *u, *u
	copied.Path, admin.Path = "/"+name+"_backup", "/postgres"
	c, err := connect(context.Background(), admin.String())
	must(t, err)
	t.Cleanup(func() { closeConn(c) })
	_, err = c.Exec(context.Background(), `CREATE DATABASE `+pgx.Identifier{name + "_backup"}.Sanitize()+` TEMPLATE `+pgx.Identifier{name}.Sanitize())
	must(t, err)
	return copied.String()
}

// dump returns every column of every row as bytes.
func dump(t testing.TB, url string) []byte {
	t.Helper()
	c, err := connect(context.Background(), url)
	must(t, err)
	defer closeConn(c)
	var all []byte
	for _, table := range []string{"issuance", "note", "lease", "migration"} {
		rows, err := c.Query(context.Background(), "SELECT * FROM "+table)
		must(t, err)
		for rows.Next() {
			for _, raw := range rows.RawValues() {
				all = append(all, raw...)
			}
		}
		must(t, rows.Err())
	}
	return all
}

// TestDatabaseRefuses: what must not happen is refused by the database, with
// nobody of ours in front of it.
func TestDatabaseRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a server of its own takes long")
	}
	ctx := context.Background()
	url := servers.Postgres(t).URL(t, "registry")
	s := open(t, url)
	c, err := connect(ctx, url)
	must(t, err)
	defer closeConn(c)
	code := func(sql string, args ...any) string {
		t.Helper()
		_, err := c.Exec(ctx, sql, args...)
		var pe *pgconn.PgError
		if errors.As(err, &pe) {
			return pe.Code + " " + pe.ConstraintName
		}
		must(t, err)
		return ""
	}
	insert := `INSERT INTO issuance (ordinal, state, serial, application, spki, person, twin, period, queue, doomed, public, private)
VALUES ($1, 1, $2, sha256($3::text::bytea), sha256($4::text::bytea), sha256($5::text::bytea), $6, tstzrange($7::timestamptz, $8::timestamptz), 0, false, '', '')`
	row := func(o int, serial, app, key, person string, twin bool, from, to string) string {
		t.Helper()
		return code(insert, o, serial, app, key, person, twin, from, to)
	}
	if got := row(0, "a0", "a", "k", "p", false, "2026-01-01", "2031-01-01"); got != "SU001 " {
		t.Errorf("written outside the epoch: %q", got)
	}
	_, err = c.Exec(ctx, `SELECT set_config('sukashi.epoch', $1, false)`, fmt.Sprint(s.epoch))
	must(t, err)
	for _, step := range []struct{ what, got, want string }{
		{"the first", row(0, "a0", "a", "k", "p", false, "2026-01-01", "2031-01-01"), ""},
		{"its ordinal", row(0, "a1", "b", "l", "q", false, "2026-01-01", "2031-01-01"), "23505 issuance_pkey"},
		{"its serial", row(1, "a0", "b", "l", "q", false, "2026-01-01", "2031-01-01"), "23505 one_serial"},
		{"its application", row(1, "a1", "a", "l", "q", false, "2026-01-01", "2031-01-01"), "23505 one_application"},
		{"its key", row(1, "a1", "b", "k", "q", false, "2026-01-01", "2031-01-01"), "23505 one_key"},
		{"its person", row(1, "a1", "b", "l", "p", false, "2030-12-31", "2035-01-01"), "23P01 one_live"},
		{"a twin", row(1, "a1", "b", "l", "p", true, "2026-01-01", "2031-01-01"), ""},
		{"its person, later", row(2, "a2", "c", "m", "p", false, "2031-01-01", "2035-01-01"), ""},
		{"issued", code(`UPDATE issuance SET state = 4 WHERE ordinal = 0`), ""},
		{"back", code(`UPDATE issuance SET state = 2 WHERE ordinal = 0`), "SU002 "},
		{"another serial", code(`UPDATE issuance SET serial = 'ff' WHERE ordinal = 0`), "SU002 "},
		{"revoked without a revocation", code(`UPDATE issuance SET state = 5 WHERE ordinal = 0`), "23514 issuance_check2"},
		{"removed", code(`DELETE FROM issuance WHERE ordinal = 0`), "SU002 "},
		{"erased", code(`UPDATE issuance SET person = NULL, private = NULL, period = NULL WHERE ordinal = 0`), ""},
		{"unerased", code(`UPDATE issuance SET person = sha256('p'), private = '', period = 'empty' WHERE ordinal = 0`), "SU002 "},
	} {
		if step.got != step.want {
			t.Errorf("%s: %q, want %q", step.what, step.got, step.want)
		}
	}
}

// TestTakeover: a process that was replaced can't write any more and learns of
// it, whatever it believed; a lost lock connection alone replaces nobody.
func TestTakeover(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a server of its own takes long")
	}
	ctx := context.Background()
	url := servers.Postgres(t).URL(t, "registry")
	first := open(t, url)
	must(t, first.Note(registry.Synced, map[string][]byte{"a": {1}}))
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := Open(short, Config{URL: url}); err == nil {
		t.Fatal("two processes are active")
	}
	cut := func() { must(t, BreakLease(ctx, url)) }
	cut()
	time.Sleep(3 * watchEvery) // it takes the lock again
	must(t, first.Note(registry.Synced, map[string][]byte{"a": {2}}))
	must(t, first.Held(ctx))
	opened := make(chan *Store, 1)
	go func() { opened <- open(t, url) }()
	time.Sleep(100 * time.Millisecond) // it waits for the lock
	cut()
	second := <-opened
	if err := first.Note(registry.Synced, map[string][]byte{"a": {3}}); !errors.Is(err, registry.ErrFenced) {
		t.Errorf("a write of the replaced process: %v", err)
	}
	select {
	case <-first.Lost():
	case <-time.After(10 * time.Second):
		t.Error("the replaced process was not told")
	}
	if err := first.Held(ctx); !errors.Is(err, registry.ErrFenced) {
		t.Error(err)
	}
	if v, err := second.Noted("a"); err != nil || v[0] != 2 {
		t.Errorf("after the takeover: %v %v", v, err)
	}
	must(t, second.Note(registry.Synced, map[string][]byte{"a": {4}}))
}
