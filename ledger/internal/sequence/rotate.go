package sequence

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// RoleLog is the role of the log's own key in key.created and key.retired.
const RoleLog = "log"

// The log's key is rotated by three entries of the log itself, written together
// and signed by the old key: key.created for the new key, key.retired for the
// old one, status.root. The size after them is the last that the old key signs.
// Then the head is signed again, at the same size, by the new key: from that
// moment on the old key opens the log no more. A crash before it leaves a log
// whose old key is retired and which only the rotation itself may go on with.

// Why a log with several keys refuses to start.
const (
	CodeRotating = "ledger.rotating"
	CodeKeys     = "ledger.keys"
)

// ErrRotating refuses a log whose key was retired and whose rotation has not
// ended.
var ErrRotating = say.New(CodeRotating, "ログの鍵の交替が、まだ終わっていません。", "The rotation of the log's key has not ended.").
	Hint("新しい鍵を指定して、鍵の交替（rotate-key）をもう一度実行してください。", "Run the rotation again (rotate-key) with the same new key.")

// errKeys refuses a configuration whose keys are not those of the log's entries.
func errKeys(why string) error {
	return say.New(CodeKeys, "設定にある過去のログの鍵が、ログの記録と一致しません。", "The retired keys of the configuration are not those that the log's entries name.").
		Hint("鍵を交替したときに表示された鍵と件数を、そのまま設定してください。", "Configure the keys and sizes as the rotation printed them.").Because(errors.New(why))
}

func (c *Config) policy() (*proof.Policy, error) {
	return proof.LogKeys(append(slices.Clone(c.Retired), proof.LogKey{VKey: c.VKey})...)
}

// fingerprint is how entries name a log key: the SHA-256 of its
// SubjectPublicKeyInfo.
func fingerprint(vkey string) (entry.Digest, error) {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return entry.Digest{}, errors.New("the log's key is not an Ed25519 key")
	}
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(raw[1:]))
	if err != nil {
		return entry.Digest{}, fmt.Errorf("couldn't encode the log's key: %w", err)
	}
	return entry.Sum(der), nil
}

// rotationAt reads the rotation whose last entry has index size-1: the
// fingerprints of the retired and of the new key. ok is false where there is
// none.
func (l *Log) rotationAt(ctx context.Context, size uint64) (old, next entry.Digest, ok bool, err error) {
	if size < 4 { // genesis and the three
		return old, next, false, nil
	}
	var bodies [3]entry.Body
	for i := range bodies {
		b, err := l.store.Leaf(ctx, size-3+uint64(i))
		if err != nil {
			return old, next, false, ErrDamaged.Because(err)
		}
		e, err := entry.Parse(b)
		if err != nil || e.By != entry.ByLog {
			return old, next, false, nil
		}
		bodies[i] = e.Body
	}
	created, ok1 := bodies[0].(*entry.KeyCreated)
	retired, ok2 := bodies[1].(*entry.KeyRetired)
	_, ok3 := bodies[2].(*entry.StatusRoot)
	if !ok1 || !ok2 || !ok3 || created.Role != RoleLog || retired.Role != RoleLog {
		return old, next, false, nil
	}
	return retired.SPKI, created.SPKI, true, nil
}

// checkKeys holds the configured keys against the entries: each retired key has
// its rotation where the configuration says, and the current one is not
// retired, except during a rotation to next.
func (l *Log) checkKeys(ctx context.Context, root Root) error {
	keys := append(slices.Clone(l.cfg.Retired), proof.LogKey{VKey: l.cfg.VKey})
	for i, k := range keys[:len(keys)-1] {
		if k.Until > root.Size {
			return errKeys("a key's last size is beyond the log")
		}
		old, next, ok, err := l.rotationAt(ctx, k.Until)
		if err != nil {
			return err
		}
		this, err1 := fingerprint(k.VKey)
		after, err2 := fingerprint(keys[i+1].VKey)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if !ok || this != old || after != next {
			return errKeys(fmt.Sprintf("no rotation of key %d ends at size %d", i, k.Until))
		}
	}
	if err := l.checkAdopted(ctx, root); err != nil && l.cfg.RotatingTo == "" {
		return err
	}
	old, next, ok, err := l.rotationAt(ctx, root.Size)
	if err != nil || !ok {
		return err
	}
	this, err := fingerprint(l.cfg.VKey)
	if err != nil {
		return err
	}
	if this == old && next != l.cfg.rotatingTo {
		return ErrRotating
	}
	return nil
}

