package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// maxIdentity bounds a leaf identity in bytes, as Trillian's SQL back ends do.
const maxIdentity = 255

func checkLeaf(l *trillian.LogLeaf) error {
	if n := len(l.LeafIdentityHash); n == 0 || n > maxIdentity {
		return status.Errorf(codes.InvalidArgument, "leaf identity hash has %d bytes, want 1 to %d", n, maxIdentity)
	}
	if len(l.MerkleLeafHash) != HashSize {
		return status.Errorf(codes.InvalidArgument, "Merkle leaf hash has %d bytes, want %d", len(l.MerkleLeafHash), HashSize)
	}
	return nil
}

// QueueLeaves implements storage.LogStorage.
func (s *Store) QueueLeaves(_ context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	if tree.TreeType != trillian.TreeType_LOG {
		return nil, status.Errorf(codes.InvalidArgument, "tree %d takes no queued leaves", tree.TreeId)
	}
	out := make([]*trillian.QueuedLogLeaf, len(leaves))
	err := s.update(tree, func(tx *logTX) error {
		for i, l := range leaves {
			if err := checkLeaf(l); err != nil {
				return err
			}
			old, err := tx.byIdentity(l.LeafIdentityHash)
			if err != nil {
				return err
			}
			if old != nil {
				out[i] = &trillian.QueuedLogLeaf{Leaf: old,
					Status: status.Newf(codes.AlreadyExists, "leaf already exists").Proto()}
				continue
			}
			l.QueueTimestamp = timestamppb.New(at)
			tx.set(queueKey(tree.TreeId, at, l.LeafIdentityHash), nil)
			tx.set(key(tableIdentity, tree.TreeId, l.LeafIdentityHash), appendLeaf([]byte{'q'}, l))
			out[i] = &trillian.QueuedLogLeaf{Leaf: l}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// byIdentity returns the queued or sequenced leaf with this identity, or nil.
func (t *logTX) byIdentity(identity []byte) (*trillian.LogLeaf, error) {
	v, err := t.get(key(tableIdentity, t.tree.TreeId, identity))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't look a leaf identity up: %w", err)
	}
	if index, ok := parseSequencedAt(v); ok {
		return t.byIndex(index)
	}
	if len(v) == 0 || v[0] != 'q' {
		return nil, errLeafRecord
	}
	return parseLeaf(v[1:], 0)
}

// byIndex returns the leaf at index, or nil.
func (t *logTX) byIndex(index uint64) (*trillian.LogLeaf, error) {
	v, err := t.get(leafKey(t.tree.TreeId, index))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't read leaf %d of tree %d: %w", index, t.tree.TreeId, err)
	}
	return parseLeaf(v, index)
}

func (t *logTX) dequeueQueued(limit int, cutoff time.Time) ([]*trillian.LogLeaf, error) {
	if t.dequeued == nil {
		t.dequeued = map[string]bool{}
	}
	var ids [][]byte
	from, end := kv.Prefix(key(tableQueue, t.tree.TreeId))
	_, to := kv.Prefix(key(tableQueue, t.tree.TreeId, timeBytes(cutoff)))
	if bytes.Compare(end, to) < 0 {
		to = end
	}
	err := t.r.Scan(from, to, func(k, _ []byte) error {
		if len(ids) >= limit {
			return kv.ErrStop
		}
		if id := k[17:]; !t.dequeued[string(id)] {
			ids = append(ids, bytes.Clone(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't read the queue of tree %d: %w", t.tree.TreeId, err)
	}
	out := make([]*trillian.LogLeaf, 0, len(ids))
	for _, id := range ids {
		l, err := t.byIdentity(id)
		if err != nil {
			return nil, err
		}
		if l == nil {
			return nil, status.Errorf(codes.DataLoss, "a queued leaf of tree %d is missing", t.tree.TreeId)
		}
		t.dequeued[string(id)] = true
		out = append(out, l)
	}
	return out, nil
}

// UpdateSequencedLeaves implements storage.LogTreeTX: queued leaves get their
// place.
func (t *logTX) UpdateSequencedLeaves(_ context.Context, leaves []*trillian.LogLeaf) error {
	if t.batch == nil {
		return errReadOnly
	}
	for _, l := range leaves {
		v, err := t.get(key(tableIdentity, t.tree.TreeId, l.LeafIdentityHash))
		if err != nil || len(v) == 0 || v[0] != 'q' {
			return status.Errorf(codes.FailedPrecondition, "leaf for index %d is not queued", l.LeafIndex)
		}
		queued, err := parseLeaf(v[1:], uint64(l.LeafIndex))
		if err != nil {
			return err
		}
		old, err := t.byIndex(uint64(l.LeafIndex))
		if err != nil {
			return err
		}
		if old != nil {
			return status.Errorf(codes.FailedPrecondition, "index %d of tree %d is taken", l.LeafIndex, t.tree.TreeId)
		}
		t.delete(queueKey(t.tree.TreeId, queued.QueueTimestamp.AsTime(), l.LeafIdentityHash))
		queued.IntegrateTimestamp = l.IntegrateTimestamp
		t.putLeaf(queued)
	}
	return nil
}

// putLeaf writes a sequenced leaf and its indexes.
func (t *logTX) putLeaf(l *trillian.LogLeaf) {
	index := uint64(l.LeafIndex)
	t.set(leafKey(t.tree.TreeId, index), appendLeaf(nil, l))
	t.set(key(tableIdentity, t.tree.TreeId, l.LeafIdentityHash), sequencedAt(index))
	if t.s.opts.HashIndex {
		t.set(hashKey(t.tree.TreeId, l.MerkleLeafHash, index), nil)
	}
}

// AddSequencedLeaves implements storage.LogStorage.
func (s *Store) AddSequencedLeaves(_ context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	out := make([]*trillian.QueuedLogLeaf, len(leaves))
	err := s.update(tree, func(tx *logTX) error {
		for i, l := range leaves {
			if err := checkLeaf(l); err != nil {
				return err
			}
			q, err := tx.addSequenced(l, at)
			if err != nil {
				return err
			}
			out[i] = q
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *logTX) addSequenced(l *trillian.LogLeaf, at time.Time) (*trillian.QueuedLogLeaf, error) {
	answer := func(l *trillian.LogLeaf, c codes.Code, msg string) *trillian.QueuedLogLeaf {
		return &trillian.QueuedLogLeaf{Leaf: l, Status: status.New(c, msg).Proto()}
	}
	if l.LeafIndex < 0 {
		return answer(l, codes.OutOfRange, "negative leaf index"), nil
	}
	old, err := t.byIndex(uint64(l.LeafIndex))
	if err != nil {
		return nil, err
	}
	if old != nil {
		if bytes.Equal(old.LeafIdentityHash, l.LeafIdentityHash) && bytes.Equal(old.LeafValue, l.LeafValue) {
			return answer(old, codes.AlreadyExists, "identical leaf at this index"), nil
		}
		return answer(old, codes.FailedPrecondition, "conflicting leaf index"), nil
	}
	if old, err = t.byIdentity(l.LeafIdentityHash); err != nil {
		return nil, err
	}
	if old != nil {
		return answer(old, codes.FailedPrecondition, "conflicting leaf identity hash"), nil
	}
	stored := proto.Clone(l).(*trillian.LogLeaf)
	stored.QueueTimestamp = timestamppb.New(at)
	stored.IntegrateTimestamp = nil
	t.putLeaf(stored)
	return answer(l, codes.OK, ""), nil
}
