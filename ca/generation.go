package ca

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Generation is an earlier issuer key of the same CA. It issues no more; its
// certificates keep their lists and their responder until they have expired.
type Generation struct {
	Key     IssuerKey // nil: the key is gone, and no new list can be signed
	Issuer  []byte    // its self-signed certificate, DER
	BaseURL string    // where its certificates point to, another one than any other generation's
}

// generation is one issuer key with its lists. The first of an authority's is the
// one that issues.
type generation struct {
	key    IssuerKey
	issuer *profile.Issuer
	der    []byte
	base   string
	lists  *revocation.Lists
}

func newGeneration(g Generation, cfg *Config, state *revocation.State) (*generation, error) {
	issuer, err := profile.NewIssuer(g.Issuer)
	if err != nil {
		return nil, err
	}
	if g.Key != nil && issuer.Key != g.Key.KeyID() {
		return nil, errors.New("the issuer certificate is not the issuer key's")
	}
	lists, err := revocation.NewLists(revocation.ListsConfig{State: state, Issuer: issuer, Resident: cfg.Profile, Places: Place,
		BaseURL: g.BaseURL, Validity: cfg.CRLLife, DeltaLife: cfg.DeltaLife})
	if err != nil {
		return nil, err
	}
	return &generation{key: g.Key, issuer: issuer, der: g.Issuer, base: g.BaseURL, lists: lists}, nil
}

// generationsOf checks that no two generations have one key or one address.
func generationsOf(cfg *Config, state *revocation.State) ([]*generation, error) {
	all := append([]Generation{{cfg.Key, cfg.Issuer, cfg.BaseURL}}, cfg.Earlier...)
	out := make([]*generation, len(all))
	keys, bases := map[entry.Digest]bool{}, map[string]bool{}
	for i, g := range all {
		var err error
		if out[i], err = newGeneration(g, cfg, state); err != nil {
			return nil, err
		}
		if keys[out[i].issuer.Key] || bases[g.BaseURL] {
			return nil, errors.New("two generations have one key or one address")
		}
		keys[out[i].issuer.Key], bases[g.BaseURL] = true, true
	}
	return out, nil
}

// row names a partition's list in the registry. Generations have one name and
// number their lists apart, so the key is part of it.
func (g *generation) row(partition string) string {
	return hex.EncodeToString(g.issuer.Key[:8]) + "/" + partition
}

// path is where the generation's material is served, "" or "/g2".
func (g *generation) path() string {
	u, err := url.Parse(g.base)
	if err != nil {
		return ""
	}
	return u.Path
}

// ErrEnded says that the key issues no more.
var ErrEnded = say.New("ca.key-ended", "この発行者の鍵では、もう発行できません。", "This issuer key issues no more.").
	Hint("次の世代の鍵で認証局を起動してください。", "Start the CA with the next generation's key.")

// keyEnded reads the operator's entries, of which there are few, for the end of
// the issuing key's issuing: its succession or its leak.
func (a *Authority) keyEnded(ctx context.Context) (bool, error) {
	n, err := a.cfg.Log.NextSeq(ctx, entry.ByOperator)
	if err != nil {
		return false, fmt.Errorf("couldn't ask the log for the operator's entries: %w", err)
	}
	for seq := uint64(0); seq < n; seq++ {
		_, b, err := a.cfg.Log.Lookup(ctx, entry.ByOperator, seq)
		if err != nil {
			return false, fmt.Errorf("couldn't read entry %d of the operator: %w", seq, err)
		}
		e, err := entry.Parse(b)
		if err != nil {
			return false, fmt.Errorf("couldn't read entry %d of the operator: %w", seq, err)
		}
		switch b := e.Body.(type) {
		case *entry.KeySucceeded:
			if b.SPKI == a.issuer.Key {
				return true, nil
			}
		case *entry.KeyLeaked:
			if b.SPKI == a.issuer.Key {
				return true, nil
			}
		case *entry.KeyRetired:
			if b.SPKI == a.issuer.Key {
				return true, nil
			}
		}
	}
	return false, nil
}

// mayIssue refuses an issuance under a key whose issuing has ended, and before
// anything is announced for a key that can't sign now.
func (a *Authority) mayIssue() error {
	k := a.state.Key(a.issuer.Key)
	if a.ended || k.Leaked || k.Retired || k.Successor != nil {
		return ErrEnded
	}
	if err := a.cfg.Key.Ready(); err != nil {
		a.log.Error("the signing key can't be reached", "error", err.Error())
		return ErrKeyAway.Because(err)
	}
	return nil
}

// generationOf finds a generation by its key.
func (a *Authority) generationOf(key entry.Digest) (*generation, error) {
	for _, g := range a.generations {
		if g.issuer.Key == key {
			return g, nil
		}
	}
	return nil, ErrNotFound
}

// CRLOf returns the newest signed list of a generation's partition, or
// ErrNotFound.
func (a *Authority) CRLOf(key entry.Digest, partition string) (registry.CRL, error) {
	g, err := a.generationOf(key)
	if err != nil {
		return registry.CRL{}, err
	}
	c, err := a.reg.GetCRL(g.row(partition))
	if err != nil {
		return c, notFound(err)
	}
	return c, nil
}

