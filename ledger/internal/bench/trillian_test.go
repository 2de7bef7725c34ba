package bench

import (
	"testing"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

func parses(b []byte) error { _, err := sequence.Parse([][]byte{b}); return err }

// trillians starts Trillian's own servers over both databases, fsync on.
func trillians(t *testing.T) []database {
	t.Helper()
	return []database{
		{"Trillian, PostgreSQL", servers.TrillianOnPostgres(t, servers.OwnPostgres(t, servers.PGOptions{Durable: true}), servers.Stock).Address},
		{"Trillian, MariaDB", servers.TrillianOnMariaDB(t, servers.MariaDB(t, true), servers.Stock).Address},
	}
}