// inRotation tells whether the log ends with the rotation that is to be ended:
// its entries were written together by its only user, so that nothing else can
// be on the way, and nothing may come after them under the old key.
func (l *Log) inRotation(ctx context.Context) (bool, error) {
	if l.cfg.RotatingTo == "" {
		return false, nil
	}
	_, next, ok, err := l.rotationAt(ctx, l.edge.Size)
	return ok && next == l.cfg.rotatingTo, err
}

// checkAdopted looks through a log that has lost its head for the retirement of
// the key that is to sign it: nothing else would tell then.
func (l *Log) checkAdopted(ctx context.Context, root Root) error {
	if l.head.Get() != nil {
		return nil
	}
	this, err := fingerprint(l.cfg.VKey)
	if err != nil {
		return err
	}
	return l.store.Leaves(ctx, 0, root.Size, func(_ uint64, b []byte) error {
		if !bytes.Contains(b, []byte(this.String())) {
			return nil
		}
		e, err := entry.Parse(b)
		if err != nil {
			return ErrDamaged.Because(err)
		}
		if r, ok := e.Body.(*entry.KeyRetired); ok && r.Role == RoleLog && r.SPKI == this {
			return ErrRotating
		}
		return nil
	})
}

// Rotate goes over from the log's key to the next one and ends the log's run:
// the caller closes it and opens it again with the new key and with the old one
// among Retired, up to the size that it returns. It must be the log's only
// user. After a crash at any moment the same rotation can be run again.
// record is the digest of the ceremony's record, for key.created.
func (l *Log) Rotate(ctx context.Context, next note.Signer, nextVKey string, record entry.Digest) (size uint64, err error) {
	created, err1 := fingerprint(nextVKey)
	retired, err2 := fingerprint(l.cfg.VKey)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	old, to, ok, err := l.rotationAt(ctx, l.edge.Size)
	if err != nil {
		return 0, err
	}
	if !ok || old != retired || to != created {
		if err := l.logRotation(ctx, &entry.KeyCreated{Alg: "ed25519", Record: record, Role: RoleLog, SPKI: created}, retired); err != nil {
			return 0, err
		}
	}
	tip := l.committed.Load()
	text, _, _ := strings.Cut(string(tip.checkpoint), "\n\n")
	signed, err := note.Sign(&note.Note{Text: text + "\n"}, next)
	if err != nil {
		return 0, fmt.Errorf("couldn't sign with the new key: %w", err)
	}
	if err := l.head.Swap(tip.checkpoint, signed); err != nil {
		return 0, l.fail(err)
	}
	// The old key signs nothing more.
	l.broken.CompareAndSwap(nil, &failure{ledger.ErrBroken.Because(ledger.ErrClosed)})
	return tip.size, nil
}

// logRotation commits the three entries as the old key's last act.
func (l *Log) logRotation(ctx context.Context, created *entry.KeyCreated, retired entry.Digest) error {
	first, err1 := l.own(created)
	second, err2 := l.own(&entry.KeyRetired{Role: RoleLog, SPKI: retired})
	l.next[entry.ByLog] -= 2 // own counted them; admit counts them again
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	r := &Request{entries: []Entry{first, second}, publish: true, weight: 3 * perEntry, done: make(chan struct{})}
	if err := l.Submit(ctx, r); err != nil {
		return err
	}
	return l.await(ctx, r)
}
