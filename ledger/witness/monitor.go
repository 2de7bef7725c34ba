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
// the log's first n entries, n <= size.
//
// Witnesses that can't be asked count as missing: the others must make up the
// quorum. A witness that shows nothing counts as new. One that never shows
// anything (monitoring is an optional part of the protocol) is not checked
// here; it refuses at the first Cosign, and CheckSigned asks it beforehand.
//
// Errors: witness.ahead (restored from an old backup), witness.fork,
// witness.silent. Each names the witness.
func (c *Client) CheckHead(ctx context.Context, size uint64, rootAt func(ctx context.Context, n uint64) (tlog.Hash, error)) error {
	return c.survey(ctx, func(_ *peer, s Seen) error {
		switch {
		case s.Checkpoint == nil:
			return nil
		case s.Checkpoint.Size > size:
			return behind(s.Witness, s.Checkpoint.Size, size)
		}
		root, err := rootAt(ctx, s.Checkpoint.Size)
		if err != nil {
			return fmt.Errorf("couldn't compute the root at size %d: %w", s.Checkpoint.Size, err)
		}
		if root != s.Checkpoint.Root {
			return forked(s.Witness, s.Checkpoint.Size, errors.New("roots differ at one size"))
		}
		return nil
	})
}

// CheckSigned is CheckHead for a log that has its newest own signed checkpoint
// at hand. Witnesses that show no checkpoint are asked to cosign head. prove
// gives consistency proofs to head's size.
func (c *Client) CheckSigned(ctx context.Context, head []byte, prove Prove) error {
	own, err := proof.ParseUnverified(head)
	if err != nil {
		return err
	}
	return c.survey(ctx, func(p *peer, s Seen) error {
		if s.Checkpoint == nil {
			return c.probe(ctx, p, own, prove)
		}
		return compare(s, own, prove)
	})
}

// survey looks at what each witness has seen. Danger ends it, silence counts
// against the quorum.
func (c *Client) survey(ctx context.Context, look func(*peer, Seen) error) error {
	var answered []string
	var silent []error
	for i, s := range c.Newest(ctx) {
		if s.Err == nil {
			s.Err = look(c.peers[i], s)
		}
		switch say.Code(s.Err) {
		case "witness.ahead", "witness.fork":
			return s.Err
		}
		if s.Err != nil {
			silent = append(silent, fmt.Errorf("%s: %w", s.Witness, s.Err))
			continue
		}
		answered = append(answered, s.Witness)
	}
	if !c.cfg.Policy.Quorum(answered...) {
		return say.New("witness.silent", "証人に最新の記録を確かめられないため、署名を始めません。",
			"Too few witnesses could say what they have seen last. It will not sign.").
			Hint("証人のサーバーに接続できるか確かめてください。", "See whether the witnesses' servers can be reached.").
			Because(errors.Join(silent...))
	}
	return nil
}

// compare holds a witness's checkpoint against the log's own.
func compare(s Seen, own *proof.Checkpoint, prove Prove) error {
	if s.Checkpoint.Size > own.Size {
		return behind(s.Witness, s.Checkpoint.Size, own.Size)
	}
	var hashes []tlog.Hash
	if n := s.Checkpoint.Size; n > 0 && n < own.Size {
		var err error
		if hashes, err = prove(n); err != nil {
			return fmt.Errorf("couldn't prove consistency from size %d: %w", n, err)
		}
	}
	if err := proof.CheckConsistency(s.Checkpoint, own, hashes); err != nil {
		return forked(s.Witness, s.Checkpoint.Size, err)
	}
	return nil
}

// probe asks a witness that shows no checkpoint to cosign the head: it does so
// only if the head continues what it has seen.
func (c *Client) probe(ctx context.Context, p *peer, own *proof.Checkpoint, prove Prove) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	_, err := c.ask(ctx, p, own, prove)
	var claim claimError
	switch {
	case errors.As(err, &claim): // without evidence, but here caution costs little
		return behind(p.name, claim.size, own.Size)
	case errors.Is(err, errRefused):
		return forked(p.name, own.Size, err)
	}
	return err
}

func behind(witness string, seen, own uint64) error {
	return say.New("witness.ahead",
		fmt.Sprintf("証人 %s は %d 件目までの記録を見ていますが、このログには %d 件しかありません。署名を始めません。", witness, seen, own),
		fmt.Sprintf("Witness %s has seen %d entries, this log has only %d. It will not sign.", witness, seen, own)).
		Hint("古いバックアップから戻したときは、新しいバックアップか記録の写しから続きを取り込んでください。",
			"If it was restored from an old backup, bring in the missing entries from a newer one or from a mirror.").
		Because(errAhead)
}

func forked(witness string, seen uint64, cause error) error {
	return say.New("witness.fork",
		fmt.Sprintf("証人 %s が見た %d 件までの記録は、このログの記録と異なります。署名を始めません。", witness, seen),
		fmt.Sprintf("What witness %s has seen up to entry %d differs from this log. It will not sign.", witness, seen)).
		Hint("ログの保存先が入れ替わっていないか確かめ、監査主体に知らせてください。",
			"See whether the log's store was swapped, and tell the council.").
		Because(cause)
}
