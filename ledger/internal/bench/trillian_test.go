package bench

import (
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

func parses(b []byte) error { _, err := sequence.Parse([][]byte{b}); return err }

// sqlServer is a database server, fsync on, that Trillian's programs are started
// over, a fresh database each time.
type sqlServer struct {
	name  string
	start func(testing.TB, servers.Schema) *servers.Trillian
	cpu   func() time.Duration
}

func sqlServers(t *testing.T) []sqlServer {
	t.Helper()
	pg := servers.OwnPostgres(t, servers.PGOptions{Durable: true, Settings: servers.TrillianSettings})
	m := servers.MariaDB(t, true)
	return []sqlServer{
		{"PostgreSQL", func(t testing.TB, s servers.Schema) *servers.Trillian { return servers.TrillianOnPostgres(t, pg, s) }, pg.CPU},
		{"MariaDB", func(t testing.TB, s servers.Schema) *servers.Trillian { return servers.TrillianOnMariaDB(t, m, s) }, m.CPU},
	}
}
