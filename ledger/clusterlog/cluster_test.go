package clusterlog

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

var ctx = context.Background()

// place is a log on a cluster. All places of a test share the cluster: each has
// a database of its own, because two logs of one origin can't share one.
type place struct {
	cluster *servers.Trillian
	cache   string
	heads   string
}

func (p *place) Open(t testing.TB, s logtest.Settings) (logtest.Engine, error) {
	e, err := Open(ctx, p.config(t, s))
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (p *place) config(t testing.TB, s logtest.Settings) Config {
	signer, vkey := s.Key(t)
	return Config{Address: p.cluster.Address, MaxMessage: servers.MaxMessage, CatchUp: 20 * time.Second,
		CacheDir: p.cache, HeadDir: filepath.Join(p.heads, s.Head), Origin: s.Origin, Signer: signer, VKey: vkey,
		Retired: s.Retired, Now: logtest.Now, AdoptHead: s.Adopt, MaxBatch: s.MaxBatch, CacheBytes: 1 << 20,
		Logger: slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

func (p *place) Rotate(t testing.TB, s logtest.Settings) ([]proof.LogKey, error) {
	next, vkey := logtest.NextKey(t, s.Origin, len(s.Retired)+1)
	return Rotate(ctx, p.config(t, s), next, vkey, logtest.Record)
}

// logWriter sends an engine's log to the test's, while the test runs.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func (p *place) TakeHeads(from logtest.Place) { p.heads = from.(*place).heads }

// onPostgres starts a cluster for each place.
func onPostgres(t testing.TB) logtest.Place {
	return newPlace(t, servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Preordered))
}

// onStock has Trillian's schema alone.
func onStock(t testing.TB) logtest.Place {
	return newPlace(t, servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Stock))
}

func newPlace(t testing.TB, c *servers.Trillian) *place {
	return &place{cluster: c, cache: t.TempDir(), heads: t.TempDir()}
}

func onPebble(t testing.TB) logtest.Place { return &pebble{t.TempDir(), t.TempDir()} }

// pebble is a log of the embedded engine.
type pebble struct{ store, heads string }

func (p *pebble) config(t testing.TB, s logtest.Settings) trillianlog.Config {
	signer, vkey := s.Key(t)
	return trillianlog.Config{Dir: p.store, HeadDir: filepath.Join(p.heads, s.Head), Origin: s.Origin, Signer: signer, VKey: vkey,
		Retired: s.Retired, Now: logtest.Now, AdoptHead: s.Adopt, MaxBatch: s.MaxBatch, CacheBytes: 1 << 20}
}

func (p *pebble) Open(t testing.TB, s logtest.Settings) (logtest.Engine, error) {
	e, err := trillianlog.Open(ctx, p.config(t, s))
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (p *pebble) Rotate(t testing.TB, s logtest.Settings) ([]proof.LogKey, error) {
	next, vkey := logtest.NextKey(t, s.Origin, len(s.Retired)+1)
	return trillianlog.Rotate(ctx, p.config(t, s), next, vkey, logtest.Record)
}

func (p *pebble) TakeHeads(from logtest.Place) { p.heads = from.(*pebble).heads }

// slow skips a test that starts servers when only the quick tests are asked for.
func slow(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: starts a database and Trillian's servers")
	}
}

func TestConformanceOnPostgres(t *testing.T) {
	slow(t)
	logtest.Run(t, onPostgres)
	t.Run("same", func(t *testing.T) { logtest.Same(t, onPebble, onPostgres) })
	t.Run("same on the stock schema", func(t *testing.T) { logtest.Same(t, onPebble, onStock) })
}

func TestConformanceOnMariaDB(t *testing.T) {
	slow(t)
	m := servers.MariaDB(t, false)
	on := func(s servers.Schema) logtest.Maker {
		return func(t testing.TB) logtest.Place { return newPlace(t, servers.TrillianOnMariaDB(t, m, s)) }
	}
	logtest.Run(t, on(servers.Preordered))
	t.Run("same on the stock schema", func(t *testing.T) { logtest.Same(t, onPebble, on(servers.Stock)) })
}
