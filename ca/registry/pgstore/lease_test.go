package pgstore

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/registrytest"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/servers"
)

// TestStandbyOutlastsDatabase: who waits for the lease goes on waiting when the
// database is killed and started again, and takes over in the end; who doesn't
// want to wait is told who is active.
func TestStandbyOutlastsDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a server of its own takes long")
	}
	ctx := context.Background()
	pg := servers.OwnPostgres(t, servers.PGOptions{Durable: true}) // a killed server must know who took over
	u := pg.URL(t, "registry")
	active := open(t, u)
	busy := errors.New("busy")
	who := ""
	if _, err := Open(ctx, Config{URL: u, Holder: "no", Busy: func(h string) error { who = h; return busy }}); !errors.Is(err, busy) || who != t.Name() {
		t.Fatalf("opened beside the active one: %v, told of %q", err, who)
	}
	waits, took := make(chan struct{}), make(chan error, 1)
	go func() {
		s, err := Open(ctx, Config{URL: u, Holder: "standby", Busy: func(string) error { close(waits); return nil }})
		if err == nil {
			t.Cleanup(func() { s.Close() })
			// The lease may have come from the server that was about to end.
			for err = s.Held(ctx); err != nil && !errors.Is(err, registry.ErrFenced); err = s.Held(ctx) {
				time.Sleep(askAgain / 10)
			}
		}
		took <- err
	}()
	<-waits
	pg.Kill(t)
	must(t, active.Close())
	time.Sleep(2 * askAgain)
	pg.Start(t)
	select {
	case err := <-took:
		must(t, err)
	case <-time.After(time.Minute):
		t.Fatal("nobody took over")
	}
}

// asModest makes a database as docs/SERVE.md does: the CA's role has what Schema
// grants, and can't change the rules.
func asModest(t testing.TB, pg *servers.PG) registrytest.Backend {
	ctx := context.Background()
	admin := pg.URL(t, "registry")
	c, err := connect(ctx, admin)
	must(t, err)
	defer closeConn(c)
	_, err = c.Exec(ctx, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'modest') THEN CREATE ROLE modest LOGIN; END IF; END $$`)
	must(t, err)
	text, err := Schema("modest")
	must(t, err)
	_, err = c.Exec(ctx, text)
	must(t, err)
	b := database(modest(t, admin))
	b.Raw = func(t testing.TB) []byte { return dump(t, admin) }
	b.Backup = func(t testing.TB) registrytest.Backend { return database(modest(t, copyDatabase(t, admin))) }
	return b
}

func modest(t testing.TB, admin string) string {
	u, err := url.Parse(admin)
	must(t, err)
	q := u.Query()
	q.Set("user", "modest")
	u.RawQuery = q.Encode()
	return u.String()
}

// TestRoleOfSchema: the role can't change the rules, and an administrator may
// run the schema again.
func TestRoleOfSchema(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a server of its own takes long")
	}
	ctx := context.Background()
	pg := servers.Postgres(t)
	asModest(t, pg) // makes the role
	admin := pg.URL(t, "registry")
	if _, err := Open(ctx, Config{URL: modest(t, admin), Holder: "modest"}); say.Code(err) != codeDatabase || !strings.Contains(err.Error(), "no tables") {
		t.Fatalf("opened a database without the schema: %v", err)
	}
	c, err := connect(ctx, admin)
	must(t, err)
	defer closeConn(c)
	text, err := Schema("modest")
	must(t, err)
	for range 2 {
		_, err = c.Exec(ctx, text)
		must(t, err)
	}
	open(t, modest(t, admin))
	m, err := connect(ctx, modest(t, admin))
	must(t, err)
	defer closeConn(m)
	for _, sql := range []string{`ALTER TABLE issuance DISABLE TRIGGER fenced`, `DROP TRIGGER forward ON issuance`, `TRUNCATE issuance`, `DROP TABLE note`,
		`ALTER TABLE issuance DROP CONSTRAINT one_live`, `CREATE TABLE x (y int)`, `DELETE FROM lease`, `INSERT INTO migration (name) VALUES ('x')`,
		`CREATE OR REPLACE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`, `SET session_replication_role = replica`} {
		if _, err := m.Exec(ctx, sql); err == nil {
			t.Errorf("the CA's role can %s", sql)
		}
	}
}
