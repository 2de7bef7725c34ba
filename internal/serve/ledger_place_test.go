package serve

import (
	"context"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The same configuration with cluster for dir: the log is on Trillian's servers,
// and goes on there after a restart.
func TestLedgerOnCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts a database and Trillian's servers")
	}
	s, ctx := newSite(t), context.Background()
	tr := servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Stock)
	s.write("witness.policy", "log "+s.vkey+"\nquorum none\n", 0o644)
	text := strings.Replace(ledgerYAML, "dir: store", "cluster: {address: "+tr.Address+", cache: cache}", 1)
	for seq := range uint64(2) {
		a, stop := s.start("ledger.yaml", text)
		if a == nil {
			t.Fatal(stop())
		}
		_, err := s.client(zone.LGWAN, entry.ByCA, a["append"]).Append(ctx, event(seq))
		s.must(err)
		s.must(stop())
	}
}

func TestLedgerPlaces(t *testing.T) {
	s := newSite(t)
	for place, ok := range map[string]bool{
		"dir: store": true,
		"cluster: {address: 127.0.0.1:8090, cache: cache}":                              true,
		"cluster: {address: trillian:8090, cache: cache, roots: ca.pem, maxMessage: 9}": true,
		"cluster: {address: trillian:8090, cache: cache}":                               false, // no TLS, another machine
		"cluster: {address: 127.0.0.1:8090}":                                            false, // no cache
		"cluster: {address: trillian, cache: cache, roots: ca.pem}":                     false, // no port
		"cluster: {address: 127.0.0.1:8090, cache: ..}":                                 false, // the head is in it
		"cluster: {address: 127.0.0.1:8090, cache: cache, fsync: no}":                   false,
		"dir: store\n  cluster: {address: 127.0.0.1:8090, cache: cache}":                false,
	} {
		c, err := Load(s.write("ledger.yaml", strings.Replace(ledgerYAML, "dir: store", place, 1), 0o644))
		if (err == nil) != ok {
			t.Errorf("%s: %v", place, err)
		}
		if err != nil || c.Ledger.Cluster == nil || c.Ledger.Cluster.Roots == "" {
			continue
		}
		if _, err := c.Ledger.place(c); say.Code(err) != "serve.cluster-roots" {
			t.Errorf("%s: roots that aren't there: %v", place, err)
		}
	}
}
