package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// trillianLog is a Trillian log server with its signer beside it: QueueLeaf for
// each entry, then an inclusion proof by hash under the newest root, asked for
// whenever there is a new root.
func trillianLog(ctx context.Context, server string, inFlight int) (add, error) {
	conn, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	tree, err := trillian.NewTrillianAdminClient(conn).CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(0)}})
	if err != nil {
		return nil, fmt.Errorf("couldn't make a tree: %w", err)
	}
	log := trillian.NewTrillianLogClient(conn)
	if _, err := log.InitLog(ctx, &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
		return nil, fmt.Errorf("couldn't start the tree: %w", err)
	}
	t := &trillianTree{log: log, id: tree.TreeId}
	t.news = sync.NewCond(&t.mu)
	go t.follow(ctx)
	room := make(chan struct{}, min(inFlight, 128)) // more calls at once only wait for the database
	return func(ctx context.Context, entry []byte) error {
		room <- struct{}{}
		_, err := log.QueueLeaf(ctx, &trillian.QueueLeafRequest{LogId: t.id, Leaf: &trillian.LogLeaf{LeafValue: entry}})
		<-room
		if err != nil {
			return err
		}
		return t.await(ctx, rfc6962.DefaultHasher.HashLeaf(entry), room)
	}, nil
}

// trillianTree follows the newest root of a tree.
type trillianTree struct {
	log trillian.TrillianLogClient
	id  int64

	mu   sync.Mutex
	news *sync.Cond
	size uint64
	err  error
}

func (t *trillianTree) follow(ctx context.Context) {
	for ctx.Err() == nil {
		r, err := t.log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: t.id})
		var root types.LogRootV1
		if err == nil {
			err = root.UnmarshalBinary(r.SignedLogRoot.LogRoot)
		}
		t.mu.Lock()
		if err != nil || root.TreeSize > t.size {
			t.size, t.err = root.TreeSize, err
			t.news.Broadcast()
		}
		t.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

func (t *trillianTree) await(ctx context.Context, hash []byte, room chan struct{}) error {
	for tried := uint64(0); ; {
		t.mu.Lock()
		for t.size <= tried && t.err == nil {
			t.news.Wait()
		}
		size, err := t.size, t.err
		t.mu.Unlock()
		if err != nil {
			return err
		}
		tried = size
		room <- struct{}{}
		_, err = t.log.GetInclusionProofByHash(ctx, &trillian.GetInclusionProofByHashRequest{
			LogId: t.id, LeafHash: hash, TreeSize: int64(size)})
		<-room
		if status.Code(err) != codes.NotFound {
			return err
		}
	}
}
