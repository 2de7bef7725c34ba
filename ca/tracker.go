package ca

import (
	"context"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// tracker moves the registry's cursors: the positions in the writers' own
// sequences below which every entry is reflected in the registry.
//
// Operations end out of order, so it counts them by epoch. When an epoch is
// closed, the next sequence numbers are noted first: every entry below them was
// written by an operation that began before. Once all operations of that epoch
// (and, because epochs close one after the other, of all earlier ones) have
// ended, the noted numbers are the cursors.
type tracker struct {
	moving  sync.Mutex // held while cursors move
	mu      sync.Mutex
	current *epoch
	closing *epoch
	last    time.Time
}

type epoch struct {
	running int
	own     uint64 // next sequence numbers when it was closed
	link    uint64
}

// begin counts an operation in and returns how to count it out.
func (t *tracker) begin() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		t.current = new(epoch)
	}
	e := t.current
	e.running++
	return func() {
		t.mu.Lock()
		e.running--
		t.mu.Unlock()
	}
}

// cursorEvery is how often cursors move: a restart reads about so much of the
// log again.
const cursorEvery = time.Second

// moveCursors is called now and then; it does something about once a second.
// An error only means that a restart reads more. While something is unsettled
// nothing moves: its entries must be read again.
func (a *Authority) moveCursors(ctx context.Context) {
	t := &a.tracker
	if !t.moving.TryLock() {
		return
	}
	defer t.moving.Unlock()
	now := a.cfg.Now()
	if d := now.Sub(t.last); d >= 0 && d < cursorEvery {
		return
	}
	t.last = now
	t.mu.Lock()
	closing := t.closing
	finished := closing != nil && closing.running == 0
	t.mu.Unlock()
	if a.unsure.Load() || closing != nil && !finished {
		return
	}
	if finished && (a.reg.SetCursor(entry.ByCA, closing.own) != nil || a.reg.SetCursor(entry.ByCALink, closing.link) != nil) {
		return
	}
	own, err := a.cfg.Log.NextSeq(ctx, entry.ByCA)
	if err != nil {
		return
	}
	link, err := a.cfg.Log.NextSeq(ctx, entry.ByCALink)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		t.current = new(epoch)
	}
	t.closing, t.current = t.current, new(epoch)
	t.closing.own, t.closing.link = own, link
}

// restart forgets the epochs, after everything logged was read again.
func (t *tracker) restart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closing, t.current = nil, nil
}
