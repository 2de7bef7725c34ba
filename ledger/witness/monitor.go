package witness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Seen is the newest checkpoint that one witness has cosigned.
type Seen struct {
	Witness    string            // name in the policy
	Checkpoint *proof.Checkpoint // verified: the log's and this witness's signature; nil: none yet
	Err        error             // the witness couldn't be asked, or its answer doesn't verify
}

// Newest asks every witness for its newest checkpoint of the log, side by
// side, in the policy's order (tlog-witness, monitor retrieval).
func (c *Client) Newest(ctx context.Context) []Seen {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	out := make([]Seen, len(c.peers))
	var wg sync.WaitGroup
	for i, p := range c.peers {
		wg.Go(func() {
			out[i].Witness = p.name
			out[i].Checkpoint, out[i].Err = c.newest(ctx, p)
		})
	}
	wg.Wait()
	return out
}

func (c *Client) newest(ctx context.Context, p *peer) (*proof.Checkpoint, error) {
	origin := c.cfg.Policy.Logs()[0].Origin
	u := fmt.Sprintf("%s/%x/checkpoint", p.url, sha256.Sum256([]byte(origin)))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, fmt.Errorf("couldn't make the request: %w", err)
	}
	status, _, b, err := c.do(req)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		return nil, nil
	case status != http.StatusOK:
		return nil, fmt.Errorf("it answered with status %d", status)
	}
	note, err := p.only.Strip(b)
	if err != nil {
		return nil, fmt.Errorf("couldn't read its checkpoint: %w", err)
	}
	cp, err := p.only.VerifyCheckpoint(note)
	if err != nil {
		return nil, fmt.Errorf("its checkpoint doesn't verify: %w", err)
	}
	p.result(&c.cfg, cp.Size, true, nil)
	return cp, nil
}

// CheckHead is the check before the first signature after a start or a restore
// (promise P9): no witness may have seen more of the log than size entries, and
// what each has seen must be a part of this log. rootAt returns the root of
// the log's first n entries.
//
// Witnesses that can't be asked count as missing: the others must make up the
// quorum. Errors: witness.ahead (restored from an old backup), witness.fork,
// witness.silent. Each names the witness in its cause.
func (c *Client) CheckHead(ctx context.Context, size uint64, rootAt func(ctx context.Context, n uint64) (tlog.Hash, error)) error {
	var answered []string
	var silent []error
	for _, s := range c.Newest(ctx) {
		switch {
		case s.Err != nil:
			silent = append(silent, fmt.Errorf("%s: %w", s.Witness, s.Err))
			continue
		case s.Checkpoint == nil:
		case s.Checkpoint.Size > size:
			return say.New("witness.ahead",
				fmt.Sprintf("立会人 %s は %d 件目までの記録を見ていますが、このログには %d 件しかありません。署名を始めません。", s.Witness, s.Checkpoint.Size, size),
				fmt.Sprintf("Witness %s has seen %d entries, this log has only %d. It will not sign.", s.Witness, s.Checkpoint.Size, size)).
				Hint("古いバックアップから戻したときは、新しいバックアップか記録の写しから続きを取り込んでください。",
					"If it was restored from an old backup, bring in the missing entries from a newer one or from a mirror.").
				Because(errAhead)
		default:
			root, err := rootAt(ctx, s.Checkpoint.Size)
			if err != nil {
				return fmt.Errorf("couldn't compute the root at size %d: %w", s.Checkpoint.Size, err)
			}
			if root != s.Checkpoint.Root {
				return say.New("witness.fork",
					fmt.Sprintf("立会人 %s が見た %d 件の記録は、このログの記録と異なります。署名を始めません。", s.Witness, s.Checkpoint.Size),
					fmt.Sprintf("The %d entries that witness %s has seen differ from this log's. It will not sign.", s.Checkpoint.Size, s.Witness)).
					Hint("ログの保存先が入れ替わっていないか確かめ、監査主体に知らせてください。",
						"See whether the log's store was swapped, and tell the council.").
					Because(errors.New("roots differ at one size"))
			}
		}
		answered = append(answered, s.Witness)
	}
	if !c.cfg.Policy.Quorum(answered...) {
		return say.New("witness.silent", "立会人に最新の記録を確かめられないため、署名を始めません。",
			"Too few witnesses could say what they have seen last. It will not sign.").
			Hint("立会人のサーバーに接続できるか確かめてください。", "See whether the witnesses' servers can be reached.").
			Because(errors.Join(silent...))
	}
	return nil
}
