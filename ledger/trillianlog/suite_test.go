package trillianlog

import (
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/logtest"
)

// place is a log on disk.
type place struct{ store, heads string }

func (p *place) Open(t testing.TB, s logtest.Settings) (logtest.Engine, error) {
	c := config(t, nil)
	c.Signer, c.VKey = keyPair(t, s.Origin)
	c.Dir, c.HeadDir, c.Origin, c.AdoptHead, c.MaxBatch = p.store, filepath.Join(p.heads, s.Head), s.Origin, s.Adopt, s.MaxBatch
	e, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (p *place) TakeHeads(from logtest.Place) { p.heads = from.(*place).heads }

func newPlace(t testing.TB) logtest.Place { return &place{t.TempDir(), t.TempDir()} }

func TestConformance(t *testing.T) { logtest.Run(t, newPlace) }

// TestSameTwice shows that nothing outsiders see depends on chance.
func TestSameTwice(t *testing.T) { logtest.Same(t, newPlace, newPlace) }
