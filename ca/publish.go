package ca

import (
	"context"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// PublishedCRL is one signed revocation list.
type PublishedCRL struct {
	Issuer     entry.Digest // the generation's key
	Partition  string       // "full", "ca" or a municipality code
	Number     uint64
	Covers     uint64 // number of log entries that it reflects
	Entries    uint64
	Index      uint64 // of crl.published
	DER        []byte
	ThisUpdate time.Time
	NextUpdate time.Time
	Base       uint64 // of a delta list: number of the complete one that it builds on
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

// PublishCRLs makes, for every generation whose key still signs lists, the full
// list, one for each municipality with issued certificates, and one of CA
// certificates if it certified any: announced in the log (crl.published), then
// signed with the receipt, stored, served. Numbers come from the log and never
// repeat.
func (a *Authority) PublishCRLs(ctx context.Context) ([]PublishedCRL, error) {
	ctx = context.WithoutCancel(ctx)
	out, err := a.publishAll(ctx, a.due)
	if err == nil {
		a.logTally(ctx, false)
	}
	return out, err
}

// publishAll publishes the lists that are due by generation.
func (a *Authority) publishAll(ctx context.Context, due func(*generation) ([]*revocation.List, error)) ([]PublishedCRL, error) {
	a.crlMu.Lock()
	defer a.crlMu.Unlock()
	if err := a.Follow(ctx); err != nil {
		return nil, err
	}
	var out []PublishedCRL
	for _, g := range a.generations {
		lists, err := due(g)
		if err != nil {
			return nil, err
		}
		done, err := a.publish(ctx, g, lists)
		if err != nil {
			return nil, err
		}
		out = append(out, done...)
	}
	return out, nil
}

// CRL returns the newest signed list of a partition of the issuing generation, or
// ErrNotFound.
func (a *Authority) CRL(partition string) (registry.CRL, error) {
	return a.CRLOf(a.issuer.Key, partition)
}

// Partitions names the issuing generation's lists that there are, or will be with the
// next publication.
func (a *Authority) Partitions() []string { return a.generations[0].lists.Partitions() }
