package trillianlog

import (
	"context"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Rotate goes over from the log's key to the next one. The log must not be
// running; cfg is its configuration as it was. The log gets key.created and
// key.retired, the old key's last signature covers them, and the head is signed
// by the new key. The result is cfg's next Retired: the log opens from now on
// with the new key as Signer and VKey, and with no other.
//
// After a crash, the same call goes on where it was; called again after its end
// it changes nothing and returns the same. record is the digest of the record
// of the ceremony.
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
