package clusterlog

import (
	"context"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Rotate goes over from the log's key to the next one, as trillianlog.Rotate
// does.
func Rotate(ctx context.Context, cfg Config, next note.Signer, nextVKey string, record entry.Digest) ([]proof.LogKey, error) {
	cfg.PublishEvery = 0
	return sequence.RotateKey(ctx, cfg.common(), next, nextVKey, record, func(k sequence.Keys) (*sequence.Log, error) {
		c := cfg
		c.Signer, c.VKey, c.Retired, c.rotatingTo = k.Signer, k.VKey, k.Retired, k.RotatingTo
		e, err := Open(ctx, c)
		if err != nil {
			return nil, err
		}
		return e.Log, nil
	})
}
