package pebblestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/trillian"
	trillog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/testonly"
	"github.com/google/trillian/types"
	"github.com/google/trillian/util/clock"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sukashi-project/sukashi/internal/kv"
)

var (
	ctx   = context.Background()
	queue = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
)

func mustTree(t *testing.T, s *Store, tmpl *trillian.Tree) *trillian.Tree {
	t.Helper()
	tree, err := storage.CreateTree(ctx, s.Admin(), tmpl)
	if err != nil {
		t.Fatal(err)
	}
	root, err := (&types.LogRootV1{RootHash: rfc6962.DefaultHasher.EmptyRoot()}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, tree, func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: root})
	})
	return tree
}

func update(t *testing.T, s storage.LogStorage, tree *trillian.Tree, f storage.LogTXFunc) {
	t.Helper()
	if err := s.ReadWriteTransaction(ctx, tree, f); err != nil {
		t.Fatal(err)
	}
}

func leaf(i int64, text string) *trillian.LogLeaf {
	id := sha256.Sum256([]byte(text))
	return &trillian.LogLeaf{LeafIndex: i, LeafValue: []byte(text), ExtraData: []byte("extra"),
		LeafIdentityHash: id[:], MerkleLeafHash: rfc6962.DefaultHasher.HashLeaf([]byte(text))}
}

func leaves(n int, first int64) []*trillian.LogLeaf {
	out := make([]*trillian.LogLeaf, n)
	for i := range out {
		out[i] = leaf(first+int64(i), fmt.Sprintf("leaf %d", first+int64(i)))
	}
	return out
}

func integrate(t *testing.T, s storage.LogStorage, tree *trillian.Tree, want int, at time.Time) {
	t.Helper()
	trillog.InitMetrics(nil)
	n, err := trillog.IntegrateBatch(ctx, tree, 1000, 0, 0, clock.NewFake(at), s, quota.Noop())
	if err != nil || n != want {
		t.Fatalf("integrated %d leaves, %v; want %d", n, err, want)
	}
}

// wantRoot compares the stored root with one computed by the merkle library.
func wantRoot(t *testing.T, s *Store, tree *trillian.Tree, all []*trillian.LogLeaf) {
	t.Helper()
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, l := range all {
		if err := r.Append(l.MerkleLeafHash, nil); err != nil {
			t.Fatal(err)
		}
	}
	want, err := r.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := s.SnapshotForTree(ctx, tree)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	slr, err := tx.LatestSignedLogRoot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got types.LogRootV1
	if err := got.UnmarshalBinary(slr.LogRoot); err != nil {
		t.Fatal(err)
	}
	if got.TreeSize != uint64(len(all)) || !bytes.Equal(got.RootHash, want) {
		t.Errorf("root of %d leaves is %x at %d, want %x", len(all), got.RootHash, got.TreeSize, want)
	}
}

