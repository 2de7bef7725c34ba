package sequence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// A small batch goes to disk twice at the same time: into the store, and as the
// tail of the head that covers it. Both must be durable before anybody is
// answered, but neither waits for the other, so that the commit takes one fsync
// of time instead of two. After a crash
//
//   - the head is missing: the store holds entries that nobody was told of, as
//     ever; they are signed for again.
//   - the store is missing: the head says more than the store holds, and its
//     tail says what. The entries are written again before anything else is
//     done, and only if they lead to exactly the root that was signed.
//
// The head's tail begins where the head before it ended, and a head is written
// only when the store holds the one before. So a store that is behind by more
// than the tail has lost what was acknowledged, and is refused. A last batch
// that rotted in the store comes back from the tail.

// tailOf is the tail of a batch, or nil when it doesn't fit into a head.
func tailOf(b *Batch, checkpoint []byte) []byte { return appendTail(nil, b, checkpoint) }

// appendTail is tailOf in a buffer that has room from before.
func appendTail(out []byte, b *Batch, checkpoint []byte) []byte {
	n := 0
	for i := range b.Entries {
		n += 4 + len(b.Entries[i].Bytes)
	}
	if !head.Fits(len(checkpoint), n) {
		return nil
	}
	out = slices.Grow(out, n)
	for i := range b.Entries {
		out = binary.BigEndian.AppendUint32(out, uint32(len(b.Entries[i].Bytes)))
		out = append(out, b.Entries[i].Bytes...)
	}
	return out
}

// Redo makes the batch that a head's tail holds, for a store of this size. It
// is an error when the tail doesn't begin there, or doesn't lead to the head.
func Redo(tail []byte, cp *proof.Checkpoint, size uint64, hashes tlog.HashReaderFunc) (*Batch, error) {
	b := &Batch{First: size}
	var leaves []tlog.Hash
	for len(tail) > 0 {
		if len(tail) < 4 || uint64(binary.BigEndian.Uint32(tail)) > uint64(len(tail)-4) {
			return nil, errors.New("the head's tail is cut off")
		}
		n := 4 + int(binary.BigEndian.Uint32(tail))
		raw := tail[4:n]
		tail = tail[n:]
		en, err := entry.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("the head's tail holds something else than entries: %w", err)
		}
		b.Entries = append(b.Entries, Entry{Bytes: raw, Parsed: en, Hash: tlog.RecordHash(raw)})
		leaves = append(leaves, b.Entries[len(b.Entries)-1].Hash)
	}
	if size+uint64(len(leaves)) != cp.Size {
		return nil, fmt.Errorf("the head's tail covers %d entries, %d are missing", len(leaves), cp.Size-size)
	}
	edge, err := FrontierAt(size, hashes)
	if err != nil {
		return nil, err
	}
	if b.Growth = edge.Extend(leaves); b.Growth.Root() != cp.Root {
		return nil, errors.New("store and tail don't lead to the head")
	}
	return b, nil
}

// redo brings a store that is behind its head up to it, if the head's tail can.
func (l *Log) redo(ctx context.Context, root Root) (Root, error) {
	note, tail := l.head.Get(), l.head.Tail()
	if note == nil || tail == nil {
		return root, nil
	}
	cp, err := l.policy.VerifyCheckpoint(note)
	if err != nil || cp.Size <= root.Size {
		return root, nil // checkHead tells
	}
	if err := l.checkRightEdge(ctx, root); err != nil {
		return root, err
	}
	b, err := Redo(tail, cp, root.Size, l.readHashes)
	if err != nil {
		l.cfg.Logger.Warn("the head's tail can't bring the store up to it", "cause", err)
		return root, nil // checkHead refuses
	}
	wait, err := l.store.Write(b)
	if err == nil {
		err = wait()
	}
	if err != nil {
		return root, fmt.Errorf("couldn't write again what the head holds: %w", err)
	}
	l.cfg.Logger.Info("the last batch was written again from the head", "entries", len(b.Entries))
	return l.store.Root(ctx)
}
