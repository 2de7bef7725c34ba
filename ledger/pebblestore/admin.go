package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Admin implements storage.AdminStorage.
type Admin struct{ s *Store }

var _ storage.AdminStorage = (*Admin)(nil)

// Snapshot implements storage.AdminStorage.
func (a *Admin) Snapshot(context.Context) (storage.ReadOnlyAdminTX, error) {
	sn, err := a.s.kv.Snapshot()
	if err != nil {
		return nil, err
	}
	return &adminTX{s: a.s, r: sn, snapshot: sn}, nil
}

// ReadWriteTransaction implements storage.AdminStorage.
func (a *Admin) ReadWriteTransaction(ctx context.Context, f storage.AdminTXFunc) error {
	a.s.admin.Lock()
	defer a.s.admin.Unlock()
	tx := &adminTX{s: a.s, r: a.s.kv, batch: a.s.kv.NewBatch(), trees: map[int64]*trillian.Tree{}}
	defer tx.Close()
	if err := f(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// CheckDatabaseAccessible implements storage.AdminStorage.
func (a *Admin) CheckDatabaseAccessible(ctx context.Context) error {
	return a.s.CheckDatabaseAccessible(ctx)
}

// adminTX implements storage.AdminTX.
type adminTX struct {
	s        *Store
	r        reader
	snapshot *kv.Snapshot
	batch    *kv.Batch
	trees    map[int64]*trillian.Tree // written by this transaction; nil: removed
}

// Commit implements storage.AdminTX.
func (t *adminTX) Commit() error {
	if t.batch == nil {
		return t.Close()
	}
	b := t.batch
	t.batch = nil
	return b.Commit(true)
}

// Close implements storage.AdminTX.
func (t *adminTX) Close() error {
	if t.batch != nil {
		t.batch.Close()
		t.batch = nil
	}
	if t.snapshot != nil {
		sn := t.snapshot
		t.snapshot = nil
		return sn.Close()
	}
	return nil
}

// GetTree implements storage.AdminTX.
func (t *adminTX) GetTree(_ context.Context, id int64) (*trillian.Tree, error) {
	if tree, ok := t.trees[id]; ok && tree != nil {
		return proto.Clone(tree).(*trillian.Tree), nil
	} else if ok {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", id)
	}
	b, err := t.r.Get(key(tableTree, id))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", id)
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't read tree %d: %w", id, err)
	}
	tree := new(trillian.Tree)
	if err := proto.Unmarshal(b, tree); err != nil {
		return nil, fmt.Errorf("stored tree %d is damaged: %w", id, err)
	}
	return tree, nil
}

func scanTrees(scan func(from, to []byte, fn func(k, v []byte) error) error, fn func(*trillian.Tree) error) error {
	from, to := kv.Prefix([]byte{tableTree})
	return scan(from, to, func(_, v []byte) error {
		tree := new(trillian.Tree)
		if err := proto.Unmarshal(v, tree); err != nil {
			return fmt.Errorf("a stored tree is damaged: %w", err)
		}
		return fn(tree)
	})
}

// ListTrees implements storage.AdminTX. It lists what was committed before
// and what this transaction wrote.
func (t *adminTX) ListTrees(_ context.Context, includeDeleted bool) ([]*trillian.Tree, error) {
	out := []*trillian.Tree{}
	add := func(tree *trillian.Tree) {
		if includeDeleted || !tree.Deleted {
			out = append(out, tree)
		}
	}
	err := scanTrees(t.r.Scan, func(tree *trillian.Tree) error {
		if _, ok := t.trees[tree.TreeId]; !ok {
			add(tree)
		}
		return nil
	})
	for _, tree := range t.trees {
		if tree != nil {
			add(proto.Clone(tree).(*trillian.Tree))
		}
	}
	return out, err
}

func (t *adminTX) put(tree *trillian.Tree) error {
	if t.batch == nil {
		return errReadOnly
	}
	b, err := proto.Marshal(tree)
	if err != nil {
		return fmt.Errorf("couldn't encode tree %d: %w", tree.TreeId, err)
	}
	t.trees[tree.TreeId] = proto.Clone(tree).(*trillian.Tree)
	t.batch.Set(key(tableTree, tree.TreeId), b)
	return nil
}

// now is cut to milliseconds, as in Trillian's own back ends.
func (t *adminTX) now() *timestamppb.Timestamp {
	return timestamppb.New(t.s.opts.Now().Truncate(time.Millisecond))
}

// CreateTree implements storage.AdminTX.
func (t *adminTX) CreateTree(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	if err := storage.ValidateTreeForCreation(ctx, tree); err != nil {
		return nil, err
	}
	id, err := storage.NewTreeID()
	if err != nil {
		return nil, fmt.Errorf("couldn't draw a tree id: %w", err)
	}
	created := proto.Clone(tree).(*trillian.Tree)
	now := t.now()
	created.TreeId, created.CreateTime = id, now
	created.UpdateTime = proto.Clone(now).(*timestamppb.Timestamp)
	if err := t.put(created); err != nil {
		return nil, err
	}
	return created, nil
}

// UpdateTree implements storage.AdminTX.
func (t *adminTX) UpdateTree(ctx context.Context, id int64, update func(*trillian.Tree)) (*trillian.Tree, error) {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	before := proto.Clone(tree).(*trillian.Tree)
	update(tree)
	if err := storage.ValidateTreeForUpdate(ctx, before, tree); err != nil {
		return nil, err
	}
	tree.UpdateTime = t.now()
	if err := t.put(tree); err != nil {
		return nil, err
	}
	return tree, nil
}

// SoftDeleteTree implements storage.AdminTX.
func (t *adminTX) SoftDeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	return t.setDeleted(ctx, id, true)
}

// UndeleteTree implements storage.AdminTX.
func (t *adminTX) UndeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	return t.setDeleted(ctx, id, false)
}

func (t *adminTX) setDeleted(ctx context.Context, id int64, deleted bool) (*trillian.Tree, error) {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	if tree.Deleted == deleted {
		return nil, status.Errorf(codes.FailedPrecondition, "tree %d: deleted is already %t", id, deleted)
	}
	tree.Deleted, tree.DeleteTime = deleted, nil
	if deleted {
		tree.DeleteTime = t.now()
	}
	if err := t.put(tree); err != nil {
		return nil, err
	}
	return tree, nil
}

// HardDeleteTree implements storage.AdminTX: all tables of the tree go.
func (t *adminTX) HardDeleteTree(ctx context.Context, id int64) error {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return err
	}
	if !tree.Deleted {
		return status.Errorf(codes.FailedPrecondition, "tree %d is not soft deleted", id)
	}
	if t.batch == nil {
		return errReadOnly
	}
	for _, table := range []byte(tables) {
		from, to := kv.Prefix(key(table, id))
		t.batch.DeleteRange(from, to)
	}
	t.trees[id] = nil
	return nil
}
