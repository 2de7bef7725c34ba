package ca

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Follow brings State up to the committed end of the log.
func (a *Authority) Follow(ctx context.Context) error {
	a.followMu.Lock()
	defer a.followMu.Unlock()
	size, err := a.cfg.Reader.Size(ctx)
	if err != nil {
		return fmt.Errorf("couldn't follow the log: %w", err)
	}
	if err := a.catchUp(ctx, a.state.Covers(), size); err != nil {
		return fmt.Errorf("couldn't follow the log: %w", err)
	}
	return nil
}

// part is a stretch of the log, read by one goroutine.
type part struct {
	from, to uint64
	entries  []entry.Entry
	err      error
	done     chan struct{}
}

// partSize is how many entries are read and parsed in one go.
const partSize = 4096

// catchUp applies the entries of [from, to). Reading and parsing them, which is
// most of the work, goes on ahead on all processors.
func (a *Authority) catchUp(ctx context.Context, from, to uint64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := make(chan *part, runtime.GOMAXPROCS(0))
	go func() {
		defer close(parts)
		for at := from; at < to; at += partSize {
			p := &part{from: at, to: min(at+partSize, to), done: make(chan struct{})}
			go a.read(ctx, p)
			select {
			case parts <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	for p := range parts {
		<-p.done
		if p.err != nil {
			return p.err
		}
		for i, e := range p.entries {
			if err := a.state.Apply(p.from+uint64(i), e); err != nil {
				return err
			}
			if _, ok := e.Body.(*entry.StatusRoot); ok {
				a.keepState(p.from + uint64(i) + 1)
			}
		}
	}
	return ctx.Err()
}

func (a *Authority) read(ctx context.Context, p *part) {
	defer close(p.done)
	p.entries = make([]entry.Entry, 0, p.to-p.from)
	p.err = a.cfg.Reader.Entries(ctx, p.from, p.to, func(index uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		p.entries = append(p.entries, e)
		return nil
	})
	if p.err == nil && uint64(len(p.entries)) != p.to-p.from {
		p.err = errors.New("the log gave fewer entries than it has")
	}
}

// A snapshot of the state spares a start most of the log. It is a file in
// Config.StateDir, taken when the newest entry is a status.root. What a start
// checks before it believes it:
//
//   - its SHA-256 is the one that the registry holds;
//   - the last entry that it stands for is a status.root of the log, and that
//     root is recomputed from the snapshot: each certificate is issued, revoked
//     or neither exactly as the log committed to.
//
// So for who is revoked the log is believed; for serials, dates and CRL numbers
// the registry is, as everywhere in the CA. Anything that does not fit, and the
// whole log is read.

// stateEvery is the least number of entries between two snapshots.
const stateEvery = 100_000

// keepState writes a snapshot when it is due: a larger log has larger ones, so
// they come less often. An error only means that a start reads more. followMu
// is held.
func (a *Authority) keepState(covers uint64) {
	if a.cfg.StateDir == "" || covers < a.stateAt+max(stateEvery, a.stateAt/8) {
		return
	}
	if err := a.writeState(); err != nil {
		a.log.Warn("couldn't keep the revocation state", "error", err.Error())
		a.stateAt = covers // try again later, not at once
	}
}

func (a *Authority) statePath(covers uint64) string {
	return filepath.Join(a.cfg.StateDir, fmt.Sprintf("revocation-%d.state", covers))
}

// writeState writes the file under a new name, then tells the registry, then
// removes the one before: at every moment the registry names a whole file.
func (a *Authority) writeState() error {
	b, covers, err := a.state.Snapshot()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.cfg.StateDir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(a.statePath(covers), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := a.reg.NoteState(covers, entry.Sum(b)); err != nil {
		return err
	}
	a.stateAt = covers
	old, err := filepath.Glob(filepath.Join(a.cfg.StateDir, "revocation-*.state"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if name != a.statePath(covers) {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}

// restoreState takes the state from a snapshot that holds, if there is one.
func (a *Authority) restoreState(ctx context.Context) {
	if a.cfg.StateDir == "" {
		return
	}
	covers, digest, err := a.reg.NotedState()
	if errors.Is(err, registry.ErrNotFound) {
		return
	}
	if err == nil {
		err = a.openState(ctx, covers, digest)
	}
	if err != nil {
		a.log.Warn("the kept revocation state does not hold; reading the whole log", "error", err.Error())
		return
	}
	a.stateAt = covers
}

func (a *Authority) openState(ctx context.Context, covers uint64, digest entry.Digest) error {
	b, err := os.ReadFile(a.statePath(covers))
	if err != nil {
		return err
	}
	if entry.Sum(b) != digest {
		return errors.New("the file is not the one that was written")
	}
	size, err := a.cfg.Reader.Size(ctx)
	if err != nil {
		return err
	}
	if covers == 0 || covers > size {
		return errors.New("it stands for more than the log has")
	}
	last, err := a.cfg.Reader.Entry(ctx, covers-1)
	if err != nil {
		return err
	}
	e, err := entry.Parse(last)
	if err != nil {
		return err
	}
	root, ok := e.Body.(*entry.StatusRoot)
	if !ok || root.Covers != covers-1 {
		return errors.New("the log has no status.root there")
	}
	return a.state.RestoreUnder(b, covers, root)
}
