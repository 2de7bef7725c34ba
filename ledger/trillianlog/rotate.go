package trillianlog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
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
	if next == nil || next.Name() != cfg.Origin {
		return nil, errors.New("the new key's name is not the log's origin")
	}
	// The largest size that can be: whether the key may follow at all.
	chain := append(append([]proof.LogKey(nil), cfg.Retired...), proof.LogKey{VKey: cfg.VKey, Until: proof.MaxSize}, proof.LogKey{VKey: nextVKey})
	if _, err := proof.LogKeys(chain...); err != nil {
		return nil, fmt.Errorf("the new key can't follow the log's keys: %w", err)
	}
	if done, err := rotated(ctx, cfg, next, nextVKey); done != nil || err != nil {
		return done, err
	}
	cfg.rotatingTo, cfg.PublishEvery = nextVKey, 0
	e, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	size, err := e.Rotate(ctx, next, nextVKey, record)
	if err := errors.Join(err, e.Close()); err != nil {
		return nil, err
	}
	return append(append([]proof.LogKey(nil), cfg.Retired...), proof.LogKey{VKey: cfg.VKey, Until: size}), nil
}

// rotated tells whether the rotation has ended: the head is signed by the new
// key, and the log opens with it. Its size is the old key's last one only while
// nothing was logged since; later the rotation is none of ours to repeat.
func rotated(ctx context.Context, cfg Config, next note.Signer, nextVKey string) ([]proof.LogKey, error) {
	b, _, err := head.Read(cfg.HeadDir, cfg.FS)
	if err != nil || b == nil {
		return nil, err
	}
	policy, err := proof.LogOnly(nextVKey)
	if err != nil {
		return nil, err
	}
	cp, err := policy.VerifyCheckpoint(b)
	if err != nil {
		return nil, nil // signed by the old key, or by nobody we know: Open tells
	}
	retired := append(append([]proof.LogKey(nil), cfg.Retired...), proof.LogKey{VKey: cfg.VKey, Until: cp.Size})
	cfg.Retired, cfg.Signer, cfg.VKey, cfg.PublishEvery = retired, next, nextVKey, 0
	e, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return retired, e.Close()
}
