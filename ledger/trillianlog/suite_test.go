package trillianlog

import (
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// place is a log on disk.
type place struct{ store, heads string }

func (p *place) config(t testing.TB, s logtest.Settings) Config {
	c := config(t, nil)
	c.Signer, c.VKey = s.Key(t)
	c.Dir, c.HeadDir, c.Origin, c.Retired = p.store, filepath.Join(p.heads, s.Head), s.Origin, s.Retired
	c.AdoptHead, c.MaxBatch = s.Adopt, s.MaxBatch
	return c
}

func (p *place) Open(t testing.TB, s logtest.Settings) (logtest.Engine, error) {
	e, err := Open(ctx, p.config(t, s))
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (p *place) Rotate(t testing.TB, s logtest.Settings) ([]proof.LogKey, error) {
	next, vkey := logtest.NextKey(t, s.Origin, len(s.Retired)+1)
	return Rotate(ctx, p.config(t, s), next, vkey, logtest.Record)
}

func (p *place) TakeHeads(from logtest.Place) { p.heads = from.(*place).heads }

func newPlace(t testing.TB) logtest.Place { return &place{t.TempDir(), t.TempDir()} }

func TestConformance(t *testing.T) { logtest.Run(t, newPlace) }

// TestSameTwice shows that nothing outsiders see depends on chance.
func TestSameTwice(t *testing.T) { logtest.Same(t, newPlace, newPlace) }