func TestQueuedLeavesAreIntegratedOnce(t *testing.T) {
	s := memStore(t, Options{HashIndex: true})
	tree := mustTree(t, s, testonly.LogTree)
	all := leaves(5, 0)
	q, err := s.QueueLeaves(ctx, tree, all[:3], queue)
	if err != nil {
		t.Fatal(err)
	}
	for i := range q {
		if q[i].Status != nil && q[i].Status.Code != 0 {
			t.Errorf("leaf %d: %v", i, q[i].Status)
		}
	}
	// Duplicates: queued before, and twice in one call.
	again := append(leaves(4, 0), leaf(3, "leaf 3"), leaf(4, "leaf 4"))
	again[0].LeafValue = []byte("other value, same identity")
	q, err = s.QueueLeaves(ctx, tree, again, queue.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []codes.Code{codes.AlreadyExists, codes.AlreadyExists, codes.AlreadyExists, codes.OK, codes.AlreadyExists, codes.OK} {
		if got := codes.Code(q[i].GetStatus().GetCode()); got != want {
			t.Errorf("leaf %d: %v, want %v", i, got, want)
		}
	}
	if !bytes.Equal(q[0].Leaf.LeafValue, all[0].LeafValue) {
		t.Error("a duplicate's answer does not hold the first leaf")
	}
	integrate(t, s, tree, 5, queue.Add(time.Minute))
	integrate(t, s, tree, 0, queue.Add(2*time.Minute))
	tx, err := s.SnapshotForTree(ctx, tree)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	got, err := tx.GetLeavesByRange(ctx, 0, 10)
	if err != nil || len(got) != 5 {
		t.Fatalf("%d leaves, %v", len(got), err)
	}
	wantRoot(t, s, tree, got)
	if !got[0].QueueTimestamp.AsTime().Equal(queue) || got[0].IntegrateTimestamp.AsTime().Before(queue) {
		t.Errorf("times of leaf 0: %v %v", got[0].QueueTimestamp, got[0].IntegrateTimestamp)
	}
	// A sequenced leaf is a duplicate too.
	q, err = s.QueueLeaves(ctx, tree, leaves(1, 0), queue)
	if err != nil || codes.Code(q[0].Status.GetCode()) != codes.AlreadyExists {
		t.Errorf("%v %v", q, err)
	}
}

func TestCutOffKeepsYoungLeavesBack(t *testing.T) {
	for _, tmpl := range []*trillian.Tree{testonly.LogTree, testonly.PreorderedLogTree} {
		s := memStore(t, Options{})
		tree := mustTree(t, s, tmpl)
		for i := range int64(3) {
			at := queue.Add(time.Duration(i) * time.Second)
			var err error
			if tmpl.TreeType == trillian.TreeType_LOG {
				_, err = s.QueueLeaves(ctx, tree, leaves(1, i), at)
			} else {
				_, err = s.AddSequencedLeaves(ctx, tree, leaves(1, i), at)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for cut, want := range map[time.Duration]int{-time.Second: 0, 0: 1, 1500 * time.Millisecond: 2, time.Hour: 3} {
			update(t, s, tree, func(ctx context.Context, tx storage.LogTreeTX) error {
				got, err := tx.DequeueLeaves(ctx, 10, queue.Add(cut))
				if err != nil || len(got) != want {
					t.Errorf("%v, cut-off %v: %d leaves, %v; want %d", tmpl.TreeType, cut, len(got), err, want)
				}
				if more, err := tx.DequeueLeaves(ctx, 1, queue.Add(cut)); tmpl.TreeType == trillian.TreeType_LOG && (err != nil || len(more) > 0) {
					t.Errorf("leaves were handed out twice: %v", err)
				}
				return nil
			})
		}
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	s := memStore(t, Options{HashIndex: true})
	tree := mustTree(t, s, testonly.LogTree)
	if _, err := s.QueueLeaves(ctx, tree, leaves(3, 0), queue); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	err := s.ReadWriteTransaction(ctx, tree, func(ctx context.Context, tx storage.LogTreeTX) error {
		got, err := tx.DequeueLeaves(ctx, 10, queue)
		if err != nil || len(got) != 3 {
			t.Fatalf("%d leaves, %v", len(got), err)
		}
		for i := range got {
			got[i].LeafIndex = int64(i)
		}
		if err := tx.UpdateSequencedLeaves(ctx, got); err != nil {
			t.Fatal(err)
		}
		if seen, err := tx.GetLeavesByRange(ctx, 0, 1); err == nil {
			t.Errorf("leaf %v is beyond the tree", seen)
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
	integrate(t, s, tree, 3, queue.Add(time.Minute))
}

func TestSequencedLeavesAnswers(t *testing.T) {
	s := memStore(t, Options{HashIndex: true})
	tree := mustTree(t, s, testonly.PreorderedLogTree)
	if _, err := s.QueueLeaves(ctx, tree, leaves(1, 0), queue); status.Code(err) != codes.InvalidArgument {
		t.Errorf("queueing into a preordered log: %v", err)
	}
	same := leaf(7, "leaf 0") // identity taken
	other := leaf(0, "other") // index taken
	negative := leaf(-1, "negative")
	q, err := s.AddSequencedLeaves(ctx, tree, append(leaves(2, 0), leaf(0, "leaf 0"), same, other, negative), queue)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []codes.Code{codes.OK, codes.OK, codes.AlreadyExists, codes.FailedPrecondition, codes.FailedPrecondition, codes.OutOfRange} {
		if got := codes.Code(q[i].Status.GetCode()); got != want {
			t.Errorf("leaf %d: %v, want %v", i, got, want)
		}
	}
	for name, l := range map[string]*trillian.LogLeaf{
		"no identity": {MerkleLeafHash: make([]byte, 32)},
		"long":        {MerkleLeafHash: make([]byte, 32), LeafIdentityHash: make([]byte, 256)},
		"short hash":  {MerkleLeafHash: make([]byte, 31), LeafIdentityHash: []byte("x")},
	} {
		if _, err := s.AddSequencedLeaves(ctx, tree, []*trillian.LogLeaf{l}, queue); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeavesByHash(t *testing.T) {
	s := memStore(t, Options{HashIndex: true})
	tree := mustTree(t, s, testonly.PreorderedLogTree)
	all := leaves(4, 0)
	all[3].MerkleLeafHash = all[1].MerkleLeafHash // two leaves of one hash
	if _, err := s.AddSequencedLeaves(ctx, tree, all, queue); err != nil {
		t.Fatal(err)
	}
	tx, err := s.SnapshotForTree(ctx, tree)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	got, err := tx.GetLeavesByHash(ctx, [][]byte{all[2].MerkleLeafHash, all[1].MerkleLeafHash, make([]byte, 32)}, true)
	if err != nil || len(got) != 3 || got[0].LeafIndex != 1 || got[1].LeafIndex != 2 || got[2].LeafIndex != 3 {
		t.Errorf("%v %v", got, err)
	}
	plain := memStore(t, Options{})
	other := mustTree(t, plain, testonly.PreorderedLogTree)
	tx2, err := plain.SnapshotForTree(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	defer tx2.Close()
	if _, err := tx2.GetLeavesByHash(ctx, nil, false); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("without the index: %v", err)
	}
}

func TestSnapshotSeesOneMoment(t *testing.T) {
	s := memStore(t, Options{})
	tree := mustTree(t, s, testonly.PreorderedLogTree)
	tx, err := s.SnapshotForTree(ctx, tree)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if _, err := s.AddSequencedLeaves(ctx, tree, leaves(300, 0), queue); err != nil {
		t.Fatal(err)
	}
	integrate(t, s, tree, 300, queue.Add(time.Minute))
	if got, err := tx.GetLeavesByRange(ctx, 0, 5); err != nil || len(got) != 0 {
		t.Errorf("old snapshot sees %d new leaves, %v", len(got), err)
	}
	if nodes, err := tx.GetMerkleNodes(ctx, []compact.NodeID{{}}); err != nil || len(nodes) != 0 {
		t.Errorf("old snapshot sees %d new nodes, %v", len(nodes), err)
	}
	// A snapshot writes nothing.
	rw := tx.(storage.LogTreeTX)
	for what, err := range map[string]error{
		"root": rw.StoreSignedLogRoot(ctx, nil), "nodes": rw.SetMerkleNodes(ctx, nil), "leaves": rw.UpdateSequencedLeaves(ctx, nil),
	} {
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := rw.DequeueLeaves(ctx, 1, queue); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("dequeue: %v", err)
	}
}

// TestAllWaysGiveTheSameTree grows one tree by queue, one by sequenced leaves and
// one by stages, in batches around the edges of tiles, opening the store anew
// now and then: all get the root of the merkle library.
func TestAllWaysGiveTheSameTree(t *testing.T) {
	sizes := []int{1, 254, 1, 1, 255, 3, 700, 65, 512}
	kvs, err := kv.Open("/s", kv.Options{FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	defer kvs.Close()
	s := New(kvs, Options{})
	queued, ordered, staged := mustTree(t, s, testonly.LogTree), mustTree(t, s, testonly.PreorderedLogTree), mustTree(t, s, testonly.PreorderedLogTree)
	var all []*trillian.LogLeaf
	at := queue
	for i, n := range sizes {
		if i%3 == 2 {
			s = New(kvs, Options{}) // forget the right edge
		}
		at = at.Add(time.Minute)
		batch := leaves(n, int64(len(all)))
		all = append(all, leaves(n, int64(len(all)))...)
		for k := range batch { // the queue keeps the order of its times
			if _, err := s.QueueLeaves(ctx, queued, leaves(1, batch[k].LeafIndex), at.Add(time.Duration(k))); err != nil {
				t.Fatal(err)
			}
		}
		integrate(t, s, queued, n, at.Add(time.Second))
		if _, err := s.AddSequencedLeaves(ctx, ordered, batch, at); err != nil {
			t.Fatal(err)
		}
		integrate(t, s, ordered, n, at.Add(time.Second))
		g := &Stage{Store: s, Leaves: batch, Extra: []Pair{{UserKey(staged.TreeId, "n"), []byte{byte(i)}}},
			Check: func(w Written) error {
				if w.Root.TreeSize != uint64(len(all)) || len(w.Tiles) == 0 {
					t.Errorf("check sees size %d, %d tiles", w.Root.TreeSize, len(w.Tiles))
				}
				return nil
			}}
		integrate(t, g, staged, n, at.Add(time.Second))
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, tree := range []*trillian.Tree{queued, ordered, staged} {
			wantRoot(t, s, tree, all)
		}
	}
	if v, err := kvs.Get(UserKey(staged.TreeId, "n")); err != nil || v[0] != byte(len(sizes)-1) {
		t.Errorf("extra pair: %v %v", v, err)
	}
	for level, want := range map[uint]int{0: len(all) / TileWidth, 1: 1} {
		for i := range want {
			a, err := s.Tile(ordered.TreeId, TileID{level, uint64(i)})
			b, err2 := s.Tile(staged.TreeId, TileID{level, uint64(i)})
			if err != nil || err2 != nil || !bytes.Equal(a, b) || level == 0 && len(a) != TileWidth*HashSize {
				t.Errorf("tile %d/%d differs: %v %v", level, i, err, err2)
			}
		}
	}
	if i, err := s.IndexOf(staged.TreeId, all[5].LeafIdentityHash); err != nil || i != 5 {
		t.Errorf("IndexOf = %d %v", i, err)
	}
	if _, err := s.IndexOf(staged.TreeId, []byte("nobody")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("IndexOf nobody: %v", err)
	}
	n := 0
	if err := s.Leaves(staged.TreeId, 3, 9, func(i uint64, v, h []byte) error {
		if !bytes.Equal(v, all[i].LeafValue) || !bytes.Equal(h, all[i].MerkleLeafHash) {
			t.Errorf("leaf %d differs", i)
		}
		n++
		return nil
	}); err != nil || n != 6 {
		t.Errorf("%d leaves, %v", n, err)
	}
	if err := s.Leaves(staged.TreeId, 0, 1<<20, func(uint64, []byte, []byte) error { return nil }); err == nil {
		t.Error("a range beyond the end was read without an error")
	}
}

func TestStageThatIsGivenUpWritesNothing(t *testing.T) {
	s := memStore(t, Options{})
	tree := mustTree(t, s, testonly.PreorderedLogTree)
	mine := errors.New("mine")
	g := &Stage{Store: s, Leaves: leaves(3, 0), Check: func(Written) error { return mine }}
	trillog.InitMetrics(nil)
	if _, err := trillog.IntegrateBatch(ctx, tree, 10, 0, 0, clock.NewFake(queue), g, quota.Noop()); !errors.Is(err, mine) {
		t.Fatalf("%v", err)
	}
	if err := g.Wait(); !errors.Is(err, ErrNothingStaged) {
		t.Errorf("%v", err)
	}
	if _, err := s.Leaf(tree.TreeId, 0); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("%v", err)
	}
	// Leaves that don't follow the tree are noticed by Trillian.
	g = &Stage{Store: s, Leaves: leaves(3, 5)}
	if _, err := trillog.IntegrateBatch(ctx, tree, 10, 0, 0, clock.NewFake(queue), g, quota.Noop()); err == nil {
		t.Error("a gap was integrated")
	}
	// A limit below the staged leaves would split the batch.
	g = &Stage{Store: s, Leaves: leaves(3, 0)}
	if _, err := trillog.IntegrateBatch(ctx, tree, 2, 0, 0, clock.NewFake(queue), g, quota.Noop()); err == nil {
		t.Error("half a stage was written")
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	for _, b := range [][]byte{nil, {2}, make([]byte, 17), append(make([]byte, 17), 0xff), append([]byte{1}, append(make([]byte, 16), 5, 1)...)} {
		if _, err := parseLeaf(b, 0); err == nil {
			t.Errorf("record %x is read", b)
		}
		if _, _, err := leafValue(b); err == nil {
			t.Errorf("record %x has a value", b)
		}
	}
	l := leaf(3, "x")
	got, err := parseLeaf(appendLeaf(nil, l), 3)
	if err != nil || !bytes.Equal(got.LeafValue, l.LeafValue) || !bytes.Equal(got.ExtraData, l.ExtraData) {
		t.Errorf("%v %v", got, err)
	}
}

func TestHardDeleteRemovesEverything(t *testing.T) {
	s := memStore(t, Options{HashIndex: true})
	tree := mustTree(t, s, testonly.PreorderedLogTree)
	keep := mustTree(t, s, testonly.PreorderedLogTree)
	for _, tr := range []*trillian.Tree{tree, keep} {
		if _, err := s.AddSequencedLeaves(ctx, tr, leaves(3, 0), queue); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := storage.SoftDeleteTree(ctx, s.Admin(), tree.TreeId); err != nil {
		t.Fatal(err)
	}
	if err := storage.HardDeleteTree(ctx, s.Admin(), tree.TreeId); err != nil {
		t.Fatal(err)
	}
	if err := s.KV().Scan(nil, nil, func(k, _ []byte) error {
		if bytes.Contains(k, be64(uint64(tree.TreeId))) {
			t.Errorf("key %x is left", k)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ids, err := s.GetActiveLogIDs(ctx)
	if err != nil || len(ids) != 1 || ids[0] != keep.TreeId {
		t.Errorf("active logs %v %v", ids, err)
	}
	if _, err := s.SnapshotForTree(ctx, tree); status.Code(err) != codes.NotFound {
		t.Errorf("%v", err)
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(appendLeaf(nil, leaf(1, "x")))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLeaf(b, 0)
		v, h, err2 := leafValue(b)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, but %v", err, err2)
		}
		if err == nil && (!bytes.Equal(v, l.LeafValue) || !bytes.Equal(h, l.MerkleLeafHash)) {
			t.Fatal("two readers differ")
		}
	})
}
