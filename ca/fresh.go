package ca

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// ListState is how a partition's newest list stands.
type ListState struct {
	Issuer     entry.Digest // the generation's key
	Partition  string       // revocation.Full, revocation.CA or a municipality code
	Number     uint64       // 0: there is none yet
	ThisUpdate time.Time
	NextUpdate time.Time
	Last       bool // there will be no other
}

// ListStates returns the newest list of every partition that needs one, of
// every generation whose key still signs lists. A list is read from the
// registry once: no other process makes lists while this one is the CA.
func (a *Authority) ListStates() ([]ListState, error) {
	var out []ListState
	for _, g := range a.generations {
		if k := a.state.Key(g.issuer.Key); g.key == nil || k.Leaked || k.Retired {
			continue
		}
		for _, p := range g.lists.Partitions() {
			s, err := a.listState(g, p)
			if err != nil {
				return nil, fmt.Errorf("couldn't read the revocation list of %s: %w", p, err)
			}
			out = append(out, s)
		}
	}
	return out, nil
}

func (a *Authority) listState(g *generation, partition string) (ListState, error) {
	if s, ok := a.newest.Load(g.row(partition)); ok {
		return s.(ListState), nil
	}
	c, err := a.reg.GetCRL(g.row(partition))
	if errors.Is(err, registry.ErrNotFound) || err == nil && len(c.DER) == 0 {
		return ListState{Issuer: g.issuer.Key, Partition: partition}, nil
	}
	if err != nil {
		return ListState{}, err
	}
	return a.noteList(g, partition, c), nil
}

// noteList remembers a partition's newest list.
func (a *Authority) noteList(g *generation, partition string, c registry.CRL) ListState {
	s := ListState{Issuer: g.issuer.Key, Partition: partition, Number: c.Number, ThisUpdate: c.ThisTime, NextUpdate: c.NextTime,
		Last: c.NextTime.Equal(profile.NoNextUpdate)}
	a.newest.Store(c.Partition, s)
	return s
}

// PublishDue publishes all lists if one of them is missing or as old as every,
// news or not: a list is there to say that nothing else was revoked until its
// nextUpdate. It returns nil when nothing was due. A role calls it now and then;
// every is less than three quarters of a list's life, after which an alarm comes.
func (a *Authority) PublishDue(ctx context.Context, every time.Duration) ([]PublishedCRL, error) {
	states, err := a.ListStates()
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	for _, s := range states {
		if !s.Last && (s.Number == 0 || now.Sub(s.ThisUpdate) >= every) {
			return a.PublishCRLs(ctx)
		}
	}
	return nil, nil
}

// listAlarms remembers what was reported, so that an alarm is raised when it
// begins, when it gets worse and once a day.
type listAlarms struct {
	mu     sync.Mutex
	ending alarm
	over   alarm
}

type alarm struct {
	count uint64
	at    time.Time
}

// again is how long an alarm that goes on is not repeated.
const again = 24 * time.Hour

// due takes down how many lists are concerned and says whether to report it.
func (m *alarm) due(n uint64, now time.Time) bool {
	if n == 0 || n <= m.count && now.Sub(m.at) < again {
		m.count = min(m.count, n)
		return false
	}
	m.count, m.at = n, now
	return true
}

// CheckLists raises an alarm about lists whose nextUpdate comes near (a quarter
// of their life is left) or has passed without a successor: a security.event in
// the log and one line for the operator. The authority does it every minute by
// itself, whoever is meant to make the lists.
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
		left := s.NextUpdate.Sub(now)
		if s.Number == 0 || s.Last || left > a.cfg.CRLLife/4 {
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
	a.alarms.mu.Lock()
	defer a.alarms.mu.Unlock()
	ending0, over0 := a.alarms.ending, a.alarms.over
	var bodies []entry.Body
	if a.alarms.ending.due(ending, now) {
		bodies = append(bodies, &entry.SecurityEvent{Code: entry.EventListEnding, Count: ending, From: entry.At(first), To: entry.At(now)})
		a.log.Warn("失効リストの次回更新時刻が近づいていますが、後継がありません。sukashi ca crl で作るか、作成を止めている原因を調べてください。/ Revocation lists are near their nextUpdate and have no successor. Make them with sukashi ca crl, or find out what keeps them from being made.",
			"lists", ending)
	}
	if a.alarms.over.due(over, now) {
		bodies = append(bodies, &entry.SecurityEvent{Code: entry.EventListOver, Count: over, From: entry.At(first), To: entry.At(now)})
		a.log.Error("失効リストの次回更新時刻を過ぎました。検証者は電子証明書を確かめられません。すぐに sukashi ca crl で作ってください。/ Revocation lists are past their nextUpdate: relying parties can't check certificates. Make them at once with sukashi ca crl.",
			"lists", over)
	}
	if len(bodies) == 0 {
		return behind
	}
	if _, err := a.own.AppendAll(ctx, bodies...); err != nil {
		a.alarms.ending, a.alarms.over = ending0, over0 // told again
		return errors.Join(behind, fmt.Errorf("couldn't log an alarm about revocation lists: %w", err))
	}
	a.news()
	return behind
}

// checkEvery is how often the lists are looked at.
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
		if err := a.CheckLists(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("couldn't check the revocation lists", "error", err.Error())
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
