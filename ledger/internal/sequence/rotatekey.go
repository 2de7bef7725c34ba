package sequence

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Keys are the part of a log's configuration that a rotation changes.
type Keys struct {
	Signer     note.Signer
	VKey       string
	Retired    []proof.LogKey
	RotatingTo string
}

// RotateKey goes over from the log's key to the next one, whichever engine
// keeps it: open opens the log that is not running with these keys and without
// publishing by itself. Of c it needs HeadDir, FS, Origin, Signer, VKey and
// Retired as they were. The result is the next Retired.
//
// After a crash, the same call goes on where it was; called again after its end
// it changes nothing and returns the same.
func RotateKey(ctx context.Context, c Config, next note.Signer, nextVKey string, record entry.Digest,
	open func(Keys) (*Log, error)) ([]proof.LogKey, error) {
	if next == nil || next.Name() != c.Origin {
		return nil, errors.New("the new key's name is not the log's origin")
	}
	// The largest size that can be: whether the key may follow at all.
	chain := append(c.retire(proof.MaxSize), proof.LogKey{VKey: nextVKey})
	if _, err := proof.LogKeys(chain...); err != nil {
		return nil, fmt.Errorf("the new key can't follow the log's keys: %w", err)
	}
	if size, err := rotated(c, nextVKey); size > 0 || err != nil {
		return c.finished(size, err, next, nextVKey, open)
	}
	l, err := open(Keys{Signer: c.Signer, VKey: c.VKey, Retired: c.Retired, RotatingTo: nextVKey})
	if err != nil {
		return nil, err
	}
	size, err := l.Rotate(ctx, next, nextVKey, record)
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	return c.retire(size), nil
}

// retire returns the retired keys with the present one among them.
func (c *Config) retire(until uint64) []proof.LogKey {
	return append(append([]proof.LogKey(nil), c.Retired...), proof.LogKey{VKey: c.VKey, Until: until})
}

// rotated returns the head's size when the head is signed by the new key: the
// rotation has ended. It is the old key's last size only while nothing was
// logged since; later the rotation is none of ours to repeat.
func rotated(c Config, nextVKey string) (uint64, error) {
	b, _, err := head.Read(c.HeadDir, c.FS)
	if err != nil || b == nil {
		return 0, err
	}
	policy, err := proof.LogOnly(nextVKey)
	if err != nil {
		return 0, err
	}
	cp, err := policy.VerifyCheckpoint(b)
	if err != nil {
		return 0, nil // signed by the old key, or by nobody we know: open tells
	}
	return cp.Size, nil
}

// finished returns the keys of a rotation that ended before, once the log has
// opened with them.
func (c *Config) finished(size uint64, err error, next note.Signer, nextVKey string, open func(Keys) (*Log, error)) ([]proof.LogKey, error) {
	if err != nil {
		return nil, err
	}
	retired := c.retire(size)
	l, err := open(Keys{Signer: next, VKey: nextVKey, Retired: retired, RotatingTo: nextVKey})
	if err != nil {
		return nil, err
	}
	return retired, l.Close()
}
