package clusterlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

// ErrUnreachable is why nothing could be read: the cluster doesn't answer.
var ErrUnreachable = say.New("ledger.unreachable", "ログのクラスターから応答がありません。", "The log's cluster doesn't answer.").
	Hint("Trillian のログサーバー、署名サーバー、データベースが動いているか確かめてください。受領証のある記録は失われていません。",
		"See whether Trillian's log server, its signer and the database are running. Nothing that has a receipt is lost.")

// ErrForeign is returned when the cluster holds entries that this process did
// not add: there is a second process for the same log.
var ErrForeign = say.New("ledger.foreign", "このプロセス以外から、ログに記録が追加されています。",
	"Something else than this process has added entries to the log.").
	Hint("同じログを動かしているプロセスが二つないか確かめてください。", "See whether two processes run the same log.")

// errTaken says that the place of the next entry is taken: entries of an
// earlier life of this log that the signer has not integrated yet, or a second
// process.
var errTaken = ErrForeign.Because(errors.New("the next index is taken"))

const (
	callTime = 30 * time.Second // one call
	// maxReceive bounds an answer: readChunk entries of the largest size.
	maxReceive = 64 << 20
	readChunk  = 512
	// The tree is found again by its description, which is the log's origin.
	displayName    = "sukashi"
	maxDescription = 200
)

// remote is the connection to the log server, for one tree.
type remote struct {
	conn *grpc.ClientConn
	log  trillian.TrillianLogClient
	tree int64
}

func dial(cfg *Config) (*remote, error) {
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		creds = credentials.NewTLS(cfg.TLS)
	}
	conn, err := grpc.NewClient(cfg.Address, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceive), grpc.MaxCallSendMsgSize(cfg.MaxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 5 * time.Second,
			Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}}))
	if err != nil {
		return nil, fmt.Errorf("couldn't set up the connection to the log server: %w", err)
	}
	return &remote{conn: conn, log: trillian.NewTrillianLogClient(conn)}, nil
}

// openTree finds the log's tree, or makes it. signed: a head exists already.
func (r *remote) openTree(ctx context.Context, origin string, signed bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	admin := trillian.NewTrillianAdminClient(r.conn)
	list, err := admin.ListTrees(ctx, &trillian.ListTreesRequest{})
	if err != nil {
		return ErrUnreachable.Because(err)
	}
	for _, t := range list.Tree {
		if t.Description != origin || t.TreeType != trillian.TreeType_PREORDERED_LOG || t.Deleted {
			continue
		}
		if r.tree != 0 {
			return fmt.Errorf("the cluster has two trees for the log %s: %d and %d", origin, r.tree, t.TreeId)
		}
		r.tree = t.TreeId
	}
	if r.tree == 0 {
		if signed {
			return sequence.ErrLost
		}
		t, err := admin.CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
			TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_PREORDERED_LOG,
			DisplayName: displayName, Description: origin, MaxRootDuration: durationpb.New(0)}})
		if err != nil {
			return fmt.Errorf("couldn't make the log's tree: %w", err)
		}
		r.tree = t.TreeId
	}
	// A crash between the two leaves a tree without a root.
	if _, err := r.log.InitLog(ctx, &trillian.InitLogRequest{LogId: r.tree}); err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("couldn't initialise the log's tree: %w", err)
	}
	return nil
}

// root returns the newest root that the signer made.
func (r *remote) root(ctx context.Context) (sequence.Root, error) {
	var out sequence.Root
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	resp, err := r.log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: r.tree})
	if err != nil {
		return out, err
	}
	var root types.LogRootV1
	if err := root.UnmarshalBinary(resp.GetSignedLogRoot().GetLogRoot()); err != nil {
		return out, status.Errorf(codes.DataLoss, "the cluster's root is damaged: %v", err)
	}
	if len(root.RootHash) != len(out.Hash) {
		return out, status.Error(codes.DataLoss, "the cluster's root has no SHA-256 hash")
	}
	// The root's time is the signer's affair; this process needs no clock that
	// goes on from it.
	out.Size = root.TreeSize
	copy(out.Hash[:], root.RootHash)
	return out, nil
}

// leaves calls fn for the entries of [from, to), which must be integrated.
func (r *remote) leaves(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	for from < to {
		count := min(to-from, readChunk)
		got, err := r.chunk(ctx, from, count)
		if err != nil {
			return err
		}
		for i, l := range got {
			if l.LeafIndex != int64(from)+int64(i) {
				return sequence.ErrDamaged.Because(fmt.Errorf("asked for entry %d, got %d", from+uint64(i), l.LeafIndex))
			}
			if err := fn(uint64(l.LeafIndex), l.LeafValue); err != nil {
				return err
			}
		}
		from += uint64(len(got))
	}
	return nil
}

func (r *remote) chunk(ctx context.Context, from, count uint64) ([]*trillian.LogLeaf, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	resp, err := r.log.GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{LogId: r.tree, StartIndex: int64(from), Count: int64(count)})
	if err != nil {
		return nil, ErrUnreachable.Because(err)
	}
	if len(resp.Leaves) == 0 || uint64(len(resp.Leaves)) > count {
		return nil, sequence.ErrDamaged.Because(fmt.Errorf("asked for %d entries from %d, got %d", count, from, len(resp.Leaves)))
	}
	return resp.Leaves, nil
}

// isPermanent tells an answer that will not change from a cluster that is out
// of reach for a while: a restarting log server, a database that fails over.
func isPermanent(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.Unimplemented, codes.DataLoss, codes.OutOfRange:
		return true
	}
	return false
}
