package clusterlog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"

	"github.com/sukashi-project/sukashi/internal/servers"
)

// TestAnswersAreTrillians: on the database with this project's additions the log
// server answers to leaves that are there already, by number or by identity, as
// on Trillian's own schema, and what the tree then is is the same.
func TestAnswersAreTrillians(t *testing.T) {
	slow(t)
	type leaf struct{ index, id int }
	calls := [][]leaf{
		{{0, 0}, {1, 1}, {2, 2}},
		{{0, 0}, {1, 1}, {2, 2}}, // again
		{{2, 2}, {3, 3}, {4, 4}}, // overlapping
		{{4, 40}, {5, 5}},        // another leaf in a place that is taken
		{{6, 1}, {7, 7}},         // a leaf that is in another place
		{{8, 8}, {9, 8}},         // one leaf twice
		{{6, 6}, {6, 60}},        // one place twice
		{{6, 6}},
	}
	ask := func(s servers.Schema) (answers []string) {
		c := servers.TrillianOnPostgres(t, servers.Postgres(t), s)
		r, err := dial(&Config{Address: c.Address, MaxMessage: servers.MaxMessage})
		if err != nil {
			t.Fatal(err)
		}
		defer r.conn.Close()
		if err := r.openTree(ctx, "answers", false); err != nil {
			t.Fatal(err)
		}
		for _, call := range calls {
			req := &trillian.AddSequencedLeavesRequest{LogId: r.tree}
			for _, l := range call {
				id := identity("answers", uint64(l.id))
				req.Leaves = append(req.Leaves, &trillian.LogLeaf{LeafIndex: int64(l.index), LeafIdentityHash: id[:], LeafValue: []byte{byte(l.id)}})
			}
			resp, err := r.log.AddSequencedLeaves(ctx, req)
			answer := fmt.Sprint(err != nil)
			for _, q := range resp.GetResults() {
				answer += fmt.Sprint(" ", codes.Code(q.GetStatus().GetCode()), q.GetStatus().GetMessage())
			}
			answers = append(answers, answer)
		}
		for size := uint64(0); size < 8; time.Sleep(10 * time.Millisecond) {
			root, err := r.root(ctx)
			if err != nil {
				t.Fatal(err)
			}
			size = root.Size
			if size == 8 {
				answers = append(answers, root.Hash.String())
			}
		}
		return answers
	}
	want, got := ask(servers.Stock), ask(servers.Preordered)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("call %d: %q, on Trillian's schema %q", i, got[i], want[i])
		}
	}
	if slices.Equal(want[:1], want[1:2]) {
		t.Error("the same answer to leaves that are new and leaves that are not")
	}
}
