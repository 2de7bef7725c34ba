package sequence

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/head"
)

// Publish publishes what is committed: it appends status.root as the last
// entry, has the checkpoint cosigned, keeps it and returns it. Without news it
// returns the newest published checkpoint, unless that is RefreshEvery old:
// whoever shows what the log said last year must not look as fresh as a log on
// which nothing happens.
//
// When the witnesses fail, the checkpoint before stays published and the error
// is returned; appends go on, and the next Publish tries again with all that
// has come since.
func (l *Log) Publish(ctx context.Context) ([]byte, error) {
	l.pubMu.Lock()
	defer l.pubMu.Unlock()
	if p := l.published.Load(); p != nil && p.size == l.committed.Load().size && !l.stale(p) {
		return p.checkpoint, nil
	}
	p, err := l.candidate(ctx)
	if err != nil {
		return nil, err
	}
	if l.cfg.Cosign != nil {
		cosigned, err := l.cosign(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("couldn't get cosignatures for size %d: %w", p.size, err)
		}
		p = &published{size: p.size, checkpoint: cosigned, status: p.status}
	}
	if err := l.front.Swap(l.front.Get(), p.checkpoint); err != nil {
		return nil, l.fail(fmt.Errorf("couldn't keep the published checkpoint: %w", err))
	}
	p.at = l.cfg.Now()
	l.published.Store(p)
	l.uncosigned = nil
	l.keepSnapshot(p)
	return p.checkpoint, nil
}

// stale reports that a checkpoint is to be replaced even without news. One from
// before a start has no time of its own and is replaced at once.
func (l *Log) stale(p *published) bool {
	return l.cfg.RefreshEvery > 0 && l.cfg.Now().Sub(p.at) >= l.cfg.RefreshEvery
}

// candidate commits a status.root over everything that waits. When the one
// before was not cosigned and nothing has come since, it is tried again: a log
// must not grow because a witness is away.
func (l *Log) candidate(ctx context.Context) (*published, error) {
	if p := l.uncosigned; p != nil && p.size == l.committed.Load().size {
		return p, nil
	}
	r := &Request{publish: true, weight: perEntry, done: make(chan struct{})}
	if err := l.Submit(ctx, r); err != nil {
		return nil, err
	}
	if err := l.await(ctx, r); err != nil {
		return nil, err
	}
	l.uncosigned = &published{size: r.commit.tip.size, checkpoint: r.commit.tip.checkpoint, status: r.commit.status}
	return l.uncosigned, nil
}

// cosign calls the hook and accepts only our own checkpoint with signature
// lines added.
func (l *Log) cosign(ctx context.Context, p *published) ([]byte, error) {
	prove := func(old uint64) ([]tlog.Hash, error) { return l.Consistency(ctx, old, p.size) }
	out, err := l.cfg.Cosign(ctx, bytes.Clone(p.checkpoint), prove)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(out, p.checkpoint) || len(out) > head.MaxCheckpoint {
		return nil, fmt.Errorf("witness client returned something else than the checkpoint with more signatures")
	}
	return out, nil
}

// publishLoop publishes in the background.
func (l *Log) publishLoop(ctx context.Context) {
	defer l.ended.Done()
	tick := time.NewTicker(l.cfg.PublishEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := l.Publish(ctx); err != nil && ctx.Err() == nil {
			l.cfg.Logger.Warn("couldn't publish a checkpoint", "cause", err)
		}
	}
}
