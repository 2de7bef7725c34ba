package ca

import (
	"context"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
)

// Delta lists (RFC 5280 5.2.4).
//
// A delta exists so that a client that holds a complete list learns what was
// revoked since, for some hundred bytes. So it builds on the oldest complete list
// that is still in force, not on the newest one: lists are made daily and live for
// two days, and a delta on the newest would leave out who took yesterday's. Every
// complete list in force can be brought up to date with the newest delta.
//
// Every partition but the list of CA certificates has deltas. A certificate points
// to its municipality's list alone, whose freshestCRL points to its delta, so a
// client that goes by the certificate finds no other; who takes the complete list
// of all municipalities saves most by one. CA certificates are revoked a few times
// in a CA's life, by acts that publish complete lists themselves.
//
// A delta is due when it would have an entry and either lacks a revocation that was
// recorded deltaWait ago (so that a thousand in one minute make one list) or has
// lived half its life. Where nothing was revoked since the oldest complete list in
// force there is no delta: it would say the same, and 77 quiet municipalities would
// fill the log with nothing. No delta is made in the second of a complete list:
// RFC 5280 5.2.3 wants one number for two lists of one moment.
//
// The certificates' profile stays as DOMAIN 6.2 has it: the pointer is in the
// complete lists.

// deltaWait is how long a revocation waits for others to share its delta.
const deltaWait = time.Minute

// sameBase bounds how soon after a complete list another one is counted under it,
// as a share of its life.
const sameBase = 16

// deltaRow names a partition's delta in the registry.
func (g *generation) deltaRow(partition string) string { return g.row(partition) + "-delta" }

// bases returns the complete lists that may be in force once l is there.
func (a *Authority) bases(g *generation, l *revocation.List) ([]registry.CRLBase, error) {
	old, err := a.newestCRL(g.row(l.Partition))
	if err != nil {
		return nil, err
	}
	var out []registry.CRLBase
	for _, b := range old.Bases {
		if l.ThisUpdate.Before(b.Until) {
			out = append(out, b)
		}
	}
	if n := len(out); n > 0 && l.ThisUpdate.Sub(out[n-1].Made) < a.cfg.CRLLife/sameBase {
		out[n-1].Until = l.NextUpdate
		return out, nil
	}
	return append(out, registry.CRLBase{Number: l.Number, Covers: l.Covers, Made: l.ThisUpdate, Until: l.NextUpdate}), nil
}

// need is a delta that somebody may need.
type need struct {
	state ListState
	base  revocation.Base
	due   bool // it has to be made now
}

// deltaNeed says what the partition needs of a delta now; nil: nothing.
func (a *Authority) deltaNeed(g *generation, partition string) (*need, error) {
	if !g.lists.Deltas(partition) {
		return nil, nil
	}
	list, err := a.newestCRL(g.row(partition))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the revocation list of %s: %w", partition, err)
	}
	now := a.cfg.Now()
	base, ok := oldest(list, now)
	if n, _ := a.state.Since(g.issuer.Key, partition, base.Covers); !ok || n == 0 {
		return nil, nil
	}
	d, err := a.newestCRL(g.deltaRow(partition))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the delta list of %s: %w", partition, err)
	}
	out := &need{state: ListState{Issuer: g.issuer.Key, Partition: partition, Delta: true, Number: d.Number, ThisUpdate: d.ThisTime, NextUpdate: d.NextTime}, base: base}
	life := a.cfg.DeltaLife
	out.due = now.Sub(d.ThisTime) >= life/2
	if n, first := a.state.Since(g.issuer.Key, partition, max(base.Covers, d.Covers)); n > 0 {
		out.due = now.Sub(first) >= min(deltaWait, life/8)
		if end := first.Add(life); d.Number == 0 || end.Before(d.NextTime) {
			out.state.ThisUpdate, out.state.NextUpdate = first, end
		}
	}
	out.due = out.due && now.Sub(list.ThisTime) >= time.Second
	return out, nil
}

// oldest returns the oldest complete list in force; none beside a key's last list,
// which names no delta.
func oldest(list registry.CRL, now time.Time) (revocation.Base, bool) {
	if list.NextTime.Equal(profile.NoNextUpdate) {
		return revocation.Base{}, false
	}
	for _, b := range list.Bases {
		if now.Before(b.Until) && now.Before(list.NextTime) {
			return revocation.Base{Number: b.Number, Covers: b.Covers}, true
		}
	}
	return revocation.Base{}, false
}

// PublishDeltas makes the delta lists that are due, in the way of PublishCRLs:
// announced in the log, signed with the receipt, stored, served. It is cheap when
// none is.
func (a *Authority) PublishDeltas(ctx context.Context) ([]PublishedCRL, error) {
	for _, g := range a.generations {
		due, err := a.deltasDue(g)
		if err != nil {
			return nil, err
		}
		if len(due) > 0 {
			return a.publishAll(context.WithoutCancel(ctx), a.buildDeltas)
		}
	}
	return nil, nil
}

// deltasDue returns what has to be made for a generation now.
func (a *Authority) deltasDue(g *generation) ([]*need, error) {
	if a.cfg.DeltaLife == 0 || !a.signsLists(g) {
		return nil, nil
	}
	var out []*need
	for _, p := range g.lists.Partitions() {
		n, err := a.deltaNeed(g, p)
		if err != nil {
			return nil, err
		}
		if n != nil && n.due {
			out = append(out, n)
		}
	}
	return out, nil
}

func (a *Authority) buildDeltas(g *generation) ([]*revocation.List, error) {
	due, err := a.deltasDue(g)
	if err != nil {
		return nil, err
	}
	out := make([]*revocation.List, len(due))
	for i, n := range due {
		if out[i], err = g.lists.BuildDelta(n.state.Partition, a.cfg.Now(), n.base); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Delta returns the newest signed delta of a partition of the issuing generation,
// or ErrNotFound.
func (a *Authority) Delta(partition string) (registry.CRL, error) {
	return a.deltaOf(a.generations[0], partition)
}

// deltaOf returns the newest signed delta of a generation's partition, or
// ErrNotFound: there is none, or it is over and nobody needs another.
func (a *Authority) deltaOf(g *generation, partition string) (registry.CRL, error) {
	c, err := a.reg.GetCRL(g.deltaRow(partition))
	if err != nil {
		return c, notFound(err)
	}
	if a.cfg.Now().Before(c.NextTime) {
		return c, nil
	}
	n, err := a.deltaNeed(g, partition)
	if err == nil && n == nil {
		err = ErrNotFound
	}
	return c, err
}
