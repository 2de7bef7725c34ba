package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestPostgresSharedAndFresh(t *testing.T) {
	a, b := Postgres(t), Postgres(t)
	if a != b {
		t.Error("two servers in one test binary")
	}
	file := filepath.Join(t.TempDir(), "x.sql")
	if err := os.WriteFile(file, []byte("CREATE TABLE x (n int); INSERT INTO x VALUES (1);"), 0o600); err != nil {
		t.Fatal(err)
	}
	runtime.GC() // what is not kept is closed now
	runtime.GC()
	time.Sleep(200 * time.Millisecond)
	for range 2 { // equal names are different databases
		a.Load(t, a.URL(t, "fresh"), file)
	}
	if err := a.psql("postgres", "", "SELECT no_such_function()"); err == nil {
		t.Error("a failing statement is no error")
	}
}

func TestPostgresSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts a server twice")
	}
	pg := OwnPostgres(t, PGOptions{Durable: true})
	url := pg.URL(t, "kept")
	file := filepath.Join(t.TempDir(), "x.sql")
	os.WriteFile(file, []byte("CREATE TABLE x (n int primary key); INSERT INTO x VALUES (1);"), 0o600)
	pg.Load(t, url, file)
	pg.Kill(t)
	pg.Start(t)
	os.WriteFile(file, []byte("INSERT INTO x VALUES (2); SELECT 1/(SELECT count(*)/2 FROM x);"), 0o600)
	pg.Load(t, url, file)
	pg.Stop(t)
	pg.Start(t)
}

// TestTrillianStarts brings up each database with Trillian on it and kills
// every part once.
func TestTrillianStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts eight servers")
	}
	tr := TrillianOnPostgres(t, Postgres(t), Preordered)
	tr.KillServer()
	tr.StartServer(t)
	tr.KillSigner()
	tr.StartSigner(t)
	m := MariaDB(t, false)
	TrillianOnMariaDB(t, m, Preordered)
	m.Kill(t)
	m.Start(t)
}

// TestTrillianRoles: who takes over the log server can neither change nor delete
// an entry, who takes over the signer can't read one.
func TestTrillianRoles(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts a database and Trillian's programs")
	}
	pg := Postgres(t)
	TrillianOnPostgres(t, pg, Preordered)
	database := fmt.Sprintf("trillian_%d", pg.next.Load())
	for role, allowed := range map[string]map[string]bool{
		"trillian_server": {"SELECT LeafValue FROM LeafData": true, "DELETE FROM LeafData": false,
			"UPDATE LeafData SET LeafValue = ''": false, "UPDATE SequencedLeafData SET SequenceNumber = 1": false,
			"TRUNCATE LeafData": false, "DELETE FROM TreeHead": false, "UPDATE Subtree SET Nodes = ''": false},
		"trillian_signer": {"SELECT MerkleLeafHash FROM signer.SequencedLeafData": true, "SELECT LeafValue FROM LeafData": false,
			"SELECT MerkleLeafHash FROM SequencedLeafData": false, "DELETE FROM TreeHead": false, "INSERT INTO LeafData SELECT FROM LeafData": false},
	} {
		for statement, want := range allowed {
			err := pg.psql(database, "", "SET ROLE "+role+"; "+statement)
			if (err == nil) != want {
				t.Errorf("%s: %s: %v", role, statement, err)
			}
		}
	}
}
