package bench

import (
	"testing"

	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

func parses(b []byte) error { _, err := sequence.Parse([][]byte{b}); return err }

// trillians starts Trillian over the databases that are here.
func trillians(*testing.T) []database { return nil }
