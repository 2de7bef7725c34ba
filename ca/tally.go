package ca

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// tally counts refused applications and revocation requests by rule code, so
// that denials are on record (PR-09) without an entry for each: a terminal
// that repeats itself can't fill the ledger. Counts become security.event
// entries, one for each code and window; a crash loses at most one window.
type tally struct {
	mu    sync.Mutex
	count map[string]uint64
	from  time.Time
}

// tallyWindow is the length of a window.
const tallyWindow = time.Minute

func (t *tally) add(now time.Time, codes ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.count) == 0 {
		t.count, t.from = map[string]uint64{}, now
	}
	for _, c := range codes {
		t.count[c]++
	}
}

// take empties the tally if its window is over or all is true.
func (t *tally) take(now time.Time, all bool) []entry.Body {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.count) == 0 || !all && now.Sub(t.from) < tallyWindow {
		return nil
	}
	codes := make([]string, 0, len(t.count))
	for c := range t.count {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	to := now
	if to.Before(t.from) {
		to = t.from
	}
	bodies := make([]entry.Body, len(codes))
	for i, c := range codes {
		bodies[i] = &entry.SecurityEvent{Code: c, Count: t.count[c], From: entry.At(t.from), To: entry.At(to)}
	}
	t.count = nil
	return bodies
}

// flushTally logs all counts; an error leaves them uncounted, and the log of
// the process says so.
func (a *Authority) flushTally(ctx context.Context) { a.logTally(ctx, true) }

func (a *Authority) logTally(ctx context.Context, all bool) {
	bodies := a.tally.take(a.cfg.Now(), all)
	if len(bodies) == 0 {
		return
	}
	if _, err := a.own.AppendAll(ctx, bodies...); err != nil {
		a.log.Error("couldn't log the counts of refusals", "codes", len(bodies))
	}
}