// due returns the lists that a generation needs now: those of a leaked or retired
// key have ended.
func (a *Authority) due(g *generation) ([]*revocation.List, error) {
	if !a.signsLists(g) {
		return nil, nil
	}
	var out []*revocation.List
	for _, p := range g.lists.Partitions() {
		l, err := g.lists.Build(p, a.cfg.Now())
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// PublishLast makes a key's last lists, whose nextUpdate says that there will be
// no others: before a key is retired, or after it leaked. Those that exist are not
// made again, so a call after a crash goes on.
//
// Of a leaked key this is one voice among others: whoever holds the key can sign a
// list as well. It is made because a client that knows nothing but this CRL is
// then safe, and a forged later list can do no more than a client without any
// list would suffer. The authority on a leaked key's certificates is the log's
// status tree, and for the key itself the next generation's list of CA
// certificates.
func (a *Authority) PublishLast(ctx context.Context, key entry.Digest) ([]PublishedCRL, error) {
	ctx = context.WithoutCancel(ctx)
	a.crlMu.Lock()
	defer a.crlMu.Unlock()
	if err := a.Follow(ctx); err != nil {
		return nil, err
	}
	g, err := a.generationOf(key)
	if err != nil || g.key == nil {
		return nil, err
	}
	var lists []*revocation.List
	for _, p := range g.lists.Partitions() {
		if c, err := a.reg.GetCRL(g.row(p)); err == nil && c.NextTime.Equal(profile.NoNextUpdate) && len(c.DER) > 0 {
			continue
		}
		l, err := g.lists.BuildLast(p, a.cfg.Now())
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	return a.publish(ctx, g, lists)
}

// publish announces a generation's lists, signs, stores and serves them. crlMu is
// held.
func (a *Authority) publish(ctx context.Context, g *generation, lists []*revocation.List) ([]PublishedCRL, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	// A list that waits is tried again and again: while the key is away, each try
	// would log an announcement of every list, and nobody would see one of them.
	if err := g.key.Ready(); err != nil {
		return nil, fmt.Errorf("couldn't reach the key that signs the revocation lists: %w", err)
	}
	bodies := make([]entry.Body, len(lists))
	for i, l := range lists {
		bodies[i] = l.Body()
	}
	logged, err := a.own.AppendAll(ctx, bodies...)
	if err != nil {
		return nil, fmt.Errorf("couldn't announce the revocation lists: %w", err)
	}
	defer a.news()
	out := make([]PublishedCRL, len(lists))
	for i, l := range lists {
		if out[i], err = a.signCRL(ctx, g, l, logged[i]); err != nil {
			return nil, fmt.Errorf("couldn't sign the revocation list of %s: %w", l.Partition, err)
		}
	}
	return out, nil
}

func (a *Authority) signCRL(ctx context.Context, g *generation, l *revocation.List, logged *ledger.Logged) (PublishedCRL, error) {
	sig, err := g.key.SignStream(ctx, l, logged.Bytes, logged.Receipt)
	if err != nil {
		return PublishedCRL{}, err
	}
	der, err := l.Assemble(sig)
	if err != nil {
		return PublishedCRL{}, err
	}
	row := registry.CRL{Partition: g.row(l.Partition), Number: l.Number, Covers: l.Covers, DER: der, ThisTime: l.ThisUpdate, NextTime: l.NextUpdate}
	out := PublishedCRL{Issuer: g.issuer.Key, Partition: l.Partition, Number: l.Number, Covers: l.Covers, Entries: l.Entries, Index: logged.Index,
		DER: der, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
	if l.Base != nil {
		row.Partition, row.Base, out.Base = g.deltaRow(l.Partition), l.Base.Number, l.Base.Number
	} else if row.Bases, err = a.bases(g, l); err != nil {
		return PublishedCRL{}, err
	}
	if err := a.reg.SetCRL(row, registry.Synced); err != nil {
		return PublishedCRL{}, err
	}
	a.newest.Store(row.Partition, withoutDER(row))
	return out, nil
}

// leakBatch bounds how many revocations of a leak go into one append.
const leakBatch = 1024

// RevokeLeaked carries out Article 14: every certificate in force under a key
// whose leak is in the log (key.leaked, which a ceremony of several officers
// writes) is revoked, then the key's last lists and the lists of the other
// generations are published. It returns how many it revoked. Asking again after a
// crash goes on where it stopped.
func (a *Authority) RevokeLeaked(ctx context.Context, key entry.Digest, operators [2]string) (int, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return 0, err
	}
	n, err := a.revokeUnder(ctx, key, operators)
	if err != nil {
		return n, err
	}
	if _, err := a.PublishLast(ctx, key); err != nil {
		return n, err
	}
	_, err = a.PublishCRLs(ctx)
	return n, err
}

func (a *Authority) revokeUnder(ctx context.Context, key entry.Digest, operators [2]string) (total int, err error) {
	a.issueMu.Lock() // nothing is decided on meanwhile
	defer a.issueMu.Unlock()
	a.flight.Wait() // and what was begun has its end
	a.revMu.Lock()
	defer a.revMu.Unlock()
	if err := a.Follow(ctx); err != nil {
		return 0, err
	}
	if !a.state.Key(key).Leaked {
		return 0, say.New("ca.not-leaked", "この鍵の漏えいは記録されていません。", "No leak of this key is recorded.").
			Hint("先に、複数の者の承認で漏えいを記録してください(sukashi ca leak)。", "First record the leak, approved by several officers (sukashi ca leak).")
	}
	var recs []*registry.Record
	todo := a.state.InForce(key)
	for i, o := range todo {
		rec, err := a.reg.Get(o)
		if err != nil {
			return total, err
		}
		if rec.State == registry.Issued && a.cfg.Now().Before(rec.NotAfter) {
			recs = append(recs, rec)
		}
		if len(recs) == leakBatch || i == len(todo)-1 {
			if err := a.revokeMany(ctx, recs, entry.GroundIssuerKey, operators); err != nil {
				return total, err
			}
			total, recs = total+len(recs), recs[:0]
		}
	}
	return total, nil
}

// issuerCert reads an issuer certificate.
func issuerCert(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the issuer certificate: %w", err)
	}
	return c, nil
}
