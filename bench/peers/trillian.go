package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

// trillianLog is a Trillian log server with its signer beside it: QueueLeaf for
// each entry. An entry counts as covered as soon as the newest root has as many
// leaves as the server had taken when it took this one: no caller can know
// earlier, and none pays for a proof.
func trillianLog(ctx context.Context, server string, inFlight int) (add, error) {
	t, err := openTree(ctx, server, trillian.TreeType_LOG)
	if err != nil {
		return nil, err
	}
	room := make(chan struct{}, min(inFlight, 128)) // more calls at once only wait for the database
	return func(ctx context.Context, entry []byte) error {
		room <- struct{}{}
		_, err := t.log.QueueLeaf(ctx, &trillian.QueueLeafRequest{LogId: t.id, Leaf: &trillian.LogLeaf{LeafValue: entry}})
		<-room
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.taken++
		mine := t.taken
		t.mu.Unlock()
		return t.await(mine)
	}, nil
}

// callLeaves is how many leaves go into one call at most.
const callLeaves = 4096

// preorderedLog is the same servers without a log's rules: callers' entries are
// numbered as they come and added in calls of up to callLeaves, two at a time.
func preorderedLog(ctx context.Context, server string) (add, error) {
	t, err := openTree(ctx, server, trillian.TreeType_PREORDERED_LOG)
	if err != nil {
		return nil, err
	}
	type queued struct {
		entry []byte
		index chan uint64
	}
	queue := make(chan queued, callLeaves)
	var order sync.Mutex // taking from the queue and numbering
	send := func() {
		for {
			order.Lock()
			req := &trillian.AddSequencedLeavesRequest{LogId: t.id}
			taken := []queued{<-queue}
			for len(taken) < callLeaves && len(queue) > 0 {
				taken = append(taken, <-queue)
			}
			first := t.taken
			t.taken += uint64(len(taken))
			order.Unlock()
			for i, q := range taken {
				id := make([]byte, 32)
				binary.BigEndian.PutUint64(id[24:], first+uint64(i))
				req.Leaves = append(req.Leaves, &trillian.LogLeaf{LeafIndex: int64(first) + int64(i), LeafIdentityHash: id, LeafValue: q.entry})
			}
			resp, err := t.log.AddSequencedLeaves(ctx, req)
			for _, r := range resp.GetResults() {
				if c := codes.Code(r.GetStatus().GetCode()); c != codes.OK && err == nil {
					err = fmt.Errorf("a leaf was refused: %v", c)
				}
			}
			if err != nil {
				t.tell(0, err)
			}
			for i, q := range taken {
				q.index <- first + uint64(i)
			}
		}
	}
	go send()
	go send()
	return func(_ context.Context, entry []byte) error {
		q := queued{entry, make(chan uint64, 1)}
		queue <- q
		return t.await(<-q.index + 1)
	}, nil
}

// trillianTree follows the newest root of a tree.
type trillianTree struct {
	log   trillian.TrillianLogClient
	id    int64
	taken uint64

	mu   sync.Mutex
	news *sync.Cond
	size uint64
	err  error
}

func openTree(ctx context.Context, server string, kind trillian.TreeType) (*trillianTree, error) {
	conn, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	tree, err := trillian.NewTrillianAdminClient(conn).CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: kind, MaxRootDuration: durationpb.New(0)}})
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
	return t, nil
}

func (t *trillianTree) follow(ctx context.Context) {
	for ctx.Err() == nil {
		r, err := t.log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: t.id})
		var root types.LogRootV1
		if err == nil {
			err = root.UnmarshalBinary(r.SignedLogRoot.LogRoot)
		}
		t.tell(root.TreeSize, err)
		time.Sleep(5 * time.Millisecond)
	}
}

// tell tells those who wait of a larger tree or an error, the first of which stays.
func (t *trillianTree) tell(size uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	if t.err != nil || size > t.size {
		t.size = max(t.size, size)
		t.news.Broadcast()
	}
}

// await returns when the newest root covers size leaves.
func (t *trillianTree) await(size uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.size < size && t.err == nil {
		t.news.Wait()
	}
	return t.err
}
