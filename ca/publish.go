package ca

import (
	"context"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// PublishedCRL is one signed revocation list.
type PublishedCRL struct {
	Partition  string // "full" or a municipality code
	Number     uint64
	Covers     uint64 // number of log entries that it reflects
	Entries    uint64
	Index      uint64 // of crl.published
	DER        []byte
	ThisUpdate time.Time
	NextUpdate time.Time
}

// Place returns the names of a municipality as certificates and lists write
// them.
func Place(code string) (profile.Place, bool) {
	m, ok := municipality.Lookup(code)
	return profile.Place{Code: m.Code, Prefecture: municipality.PrefectureRoman, Municipality: m.Roman}, ok
}

// State is what the log says about certificates; an OCSP responder answers
// from it. It follows the log within moments of every act of this authority;
// Follow makes it certain.
func (a *Authority) State() *revocation.State { return a.state }

// news wakes the follower.
func (a *Authority) news() {
	select {
	case a.fresh <- struct{}{}:
	default:
	}
}

// follow runs until the authority is closed.
func (a *Authority) follow(ctx context.Context) {
	defer a.loop.Done()
	for {
		select {
		case <-a.fresh:
		case <-ctx.Done():
			return
		}
		if err := a.Follow(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the revocation state is behind the log", "error", err.Error())
		}
	}
}

// PublishCRLs makes the full list and one for each municipality with issued
// certificates: announced in the log (crl.published), then signed with the
// receipt, stored, served. Numbers come from the log and never repeat.
func (a *Authority) PublishCRLs(ctx context.Context) ([]PublishedCRL, error) {
	ctx = context.WithoutCancel(ctx)
	a.crlMu.Lock()
	defer a.crlMu.Unlock()
	if err := a.Follow(ctx); err != nil {
		return nil, err
	}
	partitions := a.lists.Partitions()
	lists := make([]*revocation.List, len(partitions))
	bodies := make([]entry.Body, len(partitions))
	for i, p := range partitions {
		l, err := a.lists.Build(p, a.cfg.Now())
		if err != nil {
			return nil, err
		}
		lists[i], bodies[i] = l, l.Body()
	}
	logged, err := a.own.AppendAll(ctx, bodies...)
	if err != nil {
		return nil, fmt.Errorf("couldn't announce the revocation lists: %w", err)
	}
	defer a.news()
	out := make([]PublishedCRL, len(lists))
	for i, l := range lists {
		if out[i], err = a.signCRL(ctx, l, logged[i]); err != nil {
			return nil, fmt.Errorf("couldn't sign the revocation list of %s: %w", l.Partition, err)
		}
	}
	a.logTally(ctx, false)
	return out, nil
}

func (a *Authority) signCRL(ctx context.Context, l *revocation.List, logged *ledger.Logged) (PublishedCRL, error) {
	sig, err := a.cfg.Key.SignStream(ctx, l, logged.Bytes, logged.Receipt)
	if err != nil {
		return PublishedCRL{}, err
	}
	der, err := l.Assemble(sig)
	if err != nil {
		return PublishedCRL{}, err
	}
	row := registry.CRL{Partition: l.Partition, Number: l.Number, Covers: l.Covers, DER: der, ThisTime: l.ThisUpdate, NextTime: l.NextUpdate}
	if err := a.reg.SetCRL(row, registry.Synced); err != nil {
		return PublishedCRL{}, err
	}
	return PublishedCRL{Partition: l.Partition, Number: l.Number, Covers: l.Covers, Entries: l.Entries, Index: logged.Index,
		DER: der, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}, nil
}

// CRL returns the newest signed list of a partition, or ErrNotFound.
func (a *Authority) CRL(partition string) (registry.CRL, error) {
	c, err := a.reg.GetCRL(partition)
	if err != nil {
		return c, notFound(err)
	}
	return c, nil
}

// Partitions names the revocation lists that there are, or will be with the
// next publication.
func (a *Authority) Partitions() []string { return a.lists.Partitions() }

// RecordAct logs a step of an officer (package ca/office), before anything
// else happens because of it.
func (a *Authority) RecordAct(ctx context.Context, b *entry.OperatorAct) error {
	if _, err := a.own.Append(context.WithoutCancel(ctx), b); err != nil {
		return fmt.Errorf("couldn't record an officer's act: %w", err)
	}
	return nil
}
