package ca

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// ListState is how a partition's newest list stands, or its newest delta.
type ListState struct {
	Issuer     entry.Digest // the generation's key
	Partition  string       // revocation.Full, revocation.CA or a municipality code
	Delta      bool         // a delta that somebody may need; one that nobody needs has no state
	Number     uint64       // 0: there is none yet
	ThisUpdate time.Time    // of a delta that lacks a revocation: when that was recorded
	NextUpdate time.Time    // of a delta that lacks a revocation: when one has to be there at the latest
	Last       bool         // there will be no other
}

// ListStates returns the newest list of every partition that needs one, and its
// newest delta if somebody needs one, of every generation whose key still signs
// lists. A list is read from the registry once: no other process makes lists
// while this one is the CA.
func (a *Authority) ListStates() ([]ListState, error) {
	var out []ListState
	for _, g := range a.generations {
		if !a.signsLists(g) {
			continue
		}
		for _, p := range g.lists.Partitions() {
			c, err := a.newestCRL(g.row(p))
			if err != nil {
				return nil, fmt.Errorf("couldn't read the revocation list of %s: %w", p, err)
			}
			out = append(out, ListState{Issuer: g.issuer.Key, Partition: p, Number: c.Number, ThisUpdate: c.ThisTime, NextUpdate: c.NextTime,
				Last: c.NextTime.Equal(profile.NoNextUpdate)})
			d, err := a.deltaNeed(g, p)
			if err != nil {
				return nil, err
			}
			if d != nil {
				out = append(out, d.state)
			}
		}
	}
	return out, nil
}

// signsLists reports whether a generation's key still signs lists: it is there
// and neither leaked nor retired.
func (a *Authority) signsLists(g *generation) bool {
	k := a.state.Key(g.issuer.Key)
	return g.key != nil && !k.Leaked && !k.Retired
}

// newestCRL returns the newest list of a row, without its bytes; the zero CRL if
// there is none.
func (a *Authority) newestCRL(row string) (registry.CRL, error) {
	if c, ok := a.newest.Load(row); ok {
		return c.(registry.CRL), nil
	}
	c, err := a.reg.GetCRL(row)
	if errors.Is(err, registry.ErrNotFound) || err == nil && len(c.DER) == 0 {
		return registry.CRL{}, nil
	}
	if err != nil {
		return registry.CRL{}, err
	}
	c = withoutDER(c)
	a.newest.Store(row, c)
	return c, nil
}

func withoutDER(c registry.CRL) registry.CRL { c.DER = nil; return c }

// PublishDue publishes all lists if one of them is missing or as old as every,
// news or not: a list is there to say that nothing else was revoked until its
// nextUpdate. Otherwise it publishes the deltas that are due (PublishDeltas). It
// returns nil when nothing was due. A role calls it now and then; every is less
// than three quarters of a list's life, after which an alarm comes.
func (a *Authority) PublishDue(ctx context.Context, every time.Duration) ([]PublishedCRL, error) {
	states, err := a.ListStates()
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	for _, s := range states {
		if !s.Delta && !s.Last && (s.Number == 0 || now.Sub(s.ThisUpdate) >= every) {
			return a.PublishCRLs(ctx)
		}
	}
	return a.PublishDeltas(ctx)
}

// CheckLists raises an alarm about lists, deltas that somebody needs among them,
// whose nextUpdate comes near (a quarter of their life is left) or has passed
// without a successor, and about revocations that wait for a delta as long: a
// security.event in the log and one line for the operator. The authority does it
// every minute by itself, whoever is meant to make the lists.
func (a *Authority) CheckLists(ctx context.Context) error {
	behind := a.Follow(ctx) // which lists there should be; without the log, those known so far
	states, err := a.ListStates()
	if err != nil {
		return errors.Join(behind, err)
	}
	now := a.cfg.Now()
	var ending, over uint64
	first := now // thisUpdate of the oldest list concerned
	for _, s := range states {
		left, life := s.NextUpdate.Sub(now), a.cfg.CRLLife
		if s.Delta {
			life = a.cfg.DeltaLife
		}
		if s.Number == 0 && !s.Delta || s.Last || left > life/4 {
			continue
		}
		if s.ThisUpdate.Before(first) {
			first = s.ThisUpdate
		}
		if left <= 0 {
			over++
		} else {
			ending++
		}
	}
	return errors.Join(behind, a.listAlarms.raise(ctx, a, concerned{ending, over, first, now}))
}

// checkEvery is how often lists and responders are looked at.
const checkEvery = time.Minute

// watchLists runs until the authority is closed.
func (a *Authority) watchLists(ctx context.Context) {
	defer a.loop.Done()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := errors.Join(a.CheckLists(ctx), a.CheckResponders(ctx)); err != nil && ctx.Err() == nil {
			a.log.Error("couldn't check the revocation lists and responders", "error", err.Error())
		}
	}
}

// ListKind is the kind of a partition's list, without its place: full, ca or
// partition.
func ListKind(partition string) string {
	if partition == revocation.Full || partition == revocation.CA {
		return partition
	}
	return "partition"
}
