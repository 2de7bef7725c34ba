package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// openCA opens the CA server. /healthz answers first, with "not yet": a standby
// waits here for the lease of the registry until the active process is gone.
func (r *runner) openCA(ctx context.Context) error {
	c := r.cfg.CA
	conf, err := r.caConfig()
	if err != nil {
		return err
	}
	log, err := r.ledgerClient(c.Ledger)
	if err != nil {
		return err
	}
	var up atomic.Pointer[roles.CA]
	m := r.newMetrics()
	m.gauge("sukashi_ca_active", "1 when this process is the active one, 0 while it waits for the registry.", func() float64 {
		if up.Load() == nil {
			return 0
		}
		return 1
	})
	m.gauge("sukashi_ca_certificates", "Issuances on record.", func() float64 {
		if a := up.Load(); a != nil {
			if n, err := a.Authority.Size(); err == nil {
				return float64(n)
			}
		}
		return -1
	})
	m.lists(func() ([]ca.ListState, error) {
		if a := up.Load(); a != nil {
			return a.Authority.ListStates()
		}
		return nil, errors.New("not active")
	}, time.Now)
	m.gauge("sukashi_ca_responder_seconds_left", "Seconds until the end of the OCSP responder's certificate that ends first; not positive: it answers no more.", func() float64 {
		if a := up.Load(); a != nil {
			return responderLeft(a.Authority.Responders(), time.Now())
		}
		return math.NaN()
	})
	ops := http.NewServeMux()
	m.mount(ops, func(ctx context.Context) error { return r.caHealth(ctx, up.Load(), log) })
	if err := r.listen("metrics", r.cfg.Metrics, nil, ops); err != nil {
		return err
	}
	host, done, err := ceremony.OpenHost(conf.Keys)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, done)
	conf.Host, conf.Log, conf.Reader = host, log, log
	a, err := roles.OpenCA(ctx, conf)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, a.Close)
	if err := r.serveCA(a, m); err != nil {
		return err
	}
	up.Store(a)
	if a.Lost != nil {
		go func() {
			<-a.Lost
			r.failed <- registry.ErrFenced
		}()
	}
	every, err := c.lists()
	if err != nil {
		return err
	}
	r.daily(func(ctx context.Context) error { return r.listsDue(ctx, a.Authority, every) })
	return nil
}

// responderLeft is how long the first of the responders lives; NaN for none.
func responderLeft(list []ca.ResponderState, now time.Time) float64 {
	left := math.NaN()
	for _, r := range list {
		if d := r.NotAfter.Sub(now).Seconds(); !(d >= left) {
			left = d
		}
	}
	return left
}

// caConfig reads the ceremony's file and what stands beside it.
func (r *runner) caConfig() (roles.CAConfig, error) {
	c := r.cfg.CA
	keys, err := ceremony.Load(r.cfg.path(c.Keys))
	if err != nil {
		return roles.CAConfig{}, err
	}
	if keys.Demo {
		return roles.CAConfig{}, say.New("serve.demo-keys", "デモ用の鍵では、認証局を動かせません。", "A CA server doesn't run on demo keys.").
			Hint("sukashi ca init で、PKCS #11 のトークンに鍵を作ってください。", "Make the keys on a PKCS #11 token with sukashi ca init.")
	}
	host, err := os.Hostname()
	if err != nil {
		return roles.CAConfig{}, err
	}
	out := roles.CAConfig{Keys: keys, Holder: fmt.Sprintf("%s process %d", host, os.Getpid()), Standby: true, StateDir: r.cfg.path(c.State), Now: time.Now, Logger: r.log}
	if c.Profile == "" {
		return out, nil
	}
	b, err := readLimited(r.cfg.path(c.Profile), maxConfig)
	if err != nil {
		return out, say.New("serve.profile", "電子証明書のプロファイルを読めません: "+c.Profile, "The certificate profile can't be read: "+c.Profile).Because(err)
	}
	out.Profile, err = profile.Load(b)
	return out, err
}

// serveCA opens the listeners: the API for counters and officers of zone lgwan,
// and what everyone may fetch.
func (r *runner) serveCA(a *roles.CA, m *metrics) error {
	public, err := a.Public()
	if err != nil {
		return err
	}
	own, conf, err := r.own(zone.LGWAN)
	if err != nil {
		return err
	}
	api, err := roles.Office(roles.OfficeConfig{Authority: a.Authority, Own: own, Counters: r.cfg.CA.Counters, Officers: r.cfg.CA.Officers, Now: time.Now})
	if err != nil {
		return err
	}
	if err := r.listen("ca", r.cfg.Listen, conf, m.count("ca", api)); err != nil {
		return err
	}
	if err := r.listen("public", r.cfg.Public, nil, m.count("public", public)); err != nil {
		return err
	}
	return r.openCAEnd(a.Authority, own, conf, m)
}

// caHealth: it is active and the log answers; it is impaired while relying parties
// have no list in force or no responder whose certificate is.
func (r *runner) caHealth(ctx context.Context, a *roles.CA, log *publish.Client) error {
	if a == nil {
		return errors.New("not active")
	}
	if err := r.logAnswers(ctx, log); err != nil {
		return err
	}
	states, err := a.Authority.ListStates()
	if err == nil {
		err = overdue(states, a.Authority.Responders(), time.Now())
	}
	if err != nil {
		r.log.Error("relying parties can't ask about certificates", "code", say.Code(err), "error", err.Error())
	}
	return err
}

// listsDue makes the revocation lists when one is missing or old enough.
func (r *runner) listsDue(ctx context.Context, a *ca.Authority, every time.Duration) error {
	lists, err := a.PublishDue(ctx, every)
	if err == nil && len(lists) > 0 {
		r.log.Info("revocation lists made", "lists", len(lists))
	}
	return err
}

// A role looks so often whether something of the day is due, and after a
// failure later.
const (
	lookEvery = time.Second
	lookAgain = 15 * time.Second
)

// daily calls look now and then until the role ends. What look does must be
// safe to be asked for again: a day's work is done once by its own record.
func (r *runner) daily(look func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			wait := lookEvery
			if err := look(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("the day's work is not done yet", "code", say.Code(err), "error", err.Error())
				wait = lookAgain
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}()
	r.closers = append(r.closers, func() error {
		cancel()
		<-done
		return nil
	})
}
